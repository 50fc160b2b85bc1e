"""Put a choice into words: why, how sure, what would change it. Every number is computed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from helpers.datasets.known import SHORT_CAVEATS
from helpers.estimates import Estimate
from helpers.verdicts import LONGER, Interval, paired

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
