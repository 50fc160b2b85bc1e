import re

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from helpers.errors import CourseError
from helpers.training import metrics


def predictions(n: int = 200, classes: int = 2):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, classes, n)
    raw = rng.random((n, classes)) + 0.5 * np.eye(classes)[labels]
    return labels, (raw / raw.sum(axis=1, keepdims=True)).round(2)  # rounding makes ties


def test_weighted_auc_is_scikit_learns_and_of_several_classes_it_is_the_macro_mean():
    labels, probabilities = predictions()
    weights = np.random.default_rng(1).integers(0, 4, (5, len(labels))).astype(float)
    ours = metrics.weighted_auc(labels == 1, probabilities[:, 1], weights)
    theirs = [roc_auc_score(labels, probabilities[:, 1], sample_weight=w) for w in weights]
    assert ours == pytest.approx(theirs)
    labels, probabilities = predictions(classes=4)
    expected = np.mean([roc_auc_score(labels == k, probabilities[:, k]) for k in range(4)])
    assert metrics.score(labels, probabilities).auc == pytest.approx(expected)


@pytest.mark.parametrize("classes", [2, 5])
def test_interval_holds_the_value_and_narrows_with_n_and_the_text_has_all_three(classes):
    small, large = (metrics.score(*predictions(n, classes)) for n in (100, 1600))
    for score, n in ((small, 100), (large, 1600)):
        assert score.auc_lo < score.auc < score.auc_hi
        assert score.accuracy_lo < score.accuracy < score.accuracy_hi
        assert re.search(rf"AUC 0\..*\[.*n = {n}$", str(score))
    ratio = (large.auc_hi - large.auc_lo) / (small.auc_hi - small.auc_lo)
    assert 0.15 < ratio < 0.45  # 1/sqrt(16) = .25


def test_interval_covers_the_truth_about_95_times_in_100():
    """Scores N(1, 1) against N(0, 1) have a true AUC of Phi(1 / sqrt 2) = .760."""
    hits = 0
    for seed in range(100):
        labels = np.arange(120) % 2
        scores = np.random.default_rng(seed).normal(labels)
        score = metrics.score(labels, np.stack([-scores, scores], axis=1))
        hits += score.auc_lo <= 0.760 <= score.auc_hi
    assert 88 <= hits <= 99


@pytest.mark.parametrize(
    ("classes", "each", "shift"),
    [(2, (97, 3), 1), (2, (97, 3), 3), (2, (40, 8), 2), (2, (2, 2), 1), (20, 2, 1), (37, 2, 2),
     (3, 3, 3), (2, (100, 10), 3), (2, (10, 10), 3), (2, (30, 30), 3)],
)  # fmt: skip
def test_intervals_hold_with_rare_classes_and_few_images(classes, each, shift, monkeypatch):
    """The true AUC of N(shift, 1) against N(0, 1) is Phi(shift / sqrt 2)."""
    monkeypatch.setattr(metrics, "RESAMPLES", 100)
    hits, truth, labels = 0, float(norm.cdf(shift / np.sqrt(2))), np.repeat(range(classes), each)
    for seed in range(40):
        raw = np.random.default_rng(seed).normal(size=(len(labels), classes))
        raw[np.arange(len(labels)), labels] += shift
        if classes == 2:  # one score: the other column is its opposite
            raw[:, 1] = np.random.default_rng(seed).normal(labels * shift)
            raw[:, 0] = -raw[:, 1]
        score = metrics.score(labels, raw)
        assert score.auc_lo < score.auc_hi
        assert 0 <= score.auc_lo <= score.auc <= score.auc_hi <= 1
        hits += score.auc_lo <= truth <= score.auc_hi
    assert hits >= 34, "of 40; the plain bootstrap has 32 or fewer in some"


@pytest.mark.parametrize("n", [3, 40, 400])
def test_no_interval_of_images_that_are_all_told_apart_has_width_zero(n):
    labels = np.arange(n) % 2
    sure = np.eye(2)[labels]
    score = metrics.score(labels, sure)
    assert (score.auc, score.auc_hi, score.accuracy, score.accuracy_hi) == (1, 1, 1, 1)
    # Wilson's lower bound of k of k is k / (k + 1.96^2); pairs: the images of the smaller class.
    assert score.auc_lo == pytest.approx((n // 2) / (n // 2 + 1.96**2))
    assert score.accuracy_lo == pytest.approx(n / (n + 1.96**2))
    worst = metrics.score(labels, 1 - sure)
    assert (worst.auc_lo, worst.auc, worst.accuracy_lo) == (0, 0, 0)
    assert worst.auc_hi == pytest.approx(1 - score.auc_lo)
    grouped = metrics.score(labels, sure, groups=labels)
    assert grouped.auc_lo == pytest.approx(1 / (1 + 1.96**2)), "one group a class is one pair"


def test_an_estimate_lies_in_its_interval_and_that_has_a_width():
    """Groups that hold both classes; groups that are all alike; 20 images a class, one constant."""
    i = np.arange(24)
    pairs = metrics.score(i % 2, two((i // 2) / 24 + (i % 2) / 100), i // 2)
    same = metrics.score(np.tile([0, 0, 1, 1], 20), two(np.tile([0.1, 0.6, 0.4, 0.9], 20)),
                         np.arange(80) // 4)  # fmt: skip
    for score in (pairs, same):
        assert score.auc_lo < score.auc < score.auc_hi
        assert score.accuracy_lo < score.accuracy < score.accuracy_hi
    labels = np.arange(40) % 2
    lost = metrics.auc_difference(labels, two(labels * 1.0), two(np.full(40, 0.5)))
    assert lost.mean == -0.5
    assert lost.lo < lost.mean < lost.hi


def two(scores: np.ndarray) -> np.ndarray:
    return np.stack([1 - scores, scores], axis=1)


def test_the_same_order_of_the_images_is_no_difference_whatever_the_probabilities():
    labels, before = np.arange(60) % 2, scores(np.arange(60) % 2, 1.0, 0)
    after = two(before[:, 1] ** 3)
    assert metrics.auc_difference(labels, before, after) == (0, 0, 0)


def test_a_difference_on_few_images_has_a_width_too():
    labels = np.arange(12) % 2
    sure, weak = np.eye(2)[labels], scores(labels, 1.0, 0)
    for found in (metrics.auc_difference(labels, sure, sure[:, ::-1][:, ::-1] * 0.9 + 0.05),
                  metrics.auc_difference(labels, weak, sure)):  # fmt: skip
        assert found.lo < found.mean < found.hi
    assert metrics.auc_difference(labels, sure, sure) == (0, 0, 0), "the same is the same"


def test_resampling_groups_widens_the_interval():
    labels, probabilities = predictions(50)
    labels, probabilities = np.repeat(labels, 8), np.repeat(probabilities, 8, axis=0)
    alone = metrics.score(labels, probabilities)
    grouped = metrics.score(labels, probabilities, groups=np.repeat(np.arange(50), 8))
    assert grouped.n_groups == 50
    assert grouped.auc_hi - grouped.auc_lo > 2 * (alone.auc_hi - alone.auc_lo)


@pytest.mark.parametrize(
    ("labels", "p", "says"), [(0, 0.5, "No image of class 1"), (1, np.nan, "NaN")]
)
def test_what_cannot_be_scored_is_said(labels, p, says):
    with pytest.raises(CourseError, match=says):
        metrics.score(np.array([0, labels]), np.full((2, 2), p))


def scores(labels: np.ndarray, sharpness: float, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=len(labels))
    p = 1 / (1 + np.exp(-sharpness * (labels - 0.5) - noise))
    return np.stack([1 - p, p], axis=1)


def test_a_difference_is_that_of_the_aucs_and_zero_for_the_same_prediction():
    labels = np.arange(300) % 2
    weak, sharp = scores(labels, 0.5, 0), scores(labels, 3.0, 1)
    same = metrics.auc_difference(labels, weak, weak)
    assert (same.mean, same.lo, same.hi) == (0, 0, 0)
    found = metrics.auc_difference(labels, weak, sharp)
    before, after = (roc_auc_score(labels, p[:, 1]) for p in (weak, sharp))
    assert found.mean == pytest.approx(after - before)
    assert 0 < found.lo < found.mean < found.hi


def test_pairing_narrows_the_interval_of_a_difference_and_groups_widen_it():
    labels = np.repeat(np.arange(60) % 2, 5)
    before, other = scores(labels, 1.0, 0), scores(labels, 1.2, 2)
    after = before.copy()
    after[::7] = scores(labels, 2.0, 1)[::7]  # the two agree on most images
    paired, apart = (metrics.auc_difference(labels, before, p) for p in (after, other))
    assert paired.hi - paired.lo < apart.hi - apart.lo
    copies = [a[::5].repeat(5, axis=0) for a in (labels, before, after)]
    one, five = (metrics.auc_difference(*copies, g) for g in (np.repeat(np.arange(60), 5), None))
    assert one.hi - one.lo > 1.5 * (five.hi - five.lo), "copies of an image are no new evidence"
