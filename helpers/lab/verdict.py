"""Which arm of a race is clearly best, judged on the same test images where that is possible."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from helpers.lab.lanes import Result
from helpers.paired import auc_difference
from helpers.verdicts import Interval

NONE = "no clear winner"


def comparable(a: Result, b: Result) -> bool:
    """Whether both have predictions on the same test images."""
    return (
        a.score is not None
        and b.score is not None
        and np.array_equal(a.score.labels, b.score.labels)
    )


def difference(a: Result, b: Result) -> Interval:
    """Return the AUC of `a` minus that of `b` with a 95 % interval.

    Paired over the same test images (whole groups where they are known) where both have
    predictions. A row of the evidence has none: then the two intervals are combined as if they
    were independent, which is wider, so that less is called clear.
    """
    if comparable(a, b):
        return auc_difference(
            a.score.labels, b.score.probabilities, a.score.probabilities, a.groups
        )
    value = a.auc - b.auc
    down = np.hypot(a.auc - a.auc_lo, b.auc_hi - b.auc)
    up = np.hypot(a.auc_hi - a.auc, b.auc - b.auc_lo)
    return Interval(value, float(value - down), float(value + up))


def ranked(results: Mapping[str, Result]) -> list[str]:
    """Return the arms, best AUC first."""
    return sorted(results, key=lambda label: results[label].auc, reverse=True)


def leader(results: Mapping[str, Result]) -> str | None:
    """Return the arm that clearly beats every other, `NONE`, or None with fewer than two results.

    Clearly: the 95 % interval of the difference lies above 0.
    """
    if len(results) < 2:
        return None
    first, *others = ranked(results)
    clear = all(difference(results[first], results[other]).lo > 0 for other in others)
    return first if clear else NONE
