"""Which strategy for so many images of that likeness: read off the measured grid, with its doubts.

>>> from helpers.evidence import recommend
>>> print(recommend.recommend(400, dataset="elpv"))
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from numbers import Integral

import numpy as np
import pandas as pd

from helpers import plots
from helpers.errors import CourseError, unknown_name
from helpers.evidence import similarity as measured_similarity
from helpers.evidence.estimates import Estimate, estimate, weights_of
from helpers.evidence.rules import Published, published_for
from helpers.evidence.verdicts import (
    LONGER_SUFFIX,
    WORTH,
    Evidence,
    choose,
    evidence,
    interval,
    means,
    paired,
    runner_up,
)
from helpers.plots.style import SHORT_CAVEATS
from helpers.training.metrics import Interval

PUBLISHED_FROM = 50_000  # from here on others' measurements say more than our continued curves
MOST_CLASSES, FEW_PER_CLASS = 5, 5  # classes of the measured sets; images of a class that are few

# In a sentence; in figures and tables the arms have the shorter labels of plots/style.
NAMES = {
    "feature_extraction": "feature extraction",
    "partial_finetune_last1": "partial fine-tuning of the last stage",
    "partial_finetune": "partial fine-tuning of the last two stages",
    "full_finetune": "full fine-tuning",
    "lp_ft": "LP-FT",
    "scratch": "training from scratch",
    "scratch" + LONGER_SUFFIX: "training from scratch for three times as long",
}


@dataclass(frozen=True, eq=False)
class Recommendation:
    """A strategy, and how far to trust the advice.

    Attributes
    ----------
    strategy, runner_up : names of arms; a runner-up of None means that nothing else is measured.
    margin : AUC of `strategy` minus that of `runner_up`, paired by seed; it is negative where the
        cheaper of two near equals is recommended.
    why : a sentence or more on where this comes from.
    confidence : ``"low"`` where there are `doubts`, else ``"high"``, or ``"moderate"`` for a tie.
    doubts : sentences on what weakens the advice; empty when there are none.
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

    def place(n: int, similarity: float | None) -> Estimate:
        if dataset is not None:
            return estimate(found, n, {dataset: 1.0})
        return estimate(found, n, *weights_of(found, n, similarity, similar))

    here = place(n, similarity)
    keys = zip(found.arms["dataset"], found.arms["n"].astype(int), strict=True)
    rows = found.arms.assign(weight=[here.cells.get(key, math.nan) for key in keys])
    rows = rows.dropna(subset="weight").reset_index(drop=True)
    largest = max(found.sizes[name][-1] for name, _ in here.cells)
    if n >= PUBLISHED_FROM:
        return _from_publications(n, largest, rows)

    choice, best, _ = choose(here.auc, here.seconds, worth)
    second, margin = runner_up(here.auc, choice)

    def choice_at(other_n: int, other_similarity: float | None) -> str:
        there = place(other_n, other_similarity)
        if choice in there.absent:
            return choice  # it could not be chosen there, so nothing has changed its mind
        return choose(there.auc, there.seconds, worth)[0]

    outside, doubts = _doubts(here, n, n_classes)
    confidence = "high" if margin.clear and margin.mean > 0 else "moderate"
    return Recommendation(
        n=n, strategy=choice, runner_up=second, margin=margin,
        why=_why(here, n, choice, best, second, margin),
        confidence="low" if outside or doubts else confidence,
        doubts=(*outside, *doubts),
        what_would_change_it=(
            *_turning_points(choice_at, choice, n, similarity, largest),
            *_other_price(here, choice, best),
            "A race on part of your own training images: python -m helpers advise PATH --race.",
        ),
        extrapolated=bool(outside), evidence=rows,
        published=published_for(n) if n > largest else (),
    )  # fmt: skip


def _check(
    n: int, similarity: float | None, dataset: str | None, n_classes: int | None,
    found: Evidence, similar: Mapping[str, float],
) -> None:  # fmt: skip
    names = list(found.sizes)
    if not isinstance(n, Integral) or n < 2:
        raise CourseError(f"n is {n!r}; give the number of training images, 2 or more.")
    if similarity is not None and dataset is not None:
        raise CourseError("Give a similarity or the name of a measured data set, not both.")
    if similarity is not None and not 0 <= similarity <= 1:
        raise CourseError(f"similarity is {similarity:g}; it runs from 0 to 1 (a photograph).")
    if n_classes is not None and not 2 <= n_classes <= n:
        raise CourseError(f"n_classes is {n_classes}; it must lie between 2 and n = {n:,}.")
    if not names:
        raise CourseError("No cell has two strategies measured yet. Let make evidence go on.")
    if dataset is not None and dataset not in names:
        raise unknown_name("measured data set", dataset, names)
    if similarity is not None and not set(names) & set(similar):
        raise CourseError(
            "The similarity of the measured data sets is unknown: data/results/similarity.csv has "
            "no row for them. Make it with: python -m measure similarity"
        )


def _from_publications(n: int, largest: int, rows: pd.DataFrame) -> Recommendation:
    """Beyond our reach: what others found with many images, and nothing that sounds measured."""
    return Recommendation(
        n=n, strategy="full_finetune", runner_up="scratch_longer", margin=interval(()),
        why=(
            f"This is an extrapolation: we measured up to {largest:,} images on the sets that "
            "count here. Others found on 200,000 images and more that pretrained and random "
            "starts end within a point and pretraining buys speed, so start from the pretrained "
            "weights. That everything should then train is the rule of thumb; we know no "
            "comparison."
        ),
        confidence="low",
        doubts=("None of it was measured here, nor on your images.",),
        what_would_change_it=(
            "A network pretrained on your own kind of images, if there is one you may use.",
            "Time: from scratch needs a longer schedule before it catches up.",
            "Your own curve: measure three sizes, doubling n, and see which arm still climbs.",
        ),
        extrapolated=True, evidence=rows, published=published_for(n),
    )  # fmt: skip


def _doubts(here: Estimate, n: int, n_classes: int | None) -> tuple[list[str], list[str]]:
    """Say where the place lies outside what was measured, and what else weakens the advice."""
    outside, doubts = list(here.notes), []
    if n_classes is not None and n_classes > MOST_CLASSES:
        outside.append(f"You have {n_classes} classes; no more than {MOST_CLASSES} were measured.")
    if here.absent:
        doubts.append(f"Not measured here yet: {', '.join(NAMES[arm] for arm in here.absent)}.")
    seeds = min(len(by_seed) for by_seed in here.auc.values())
    if seeds < 3:
        doubts.append(f"There {'is one seed' if seeds == 1 else f'are {seeds} seeds'} only.")
    if n_classes and n / n_classes < FEW_PER_CLASS:
        doubts.append(f"There are {n / n_classes:.1f} images of a class on average.")
    return outside, doubts


def _why(
    here: Estimate, n: int, choice: str, best: str, second: str | None, margin: Interval
) -> str:
    """Say which cells the choice rests on, and by how much it wins or why a tie went to it."""
    by_name: dict[str, list[str]] = {}
    for name, size in here.cells:
        by_name.setdefault(name, []).append(f"{size:,}")
    caveats = {name: f"; {text}" for name, text in SHORT_CAVEATS.items()}
    shown = [f"{k} (n = {' and '.join(of)}{caveats.get(k, '')})" for k, of in by_name.items()]
    cells = ", ".join(shown[:-1]) + " and " * (len(shown) > 1) + shown[-1]
    if second is None:
        return f"On {cells} only {NAMES[choice]} is measured with all its seeds."
    ahead = f"Of {len(here.auc)} arms measured on {cells}, {NAMES[best]} has the best AUC"
    if here.beyond:
        ahead += f" when its curve is continued to {n:,} images (a guess with a ruler)"
    if choice != best:
        lost, times = _price(here, best, choice)
        return (
            f"{ahead}, but no clear winner: {NAMES[choice]} is {lost} behind, the "
            f"interval of their difference includes 0, and it takes 1/{times:.0f} of the time."
        )
    doubt = "" if margin.clear else "but no clear winner: "
    return f"{ahead}, {doubt}ahead of {NAMES[second]} by {_shown(margin)}."


def _price(here: Estimate, best: str, choice: str) -> tuple[str, float]:
    """Return what the best arm gains over the chosen one in AUC, and how many times its seconds."""
    mean = means(here.auc)
    gain = mean[best] - mean[choice]
    shown = f"{gain:.3f}" if gain >= 0.0005 else "less than 0.001"
    return shown, here.seconds[best] / here.seconds[choice]


def _turning_points(
    choice_at: Callable[[int, float | None], str], choice: str, n: int, similarity: float | None,
    largest: int,
) -> Iterator[str]:  # fmt: skip
    """Yield the nearest sizes and similarities, up to the largest measured, of another choice."""
    counts = np.unique(np.geomspace(20, max(20, largest), 30).round().astype(int)).tolist()
    directions = {
        "With more images, about {n:,}": [(k, similarity) for k in counts if k > n],
        "With fewer images, about {n:,}": [(k, similarity) for k in counts[::-1] if k < n],
    }
    if similarity is not None:
        likely = (np.arange(1, 20) / 20).tolist()
        like = "like photographs, similarity {s:.2f}"
        directions |= {
            f"With images more {like}": [(n, s) for s in likely if s > similarity],
            f"With images less {like}": [(n, s) for s in likely[::-1] if s < similarity],
        }
    for words, places in directions.items():
        for other_n, other_similarity in places:
            arm = choice_at(other_n, other_similarity)
            if arm != choice:
                # To two digits: where a choice flips is not known more exactly.
                rounded = round(other_n, min(0, 2 - len(str(other_n))))
                where = words.format(n=rounded, s=other_similarity)
                yield f"{where}, it would be {NAMES[arm]}."
                break


def _other_price(here: Estimate, choice: str, best: str) -> Iterator[str]:
    """Say what patience or haste would buy."""
    if choice != best:
        gain, times = _price(here, best, choice)
        worth = f"If a gain of {gain} AUC is worth {times:.0f} times the computing to you"
        yield f"{worth}: {NAMES[best]}."
        return
    mean = means(here.auc)
    cheaper = [arm for arm in mean if here.seconds[arm] < 0.5 * here.seconds[choice]]
    if cheaper:
        arm = max(cheaper, key=mean.get)
        share = here.seconds[arm] / here.seconds[choice]
        lost = _shown(paired(here.auc[choice], here.auc[arm]))
        yield f"In a hurry: {NAMES[arm]} takes {share:.0%} of the time and loses {lost}."


def _shown(value: Interval) -> str:
    if np.isnan(value.lo):
        return f"{value.mean:.3f} AUC (one seed: no interval)"
    return f"{value.mean:.3f} AUC (95 % interval over seeds {value.lo:+.3f} to {value.hi:+.3f})"


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
        "strategy": rows["arm"].map(NAMES),
        "AUC": rows["auc"].map("{:.3f}".format),
        "95 % over seeds": [_range(*pair) for pair in zip(rows["lo"], rows["hi"], strict=True)],
        "seconds": rows["seconds"].map("{:,.0f}".format),
        "weight": rows["weight"].map("{:.2f}".format),
    })  # fmt: skip


def _range(low: float, high: float) -> str:
    return "one seed" if math.isnan(low) else f"{low:.3f} to {min(1, high):.3f}"
