"""Which strategy for so many images of that likeness: read off the measured grid, with its doubts.

>>> from helpers.evidence import recommend
>>> print(recommend.recommend(400, dataset="elpv"))
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from numbers import Integral

import numpy as np
import pandas as pd

from helpers import plots
from helpers.errors import CourseError, unknown_name
from helpers.evidence import similarity as measured_similarity
from helpers.evidence.budgets import Bought, bought
from helpers.evidence.estimates import Estimate, estimate, weights_of
from helpers.evidence.rules import Published, published_for
from helpers.evidence.verdicts import (
    WORTH,
    Evidence,
    ahead,
    choose,
    evidence,
    interval,
    means,
    runner_up,
)
from helpers.plots.style import SHORT_CAVEATS, label_of
from helpers.training.metrics import Interval

PUBLISHED_FROM = 50_000  # from here on others' measurements say more than our continued curves
MOST_CLASSES, FEW_PER_CLASS = 5, 5  # classes of the measured sets; images of a class that are few


@dataclass(frozen=True, eq=False)
class Recommendation:
    """A strategy, and how far to trust the advice.

    Attributes
    ----------
    strategy, runner_up : names of arms; a runner-up of None means that nothing else is measured.
    headline : the advice in half a sentence. In a tie it is "nobody is clearly ahead; start with
        feature extraction" (or with the cheapest arm that takes part).
    margin : AUC of `strategy` minus that of `runner_up` (`helpers.evidence.verdicts.ahead`); it is
        negative where an arm is recommended that is cheaper than the best.
    why : a sentence or more on where this comes from.
    confidence : ``"low"`` where there are `doubts`, else ``"high"``, or ``"moderate"`` for a tie.
    doubts : sentences on what weakens the advice; empty when there are none.
    what_would_change_it : sentences, each with a number to check yourself against.
    extrapolated : whether the place lies outside what was measured.
    evidence : the rows of `Evidence.arms` it rests on, with the weight of their cell.
    bought : what a minute buys there; empty where only published results speak.
    published : findings of others; where `extrapolated` above the measured sizes, the best there
        is.
    """

    n: int
    strategy: str
    headline: str
    runner_up: str | None
    margin: Interval
    why: str
    confidence: str
    doubts: tuple[str, ...]
    what_would_change_it: tuple[str, ...]
    extrapolated: bool
    evidence: pd.DataFrame
    published: tuple[Published, ...] = ()
    bought: tuple[Bought, ...] = ()

    def __str__(self) -> str:
        lines = [f"n = {self.n:,}: {self.headline}. {self.why}"]
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

    The cheapest arm is taken, unless the best there is clearly ahead of it, and by more than
    `worth` AUC. From 50,000 images on published results decide.

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

    choice, best, tied = choose(here.auc, here.by_image, here.seconds, worth)
    second, margin = runner_up(here.auc, here.by_image, choice)

    def choice_at(other_n: int) -> str:
        there = place(other_n, similarity)
        if choice in there.absent:
            return choice  # it could not be chosen there, so nothing has changed its mind
        return choose(there.auc, there.by_image, there.seconds, worth)[0]

    outside, doubts = _doubts(here, n, n_classes)
    confidence = "high" if margin.clear and margin.mean > 0 else "moderate"
    return Recommendation(
        n=n, strategy=choice, headline=_headline(here, choice, best, tied), runner_up=second,
        margin=margin, why=_why(here, n, choice, best, tied),
        confidence="low" if outside or doubts else confidence,
        doubts=(*outside, *doubts),
        what_would_change_it=(
            *_turning_points(choice_at, choice, n, largest),
            *_other_price(here, choice, best, tied),
            "A race on part of your own training images: python -m helpers advise PATH --race.",
        ),
        extrapolated=bool(outside), evidence=rows,
        published=published_for(n) if n > largest else (),
        bought=tuple(bought(here.auc, here.by_image, here.seconds)),
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
        headline="start from the pretrained weights and train everything",
        why=(
            f"This is an extrapolation: we measured up to {largest:,} images on the sets that "
            "count here. On 200,000 images and more others found little between a pretrained and "
            "a random start (.3 points of AUC on retina photographs; on chest X-rays two studies "
            "disagree), and that pretraining buys speed. That everything should then train is the "
            "usual advice; we know no comparison."
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
        doubts.append(f"Not measured here yet: {_listed(here.absent)}.")
    seeds = min(len(by_seed) for by_seed in here.auc.values())
    if seeds < 3:
        doubts.append(f"There {'is one seed' if seeds == 1 else f'are {seeds} seeds'} only.")
    if n_classes and n / n_classes < FEW_PER_CLASS:
        doubts.append(f"There are {n / n_classes:.1f} images of a class on average.")
    return outside, doubts


def _listed(arms: Collection[str]) -> str:
    return "; ".join(map(label_of, arms))  # some labels have a comma in them


def _headline(here: Estimate, choice: str, best: str, tied: Collection[str]) -> str:
    """Say the advice in half a sentence, the same for every tie."""
    start, cheapest = f"start with {label_of(choice)}", min(here.seconds, key=here.seconds.get)
    if len(here.auc) == 1:
        return f"only {label_of(choice)} is measured with all its seeds"
    if choice not in (best, *tied):
        return f"{label_of(best)} is clearly ahead, but by too little to pay for; {start}"
    if not tied:
        return f"{label_of(best)} is clearly ahead"
    if choice == cheapest:
        return f"nobody is clearly ahead; {start}"
    return f"{label_of(cheapest)} is clearly behind; {start}"


def _why(here: Estimate, n: int, choice: str, best: str, tied: Collection[str]) -> str:
    """Say which cells the choice rests on, who is best there, by how much, and who is as good."""
    by_name: dict[str, list[str]] = {}
    for name, size in here.cells:
        by_name.setdefault(name, []).append(f"{size:,}")
    caveats = {name: f"; {text}" for name, text in SHORT_CAVEATS.items()}
    shown = [f"{k} (n = {' and '.join(of)}{caveats.get(k, '')})" for k, of in by_name.items()]
    cells = ", ".join(shown[:-1]) + " and " * (len(shown) > 1) + shown[-1]
    second, margin = runner_up(here.auc, here.by_image, best)
    if second is None:
        return f"On {cells} nothing else is measured."
    said = f"Of {len(here.auc)} arms measured on {cells}, {label_of(best)} is best on average"
    if here.beyond:
        said += f" if its curve is continued to {n:,} images (a guess with a ruler)"
    if choice == best:
        said += f", ahead of {label_of(second)} by {_shown(margin)}."
    else:
        lead = ahead(here.auc, here.by_image, best, choice)
        times = here.seconds[best] / here.seconds[choice]
        said += f": {_shown(lead)} above {label_of(choice)}, at {times:.0f} times the computing."
    rest = [arm for arm in (best, *tied) if arm != choice]
    return f"{said} Not told apart: {_listed(rest)}." if tied else said


def _turning_points(
    choice_at: Callable[[int], str], choice: str, n: int, largest: int
) -> Iterator[str]:
    """Yield the nearest sizes, up to the largest measured, of another choice.

    Not the nearest similarities: on the measured sets these foretold nothing (notebook 05).
    """
    counts = np.unique(np.geomspace(20, max(20, largest), 30).round().astype(int)).tolist()
    directions = {
        "With more images, about {n:,}": [k for k in counts if k > n],
        "With fewer images, about {n:,}": [k for k in counts[::-1] if k < n],
    }
    for words, sizes in directions.items():
        for other_n in sizes:
            arm = choice_at(other_n)
            if arm != choice:
                # To two digits: where a choice flips is not known more exactly.
                rounded = round(other_n, min(0, 2 - len(str(other_n))))
                yield f"{words.format(n=rounded)}, it would be {label_of(arm)}."
                break


def _other_price(here: Estimate, choice: str, best: str, tied: Collection[str]) -> Iterator[str]:
    """Say what patience or haste would buy."""
    mean = means(here.auc)
    if choice != best:
        times, gain = here.seconds[best] / here.seconds[choice], mean[best] - mean[choice]
        gained = f"a gain of {gain:.3f} AUC{', which may be chance,' if choice in tied else ''}"
        yield f"If {gained} is worth {times:.0f} times the computing to you: {label_of(best)}."
        return
    cheaper = [arm for arm in mean if here.seconds[arm] < 0.5 * here.seconds[choice]]
    if cheaper:
        arm = max(cheaper, key=mean.get)
        share = here.seconds[arm] / here.seconds[choice]
        lost = _shown(ahead(here.auc, here.by_image, choice, arm))
        yield f"In a hurry: {label_of(arm)} takes {share:.0%} of the time and loses {lost}."


def _shown(value: Interval) -> str:
    if np.isnan(value.lo):
        return f"{value.mean:.3f} AUC (one seed: no interval)"
    return f"{value.mean:.3f} AUC (95 % interval {value.lo:+.3f} to {value.hi:+.3f})"


def sentences(advice: Recommendation) -> tuple[list[str], list[str]]:
    """Return a recommendation for people: which strategy, why and how sure; what would change it.

    Returns
    -------
    text : sentences to stand as paragraphs; the last one announces the points.
    points : what would change the choice, then what others published.
    """
    kind = ", an extrapolation" if advice.extrapolated else ""
    text = [
        f"For {advice.n:,} training images{kind}: {advice.headline}. {advice.why}",
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
        "strategy": rows["arm"].map(label_of),
        "AUC": rows["auc"].map("{:.3f}".format),
        "95 % over seeds": [_range(*pair) for pair in zip(rows["lo"], rows["hi"], strict=True)],
        "seconds": rows["seconds"].map("{:,.0f}".format),
        "weight": rows["weight"].map("{:.2f}".format),
    })  # fmt: skip


def _range(low: float, high: float) -> str:
    return "one seed" if math.isnan(low) else f"{low:.3f} to {min(1, high):.3f}"
