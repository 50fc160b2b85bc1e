"""What the gray stem is worth, measured: ``python -m measure.gray``.

Every way to feed a gray image to a colour network, with BatchNorm at rest and moving, frozen and
fine-tuned: test AUC, and its difference to the replicated image on the same test images. One case
more, ``"swapped"``: the stem is changed after training, as in a careless export.
Killed and started again it goes on where it was; a finished run is a row of grayscale.csv.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from helpers import files
from helpers.evidence import tables
from helpers.evidence.gray import (
    BATCHNORM,
    COLUMNS,
    DATASETS,
    EPOCHS,
    IMAGE_SIZE,
    KEY,
    METHODS,
    N_TRAIN,
    REFERENCE,
    RESULTS,
    SEEDS,
    STRATEGIES,
    SWAPPED,
    read,
)
from helpers.training import experiments, metrics, predict, strategies
from helpers.training.experiments import Experiment, Outcome
from helpers.training.recipe import Recipe
from measure import commands


@dataclass(frozen=True)
class Cell:
    """One run: a gray method under a strategy and a BatchNorm policy, with a seed."""

    dataset: str
    strategy: str
    batchnorm: str
    gray: str
    seed: int

    @property
    def key(self) -> tuple:
        """The values of `KEY`."""
        return (self.dataset, N_TRAIN, self.strategy, self.batchnorm, self.gray, self.seed)

    @property
    def experiment(self) -> Experiment:
        """The same images, head and order for every method of a seed."""
        return Experiment(
            strategies.by_name(self.strategy, batchnorm=self.batchnorm), self.dataset, N_TRAIN,
            image_size=IMAGE_SIZE, recipe=Recipe(epochs=EPOCHS), seed=self.seed,
            model_options={"gray": "sum" if self.gray == SWAPPED else self.gray},
        )  # fmt: skip

    @property
    def reference(self) -> Cell:
        """The same run with the replicated image."""
        return replace(self, gray=REFERENCE)


def cells(names: Sequence[str] = DATASETS) -> list[Cell]:
    """Return every run of the grid, the cheap strategy first, the reference before the others."""
    return [
        Cell(name, strategy, batchnorm, gray, seed)
        for name in names
        for strategy in STRATEGIES
        for seed in SEEDS[strategy]
        for batchnorm in BATCHNORM
        for gray in METHODS
    ]


def measure(cell: Cell) -> dict:
    """Train one cell on one thread, score the test split once, and return its row."""
    torch.set_num_threads(1)
    outcome = experiments.measure(cell.experiment)
    if cell.gray == SWAPPED:
        outcome = _with_the_mean(outcome)
    if cell.gray == REFERENCE:
        _keep(cell, outcome.score.probabilities)
    return _row(cell, outcome, _replicated(cell, outcome))


def _with_the_mean(outcome: Outcome) -> Outcome:
    """Put the mean of the kernels in the place of their sum, and score that instead."""
    with torch.no_grad():
        outcome.run.model.stem_conv.weight.div_(3)
    return replace(outcome, score=predict.evaluate(outcome.run.model, outcome.data.test))


def _row(cell: Cell, outcome: Outcome, replicated: np.ndarray) -> dict:
    score, groups = outcome.score, outcome.data.test.groups
    change = metrics.auc_difference(score.labels, replicated, score.probabilities, groups)
    found = {
        **outcome.row(), **dict(zip(KEY, cell.key, strict=True)), "n_test": score.n,
        "change": round(change.mean, 4), "change_lo": round(change.lo, 4),
        "change_hi": round(change.hi, 4),
        "train_seconds": round(outcome.run.processor_seconds, 1),
    }  # fmt: skip
    return {name: found[name] for name in COLUMNS}


def _store(cell: Cell) -> Path:
    key = files.digest(cell.reference.key, cell.reference.experiment, experiments.versions())
    return files.folder("grayscale", f"{key}.npy")


def _keep(cell: Cell, probabilities: np.ndarray) -> None:
    with files.atomic_path(_store(cell)) as temporary, temporary.open("wb") as file:
        np.save(file, probabilities)


def _replicated(cell: Cell, outcome: Outcome) -> np.ndarray:
    """Return the test probabilities of the replicated image: kept, or measured again."""
    if cell.gray == REFERENCE:
        return outcome.score.probabilities
    if not _store(cell).is_file():
        _keep(cell, experiments.measure(cell.reference.experiment).score.probabilities)
    return np.load(_store(cell))


def missing(plan: Sequence[Cell], table: pd.DataFrame) -> list[Cell]:
    """Return the cells of `plan` that have no row in `table` yet."""
    done = set(table[list(KEY)].itertuples(index=False, name=None))
    return [cell for cell in plan if cell.key not in done]


def run(plan: Sequence[Cell], path: Path = RESULTS) -> int:
    """Measure what `path` does not hold yet, one cell after the other; return how many."""
    todo = missing(plan, read(path))
    print(f"{len(plan) - len(todo)} of {len(plan)} runs are measured", flush=True)
    for cell in todo:
        row = measure(cell)
        tables.append([row], path, COLUMNS)
        case = f"{cell.dataset}, {cell.strategy}, BatchNorm {cell.batchnorm}, {cell.gray}"
        print(f"{case}, seed {cell.seed}: AUC {row['auc']:.3f}, {row['change']:+.3f}", flush=True)
    return len(todo)


def main(argv: list[str] | None = None) -> int:
    """Measure what is missing; return the exit code."""
    prog = "python -m measure.gray"
    return commands.measure_all(argv, prog, __doc__, DATASETS, lambda names: run(cells(names)))


if __name__ == "__main__":
    sys.exit(main())
