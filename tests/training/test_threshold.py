"""What a threshold finds and costs, against scikit-learn and against cases counted by hand."""

import math
from itertools import pairwise

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, roc_curve

from helpers.errors import CourseError
from helpers.training import metrics, threshold

LABELS = np.array([0, 0, 0, 0, 1, 1, 1, 1])
SCORES = np.array([0.1, 0.2, 0.6, 0.8, 0.3, 0.6, 0.7, 0.9])


def random(n: int = 300, seed: int = 0, digits: int = 2) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = (rng.random(n) < 0.3).astype(int)
    return labels, (1 / (1 + np.exp(-rng.normal(2 * labels - 1)))).round(digits)  # with ties


def test_counted_by_hand():
    found = threshold.counts(LABELS, SCORES, 0.6)
    assert found == (3, 1, 2, 2), "a score at the threshold is called positive"
    assert found.sensitivity == (0.75, *metrics.wilson(0.75, 4))
    assert found.specificity == (0.5, *metrics.wilson(0.5, 4))
    assert threshold.counts(LABELS, SCORES, 0.61) == (2, 2, 1, 3)


@pytest.mark.parametrize("seed", range(3))
def test_the_counts_are_scikit_learns(seed):
    labels, scores = random(seed=seed)
    for at in (0, 0.25, 0.5, 0.77, 1.01):
        tn, fp, fn, tp = confusion_matrix(labels, scores >= at).ravel()
        found = threshold.counts(labels, scores, at)
        assert found == (tp, fn, fp, tn)
        assert all(type(count) is int for count in found)


@pytest.mark.parametrize("at", [0, 0.5, 2])
def test_an_interval_is_never_nan_where_the_class_has_an_image_and_always_where_it_has_none(at):
    one = threshold.counts(np.array([0, 1]), np.array([0.4, 0.6]), at)
    for share in (one.sensitivity, one.specificity):
        assert 0 <= share.lo <= share.mean <= share.hi <= 1
        assert share.lo < share.hi
    none = threshold.counts(np.array([1, 1]), np.array([0.4, 0.6]), at)
    assert np.isnan(none.specificity).all()
    assert not np.isnan(none.sensitivity).any()


@pytest.mark.parametrize("seed", range(3))
def test_the_threshold_for_a_sensitivity_suffices_and_the_next_higher_does_not(seed):
    labels, scores = random(seed=seed)
    for wanted in (0.01, 0.5, 0.8, 0.9, 0.95, 1.0):
        found = threshold.for_sensitivity(labels, scores, wanted)
        assert threshold.counts(labels, scores, found).sensitivity.mean >= wanted
        higher = np.nextafter(found, 2)
        assert threshold.counts(labels, scores, higher).sensitivity.mean < wanted
        _, shares, thresholds = roc_curve(labels, scores, drop_intermediate=False)
        assert found == thresholds[shares >= wanted][0]


def test_a_share_that_comes_out_even_asks_for_no_image_more():
    scores = np.arange(10) / 10
    for k in range(1, 11):
        for wanted in (k / 10, k * 0.1, 1 - (10 - k) * 0.1):  # 3 * .1 is a little above .3
            assert threshold.for_sensitivity(np.ones(10), scores, wanted) == scores[10 - k]
    assert threshold.for_sensitivity(np.ones(10), scores, 0.91) == 0, "9 of 10 would fall short"
    assert threshold.for_sensitivity(LABELS, SCORES, 0.75) == 0.6
    ties = np.array([0.2, 0.5, 0.5, 0.5])
    assert threshold.for_sensitivity(np.ones(4), ties, 0.5) == 0.5


@pytest.mark.parametrize("wanted", [0, -0.1, 1.01, math.nan])
def test_a_sensitivity_that_does_not_exist_is_refused(wanted):
    with pytest.raises(CourseError, match="share above 0"):
        threshold.for_sensitivity(LABELS, SCORES, wanted)


def test_without_an_image_of_class_1_there_is_no_threshold():
    with pytest.raises(CourseError, match="at least one image of class 1"):
        threshold.for_sensitivity(np.zeros(3), np.arange(3), 0.5)


def test_predictive_values_by_hand():
    """The usual example: 1 in 1,000 has it, 99 % are found, 5 % false alarms."""
    positive, negative = threshold.predictive_values(0.99, 0.95, 0.001)
    assert positive == pytest.approx(0.99 / (0.99 + 49.95))
    assert negative == pytest.approx(949.05 / (949.05 + 0.01))
    assert threshold.per_thousand(0.99, 0.95, 0.001) == pytest.approx((0.99, 0.01, 49.95, 949.05))


def test_predictive_values_at_the_images_own_prevalence_are_those_counted():
    labels, scores = random()
    tp, fn, fp, tn = found = threshold.counts(labels, scores, 0.4)
    values = threshold.predictive_values(
        found.sensitivity.mean, found.specificity.mean, labels.mean()
    )
    assert values == pytest.approx((tp / (tp + fp), tn / (tn + fn)))


def test_where_nobody_is_called_or_let_go_there_is_no_predictive_value():
    positive, negative = threshold.predictive_values(0.0, 1.0, 0.2)
    assert math.isnan(positive)
    assert negative == pytest.approx(0.8)
    positive, negative = threshold.predictive_values(1.0, 0.0, 0.2)
    assert positive == pytest.approx(0.2)
    assert math.isnan(negative)


@pytest.mark.parametrize(("prevalence", "miss"), [(0.01, 10), (0.3, 1), (0.5, 100), (0.05, 30)])
def test_no_threshold_is_cheaper_than_the_cheapest(prevalence, miss):
    labels, scores = random(digits=3)

    def cost(at: float) -> float:
        found = threshold.counts(labels, scores, at)
        return 1000 * (miss * prevalence * (1 - found.sensitivity.mean)
                       + (1 - prevalence) * (1 - found.specificity.mean))  # fmt: skip

    best, least = threshold.cheapest(labels, scores, prevalence, miss)
    assert least == pytest.approx(cost(best))
    every = [cost(at) for at in np.linspace(0, 1.001, 2003)]
    assert least == pytest.approx(min(every))


def test_the_cheapest_threshold_falls_as_misses_get_dear():
    labels, scores = random()
    best = [threshold.cheapest(labels, scores, 0.1, miss)[0] for miss in (1, 10, 100, 10**6)]
    assert all(high >= low for high, low in pairwise(best))
    assert best[0] > best[-1]
    assert best[-1] <= threshold.for_sensitivity(labels, scores, 1.0)


def test_where_misses_are_cheap_it_is_cheapest_to_call_nobody():
    found = threshold.cheapest(np.array([0, 1]), np.array([0.9, 0.4]), 0.1, 0.5)
    assert found == (math.inf, pytest.approx(50)), "100 are missed, at half a false alarm each"
