"""From measured cells to a place between or beyond them: which cells count, and how much.

Between two measured sizes AUC is interpolated in log n; between two data sets by similarity. Above
the largest size each curve is continued as a power law, up to ten times that size and no further.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
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
    seconds : arm -> processor seconds of a run there.
    cells : (data set, n) -> weight of the measured cells behind it; they sum to 1.
    absent : arms that are not measured in all of them, with all seeds.
    notes : sentences on where it leaves the measured range; empty inside.
    beyond : whether it lies above the largest size, so that curves had to be continued.
    """

    auc: dict[str, dict[int, float]]
    seconds: dict[str, float]
    cells: dict[tuple[str, int], float]
    absent: tuple[str, ...]
    notes: tuple[str, ...]
    beyond: bool = False


def sizes(found: Evidence, dataset: str) -> list[int]:
    """Return the training sizes at which two arms or more can be compared on `dataset`."""
    cells = found.auc.items()
    return sorted(n for (name, n), arms in cells if name == dataset and len(complete(arms)) > 1)


def weights_of(
    found: Evidence, n: int, similarity: float | None, similarities: Mapping[str, float]
) -> tuple[dict[str, float], list[str]]:
    """Return how much each data set counts at `n` and that similarity, and notes.

    The two sets whose similarities enclose the asked one share the weight in proportion; outside
    all of them the nearest has it alone. Without a similarity all count alike. Sets that are
    measured at this size come first; only if there is none do the others count.
    """
    known = [name for name in _measured(found) if similarity is None or name in similarities]
    here = [name for name in known if _covers(sizes(found, name), n)] or known
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
    right = int(np.searchsorted(values, similarity))
    if right in (0, len(ranked)):
        return {ranked[min(right, len(ranked) - 1)]: 1.0}, notes
    share = (similarity - values[right - 1]) / (values[right] - values[right - 1])
    return _weighed({ranked[right - 1]: 1 - share, ranked[right]: share}), notes


def _measured(found: Evidence) -> list[str]:
    return [name for name in sorted({name for name, _ in found.auc}) if sizes(found, name)]


def _covers(measured: list[int], n: int) -> bool:
    return measured[0] / REACH <= n <= measured[-1] * REACH


def estimate(found: Evidence, n: int, weights: Mapping[str, float]) -> Estimate:
    """Return what the evidence says of training with `n` images on a mixture of data sets.

    Parameters
    ----------
    weights : data set -> weight; each is measured, and the weights sum to 1.
    """
    cells: dict[tuple[str, int], float] = {}
    notes = []
    for name, weight in weights.items():
        measured = sizes(found, name)
        for size, share in _bracket(measured, n).items():
            cells[name, size] = weight * share
        if not _covers(measured, n):
            notes.append(
                f"n = {n:,} lies outside the {measured[0]:,} to {measured[-1]:,} images measured "
                f"on {name}."
            )
    arms = [arm for arm in ARMS if all(arm in found.auc[cell] for cell in cells)]
    auc = {arm: _mixed(found, arm, n, weights) for arm in arms}
    auc = complete({arm: by_seed for arm, by_seed in auc.items() if by_seed})
    seconds = {arm: _seconds(found, arm, n, cells) for arm in auc}
    absent = tuple(arm for arm in ARMS if arm not in auc)
    beyond = any(n > sizes(found, name)[-1] * REACH for name in weights)
    return Estimate(auc, seconds, cells, absent, tuple(notes), beyond)


def _bracket(measured: list[int], n: int) -> dict[int, float]:
    if n <= measured[0] or n >= measured[-1]:
        return {measured[0] if n <= measured[0] else measured[-1]: 1.0}
    right = int(np.searchsorted(measured, n))
    low, high = measured[right - 1], measured[right]
    share = float(np.log(n / low) / np.log(high / low))
    return _weighed({low: 1 - share, high: share})


def _weighed(pair: dict) -> dict:
    """Return the weights of two neighbours; one that counts little is left out."""
    left, right = pair
    share = pair[right]
    share = 0.0 if share < LEAST_SHARE else 1.0 if share > 1 - LEAST_SHARE else share
    return {key: float(w) for key, w in {left: 1 - share, right: share}.items() if w}


def _mixed(found: Evidence, arm: str, n: int, weights: Mapping[str, float]) -> dict[int, float]:
    curves = {name: _curve(found, name, arm, n) for name in weights}
    seeds = set.intersection(*(set(curve) for curve in curves.values()))
    return {seed: sum(weights[name] * curves[name][seed] for name in weights) for seed in seeds}


def _curve(found: Evidence, name: str, arm: str, n: int) -> dict[int, float]:
    """Return the AUC of an arm on one data set at `n`, by seed."""
    measured = sizes(found, name)
    if n > measured[-1] * REACH:
        return continued(found, name, arm, n)
    shares = _bracket(measured, n)
    by_size = [found.auc[name, size].get(arm, {}) for size in shares]
    seeds = set.intersection(*(set(by_seed) for by_seed in by_size))
    return {
        seed: sum(s * by_seed[seed] for s, by_seed in zip(shares.values(), by_size, strict=True))
        for seed in seeds
    }


def continued(found: Evidence, dataset: str, arm: str, n: int) -> dict[int, float]:
    """Return an extrapolation: each seed's curve, ``1 - AUC = c n^-b`` through its last points.

    Errors are taken to shrink as a power of n and never to grow (b >= 0). It is drawn through at
    most three sizes, from 50 images on, under training budgets that differ between sizes: a
    guess with a ruler, not a measurement. Beyond ten times the largest size it stays where it is.
    """
    measured = sizes(found, dataset)
    n = min(n, FARTHEST * measured[-1])
    points: dict[int, list[tuple[float, float]]] = {}
    for size in measured[-CURVE_POINTS:]:
        for seed, auc in found.auc[dataset, size].get(arm, {}).items():
            points.setdefault(seed, []).append((np.log(size), np.log(max(1 - auc, 1e-4))))
    return {seed: _power_law(line, n) for seed, line in points.items() if len(line) > 1}


def continuations(found: Evidence, dataset: str, arms: Collection[str]) -> pd.DataFrame:
    """Return the continued curves of some arms, from the largest size to ten times as much.

    Returns
    -------
    Columns ``dataset, arm, n, auc, lo, hi``: the mean over seeds and their range, which says how
    well the seeds agree and not how right the ruler is. Arms with fewer than two sizes are left
    out.
    """
    measured = sizes(found, dataset)
    steps = np.geomspace(measured[-1], FARTHEST * measured[-1], 9).round().astype(int).tolist()
    rows = []
    for arm in arms:
        for n in steps:
            if values := list(continued(found, dataset, arm, n).values()):
                rows.append((dataset, arm, n, np.mean(values), min(values), max(values)))
    return pd.DataFrame(rows, columns=["dataset", "arm", "n", "auc", "lo", "hi"])


def _power_law(line: list[tuple[float, float]], n: int) -> float:
    log_n, log_error = np.array(line).T
    slope = min(0.0, float(np.polyfit(log_n, log_error, 1)[0]))
    middle = float(np.mean(log_error)) + slope * (np.log(n) - float(np.mean(log_n)))
    return float(1 - np.exp(middle))


def _seconds(
    found: Evidence, arm: str, n: int, cells: Mapping[tuple[str, int], float]
) -> float:  # per pass over an image, times the passes at n
    return sum(
        weight * found.seconds[name, size, arm] * passes(n) / passes(size)
        for (name, size), weight in cells.items()
    )


def passes(n: int) -> int:
    """Return how many images pass through the network in a run with the budget of the grid."""
    return n * grid.epochs_for(n)
