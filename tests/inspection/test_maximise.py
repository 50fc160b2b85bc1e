import numpy as np
import pytest
import torch

from helpers import inspection
from helpers.errors import CourseError
from helpers.inspection.maximise import _excitement
from helpers.networks import backbones
from tests.conftest import response, unchanged

SHORT = {"size": 48, "steps": 24}


@pytest.fixture(scope="module")
def lite0():
    return backbones.load("efficientnet_lite0")


@pytest.mark.parametrize(("part", "channel"), [("stage3", 10), ("stage5", 28), ("stage6", 48)])
def test_the_picture_excites_its_channel_ten_times_as_much_as_noise(lite0, part, channel):
    """Both measured as the channel's mean activation; noise: pixels drawn evenly from 0..1."""
    picture = inspection.maximise(lite0, part, [channel], size=64, steps=40)
    noise = np.random.default_rng(0).random((16, 64, 64, 3), dtype=np.float32)
    excited = response(lite0, part, channel, picture)[0]
    assert excited > 10 * np.abs(response(lite0, part, channel, noise)).mean()


def test_it_is_a_picture_and_the_same_one_again(lite0):
    first = inspection.maximise(lite0, "stage2", [3], **SHORT)
    assert first.shape == (1, 48, 48, 3)
    assert first.dtype == np.float32
    assert first.min() >= 0
    assert first.max() <= 1
    assert first.std() > 0.1, "a picture, not a flat area"
    again = inspection.maximise(lite0, "stage2", [3], **SHORT)
    assert np.array_equal(first, again)
    other = inspection.maximise(lite0, "stage2", [3], **SHORT, seed=1)
    assert not np.allclose(first, other, atol=0.05)


def test_a_channel_does_not_notice_its_company(lite0):
    alone = inspection.maximise(lite0, "stage1", [5], size=32, steps=6)
    together = inspection.maximise(lite0, "stage1", [2, 5], size=32, steps=6)
    assert np.allclose(alone[0], together[1], atol=1e-2)


def test_progress_is_told_stop_stops_and_the_network_is_unchanged(lite0):
    told = []
    with unchanged(lite0):
        inspection.maximise(
            lite0, "stem", [0], size=32, steps=9, on_step=told.append,
            should_stop=lambda: len(told) == 4,
        )  # fmt: skip
    assert told == [1, 2, 3, 4]
    assert all(p.grad is None for p in lite0.parameters())


def test_the_last_part_is_climbed_before_its_relu(lite0):
    """Behind a ReLU that says 0 there would be no slope, and the picture would stay noise."""
    picture = inspection.maximise(lite0, "stage7", [700], **SHORT)
    noise = np.random.default_rng(0).random((4, 48, 48, 3), dtype=np.float32)
    excited = response(lite0, "stage7", 700, picture)[0]
    assert excited > response(lite0, "stage7", 700, noise).max() + 1


@pytest.mark.parametrize(
    ("part", "channels", "said"),
    [
        ("stage33", [0], "stage3"),
        ("head", [0], "The head has no feature maps"),
        ("stage5", [112], "stage5 of efficientnet_lite0 has the channels 0 to 111; .* 112"),
        ("stage5", [3, -1], "there is no channel -1"),
        ("stage5", [3.5], "there is no channel 3.5"),
    ],
)
def test_what_cannot_be_is_said(lite0, part, channels, said):
    with pytest.raises(CourseError, match=said):
        inspection.maximise(lite0, part, channels, **SHORT)


def test_early_channels_are_not_asked_at_the_padding_and_late_ones_in_the_middle():
    seen = torch.zeros(1, 2, 8, 8)
    seen[0, 1, [0, -1]], seen[0, 1, :, [0, -1]] = 100.0, 100.0
    assert _excitement(seen, [1], margin=8, side=64) == 0
    seen[0, 1, 1] = 100.0
    assert _excitement(seen, [1], margin=8, side=64) > 0 == _excitement(seen, [1], 0, 64)
