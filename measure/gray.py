"""What the gray stem is worth, measured.

Every way to feed a gray image to a colour network, with BatchNorm at rest and moving, frozen and
fine-tuned: test AUC, and its difference to the replicated image on the same test images. One case
more, ``"swapped"``: the stem is changed after training, as in a careless export.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import torch

from helpers.evidence.gray import COLUMNS, KEY, RESULTS
from helpers.training import experiments, predict, strategies
from helpers.training.experiments import Experiment, Outcome
from helpers.training.recipe import Recipe
from measure import reference
from measure.runner import Table

DATASETS = ("elpv", "chest_xray")

N_TRAIN, IMAGE_SIZE, EPOCHS = 400, 96, 6

REFERENCE = "replicate"

SWAPPED = "swapped"  # trained behind the sum, scored behind the mean

METHODS = (REFERENCE, "sum", "mean", "random", SWAPPED)  # the others need the reference

# "follow" is no third case: it is "eval" where all is frozen, and "train" where all trains.
BATCHNORM = ("eval", "train")

SEEDS = {"feature_extraction": range(5), "full_finetune": range(3)}  # frozen is cheap


class Cell(NamedTuple):
    """One run: a gray method under a strategy and a BatchNorm policy, with a seed."""

    dataset: str
    n_train: int
    strategy: str
    batchnorm: str
    gray: str
    seed: int

    @property
    def experiment(self) -> Experiment:
        """The same images, head and order for every method of a seed."""
        return Experiment(
            strategies.by_name(self.strategy, batchnorm=self.batchnorm), self.dataset,
            self.n_train, image_size=IMAGE_SIZE, recipe=Recipe(epochs=EPOCHS), seed=self.seed,
            model_options={"gray": "sum" if self.gray == SWAPPED else self.gray},
        )  # fmt: skip


def cells(names: Sequence[str] = DATASETS) -> list[Cell]:
    """Return every run of the grid, the cheap strategy first, the reference before the others."""
    return [
        Cell(name, N_TRAIN, strategy, batchnorm, gray, seed)
        for name in names
        for strategy, seeds in SEEDS.items()
        for seed in seeds
        for batchnorm in BATCHNORM
        for gray in METHODS
    ]


def measure(cell: Cell) -> list[dict]:
    """Train one cell, score the test split once, and return its row."""
    outcome = experiments.measure(cell.experiment)
    if cell.gray == SWAPPED:
        outcome = with_the_mean(outcome)
    replicated = cell._replace(gray=REFERENCE)
    own = outcome.score.probabilities if cell == replicated else None
    before = reference.probabilities("grayscale", tuple(replicated), replicated.experiment, own)
    change = reference.difference(outcome.score, outcome.data.test, before, "change")
    row = outcome.row() | cell._asdict() | change
    row |= {"n_test": outcome.score.n, "train_seconds": round(outcome.run.processor_seconds, 1)}
    return [{name: row[name] for name in COLUMNS}]


def with_the_mean(outcome: Outcome) -> Outcome:
    """Put the mean of the kernels in the place of their sum, and score that instead."""
    with torch.no_grad():
        outcome.run.model.stem_conv.weight.div_(3)
    return replace(outcome, score=predict.evaluate(outcome.run.model, outcome.data.test))


TABLE = Table(RESULTS, COLUMNS, KEY, DATASETS, cells, measure, shown=("auc", "change"))
