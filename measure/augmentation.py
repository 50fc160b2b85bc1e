"""What augmentation is worth, measured: ``python -m measure.augmentation``.

Every policy, with few images, on solar cells and on chest X-rays: test AUC, its difference to no
augmentation on the same images and seed, and whether a trained network keeps its prediction.
Killed and started again it goes on where it was; a finished run is a row of augmentation.csv.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from tqdm.auto import tqdm

from helpers import files
from helpers.datasets import Dataset, augment
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
from helpers.inspection import augmentation
from helpers.training import experiments, metrics, strategies
from helpers.training.experiments import Experiment, Outcome
from helpers.training.recipe import Recipe
from measure import commands

IMAGE_SIZE = 96


STRATEGY = strategies.partial_finetune(last=2)


AGREEMENT_IMAGES, AGREEMENT_DRAWS = 300, 2


@dataclass(frozen=True)
class Cell:
    """One run: a policy on `n_train` images of a data set, with a seed."""

    dataset: str
    n_train: int
    policy: str
    seed: int

    @property
    def key(self) -> tuple:
        """The values of `KEY`."""
        return (self.dataset, self.n_train, self.policy, self.seed)

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


def measure(cell: Cell, path: Path = AGREEMENT) -> dict:
    """Train one cell on one thread and return its row.

    The run without augmentation also asks its network which predictions survive each policy, and
    writes that to `path`, once.

    Raises
    ------
    CourseError
        When the data set cannot be loaded or the table at `path` cannot be read.
    """
    torch.set_num_threads(1)
    policy = augment.by_name(cell.policy)
    data = cell.experiment.data()
    outcome = experiments.measure(cell.experiment, data=data, augment=policy)
    if cell.policy == "none":
        _keep(cell, outcome.score.probabilities)
        if cell.n_train == max(SIZES):
            _add_agreement(agreement_rows(cell, outcome), path)
    return _row(cell, outcome, _without(cell, data, outcome))


def _add_agreement(rows: list[dict], path: Path) -> None:
    """Write what is not there yet: a run killed before its own row was written comes twice."""
    there = set(tables.read(path, AGREEMENT_COLUMNS)[list(KEY)].itertuples(index=False, name=None))
    if new := [row for row in rows if tuple(row[name] for name in KEY) not in there]:
        tables.append(new, path, AGREEMENT_COLUMNS)


def _row(cell: Cell, outcome: Outcome, without: np.ndarray) -> dict:
    score, groups = outcome.score, outcome.data.test.groups
    gain = metrics.auc_difference(score.labels, without, score.probabilities, groups)
    found = {
        **dict(zip(KEY, cell.key, strict=True)), "n_test": score.n,
        "gain": round(gain.mean, 4), "gain_lo": round(gain.lo, 4), "gain_hi": round(gain.hi, 4),
        "train_seconds": round(outcome.run.processor_seconds, 1),
    }  # fmt: skip
    row = outcome.row() | found
    return {name: row[name] for name in COLUMNS}


def _store(cell: Cell) -> Path:
    plain = Cell(cell.dataset, cell.n_train, "none", cell.seed)
    key = files.digest(plain.key, plain.experiment, experiments.versions())
    return files.folder("augmentation", f"{key}.npy")


def _keep(cell: Cell, probabilities: np.ndarray) -> None:
    with files.atomic_path(_store(cell)) as temporary, temporary.open("wb") as file:
        np.save(file, probabilities)


def _without(cell: Cell, data: Dataset, outcome: Outcome) -> np.ndarray:
    """Return the test probabilities without augmentation: kept, or measured again."""
    if cell.policy == "none":
        return outcome.score.probabilities
    if not _store(cell).is_file():
        plain = experiments.measure(cell.experiment, data=data, augment=augment.by_name("none"))
        _keep(cell, plain.score.probabilities)
    return np.load(_store(cell))


def agreement_rows(cell: Cell, outcome: Outcome) -> list[dict]:
    """Ask the trained network of `outcome` which of its predictions survive each policy."""
    test = outcome.data.test
    n = min(AGREEMENT_IMAGES, len(test))
    images = test.sample(n, cell.seed).images
    rows = []
    for name in augment.POLICIES | augment.SINGLES:
        share = augmentation.agreement(
            outcome.run.model, images, augment.by_name(name), AGREEMENT_DRAWS, cell.seed
        )
        rows.append({
            **dict(zip(KEY, cell.key, strict=True)), "policy": name, "n_images": n,
            "draws": AGREEMENT_DRAWS, "agreement": round(share.value, 4),
            "agreement_lo": round(share.lo, 4), "agreement_hi": round(share.hi, 4),
            "versions": experiments.versions(),
        })  # fmt: skip
    return rows


def missing(plan: Sequence[Cell], table: pd.DataFrame) -> list[Cell]:
    """Return the cells of `plan` that have no row in `table` yet."""
    done = set(table[list(KEY)].itertuples(index=False, name=None))
    return [cell for cell in plan if cell.key not in done]


def run(plan: Sequence[Cell], path: Path = RESULTS, agreement: Path = AGREEMENT) -> int:
    """Measure what `path` does not hold yet, one cell after the other; return how many."""
    todo = missing(plan, tables.read(path, COLUMNS))
    print(f"{len(plan) - len(todo)} of {len(plan)} runs are measured", flush=True)
    for cell in tqdm(todo, unit="run"):
        row = measure(cell, agreement)
        tables.append([row], path, COLUMNS)
        print(f"{cell.dataset} n={cell.n_train} {cell.policy} seed {cell.seed}: AUC "
              f"{row['auc']:.3f}, gain {row['gain']:+.3f}, {row['train_seconds']:.0f} s",
              flush=True)  # fmt: skip
    return len(todo)


def main(argv: list[str] | None = None) -> int:
    """Measure what is missing; return the exit code."""
    prog = "python -m measure.augmentation"
    return commands.measure_all(argv, prog, __doc__, DATASETS, lambda names: run(cells(names)))


if __name__ == "__main__":
    sys.exit(main())
