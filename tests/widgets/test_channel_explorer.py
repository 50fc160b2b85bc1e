import numpy as np
import pytest

from helpers import widgets
from helpers.errors import CourseError
from helpers.inspection import patches
from helpers.networks import backbones
from helpers.widgets import channel_explorer
from tests.conftest import make_split, tiny_backbone


@pytest.fixture(scope="module")
def lite0():
    return backbones.load("efficientnet_lite0")


@pytest.fixture
def explorer(lite0, monkeypatch):
    monkeypatch.setattr(channel_explorer, "STEPS", 3)
    monkeypatch.setattr(channel_explorer, "LARGEST", 32)
    gallery = {"stem": {7: np.zeros((32, 32, 3), dtype=np.uint8)}}
    return widgets.ChannelExplorer(lite0, make_split(6, size=64), gallery)


def press(explorer) -> None:
    explorer.show_button.click()
    explorer.worker.join(timeout=60)


def test_a_stored_picture_is_there_at_once_and_said_to_be_one(explorer):
    assert "<img" in explorer.picture.value
    assert "Press Show" in explorer.text.value
    press(explorer)
    assert "gallery" in explorer.text.value
    assert "<img" in explorer.picture.value


def test_another_channel_is_computed_and_shows_its_progress(explorer):
    explorer.part.value, explorer.channel.value = "stage1", 2
    press(explorer)
    assert "computed just now" in explorer.text.value
    assert explorer.progress.value == 3
    assert not explorer.show_button.disabled
    assert explorer.stop_button.disabled


def test_stop_stops_and_says_so(explorer, monkeypatch):
    explorer.channel.value = 8
    whole = explorer._step

    def press_stop(done):
        whole(done)
        explorer.stop_button.click()

    monkeypatch.setattr(explorer, "_step", press_stop)
    press(explorer)
    assert explorer.text.value == "Stopped after 1 of 3 steps."
    assert "<img" in explorer.picture.value, "the picture so far"


def test_the_images_are_looked_through_once_per_part(explorer, monkeypatch):
    press(explorer)
    monkeypatch.setattr(patches, "strongest_places", lambda *_: pytest.fail("again"))
    explorer.channel.value = 9
    press(explorer)
    assert "computed just now" in explorer.text.value


def test_a_channel_that_does_not_exist_is_a_sentence_in_the_page(explorer):
    explorer.channel.value = 999
    press(explorer)
    assert "channels 0 to 31; there is no channel 999" in explorer.text.value
    assert not explorer.show_button.disabled


def test_a_network_for_gray_images_is_refused_at_once():
    with pytest.raises(CourseError, match="channels=3"):
        widgets.ChannelExplorer(tiny_backbone(1), make_split(2), {"stem": {0: np.zeros((8, 8, 3))}})
