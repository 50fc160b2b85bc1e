"""Scores on toy cases whose answer is known, and what must not change them."""

import numpy as np
import pytest
from scipy.linalg import sqrtm
from scipy.optimize import minimize

from helpers.errors import CourseError
from helpers.evidence import transferability as scores

RNG = np.random.default_rng(0)
BLOB, TWIN = RNG.normal(size=(300, 6)), RNG.normal(size=(300, 6))
FAR = BLOB + 20
TURN = np.linalg.qr(RNG.normal(size=(6, 6)))[0]
LABELS = np.arange(300) % 3


def test_a_distance_is_zero_within_a_distribution_and_two_between_separable_ones():
    assert scores.proxy_a_distance(BLOB, TWIN) < 0.35
    assert scores.proxy_a_distance(BLOB, FAR) == 2
    shifted = BLOB + 0.7
    there, back = scores.proxy_a_distance(TWIN, shifted), scores.proxy_a_distance(shifted, TWIN)
    assert there == pytest.approx(back, abs=0.1), "whichever set comes first"
    other_units = scores.proxy_a_distance(1000 * TWIN + 5, 1000 * shifted + 5)
    assert other_units == pytest.approx(there)


def test_a_distance_of_a_known_error():
    """Half of one set looks like all of the other: the best line errs on a quarter."""
    half = np.tile([[0.0], [1.0]], (100, 1))
    ones = np.ones((200, 1))
    assert scores.proxy_a_distance(half, ones) == pytest.approx(2 * (1 - 2 * 0.25))
    assert scores.proxy_a_distance(half, ones[:60]) == pytest.approx(1), "both sets weigh the same"


def test_frechet_distance_is_the_formula_written_out():
    shift = np.array([3.0, 0, 0, 4.0, 0, 0])
    assert scores.frechet_distance(BLOB, BLOB) == pytest.approx(0, abs=1e-9)
    assert scores.frechet_distance(BLOB, BLOB + shift) == pytest.approx(25)
    other = RNG.normal(size=(120, 6)) * [1, 2, 3, 1, 1, 0.5] + 1
    a, b = np.cov(BLOB.T), np.cov(other.T)
    apart = BLOB.mean(axis=0) - other.mean(axis=0)
    plain = apart @ apart + np.trace(a + b - 2 * np.real(sqrtm(a @ b)))
    assert scores.frechet_distance(BLOB, other) == pytest.approx(plain)
    assert scores.frechet_distance(BLOB @ TURN, other @ TURN) == pytest.approx(plain)


def test_frechet_distance_is_biased_by_few_rows_and_the_mean_distance_is_not():
    wide = RNG.normal(size=(2000, 50))
    few, many = (scores.frechet_distance(wide[:n], wide[1000 : 1000 + n]) for n in (60, 1000))
    assert few > 3 * many
    small = [scores.mean_distance(wide[i : i + 20], wide[1000:]) ** 2 for i in range(0, 1000, 20)]
    assert np.mean(small) < 0.01


def test_mean_distance_counts_spreads_of_the_reference():
    step = np.zeros(6)
    step[0] = 2 * np.sqrt(TWIN.var(axis=0, ddof=1).sum())
    moved = TWIN + step
    assert scores.mean_distance(moved, TWIN) == pytest.approx(2, abs=0.01)
    assert scores.mean_distance(10 * moved @ TURN, 10 * TWIN @ TURN) == pytest.approx(2, abs=0.01)
    assert scores.mean_distance(BLOB, TWIN) < 0.1


def slow_evidence(features: np.ndarray, y: np.ndarray) -> float:
    """Maximise the Gaussian log-density of `y` over both precisions by brute force."""
    gram = features @ features.T

    def minus_log_density(log_precisions):
        alpha, beta = np.exp(np.clip(log_precisions, -30, 30))
        covariance = np.eye(len(y)) / beta + gram / alpha
        _, log_det = np.linalg.slogdet(covariance)
        return 0.5 * (len(y) * np.log(2 * np.pi) + log_det + y @ np.linalg.solve(covariance, y))

    starts = [(0, 0), (3, 0), (0, 3), (3, 3)]
    return max(-minimize(minus_log_density, s, method="Nelder-Mead", options={
        "xatol": 1e-6, "fatol": 1e-9, "maxiter": 4000}).fun for s in starts)  # fmt: skip


@pytest.mark.parametrize(("n", "width"), [(60, 8), (25, 40)])
@pytest.mark.parametrize("signal", [0.0, 0.3, 3.0])
def test_logme_is_the_largest_evidence_whatever_the_names_of_the_classes(n, width, signal):
    rng = np.random.default_rng(n)
    labels = np.arange(n) % 3
    features = rng.normal(size=(n, width))
    features[:, :3] += signal * np.eye(3)[labels]
    features[:, -1] = 1
    slow = [slow_evidence(features, (labels == k).astype(float)) for k in range(3)]
    for names in ([0, 1, 2], [7, 1, 4]):
        found = scores.logme(features, np.array(names)[labels])
        assert found == pytest.approx(np.mean(slow) / n, abs=2e-4)


def test_logme_is_higher_the_better_features_separate_and_ignores_rotation_scale_and_order():
    found = [scores.logme(BLOB + s * np.eye(6)[LABELS], LABELS) for s in (0, 1, 3)]
    assert found[0] < found[1] < found[2]
    features, order = BLOB + np.eye(6)[LABELS], RNG.permutation(300)
    for alike in (features @ TURN, 100 * features):
        assert scores.logme(alike[order], LABELS[order]) == pytest.approx(found[1])


@pytest.mark.parametrize(
    ("p", "labels", "expected"),
    [
        (np.eye(3)[LABELS], LABELS, 0),
        (np.eye(6)[LABELS * 2 + np.arange(300) // 3 % 2], LABELS, 0),
        (np.tile([0.2, 0.5, 0.3], (300, 1)), np.repeat([0, 1], [75, 225]),
         0.25 * np.log(0.25) + 0.75 * np.log(0.75)),
        # Source class 0 holds labels (2, 1), source class 1 holds (0, 1).
        (np.eye(2)[[0, 0, 0, 1]], np.array([0, 0, 1, 1]),
         (np.log(2 / 3) + np.log(2 / 3) + np.log(1 / 3) + np.log(1)) / 4),
    ],
    ids=["the source tells the label", "two source classes for each label",
         "knows nothing: minus the entropy", "counted by hand"],
)  # fmt: skip
def test_leep_of_known_cases(p, labels, expected):
    assert scores.leep(p, labels) == pytest.approx(expected)


def test_leep_ignores_order_of_source_classes_and_is_never_positive():
    p = RNG.dirichlet(np.ones(10), 300)
    value = scores.leep(p, LABELS)
    assert -np.log(3) <= value < 0
    assert scores.leep(p[:, ::-1], LABELS) == pytest.approx(value)


def test_leep_flatters_noise_when_there_are_more_source_classes_than_images():
    """The limit that its docstring names."""
    sharp = RNG.dirichlet(np.full(1000, 0.001), 300)
    assert scores.leep(sharp, RNG.integers(0, 2, 300)) > -0.4


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: scores.leep(BLOB, LABELS), "probabilities that sum to 1"),
        (lambda: scores.leep(np.full((4, 2), 0.5), np.ones(3)), "4 images need 4 labels"),
        (lambda: scores.leep(np.full((4, 2), 0.5), np.ones(4)), "at least two classes"),
    ],
)
def test_bad_input_is_said_in_a_sentence(call, says):
    with pytest.raises(CourseError, match=says):
        call()
