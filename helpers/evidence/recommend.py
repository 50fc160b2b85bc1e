"""Which strategy for so many images of that likeness: read off the measured grid, with its doubts.

>>> from helpers import decide
>>> print(decide.recommend(400, dataset="elpv"))
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from numbers import Integral

import numpy as np
import pandas as pd

from helpers import plots
from helpers.errors import CourseError, unknown_name
from helpers.evidence import similarity as measured_similarity
from helpers.evidence.estimates import Estimate, estimate, sizes, weights_of
from helpers.evidence.rules import Published, published_for
from helpers.evidence.verdicts import LONGER, WORTH, Evidence, choose, evidence, interval, paired
from helpers.plots.style import SHORT_CAVEATS
from helpers.training.metrics import Interval

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
    table = measured_similarity.read_similarity() if table is None else table
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
    similarity : to photographs, in 0..1 (`helpers.evidence.similarity.measure`); or
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
            "no row for them. Make it with: python -m measure.similarity"
        )


MOST_CLASSES, FEW_PER_CLASS = 5, 5  # classes of the measured sets; images of a class that are few


NAMES = {
    "feature_extraction": "feature extraction",
    "partial_finetune_last1": "partial fine-tuning of the last stage",
    "partial_finetune": "partial fine-tuning of the last two stages",
    "full_finetune": "full fine-tuning",
    "lp_ft": "LP-FT",
    "scratch": "training from scratch",
    "scratch" + LONGER: "training from scratch for three times as long",
}


@dataclass(frozen=True)
class Facts:
    """What is known of the chosen arm at a place; the attributes are `decide.recommend`'s."""

    here: Estimate
    n: int
    n_classes: int | None
    choice: str
    best: str
    runner_up: str | None
    margin: Interval
    tied: tuple[str, ...]
    means: dict[str, float]
    worth: float

    @cached_property
    def outside(self) -> tuple[str, ...]:
        """Sentences on where the place lies outside what was measured."""
        many = self.n_classes is not None and self.n_classes > MOST_CLASSES
        classes = (
            f"You have {self.n_classes} classes; no more than {MOST_CLASSES} were measured.",
        )
        return (*self.here.notes, *(classes if many else ()))

    @cached_property
    def doubts(self) -> tuple[str, ...]:
        """Sentences on what weakens the advice."""
        found = list(self.outside)
        if self.here.absent:
            names = ", ".join(NAMES[arm] for arm in self.here.absent)
            found.append(f"Not measured here yet: {names}.")
        seeds = min(len(by_seed) for by_seed in self.here.auc.values())
        if seeds < 3:
            found.append(f"There {'is one seed' if seeds == 1 else f'are {seeds} seeds'} only.")
        if self.n_classes and self.n / self.n_classes < FEW_PER_CLASS:
            found.append(f"There are {self.n / self.n_classes:.1f} images of a class on average.")
        return tuple(found)


def why(facts: Facts) -> str:
    """Say which cells the choice rests on, and by how much it wins or why a tie went to it."""
    cells = _listed(facts.here.cells)
    ahead = f"Of {len(facts.means)} arms measured on {cells}, {NAMES[facts.best]} has the best AUC"
    if facts.here.beyond:
        ahead += f" when its curve is continued to {facts.n:,} images (a guess with a ruler)"
    if facts.runner_up is None:
        return f"On {cells} only {NAMES[facts.choice]} is measured with all its seeds."
    if facts.choice != facts.best:
        lost = facts.means[facts.best] - facts.means[facts.choice]
        times = facts.here.seconds[facts.best] / facts.here.seconds[facts.choice]
        return (
            f"{ahead}, but no clear winner: {NAMES[facts.choice]} is {_small(lost)} behind, the "
            f"interval of their difference includes 0, and it takes 1/{times:.0f} of the time."
        )
    if facts.margin.clear:
        return f"{ahead}, ahead of {NAMES[facts.runner_up]} by {_shown(facts.margin)}."
    return (
        f"{ahead}, but no clear winner: ahead of {NAMES[facts.runner_up]} by "
        f"{_shown(facts.margin)}."
    )


def _listed(cells: Iterable[tuple[str, int]]) -> str:
    by_name: dict[str, list[str]] = {}
    for name, n in cells:
        by_name.setdefault(name, []).append(f"{n:,}")
    caveats = {name: f"; {text}" for name, text in SHORT_CAVEATS.items()}
    shown = [
        f"{name} (n = {' and '.join(sizes)}{caveats.get(name, '')})"
        for name, sizes in by_name.items()
    ]
    return ", ".join(shown[:-1]) + " and " * (len(shown) > 1) + shown[-1]


def confidence_in(facts: Facts) -> str:
    """Return "high", "moderate" or "low".

    Low: outside the measured range, or with arms or seeds missing. High: the runner-up is clearly
    beaten. Moderate: measured, and a tie.
    """
    if facts.doubts:
        return "low"
    return "high" if facts.margin.clear and facts.margin.mean > 0 else "moderate"


def what_would_change(
    facts: Facts,
    choice_at: Callable[[int, float | None], str | None],
    n: int,
    similarity: float | None,
    largest: int,
) -> tuple[str, ...]:
    """Return the nearest changes of the situation that lead to another choice.

    Parameters
    ----------
    choice_at : the choice at another n and similarity; None where today's is not measured.
    largest : measured training size; nothing beyond is tried.
    """
    return tuple([
        *_other_sizes(facts, choice_at, n, similarity, largest),
        *_other_likeness(facts, choice_at, n, similarity),
        *_other_price(facts),
        "A race on part of your own training images: python -m helpers advise PATH --race.",
    ])  # fmt: skip


def _other_sizes(facts, choice_at, n, similarity, largest) -> Iterator[str]:
    steps = np.unique(np.geomspace(20, max(20, largest), 30).round().astype(int)).tolist()
    for word, tried in (("more", [s for s in steps if s > n]),
                        ("fewer", [s for s in reversed(steps) if s < n])):  # fmt: skip
        for other in tried:
            arm = choice_at(other, similarity)
            if arm not in (facts.choice, None):
                yield f"With {word} images, about {_rounded(other):,}, it would be {NAMES[arm]}."
                break


def _other_likeness(facts, choice_at, n, similarity) -> Iterator[str]:
    if similarity is None:
        return
    steps = np.arange(1, 20) / 20
    for word, tried in (("more", steps[steps > similarity]),
                        ("less", steps[steps < similarity][::-1])):  # fmt: skip
        for other in tried.tolist():
            arm = choice_at(n, other)
            if arm not in (facts.choice, None):
                yield (
                    f"With images {word} like photographs, similarity {other:.2f}, it would be "
                    f"{NAMES[arm]}."
                )
                break


def _other_price(facts: Facts) -> Iterator[str]:
    """Say what patience or haste would buy."""
    seconds = facts.here.seconds
    if facts.choice != facts.best:
        gain = facts.means[facts.best] - facts.means[facts.choice]
        times = seconds[facts.best] / seconds[facts.choice]
        yield (
            f"If a gain of {_small(gain)} AUC is worth {times:.0f} times the computing to you: "
            f"{NAMES[facts.best]}."
        )
        return
    cheaper = [arm for arm in facts.means if seconds[arm] < 0.5 * seconds[facts.choice]]
    if cheaper:
        arm = max(cheaper, key=facts.means.get)
        lost = paired(facts.here.auc[facts.choice], facts.here.auc[arm])
        share = seconds[arm] / seconds[facts.choice]
        yield (f"In a hurry: {NAMES[arm]} takes {share:.0%} of the time and loses {_shown(lost)}.")


def _shown(value: Interval) -> str:
    if np.isnan(value.lo):
        return f"{value.mean:.3f} AUC (one seed: no interval)"
    return f"{value.mean:.3f} AUC (95 % interval over seeds {value.lo:+.3f} to {value.hi:+.3f})"


def _small(auc: float) -> str:
    return f"{auc:.3f}" if auc >= 0.0005 else "less than 0.001"


def _rounded(n: int) -> int:
    """Round to two digits: where a choice flips is not known more exactly."""
    step = 10 ** max(0, len(str(n)) - 2)
    return round(n / step) * step


def sentences(advice: Recommendation) -> tuple[list[str], list[str]]:
    """Return a recommendation for people: which strategy, why and how sure; what would change it.

    Returns
    -------
    text : sentences to stand as paragraphs; the last one announces the points.
    points : what would change the choice, then what others published.
    """
    word = "Recommended, as an extrapolation" if advice.extrapolated else "Recommended"
    text = [
        f"{word}: {NAMES[advice.strategy]} for {advice.n:,} training images. {advice.why}",
        f"Confidence: {advice.confidence}. {' '.join(advice.doubts)}".strip(),
        "What would change it:",
    ]
    published = [f"Published: {p.finding} ({p.source})" for p in advice.published]
    return text, [*advice.what_would_change_it, *published]


def evidence_table(advice: Recommendation) -> pd.DataFrame:
    """Return the measured rows a recommendation rests on, as text for a report."""
    rows = advice.evidence
    return pd.DataFrame({
        "data set": rows["dataset"].map(plots.set_label), "n": rows["n"],
        "strategy": [NAMES[name] for name in rows["arm"]],
        "AUC": rows["auc"].map("{:.3f}".format),
        "95 % over seeds": [_range(*pair) for pair in zip(rows["lo"], rows["hi"], strict=True)],
        "seconds": rows["seconds"].map("{:,.0f}".format),
        "weight": rows["weight"].map("{:.2f}".format),
    })  # fmt: skip


def _range(low: float, high: float) -> str:
    return "one seed" if math.isnan(low) else f"{low:.3f} to {min(1, high):.3f}"
