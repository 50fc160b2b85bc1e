import copy

import numpy as np
import pytest
import torch
from cka import cka_from_features

from helpers import inspection
from helpers.errors import CourseError
from tests.conftest import make_split, tiny_backbone

RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 12)) @ np.diag(np.arange(1, 13)) + 3
RELATED = np.tanh(X[:, :5] @ RNG.normal(size=(5, 20)) / 10) + 0.1 * RNG.normal(size=(80, 20))


@pytest.mark.parametrize("shape", [(80, 20), (80, 400), (5, 3)])
def test_the_debiased_cka_is_that_of_pytorch_cka(shape):
    y = RNG.normal(size=shape) + X[: shape[0], :1]
    peer = cka_from_features(torch.from_numpy(X[: shape[0]]), torch.from_numpy(y))
    # The peer clips at 0, where an unbiased estimate may lie below.
    assert max(0, inspection.linear_cka(X[: shape[0]], y)) == pytest.approx(peer.item(), abs=1e-9)


def test_the_biased_cka_is_kornblith_s_formula_over_features():
    """Kornblith et al. 2019, equation 5: norms of cross-covariances instead of Gram matrices."""
    x, y = X - X.mean(axis=0), RELATED - RELATED.mean(axis=0)
    norms = np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y)
    wanted = np.linalg.norm(x.T @ y) ** 2 / norms
    assert inspection.linear_cka(X, RELATED, debiased=False) == pytest.approx(wanted)


def test_unrelated_wide_features_look_alike_to_the_biased_estimate_only():
    x, y = RNG.normal(size=(2, 50, 2000))
    assert inspection.linear_cka(x, y, debiased=False) > 0.95
    assert abs(inspection.linear_cka(x, y)) < 0.1


def test_the_interval_covers_what_other_images_give():
    """Its width is that of repeating the whole measurement, to within a third."""
    rng = np.random.default_rng(2)
    mix = rng.normal(size=(10, 10))

    def draw():
        x = rng.normal(size=(100, 10))
        return x, x @ mix + 3 * rng.normal(size=(100, 10))

    repeats = [inspection.linear_cka(*draw()) for _ in range(200)]
    one = np.median([(s.hi - s.lo) / 2 for s in (inspection.compare(*draw()) for _ in range(9))])
    assert one == pytest.approx(1.96 * np.std(repeats), rel=1 / 3)
    assert inspection.compare(X, X).lo == pytest.approx(1)


@pytest.mark.parametrize(
    ("x", "y", "says"),
    [
        (X, X[:-1], r"same N >= 4 images; these are \(80, 12\) and \(79, 12\)"),
        (X[:3], X[:3], "N >= 4"),
        (X, np.ones((80, 4)), "the same for"),
        (X, np.where(X > 20, np.nan, X), "NaN"),
        (X, X.reshape(80, 3, 4), "Pool or flatten"),
    ],
)
def test_what_cannot_be_compared_is_said_in_a_sentence(x, y, says):
    with pytest.raises(CourseError, match=says):
        inspection.linear_cka(x, y)


def test_networks_are_compared_part_by_part():
    model, images = tiny_backbone().eval(), make_split(24)
    other = copy.deepcopy(model)
    with torch.no_grad():
        other.net.stage2[0].weight.normal_()
    found = inspection.cka_per_part(model, other, images)
    assert list(found) == ["stem", "stage1", "stage2", "stage3"]
    assert found["stage1"].cka == pytest.approx(1)
    assert found["stage2"].cka < 0.999
    assert found["stem"].n == 24
    with pytest.raises(CourseError, match="Did you mean 'stage2'"):
        inspection.cka_per_part(model, other, images, ["stage22"])
