"""Two predictions on the same images: how far their AUCs lie apart, with a paired interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from helpers import metrics


@dataclass(frozen=True)
class Difference:
    """AUC of the second prediction minus AUC of the first, with a 95 % interval."""

    value: float
    lo: float
    hi: float


def auc_difference(
    labels: np.ndarray,
    before: np.ndarray,
    after: np.ndarray,
    groups: np.ndarray | None = None,
    seed: int = 0,
) -> Difference:
    """Bootstrap the difference of two AUCs over images, or over whole groups of them.

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
    return Difference(float(value), float(lo), float(hi))
