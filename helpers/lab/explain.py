"""Explain a result in two or three sentences: rules on measured scores, beside the evidence."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from helpers import files
from helpers.errors import CourseError
from helpers.evidence import grid, verdicts
from helpers.evidence.recommend import recommend
from helpers.evidence.verdicts import Evidence
from helpers.lab.race import Race, Result, cost
from helpers.lab.setup import Arm
from helpers.training.metrics import Interval, auc_difference

FEW_TESTED = 100  # test images below which an interval says little


def explain(race: Race, found: Evidence | None = None) -> tuple[str, ...]:
    """Return a few sentences on a finished race: what was measured, then one recommendation.

    Parameters
    ----------
    found : the evidence of the decision table; None: the stored one.
    """
    results = race.results
    if len(results) < 2:
        return (
            "Fewer than two arms have a result, so there is nothing to compare.",
            "Let a race run to its end, or put right what the failed arms say.",
        )
    said = outcome(race), below_the_baseline(race), because(race), recommendation(race, found)
    return tuple(filter(None, said))


def outcome(race: Race) -> str:
    """Say which arm is best and how clearly, and which arms it cannot be told from."""
    results = race.results
    first, *others = ranked(results)
    tied, beaten = told_apart(results)
    other = (tied or others)[0]
    ahead = difference(results[first], results[other])
    where = "; only scores are stored, so the interval is wider than a paired one"
    if comparable(results[first], results[other]):
        where = f" on the same {results[first].score.n:,} test images"
    if tied:
        also = f" Not told apart from it either: {', '.join(tied[1:])}." if tied[1:] else ""
        last = f" Clearly behind: {', '.join(beaten)}." if beaten else ""
        return (
            f"No clear winner: {first} is ahead of {other} by {_shown(ahead)}, which includes 0"
            f"{where}.{also}{last}"
        )
    return f"In this one run {first} is clearly ahead of {other} by {_shown(ahead)}{where}."


def told_apart(results: Mapping[str, Result]) -> tuple[list[str], list[str]]:
    """Return the arms that the best one is not clearly ahead of, and those it is, best first."""
    first, *others = ranked(results)
    tied = [label for label in others if difference(results[first], results[label]).lo <= 0]
    return tied, [label for label in others if label not in tied]


def _shown(value: Interval) -> str:
    return f"{value.mean:.3f} AUC (95 % interval {value.lo:+.3f} to {value.hi:+.3f})"


def below_the_baseline(race: Race) -> str:
    """Name the arms that are right no more often than the commoner class alone would be."""
    share = race.baseline["accuracy"] if race.baseline else -1.0
    low = [f"{label} ({result.accuracy:.1%})" for label, result in race.results.items()
           if result.accuracy <= share]  # fmt: skip
    if not low:
        return ""
    return (
        f"Right no more often than {race.baseline['arm']} ({share:.1%}): {', '.join(low)}. AUC "
        "asks for the order of the images alone; before use, choose a threshold on validation."
    )


def because(race: Race) -> str:
    """Say what a single knob did, where two arms of the race differ in nothing else."""
    lanes = [lane for lane in race.lanes if lane.result is not None]
    for rule in RULES:
        for usual, turned in itertools.permutations(lanes, 2):
            before, after = vars(usual.arm), vars(turned.arm)
            differing = [knob for knob in before if before[knob] != after[knob]]
            values = before.get(rule.knob), after.get(rule.knob)
            meant = all(
                want in (None, value) for want, value in zip(rule[1:3], values, strict=True)
            )
            if differing == [rule.knob] and meant:
                gap = difference(turned.result, usual.result)
                said = rule.helped if gap.mean > 0 else rule.hurt
                return (said if gap.clear else rule.unclear).format(after[rule.knob])
    scored = [lane.result.score.n for lane in lanes if lane.result.score is not None]
    if scored and min(scored) < FEW_TESTED:
        return (
            f"With {min(scored)} test images an interval is wide whatever one does; more test "
            "images come first."
        )
    return ""


class Rule(NamedTuple):
    """What is said of a knob that alone was turned, by the difference in AUC that it made.

    Attributes
    ----------
    before, after : values of the knob that the rule is about; None: any.
    unclear : where the interval of the difference includes 0. ``{}`` is the knob's new value.
    """

    knob: str
    before: str | None
    after: str | None
    unclear: str
    hurt: str
    helped: str


RULES = [Rule(**row) for row in json.loads(files.resource("lab_rules.json").read_text("utf-8"))]


def recommendation(race: Race, found: Evidence | None) -> str:
    """Name one arm to start with: the decision table's where it can speak, else this race's."""
    setup, results = race.setup, race.results
    n = max(result.n_train for result in results.values())
    measured = (setup.backbone, setup.image_size) == (grid.BACKBONE, grid.IMAGE_SIZE)
    if not measured or setup.shared_strategy:
        return _from_this_race(race)
    try:
        found = found or verdicts.evidence()
        known = {name for name, _ in found.auc}
        place = {"dataset": setup.dataset} if setup.dataset in known else {}
        advice = recommend(n, found=found, **place)
    except CourseError:
        return _from_this_race(race)
    sizes = sorted(set(advice.evidence["n"]))
    runs = " and ".join(f"{grid.epochs_for(size)} epochs at n = {size:,}" for size in sizes)
    where = f"{setup.dataset} ({runs})" if place else "all measured data sets"
    # The advised arm, where it ran with its usual knobs.
    labels = {
        lane.arm.build().key: lane.label
        for lane in race.lanes
        if lane.result is not None and lane.arm.augment == "none" and lane.arm.gray == "sum"
    }
    label = labels.get(advice.strategy)
    better = " and ".join(other for other in results if label not in (None, other)
                          and difference(results[other], results[label]).lo > 0)  # fmt: skip
    beside = "This race, one run of each arm, does not speak against it."
    if label is None:
        beside = "That arm was not in this race."
    elif better:
        beside = f"That {better} clearly beat it in this one run may be luck: try other seeds."
    return f"Recommended, from runs with three seeds on {where}: {advice.headline}. {beside}"


def _from_this_race(race: Race) -> str:
    """Recommend the clear winner; in a tie the cheapest of those that are not told apart."""
    first = ranked(race.results)[0]
    tied, _ = told_apart(race.results)
    # Of equally dear ones the usual: no other knob turned.
    costs = {lane.label: (cost(race.setup, lane.arm), lane.arm != Arm(lane.arm.strategy))
             for lane in race.lanes}  # fmt: skip
    take = min([first, *tied], key=costs.get)
    headline = f"nobody is clearly ahead; start with {take}" if tied else first
    return f"Recommended: {headline}. It is one run of each arm: another seed may change the order."


NONE = "no clear winner"


def comparable(a: Result, b: Result) -> bool:
    """Whether both have predictions on the same test images."""
    return bool(a.score and b.score and np.array_equal(a.score.labels, b.score.labels))


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
    return NONE if told_apart(results)[0] else ranked(results)[0]
