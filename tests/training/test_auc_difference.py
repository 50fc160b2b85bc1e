"""The difference of two AUCs on the same test images."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from helpers.training import metrics


def scores(labels: np.ndarray, sharpness: float, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=len(labels))
    p = 1 / (1 + np.exp(-sharpness * (labels - 0.5) - noise))
    return np.stack([1 - p, p], axis=1)


def test_difference_is_that_of_the_aucs_and_zero_for_the_same_prediction():
    labels = np.arange(300) % 2
    weak, sharp = scores(labels, 0.5, 0), scores(labels, 3.0, 1)
    same = metrics.auc_difference(labels, weak, weak)
    assert (same.mean, same.lo, same.hi) == (0, 0, 0)
    found = metrics.auc_difference(labels, weak, sharp)
    assert found.mean == pytest.approx(
        roc_auc_score(labels, sharp[:, 1]) - roc_auc_score(labels, weak[:, 1])
    )
    assert 0 < found.lo < found.mean < found.hi


def test_pairing_narrows_the_interval_and_groups_widen_it():
    labels = np.repeat(np.arange(60) % 2, 5)
    before = scores(labels, 1.0, 0)
    after = before.copy()
    after[::7] = scores(labels, 2.0, 1)[::7]  # the two agree on most images
    other = scores(labels, 1.2, 2)
    paired_width = np.ptp(metrics.auc_difference(labels, before, after)[1:])
    apart = np.ptp(metrics.auc_difference(labels, before, other)[1:])
    assert paired_width < apart
    copies = np.repeat(np.arange(60), 5)
    labels, before, after = labels[::5], before[::5], after[::5]
    one, five = (
        metrics.auc_difference(*(a.repeat(5, axis=0) for a in (labels, before, after)), groups)
        for groups in (copies, None)
    )
    assert one.hi - one.lo > 1.5 * (five.hi - five.lo), "copies of an image are no new evidence"
