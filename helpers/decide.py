"""Which strategy for so many images of that likeness: read off the measured grid, with its doubts.

>>> from helpers import decide
>>> print(decide.recommend(400, dataset="elpv"))
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from numbers import Integral

import pandas as pd

from helpers import similarity as measured_similarity
from helpers import similarity_evidence
from helpers.errors import CourseError, unknown_name
from helpers.estimates import Estimate, estimate, sizes, weights_of
from helpers.reasons import NAMES, Facts, confidence_in, what_would_change, why
from helpers.rules import LESSON_TABLE, PUBLISHED, Published, against_lesson, published_for
from helpers.verdicts import WORTH, Evidence, Interval, choose, evidence, interval, paired

__all__ = [
    "LESSON_TABLE", "PUBLISHED", "WORTH", "Evidence", "Recommendation", "against_lesson",
    "evidence", "recommend", "similarities",
]  # fmt: skip

PUBLISHED_FROM = 50_000  # from here on others' measurements say more than our continued curves


@dataclass(frozen=True, eq=False)
class Recommendation:
    """A strategy, and how far to trust the advice.

    Attributes
    ----------
    strategy, runner_up : names of arms; a runner-up of None means that nothing else is measured.
    margin : AUC of `strategy` minus that of `runner_up`, paired by seed; it is negative where the
        cheaper of two near equals is recommended.
    why : a sentence or more on where this comes from.
    confidence : ``"high"``, ``"moderate"`` or ``"low"``, and why in `doubts`.
    doubts : sentences; empty when there are none.
    what_would_change_it : sentences, each with a number to check yourself against.
    extrapolated : whether the place lies outside what was measured.
    evidence : the rows of `Evidence.arms` it rests on, with the weight of their cell.
    published : findings of others; where `extrapolated` above the measured sizes, the best there
        is.
    """

    n: int
    strategy: str
    runner_up: str | None
    margin: Interval
    why: str
    confidence: str
    doubts: tuple[str, ...]
    what_would_change_it: tuple[str, ...]
    extrapolated: bool
    evidence: pd.DataFrame
    published: tuple[Published, ...] = ()

    def __str__(self) -> str:
        lines = [f"{NAMES[self.strategy]} for n = {self.n:,}. {self.why}"]
        lines.append(f"Confidence: {self.confidence}. {' '.join(self.doubts)}".strip())
        lines += [f"- {sentence}" for sentence in self.what_would_change_it]
        lines += [f"- {p.finding} ({p.source})" for p in self.published]
        return "\n".join(lines)


def similarities(table: pd.DataFrame | None = None) -> dict[str, float]:
    """Return each measured data set's similarity to photographs, in 0..1.

    The mean over seeds and references; a data set is not compared with itself. Photographs turned
    gray, which the table also holds, are left out.
    """
    table = similarity_evidence.read_similarity() if table is None else table
    rows = table[(table["dataset"] != table["reference"]) & ~table["dataset"].str.endswith("]")]
    distance = rows.groupby("dataset")["mean_distance"].mean()
    return {name: measured_similarity.similarity_of(float(d)) for name, d in distance.items()}


def recommend(
    n: int,
    *,
    similarity: float | None = None,
    dataset: str | None = None,
    n_classes: int | None = None,
    worth: float = WORTH,
    found: Evidence | None = None,
    similar: Mapping[str, float] | None = None,
) -> Recommendation:
    """Recommend a strategy for `n` training images from the nearest measured cells.

    The best arm there is taken, or the cheapest of those that cannot be told from it and lose
    less than `worth` AUC on average. From 50,000 images on published results decide.

    Parameters
    ----------
    n : training images.
    similarity : to photographs, in 0..1 (`helpers.similarity.measure`); or
    dataset : one that was measured. With neither, all data sets count alike.
    n_classes : if known; more than were measured make it an extrapolation.
    found, similar : the evidence and `similarities`; None: those in data/results.

    Raises
    ------
    CourseError
        When n or the similarity is out of range, the data set was not measured, or there is no
        evidence yet.
    """
    found = evidence(worth=worth) if found is None else found
    similar = similarities() if similar is None and similarity is not None else (similar or {})
    _check(n, similarity, dataset, n_classes, found, similar)
    here = _place(found, n, similarity, dataset, similar)
    facts = _facts(here, n, n_classes, worth)
    top = max(sizes(found, name)[-1] for name, _ in here.cells)
    if n >= PUBLISHED_FROM:
        return _from_publications(found, facts, top)

    def choice_at(other_n: int, other_similarity: float | None) -> str | None:
        there = _place(found, other_n, other_similarity, dataset, similar)
        if facts.choice in there.absent:
            return None  # it could not be chosen there, so nothing has changed its mind
        return choose(there.auc, there.seconds, worth)[0]

    return Recommendation(
        n=n, strategy=facts.choice, runner_up=facts.runner_up, margin=facts.margin,
        why=why(facts), confidence=confidence_in(facts), doubts=facts.doubts,
        what_would_change_it=what_would_change(facts, choice_at, n, similarity, top),
        extrapolated=bool(facts.outside), evidence=_rows(found, here),
        published=published_for(n) if n > top else (),
    )  # fmt: skip


def _place(
    found: Evidence, n: int, similarity: float | None, dataset: str | None, similar: Mapping
) -> Estimate:
    notes: list[str] = []
    weights = {dataset: 1.0}
    if dataset is None:
        weights, notes = weights_of(found, n, similarity, similar)
    place = estimate(found, n, weights)
    return replace(place, notes=(*notes, *place.notes))


def _facts(here: Estimate, n: int, n_classes: int | None, worth: float) -> Facts:
    choice, best, tied = choose(here.auc, here.seconds, worth)
    means = {arm: interval(by_seed.values()).mean for arm, by_seed in here.auc.items()}
    others = sorted((arm for arm in means if arm != choice), key=means.get, reverse=True)
    runner_up = others[0] if others else None
    margin = paired(here.auc[choice], here.auc[runner_up]) if runner_up else interval(())
    return Facts(here, n, n_classes, choice, best, runner_up, margin, tied, means, worth)


def _from_publications(found: Evidence, facts: Facts, top: int) -> Recommendation:
    """Beyond our reach: what others found with many images, and nothing that sounds measured."""
    known = published_for(facts.n)
    return Recommendation(
        n=facts.n, strategy="full_finetune", runner_up="scratch_longer", margin=interval(()),
        why=(
            f"This is an extrapolation: we measured up to {top:,} images on the sets that count "
            "here. Others found on 200,000 images and more that pretrained and random starts end "
            "within a point and pretraining buys speed, so start from the pretrained weights. That "
            "everything should then train is the rule of thumb; we know no comparison."
        ),
        confidence="low",
        doubts=("None of it was measured here, nor on your images.",),
        what_would_change_it=(
            "A network pretrained on your own kind of images, if there is one you may use.",
            "Time: from scratch needs a longer schedule before it catches up.",
            "Your own curve: measure three sizes, doubling n, and see which arm still climbs.",
        ),
        extrapolated=True, evidence=_rows(found, facts.here), published=known,
    )  # fmt: skip


def _rows(found: Evidence, here: Estimate) -> pd.DataFrame:
    keys = list(zip(found.arms["dataset"], found.arms["n"].astype(int), strict=True))
    rows = found.arms.assign(weight=[here.cells.get(key, math.nan) for key in keys])
    return rows.dropna(subset="weight").reset_index(drop=True)


def _check(
    n: int, similarity: float | None, dataset: str | None, n_classes: int | None,
    found: Evidence, similar: Mapping[str, float],
) -> None:  # fmt: skip
    names = sorted({name for name, _ in found.auc if sizes(found, name)})
    if not isinstance(n, Integral) or n < 2:
        raise CourseError(f"n is {n!r}; give the number of training images, 2 or more.")
    if similarity is not None and dataset is not None:
        raise CourseError("Give a similarity or the name of a measured data set, not both.")
    if similarity is not None and not 0 <= similarity <= 1:
        raise CourseError(f"similarity is {similarity:g}; it runs from 0 to 1 (a photograph).")
    if n_classes is not None and not 2 <= n_classes <= n:
        raise CourseError(f"n_classes is {n_classes}; it must lie between 2 and n = {n:,}.")
    if not names:
        raise CourseError(
            "No cell has two strategies measured yet, so there is nothing to compare. "
            "Let make evidence go on."
        )
    if dataset is not None and dataset not in names:
        raise unknown_name("measured data set", dataset, names)
    if similarity is not None and not set(names) & set(similar):
        raise CourseError(
            "The similarity of the measured data sets is unknown: data/results/similarity.csv has "
            "no row for them. Make it with: python -m helpers.similarity_evidence"
        )
