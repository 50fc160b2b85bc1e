"""What augmentation is worth, measured.

Every policy, with few images, on solar cells and on chest X-rays: test AUC, its difference to no
augmentation on the same images and seed, and whether a trained network keeps its prediction.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from helpers.datasets import augment
from helpers.evidence import tables
from helpers.evidence.augmentation import (
    AGREEMENT,
    AGREEMENT_COLUMNS,
    COLUMNS,
    DATASETS,
    KEY,
    RESULTS,
    SIZES,
    planned,
)
from helpers.inspection import agreement
from helpers.training import experiments, predict, strategies
from helpers.training.experiments import Experiment, Outcome
from helpers.training.recipe import Recipe
from measure import reference
from measure.runner import Table

IMAGE_SIZE = 96

STRATEGY = strategies.partial_finetune(last=2)

AGREEMENT_IMAGES, AGREEMENT_DRAWS = 300, 2


class Cell(NamedTuple):
    """One run: a policy on `n_train` images of a data set, with a seed."""

    dataset: str
    n_train: int
    policy: str
    seed: int

    @property
    def experiment(self) -> Experiment:
        """The same budget for every policy; the mean of the last epochs, so no lucky choice.

        With 25 to 100 validation images, choosing the best epoch would add noise of its own.
        """
        epochs = 30 if self.n_train <= 100 else 15
        return Experiment(
            STRATEGY, self.dataset, self.n_train, image_size=IMAGE_SIZE,
            recipe=Recipe(epochs=epochs, average=3), seed=self.seed,
        )  # fmt: skip


def cells(names: Sequence[str] = DATASETS) -> list[Cell]:
    """Return every run of the grid, one seed after the other, ``"none"`` before what needs it."""
    return [Cell(*key) for key in planned(names)]


def measure(cell: Cell) -> list[dict]:
    """Train one cell and return its row.

    The run without augmentation also asks its network which predictions survive each policy, and
    adds that to `AGREEMENT`.
    """
    data, none = cell.experiment.data(), augment.by_name("none")
    outcome = experiments.measure(
        cell.experiment, data=data, augment=augment.by_name(cell.policy)
    )  # fmt: skip
    plain = cell._replace(policy="none")
    without = reference.probabilities(
        "augmentation", tuple(plain), plain.experiment,
        outcome.score.probabilities if cell == plain else None, data=data, augment=none,
    )  # fmt: skip
    if cell == plain and cell.n_train == max(SIZES):
        add_agreement(cell, outcome)
    gain = reference.difference(outcome.score, outcome.data.test, without, "gain")
    row = outcome.row() | cell._asdict() | gain
    row |= {"n_test": outcome.score.n, "train_seconds": round(outcome.run.processor_seconds, 1)}
    return [{name: row[name] for name in COLUMNS}]


def add_agreement(cell: Cell, outcome: Outcome) -> None:
    """Ask a trained network which of its predictions survive each policy, and write that down.

    A run that was killed before its own row was written comes twice; this is written once.
    """
    there = tables.read(AGREEMENT, AGREEMENT_COLUMNS)[["dataset", "n_train", "seed"]]
    if (cell.dataset, cell.n_train, cell.seed) in set(there.itertuples(index=False, name=None)):
        return
    n = min(AGREEMENT_IMAGES, len(outcome.data.test))
    asked, rows = outcome.data.test.sample(n, cell.seed), []
    answers = predict.predict(outcome.run.model, asked).argmax(axis=1)
    for name in augment.POLICIES | augment.SINGLES:
        share = agreement(
            outcome.run.model, asked.images, augment.by_name(name), AGREEMENT_DRAWS, cell.seed
        )
        rows.append(cell._asdict() | {
            "policy": name, "n_images": n, "draws": AGREEMENT_DRAWS,
            "agreement": round(share.value, 4), "agreement_lo": round(share.lo, 4),
            "agreement_hi": round(share.hi, 4),
            "commoner": round(np.bincount(answers).max() / n, 4),
            "versions": experiments.versions(),
        })  # fmt: skip
    tables.append(rows, AGREEMENT, AGREEMENT_COLUMNS)


TABLE = Table(
    RESULTS, COLUMNS, KEY, DATASETS, cells, measure, shown=("auc", "gain", "train_seconds")
)
