"""From measured cells to a place between or beyond them: which cells count, and how much.

Between two measured sizes AUC is interpolated in log n; between two data sets by similarity. Above
the largest size each curve is continued as a power law, up to ten times that size and no further.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from helpers.evidence import grid
from helpers.evidence.verdicts import ARMS, Evidence, complete

REACH = 1.5  # a size counts as measured up to this factor beyond the smallest and largest one

FARTHEST = 10  # the factor beyond which our curves are not continued

BEYOND_SIMILARITY = 0.1  # how far outside the measured similarities is still "near"

LEAST_SHARE = 0.1  # a neighbour that counts less is left out: arms it lacks could not compete

CURVE_POINTS = 3  # measured sizes behind a continued curve


@dataclass(frozen=True)
class Estimate:
    """What the evidence says of one place.

    Attributes
    ----------
    auc : arm -> seed -> AUC there, equally many seeds each; a mean over data sets where
        several count.
    by_image : arm -> half-width of its interval over test images there.
    seconds : arm -> processor seconds of a run there.
    cells : (data set, n) -> weight of the measured cells behind it; they sum to 1.
    absent : arms that are not measured in all of them, with all seeds.
    notes : sentences on where it leaves the measured range; empty inside.
    beyond : whether it lies above the largest size, so that curves had to be continued.
    """

    auc: dict[str, dict[int, float]]
    by_image: dict[str, float]
    seconds: dict[str, float]
    cells: dict[tuple[str, int], float]
    absent: tuple[str, ...]
    notes: tuple[str, ...]
    beyond: bool = False


def weights_of(
    found: Evidence, n: int, similarity: float | None, similarities: Mapping[str, float]
) -> tuple[dict[str, float], list[str]]:
    """Return how much each data set counts at `n` and that similarity, and notes.

    The two sets whose similarities enclose the asked one share the weight in proportion; outside
    all of them the nearest has it alone. Without a similarity all count alike. Sets that are
    measured at this size come first; only if there is none do the others count.
    """
    known = [name for name in found.sizes if similarity is None or name in similarities]
    here = [name for name in known if _covers(found.sizes[name], n)] or known
    if similarity is None:
        return {name: 1 / len(here) for name in here}, []
    ranked = sorted(here, key=similarities.get)
    values = [similarities[name] for name in ranked]
    notes = []
    if not values[0] - BEYOND_SIMILARITY <= similarity <= values[-1] + BEYOND_SIMILARITY:
        span = f"the {values[0]:.2f} to {values[-1]:.2f} of {', '.join(ranked)}"
        if len(ranked) == 1:
            span = f"the {values[0]:.2f} of {ranked[0]}"
        notes.append(
            f"The similarity of {similarity:.2f} lies outside {span}; nothing nearer is measured "
            "at this size."
        )
    return _neighbours(ranked, values, similarity), notes


def _covers(measured: Sequence[int], n: int) -> bool:
    return measured[0] / REACH <= n <= measured[-1] * REACH


def _neighbours(keys: Sequence[Hashable], values: Sequence[float], at: float) -> dict:
    """Return how much each of the two keys counts whose values, which ascend, enclose `at`."""
    right = int(np.searchsorted(values, at))
    if right in (0, len(keys)):
        return {keys[min(right, len(keys) - 1)]: 1.0}
    share = float((at - values[right - 1]) / (values[right] - values[right - 1]))
    share = 0.0 if share < LEAST_SHARE else 1.0 if share > 1 - LEAST_SHARE else share
    return {key: w for key, w in ((keys[right - 1], 1 - share), (keys[right], share)) if w}


def _shares(measured: Sequence[int], n: int) -> dict[int, float]:
    """Return how much each of the measured sizes counts at `n`: linear in log n."""
    return _neighbours(measured, np.log(measured).tolist(), float(np.log(n)))


def estimate(
    found: Evidence, n: int, weights: Mapping[str, float], notes: Sequence[str] = ()
) -> Estimate:
    """Return what the evidence says of training with `n` images on a mixture of data sets.

    Parameters
    ----------
    weights : data set -> weight; each is measured, and the weights sum to 1.
    notes : what `weights_of` has to say of them.
    """
    measured = {name: found.sizes[name] for name in weights}
    cells = {
        (name, size): weight * share
        for name, weight in weights.items()
        for size, share in _shares(measured[name], n).items()
    }
    outside = [
        f"n = {n:,} lies outside the {of[0]:,} to {of[-1]:,} images measured on {name}."
        for name, of in measured.items()
        if not _covers(of, n)
    ]
    auc = {}
    for arm in ARMS:
        if all(arm in found.auc[cell] for cell in cells):
            curves = {name: _curve(found, name, arm, n) for name in weights}
            if by_seed := _mixed(curves, weights):
                auc[arm] = by_seed
    auc = complete(auc)
    seconds = {  # per pass over an image, times the passes at n
        arm: sum(
            weight * found.seconds[name, size, arm] * passes(n) / passes(size)
            for (name, size), weight in cells.items()
        )
        for arm in auc
    }
    by_image = {  # the mean, as if all cells had the same test images: rather too wide
        arm: sum(weight * found.by_image[cell][arm] for cell, weight in cells.items())
        for arm in auc
    }
    absent = tuple(arm for arm in ARMS if arm not in auc)
    beyond = any(n > of[-1] * REACH for of in measured.values())
    return Estimate(auc, by_image, seconds, cells, absent, (*notes, *outside), beyond)


def _mixed(
    curves: Mapping[Hashable, Mapping[int, float]], weights: Mapping[Hashable, float]
) -> dict[int, float]:
    """Return the weighted sum of AUCs, for each seed that all of them have."""
    seeds = set.intersection(*(set(by_seed) for by_seed in curves.values()))
    return {seed: sum(weights[key] * curves[key][seed] for key in weights) for seed in seeds}


def _curve(found: Evidence, name: str, arm: str, n: int) -> dict[int, float]:
    """Return the AUC of an arm on one data set at `n`, by seed."""
    measured = found.sizes[name]
    if n > measured[-1] * REACH:
        return continued(found, name, arm, n)
    shares = _shares(measured, n)
    return _mixed({size: found.auc[name, size].get(arm, {}) for size in shares}, shares)


def continued(found: Evidence, dataset: str, arm: str, n: int) -> dict[int, float]:
    """Return an extrapolation: each seed's curve, ``1 - AUC = c n^-b`` through its last points.

    Errors are taken to shrink as a power of n and never to grow (b >= 0). It is drawn through at
    most three sizes, from 50 images on, under training budgets that differ between sizes: a
    guess with a ruler, not a measurement. Beyond ten times the largest size it stays where it is.
    """
    measured = found.sizes[dataset]
    n = min(n, FARTHEST * measured[-1])
    points: dict[int, list[tuple[float, float]]] = {}
    for size in measured[-CURVE_POINTS:]:
        for seed, auc in found.auc[dataset, size].get(arm, {}).items():
            points.setdefault(seed, []).append((np.log(size), np.log(max(1 - auc, 1e-4))))
    line = {}
    for seed, of_seed in points.items():
        if len(of_seed) > 1:
            log_n, log_error = np.array(of_seed).T
            slope = min(0.0, float(np.polyfit(log_n, log_error, 1)[0]))
            # Through the middle of the points, also where the slope had to be cut off at 0.
            end = log_error.mean() + slope * (np.log(n) - log_n.mean())
            line[seed] = float(1 - np.exp(end))
    return line


def continuations(found: Evidence, dataset: str, arms: Collection[str]) -> pd.DataFrame:
    """Return the continued curves of some arms, from the largest size to ten times as much.

    Returns
    -------
    Columns ``dataset, arm, n, auc, lo, hi``: the mean over seeds and their range, which says how
    well the seeds agree and not how right the ruler is. Arms with fewer than two sizes are left
    out.
    """
    measured = found.sizes[dataset]
    steps = np.geomspace(measured[-1], FARTHEST * measured[-1], 9).round().astype(int).tolist()
    rows = []
    for arm in arms:
        for n in steps:
            if values := list(continued(found, dataset, arm, n).values()):
                rows.append((dataset, arm, n, np.mean(values), min(values), max(values)))
    return pd.DataFrame(rows, columns=["dataset", "arm", "n", "auc", "lo", "hi"])


def passes(n: int) -> int:
    """Return how many images pass through the network in a run with the budget of the grid."""
    return n * grid.epochs_for(n)
