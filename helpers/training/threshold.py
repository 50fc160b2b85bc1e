"""From probabilities to calls: what a threshold finds and misses, and what that costs.

Class 1 is the positive one: the defect, the illness, what is looked for.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from helpers.errors import CourseError
from helpers.training.metrics import Interval, wilson


class Counts(NamedTuple):
    """How many images were called what.

    Attributes
    ----------
    tp, fn : images of class 1 that were called positive, and that were missed.
    fp, tn : images of class 0 that were called positive, and that were let go.
    """

    tp: int
    fn: int
    fp: int
    tn: int

    @property
    def sensitivity(self) -> Interval:
        """The share of class 1 that was found, with Wilson's 95 % bounds; NaN without an image."""
        return _share(self.tp, self.tp + self.fn or np.nan)

    @property
    def specificity(self) -> Interval:
        """The share of class 0 that was let go, with Wilson's 95 % bounds; NaN without an image."""
        return _share(self.tn, self.tn + self.fp or np.nan)


def _share(right: int, n: float) -> Interval:
    return Interval(right / n, *wilson(right / n, n))


def counts(labels: np.ndarray, scores: np.ndarray, threshold: float) -> Counts:
    """Count the calls of `threshold`: an image is called positive from that score on.

    Parameters
    ----------
    labels : ``(N,)`` 0 or 1. scores : ``(N,)``, higher for class 1.
    """
    true, called = labels == 1, scores >= threshold
    return Counts(*(int((a & b).sum()) for a in (true, ~true) for b in (called, ~called)))


def for_sensitivity(labels: np.ndarray, scores: np.ndarray, wanted: float) -> float:
    """Return the highest threshold that finds at least the share `wanted` of class 1.

    It is the score of one of the images: nothing is interpolated.

    Raises
    ------
    CourseError
        When `wanted` does not lie in (0, 1], or no image is of class 1.
    """
    found = np.sort(scores[labels == 1])[::-1]
    if not 0 < wanted <= 1 or not len(found):
        raise CourseError("Give a share above 0, at most 1, and at least one image of class 1.")
    # A share such as 1 - .7 is a little more than .3 and must not ask for one image more.
    return float(found[np.searchsorted(np.arange(1, len(found) + 1) / len(found), wanted - 1e-9)])


def per_thousand(sensitivity: float, specificity: float, prevalence: float) -> tuple[float, ...]:
    """Return how many of 1,000 images are found, missed, false alarms, and rightly let go.

    Parameters
    ----------
    prevalence : share of class 1 among the images that will come, in 0..1.
    """
    p, q = 1000 * prevalence, 1000 * (1 - prevalence)
    return p * sensitivity, p * (1 - sensitivity), q * (1 - specificity), q * specificity


def predictive_values(sensitivity: float, specificity: float, prevalence: float) -> tuple:
    """Return, by Bayes, how often a call is right: of those called positive, of those let go.

    Returns
    -------
    The positive and the negative predictive value, shares; NaN where nobody is called positive,
    or nobody is let go.
    """
    found, missed, alarms, spared = per_thousand(sensitivity, specificity, prevalence)
    return found / (found + alarms or np.nan), spared / (spared + missed or np.nan)


def cheapest(labels: np.ndarray, scores: np.ndarray, prevalence: float, miss: float) -> tuple:
    """Return the threshold that would have cost least on these images, the lowest of several.

    Parameters
    ----------
    miss : what a missed image costs; a false alarm costs 1.

    Returns
    -------
    One of the scores, infinite where it is cheapest to call nobody positive, and the cost of 1,000
    images at that prevalence.
    """
    thresholds = np.append(np.unique(scores), np.inf)
    classes = scores[labels == 0], scores[labels == 1]
    spared, missed = (np.searchsorted(np.sort(s), thresholds) / len(s) for s in classes)
    _, missed, alarms, _ = per_thousand(1 - missed, spared, prevalence)
    costs = miss * missed + alarms
    return float(thresholds[costs.argmin()]), float(costs.min())
