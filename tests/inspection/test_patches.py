import numpy as np
import pytest
import torch

from helpers import inspection
from helpers.datasets import Split
from helpers.errors import CourseError
from helpers.networks import backbones
from tests.conftest import make_split, tiny_backbone, unchanged


@pytest.fixture
def spots() -> Split:
    """Eight black images of 64 pixels; image k has a bright square at (8k, 56 - 8k)."""
    images = np.zeros((8, 64, 64, 1), dtype=np.uint8)
    for k in range(8):
        images[k, 8 * k : 8 * k + 8, 56 - 8 * k : 64 - 8 * k] = 100 + 20 * k
    return Split(images, np.zeros(8, dtype=np.int64), np.arange(8))


@pytest.fixture
def brightness():
    """A network whose stem's channel 0 is the brightness around a place."""
    model = tiny_backbone().eval()
    with torch.no_grad():
        model.stem_conv.weight.fill_(1 / 9)
    return model


def test_the_brightest_spots_come_first_one_per_image_and_lie_in_their_patches(brightness, spots):
    found = inspection.strongest_patches(brightness, "stem", 0, spots, n=3)
    assert found.sources.tolist() == [7, 6, 5]
    assert (np.diff(found.scores) < 0).all()
    for patch, source in zip(found.images, found.sources, strict=True):
        assert patch.shape[0] == patch.shape[1] >= 16
        assert patch.max() == 100 + 20 * source
    found = inspection.strongest_patches(brightness, "stem", 0, spots, n=50)
    assert sorted(found.sources) == list(range(8))


def test_a_patch_is_as_wide_as_the_channel_sees_but_half_the_image_at_most(brightness, spots):
    sides = [
        inspection.strongest_patches(brightness, part, 0, spots).images.shape[1]
        for part in ("stem", "stage3")
    ]
    assert sides == sorted(sides)
    assert 16 <= sides[0] <= sides[1] <= 32


def test_a_network_in_train_mode_is_unchanged():
    """Also at the last stages, whose maps of a small image are a single position."""
    model = backbones.load("efficientnet_lite0").train()
    with unchanged(model):
        for part in ("stage2", "stage7"):
            found = inspection.strongest_patches(model, part, 0, make_split(3, size=64), n=2)
            assert len(found.images) == 2


@pytest.mark.parametrize(
    ("part", "channel", "n", "said"),
    [
        ("stage33", 0, 1, "stage3"),
        ("stem", 4, 1, "channels 0 to 3; there is no channel 4"),
        ("stem", 1.5, 1, "channels 0 to 3; there is no channel 1.5"),
        ("stem", 0, 0, "at least one patch"),
    ],
)
def test_what_does_not_exist_is_said(brightness, spots, part, channel, n, said):
    with pytest.raises(CourseError, match=said):
        inspection.strongest_patches(brightness, part, channel, spots, n=n)
