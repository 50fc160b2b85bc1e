"""Scores with intervals: AUC and accuracy, bootstrapped over images or groups of images."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from sklearn.metrics import roc_auc_score

from helpers.errors import CourseError

RESAMPLES, CHUNK = 2000, 100  # in chunks, so that large sets do not fill the memory
# Images or groups of a class, below which drawing them again says nothing, and below which its
# percentiles are too narrow.
LEAST, FEW = 10, 50


@dataclass(frozen=True)
class Score:
    """A model's score on one set, with 95 % bootstrap intervals.

    Attributes
    ----------
    auc, auc_lo, auc_hi : area under the ROC curve in 0..1; for more than two classes the mean
        of one-against-rest over the classes.
    accuracy, accuracy_lo, accuracy_hi : share of images whose most likely class is right.
    n : images scored. n_groups : groups resampled (patients, modules), `n` if each stands alone.
    probabilities : ``(n, n_classes)``. labels : ``(n,)``.
    """

    auc: float
    auc_lo: float
    auc_hi: float
    accuracy: float
    accuracy_lo: float
    accuracy_hi: float
    n: int
    n_groups: int
    probabilities: np.ndarray
    labels: np.ndarray

    def __str__(self) -> str:
        return (
            f"AUC {self.auc:.3f} [{self.auc_lo:.3f}, {self.auc_hi:.3f}], "
            f"accuracy {self.accuracy:.1%} [{self.accuracy_lo:.1%}, {self.accuracy_hi:.1%}], "
            f"n = {self.n}"
        )


def score(
    labels: np.ndarray, probabilities: np.ndarray, groups: np.ndarray | None = None, seed: int = 0
) -> Score:
    """Score predictions and bootstrap their intervals.

    With fewer than `FEW` images of a class, or all images told apart, it is Wilson's: the
    bootstrap's own would be too narrow.

    Parameters
    ----------
    labels : ``(N,)`` integers 0 .. n_classes - 1.
    probabilities : ``(N, n_classes)``, finite.
    groups : ``(N,)``; whole groups are resampled, because images of one patient are no
        independent evidence. None: every image stands alone.

    Raises
    ------
    CourseError
        When a class has no image here (its AUC does not exist), or a probability is not finite.
    """
    n_classes = probabilities.shape[1]
    missing = sorted(set(range(n_classes)) - set(labels.tolist()))
    if missing:
        raise CourseError(f"No image of class {missing[0]} in this split: its AUC does not exist.")
    if not np.isfinite(probabilities).all():
        raise CourseError("The predictions hold NaN or infinity; the model did not train properly.")
    right = (probabilities.argmax(axis=1) == labels).astype(float)
    groups = np.arange(len(labels)) if groups is None else groups
    n, n_groups = len(labels), len(np.unique(groups))
    mean_auc, accuracy = auc(labels, probabilities), float(right.mean())
    rarest, pairs = _independent_pairs(labels, n_classes, groups)
    auc_draws = _bootstrap(lambda w: _mean_auc(labels, probabilities, w), groups, seed)
    right_draws = _bootstrap(lambda w: w @ right / w.sum(axis=1), groups, seed)
    return Score(
        mean_auc, *_interval(mean_auc, auc_draws, rarest, pairs),
        accuracy, *_interval(accuracy, right_draws, n_groups, n_groups),
        n, n_groups, probabilities, labels,
    )  # fmt: skip


def auc(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Return scikit-learn's AUC: of class 1 for two classes, else one-against-rest, macro."""
    if probabilities.shape[1] == 2:
        return float(roc_auc_score(labels, log_odds(probabilities)))
    one_hot = np.eye(probabilities.shape[1])[labels]
    return float(roc_auc_score(one_hot, probabilities, average="macro"))


def log_odds(probabilities: np.ndarray) -> np.ndarray:
    """Return the log odds of class 1 of two, ``(N,)``: they rank what p, rounded to 1, does not."""
    p = np.maximum(probabilities.astype(np.float64), 1e-300)
    return np.log(p[:, 1]) - np.log(p[:, 0])


def weighted_auc(positive: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the AUC under many sets of sample weights at once.

    scikit-learn computes one at a time; 2,000 bootstrap samples would take seconds a model.

    Parameters
    ----------
    positive : ``(N,)`` bool. scores : ``(N,)``, ties count half. weights : ``(B, N)``, >= 0.

    Returns
    -------
    ``(B,)``; NaN where a sample holds only one class.
    """
    order = np.argsort(scores, kind="stable")
    _, starts = np.unique(scores[order], return_index=True)
    weights = weights[:, order]
    above = np.add.reduceat(weights * positive[order], starts, axis=1)
    below = np.add.reduceat(weights * ~positive[order], starts, axis=1)
    won = np.cumsum(below, axis=1) - below / 2
    pairs = above.sum(axis=1) * below.sum(axis=1)
    with np.errstate(invalid="ignore"):
        return (above * won).sum(axis=1) / np.where(pairs > 0, pairs, np.nan)


def _mean_auc(labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return `auc` under many sets of sample weights ``(B, N)``: ``(B,)``."""
    if probabilities.shape[1] == 2:
        return weighted_auc(labels == 1, log_odds(probabilities), weights)
    per_class = [weighted_auc(labels == k, p, weights) for k, p in enumerate(probabilities.T)]
    return np.mean(per_class, axis=0)


def _bootstrap(
    statistic: Callable[[np.ndarray], np.ndarray], groups: np.ndarray, seed: int
) -> np.ndarray:
    """Return `RESAMPLES` values of `statistic` when whole groups of images are drawn again.

    `statistic` takes how often each image stands in each sample, ``(CHUNK, N)``; it returns
    ``(CHUNK,)``, NaN where a sample holds no image of some class.
    """
    code = np.unique(groups, return_inverse=True)[1]
    n_groups = int(code.max()) + 1
    rng, values = np.random.default_rng(seed), []
    for _ in range(RESAMPLES // CHUNK):
        draws = rng.integers(n_groups, size=(CHUNK, n_groups))
        offsets = np.arange(CHUNK)[:, None] * n_groups
        counts = np.bincount((draws + offsets).ravel(), minlength=CHUNK * n_groups)
        values.append(statistic(counts.reshape(CHUNK, n_groups)[:, code].astype(np.float64)))
    return np.concatenate(values)


def _interval(share: float, draws: np.ndarray, rarest: int, pairs: float) -> tuple[float, float]:
    """Return the 95 % interval of a share whose bootstrap gave `draws`.

    From `FEW` images (or groups) of the rarest class on it is the bootstrap's. With fewer that is
    too narrow near 1, and it is Wilson's, of as many trials as would vary as the bootstrap does.
    Where the bootstrap knows nothing, it is Wilson's of as many trials as there are independent
    `pairs`. ``benchmarks/coverage.py`` measures how often each holds.
    """
    found = draws[~np.isnan(draws)]
    if not _known(draws, rarest):
        return wilson(share, pairs)
    if rarest < FEW:
        return wilson(share, share * (1 - share) / float(found.var()))
    lo, hi = np.percentile(found, [2.5, 97.5])
    return min(float(lo), share), max(float(hi), share)


def _known(draws: np.ndarray, rarest: int) -> bool:
    """Tell whether resampling knows an interval.

    It does not where some class has fewer than `LEAST` images (or groups) to draw from, where more
    than one resample in twenty lacks a class, or where all agree, as they do when every image is
    told apart: three images would give an interval without width.
    """
    found = draws[~np.isnan(draws)]
    return rarest >= LEAST and len(found) >= 0.95 * len(draws) and float(np.ptp(found)) > 1e-9


def wilson(share: float, n: float) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share of `n` independent trials (Wilson 1927).

    It has a width, and holds, for few trials and for shares of 0 and 1.
    """
    z = 1.96
    centre = share + z**2 / (2 * n)
    spread = z * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    lo, hi = (centre - spread) / (1 + z**2 / n), (centre + spread) / (1 + z**2 / n)
    return min(max(lo, 0.0), share), max(min(hi, 1.0), share)  # without rounding errors


def _independent_pairs(labels: np.ndarray, n_classes: int, groups: np.ndarray) -> tuple[int, float]:
    """Return how many images the rarest class has, and how many independent pairs an AUC rests on.

    An AUC is the share of pairs, one image of the class and one of the others, that stand in the
    right order. No more pairs than the smaller side has images share no image. For the mean over
    classes it is the number that gives the variance of that mean. Images of a group count once.
    """
    sides = [
        min(len(np.unique(groups[labels == k])), len(np.unique(groups[labels != k])))
        for k in (range(n_classes) if n_classes > 2 else [1])
    ]
    return min(sides), len(sides) / float(np.mean(1 / np.array(sides)))


def auc_difference(
    labels: np.ndarray,
    before: np.ndarray,
    after: np.ndarray,
    groups: np.ndarray | None = None,
    seed: int = 0,
) -> Interval:
    """Return the AUC of `after` minus that of `before`, bootstrapped over images or their groups.

    Both predictions are scored on the same resampled images. What makes a test set easy or hard
    then cancels, and the interval is narrower than two separate ones suggest. Where resampling
    does not know it (`score`), the two intervals are put together as if they were independent
    (Newcombe 1998), which is too wide rather than too narrow.

    Parameters
    ----------
    labels : ``(N,)``. before, after : ``(N, n_classes)`` class probabilities of the same images.
    """
    groups = np.arange(len(labels)) if groups is None else groups
    draws = _bootstrap(
        lambda weights: _mean_auc(labels, after, weights) - _mean_auc(labels, before, weights),
        groups, seed,
    )  # fmt: skip
    one, other = auc(labels, before), auc(labels, after)
    rarest, pairs = _independent_pairs(labels, before.shape[1], groups)
    gap = other - one
    if _known(draws, rarest):
        lo, hi = np.nanpercentile(draws, [2.5, 97.5])
        return Interval(gap, min(float(lo), gap), max(float(hi), gap))
    if np.array_equal(before, after) or (gap == 0 and not np.nanmax(np.abs(draws)) and one < 1):
        return Interval(0.0, 0.0, 0.0)  # the same order of the images, however few there are
    (one_lo, one_hi), (other_lo, other_hi) = wilson(one, pairs), wilson(other, pairs)
    below, above = (other - other_lo, one_hi - one), (other_hi - other, one - one_lo)
    return Interval(gap, gap - math.hypot(*below), gap + math.hypot(*above))


class Interval(NamedTuple):
    """A mean and its 95 % interval; the bounds are NaN when there is a single value."""

    mean: float
    lo: float
    hi: float

    @property
    def clear(self) -> bool:
        """Whether the interval excludes 0."""
        return self.lo > 0 or self.hi < 0
