"""Two predictions on the same images: how far their AUCs lie apart, with a paired interval."""

from __future__ import annotations

import numpy as np

from helpers import metrics
from helpers.verdicts import Interval


def auc_difference(
    labels: np.ndarray,
    before: np.ndarray,
    after: np.ndarray,
    groups: np.ndarray | None = None,
    seed: int = 0,
) -> Interval:
    """Return the AUC of `after` minus that of `before`, bootstrapped over images or their groups.

    Both predictions are scored on the same resampled images. What makes a test set easy or hard
    then cancels, and the interval is narrower than two separate ones suggest.

    Parameters
    ----------
    labels : ``(N,)``. before, after : ``(N, n_classes)`` class probabilities of the same images.
    """
    differences = np.concatenate([
        metrics._macro_auc(labels, after, weights) - metrics._macro_auc(labels, before, weights)
        for weights in metrics._bootstrap_weights(len(labels), groups, seed)
    ])  # fmt: skip
    lo, hi = np.nanpercentile(differences, [2.5, 97.5])
    value = metrics.auc(labels, after) - metrics.auc(labels, before)
    return Interval(float(value), float(lo), float(hi))
