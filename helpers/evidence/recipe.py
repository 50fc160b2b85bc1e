"""What each step of a recipe brings: from the course's usual partial fine-tuning to its best.

``python -m measure recipe`` fills the table. One step after the other is tried on top of what was
chosen before, and the validation images alone choose.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from helpers.evidence import tables
from helpers.evidence.verdicts import over_seeds_and_images
from helpers.training.metrics import Interval, auc, auc_difference

RECIPE = tables.FOLDER / "recipe.csv"

KEY = ("dataset", "step", "option", "seed")

# `part` is where the answers were taken: "validation", or "test" for the first and last recipe.
# `n_train`: a step "all" learns from the validation images, too, and answers the test images.
# `logits`: log odds of class 1; `view_logits`: of the mean probability over the fixed views.
COLUMNS = (
    *KEY, "part", "setup", "n_train", "n", "auc", "accuracy", "core_seconds", "labels", "logits",
    "view_logits", "versions",
)  # fmt: skip

SEEDS = range(3)

# A validation AUC from which on nothing is chosen. Set when the first recipe stood at .998 on the
# X-rays: no option can be ahead by more than .002 there, and 400 images and three seeds know such a
# difference to about .002. What is cheapest stays.
SATURATED = 0.997

# Where nothing was chosen, the test images also meet what solar cells' validation images chose.
BORROWED = "the recipe that solar cells chose"


@dataclass(frozen=True)
class Setup:
    """One way to train.

    Attributes
    ----------
    strategy, last : a strategy by its name; `last` for partial fine-tuning.
    views : learn from fixed views of every image (turned cells, nudged X-rays) instead of one.
    targets : "labels", "smoothed" (the label counts 95 %), or "experts" (their probabilities).
    average : 0, or how many last epochs' weights are averaged.
    rates : of the head, of the last stage, and the factor from each stage to the one before it.
    """

    strategy: str = "partial_finetune"
    last: int = 2
    views: bool = False
    epochs: int = 6
    class_weights: bool = True
    average: int = 0
    targets: str = "labels"
    size: int = 128
    backbone: str = "efficientnet_lite0"
    rates: tuple[float, float, float] = (3e-3, 3e-4, 0.75)


# In the order in which they are tried: a step, and what may change in it. Dear ones come last.
STEPS: dict[str, dict[str, dict]] = {
    "start": {"the last two stages": {}},
    "depth": {
        "the last five stages": {"last": 5},
        "LP-FT, all stages": {"strategy": "lp_ft"},
    },
    "augmentation": {"fixed views": {"views": True}},
    "class weights": {"none": {"class_weights": False}},
    "averaging": {"weights of the last 3 epochs": {"average": 3}},
    "targets": {
        "smoothed labels": {"targets": "smoothed"},
        "experts' probabilities": {"targets": "experts"},
    },
    # Steps may need each other: other views every epoch are of use only to a longer training.
    "together": {
        "views, 12 epochs, averaged": {"views": True, "epochs": 12, "average": 3},
        "the same, experts' probabilities": {
            "views": True, "epochs": 12, "average": 3, "targets": "experts",
        },
    },
    "more of all": {
        "five stages, 16 epochs, experts, other rates": {
            "last": 5, "epochs": 16, "average": 4, "class_weights": False,
            "rates": (2e-3, 5e-4, 0.8), "targets": "experts",
        },
    },
    "size": {"96 px": {"size": 96}, "160 px": {"size": 160}, "224 px": {"size": 224}},
}  # fmt: skip


# Networks that are averaged at the end, all with the recipe that was chosen.
MEMBERS = {
    "EfficientNet-Lite0": {},
    "EfficientNet-Lite1": {"backbone": "efficientnet_lite1"},
    "EfficientNet-Lite2": {"backbone": "efficientnet_lite2"},
}


def options(dataset: str, step: str) -> dict[str, dict]:
    """Return what a step may change on this data set; only solar cells have experts' doubts."""
    found = STEPS[step]
    return {k: v for k, v in found.items() if dataset == "elpv" or v.get("targets") != "experts"}


class Tried(NamedTuple):
    """One option of a step, on validation: its AUC minus that of what was chosen before.

    ``core_minutes`` is the cost of one network, mean over seeds.
    """

    step: str
    option: str
    gain: Interval
    auc: float
    core_minutes: float
    chosen: bool

    @property
    def name(self) -> str:
        """The step and its option, as a figure names them."""
        return self.option if self.step == "start" else f"{self.step}: {self.option}"


def read_recipe() -> pd.DataFrame:
    """Return the table; `labels`, `logits` and `view_logits` hold arrays ``(N,)``."""
    table = tables.read(RECIPE, COLUMNS)
    table["labels"] = [np.array(list(row), int) for row in table.labels]
    for name in ("logits", "view_logits"):
        table[name] = [np.array(str(row).split(), float) for row in table[name].fillna("")]
    return table


def rows_of(table: pd.DataFrame, dataset: str, step: str, option: str) -> pd.DataFrame:
    """Return an option's rows by seed (steps "test", "all": test images); none until all are."""
    found = table[
        (table.dataset == dataset) & (table.step == step) & (table.option == option)
    ].sort_values("seed")  # fmt: skip
    return found if set(found.seed) == set(SEEDS) else found[:0]


def gain(labels: np.ndarray, after: Sequence[np.ndarray], before: Sequence[np.ndarray]) -> Interval:
    """Return the AUC of `after` minus that of `before`, paired by seed and image.

    Parameters
    ----------
    labels : ``(N,)``. after, before : probabilities ``(N, 2)``, one array per seed.
    """
    found = [auc_difference(labels, b, a) for a, b in zip(after, before, strict=True)]
    return over_seeds_and_images(pd.DataFrame(found, columns=["gap", "gap_lo", "gap_hi"]), "gap")


def answers(rows: pd.DataFrame, column: str = "logits") -> list[np.ndarray]:
    """Return what `rows` said as probabilities ``(N, 2)``, one array per seed."""
    return [as_probabilities(logits) for logits in rows[column]]


def as_probabilities(logits: np.ndarray) -> np.ndarray:
    """Return log odds ``(N,)`` as probabilities of both classes, ``(N, 2)``."""
    return 1 / (1 + np.exp(np.stack([logits, -logits], axis=1)))


class Choice(NamedTuple):
    """An option of a step: its rows, those of what stood before it, and whether it was chosen."""

    step: str
    option: str
    rows: pd.DataFrame
    before: pd.DataFrame
    chosen: bool


def choices(
    table: pd.DataFrame, dataset: str, until: str = ""
) -> tuple[list[Choice], Setup, str | None]:
    """Follow the steps as far as they are measured, or up to the step `until`, left out.

    An option is chosen when its mean validation AUC is above that of what was chosen before; of
    several, the best. Chosen does not mean told apart: `climb` says that. From `SATURATED` on
    nothing is chosen, and no further step is asked for.

    Returns
    -------
    All options tried; the setup chosen so far; the step that is to be measured next, or None.
    """
    tried, setup, now = [], Setup(), None
    for step in itertools.takewhile(lambda name: name != until, STEPS):
        found = {name: rows_of(table, dataset, step, name) for name in options(dataset, step)}
        saturated = now is not None and now.auc.mean() >= SATURATED
        if any(rows.empty for rows in found.values()):
            return tried, setup, None if saturated else step
        if not found:  # the last bundle asks for experts, and X-rays have none
            continue
        best = max(found, key=lambda name: found[name].auc.mean())
        if saturated or (now is not None and found[best].auc.mean() <= now.auc.mean()):
            best = None
        for name, rows in found.items():
            tried.append(Choice(step, name, rows, rows if now is None else now, name == best))
        if best:
            now, setup = found[best], replace(setup, **STEPS[step][best])
    return tried, setup, None


def climb(table: pd.DataFrame, dataset: str) -> list[Tried]:
    """Return all options tried (`choices`), each with its gain over what stood before it."""
    return [
        Tried(
            c.step, c.option, gain(c.rows.labels.iloc[0], answers(c.rows), answers(c.before)),
            c.rows.auc.mean(), c.rows.core_seconds.mean() / 60, c.chosen,
        )
        for c in choices(table, dataset)[0]
    ]  # fmt: skip


def members(table: pd.DataFrame, dataset: str, part: str) -> dict[str, pd.DataFrame]:
    """Return the rows of the networks to be averaged, by network, as far as they are measured.

    ``part`` "validation": what was chosen last, and other networks with that recipe (the step
    "network"). "test": the same networks on the test images, scored once. "all": the same recipe,
    learned from the validation images, too, when nothing is left to choose; test images.
    """
    tried, setup, next_step = choices(table, dataset)
    if next_step is not None:
        return {}
    last = [choice for choice in tried if choice.chosen][-1]
    step, first = "network" if part == "validation" else part, next(iter(MEMBERS))
    found = {name: rows_of(table, dataset, step, name) for name in MEMBERS}
    if part == "validation":
        found[first] = last.rows
    elif part == "test" and setup == Setup():  # nothing was chosen: the last recipe is the first
        found[first] = rows_of(table, dataset, "test", "start")
    return {name: rows for name, rows in found.items() if not rows.empty}


def averages(found: dict[str, pd.DataFrame]) -> dict[str, list[np.ndarray]]:
    """Return the answers of single networks and of several together, an array per seed.

    Parameters
    ----------
    found : rows by network, as from `members`.

    Returns
    -------
    By name: probabilities ``(N, 2)``, one array per seed; of what averages the seeds, the same
    array for each. "one network" is the first of `found`; "three networks" need all `MEMBERS`, and
    the mean over fixed views a recipe that learned from them.
    """
    first, *_ = found
    single = answers(found[first])
    views = len(found[first].view_logits.iloc[0]) > 0
    seen = {k: answers(v, "view_logits" if views else "logits") for k, v in found.items()}
    mixed = {"one network": single}
    if views:
        mixed["its mean over the fixed views"] = seen[first]
    mixed["its three seeds"] = [np.mean(seen[first], axis=0)] * len(single)
    if len(found) == len(MEMBERS):
        nets = list(np.mean(list(seen.values()), axis=0))
        mixed["three networks"] = nets
        mixed["three networks, three seeds"] = [np.mean(nets, axis=0)] * len(single)
    return mixed


def costs(found: dict[str, pd.DataFrame]) -> dict[str, float]:
    """Return the core minutes of each of `averages`: of all networks that take part."""
    first, *others = (rows.core_seconds.mean() / 60 for rows in found.values())
    whole, n = first + sum(others), len(SEEDS)
    minutes = {
        "one network": first, "its mean over the fixed views": first, "its three seeds": n * first,
        "three networks": whole, "three networks, three seeds": n * whole,
    }  # fmt: skip
    return {name: minutes[name] for name in averages(found)}


def together(table: pd.DataFrame, dataset: str) -> list[Tried]:
    """Return what averaging gains on validation over one network, without more to choose."""
    if not (found := members(table, dataset, "validation")):
        return []
    labels, mixed = next(iter(found.values())).labels.iloc[0], averages(found)
    minutes = costs(found)
    one = mixed["one network"]
    return [
        Tried("average", name, gain(labels, said, one),
              float(np.mean([auc(labels, p) for p in said])), minutes[name], False)
        for name, said in mixed.items()
        if said is not one
    ]  # fmt: skip


def final(found: dict[str, pd.DataFrame]) -> tuple[str, list[np.ndarray]]:
    """Return what one seed of everything says: three networks, or the one there is, its views."""
    mixed = averages(found)
    name = next(
        name for name in ("three networks", "its mean over the fixed views", "one network")
        if name in mixed
    )  # fmt: skip
    return name, mixed[name]
