import numpy as np
import pytest
import torch
from torch import nn

from helpers.errors import CourseError
from helpers.inspection import gray_stems
from tests.conftest import tiny_backbone, unchanged

IMAGES = torch.randint(0, 256, (6, 1, 32, 32), dtype=torch.uint8)


@pytest.fixture(scope="module")
def nets():
    torch.manual_seed(0)
    head = nn.Linear(1280, 2)
    return gray_stems.variants("efficientnet_lite0", head)


def test_variants_differ_in_their_stem_alone(nets):
    assert tuple(nets) == gray_stems.METHODS
    states = [net.state_dict() for net in nets.values()]
    differ = {name for name in states[0] if not torch.equal(states[0][name], states[2][name])
              if states[0][name].shape == states[2][name].shape}  # fmt: skip
    assert not differ
    stems = [net.stem_conv.weight for net in nets.values()]
    assert torch.allclose(stems[1], stems[0].sum(dim=1, keepdim=True))
    assert torch.allclose(stems[2], stems[1] / 3)


def test_the_random_stem_is_the_same_for_a_seed():
    a, b, c = (
        gray_stems.variants("efficientnet_lite0", seed=k)["random"].stem_conv.weight
        for k in (0, 0, 1)
    )
    assert torch.equal(a, b)
    assert not torch.equal(a, c)


def test_looks_hold_every_case_and_the_sum_is_the_reference(nets):
    looks = gray_stems.looks(nets, IMAGES)
    assert set(looks) == {(how, mode) for how in gray_stems.METHODS for mode in gray_stems.MODES}
    summed, reference = looks["sum", "eval"], looks["replicate", "eval"]
    assert summed.probabilities.shape == (6, 2)
    assert np.allclose(summed.probabilities, reference.probabilities, atol=1e-4)
    assert summed.agreement(reference) == 1.0
    assert looks["mean", "eval"].stem.std() == pytest.approx(reference.stem.std() / 3, rel=1e-3)


def test_what_is_drawn_is_the_true_class(nets):
    look = gray_stems.look(nets["sum"], IMAGES)
    labels = np.array([0, 1, 0, 1, 0, 1])
    assert look.drawn(labels)[2].tolist() == [
        look.probabilities[i, k] for i, k in enumerate(labels)
    ]


def test_batch_statistics_standardise_and_stored_ones_need_not():
    net = tiny_backbone().eval()
    with unchanged(net):
        moved = gray_stems.look(net, IMAGES, "train")
    rests = gray_stems.look(net, IMAGES, "eval")
    assert moved.standardised.std() == pytest.approx(1, abs=0.05)
    assert rests.standardised == pytest.approx(rests.stem, rel=1e-3), "mean 0, variance 1 stored"


def test_images_that_are_not_gray_are_refused():
    with pytest.raises(CourseError, match=r"Gray images .* are wanted.*images\[:, :1\]"):
        gray_stems.look(tiny_backbone(), IMAGES.expand(-1, 3, -1, -1))


def test_a_sample_takes_every_channel(monkeypatch):
    monkeypatch.setattr(gray_stems, "N_VALUES", 100)
    activation = torch.arange(8.0).view(1, 8, 1, 1).expand(3, 8, 10, 10)
    values = gray_stems._sample(activation)
    assert len(values) <= 100
    assert set(values.tolist()) == set(range(8))
