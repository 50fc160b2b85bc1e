import base64

import numpy as np
import pytest

from helpers import inspection
from helpers.errors import CourseError
from helpers.widgets import FeatureMaps
from tests.conftest import make_split, tiny_backbone


@pytest.fixture
def widget() -> FeatureMaps:
    model, images = tiny_backbone(), make_split(2).images
    rows = {
        name: (image, inspection.feature_maps(model, image))
        for name, image in zip("ab", images, strict=True)
    }
    return FeatureMaps(rows, inspection.geometry(model, 32), start="stage1")


def picture(box) -> bytes:
    return base64.b64decode(box.value.split("base64,")[1].split('"')[0])


def test_it_draws_at_once_and_says_what_one_number_stands_for(widget):
    assert picture(widget.picture).startswith(b"\x89PNG")
    assert "feature maps after stage1" in widget.picture.value
    assert "2 x 2" in widget.text.value
    assert "up to 7 x 7 pixels" in widget.text.value
    assert "4 channels x 16 x 16 = <b>1,024</b>" in widget.text.value


def test_sliding_redraws(widget):
    before = widget.picture.value
    widget.part.value = "stage3"
    assert widget.picture.value != before
    assert "up to 15 x 15 pixels" in widget.text.value
    assert widget.part.options == ("stem", "stage1", "stage2", "stage3")


def test_a_page_without_a_kernel_says_what_it_is(widget):
    assert repr(widget) == "FeatureMaps(run the notebook to use it)"


def test_a_part_that_does_not_exist_names_the_close_ones(widget):
    with pytest.raises(CourseError, match=r"no part 'stage33'\. Did you mean 'stage3'"):
        FeatureMaps(widget.rows, widget.table, start="stage33")


def test_an_image_with_fewer_channels_than_places_leaves_them_empty(widget):
    image = np.zeros((8, 8, 1), np.uint8)
    table = widget.table
    small = FeatureMaps({"a": (image, {"stem": np.zeros((2, 4, 4))})}, table)
    assert picture(small.picture).startswith(b"\x89PNG")
