"""The evidence of the course: every strategy on every data set that a laptop can measure.

`helpers.evidence.grid` says which; a long run that was cut off resumes at its epoch.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

from helpers import files
from helpers.evidence import grid, tables
from helpers.training import checkpoints, experiments
from helpers.training.experiments import Experiment
from helpers.training.recipe import Recipe
from helpers.training.strategies import Strategy
from measure.runner import Table

WORTH_RESUMING = 4_000  # image passes: about a minute on one core


@dataclass(frozen=True)
class Cell:
    """One run of the grid, by what tells its row from the others."""

    dataset: str
    n: int
    strategy: Strategy
    epochs: int
    seed: int

    def __str__(self) -> str:
        return (
            f"{self.dataset} n={self.n} {self.strategy.key}, {self.epochs} epochs, seed {self.seed}"
        )

    @property
    def cost(self) -> float:
        """About how much work it is, in images passed forward and backward through all of it."""
        share = grid.SHARE_OF_A_FULL_PASS.get(self.strategy.name, 1.0)
        return self.n * self.epochs * share

    @property
    def experiment(self) -> Experiment:
        """The experiment to measure."""
        return Experiment(
            self.strategy, self.dataset, self.n, grid.BACKBONE, grid.IMAGE_SIZE,
            Recipe(epochs=self.epochs), self.seed,
        )  # fmt: skip

    @property
    def key(self) -> tuple:
        """The values of `helpers.evidence.tables.KEY`."""
        return (self.dataset, self.n, grid.BACKBONE, grid.IMAGE_SIZE, self.strategy.key,
                self.epochs, self.seed)  # fmt: skip


def cells(names: Sequence[str] = grid.DATASETS) -> list[Cell]:
    """Return every cell of the grid for these data sets, the cheap ones first."""
    found = [
        Cell(name, n, arm, epochs, seed)
        for name in names
        for n in grid.sizes_of(name)
        for arm in grid.ARMS
        for epochs in grid.budgets(arm, n)
        for seed in grid.SEEDS
    ]
    return sorted(found, key=lambda cell: (cell.cost, cell.key))


def measure(cell: Cell) -> list[dict]:
    """Train one cell and return its row; its seconds are processor time."""
    data = cell.experiment.data()
    state = state_folder(cell)  # in the cache that outlives this run
    with _cold_cache():
        outcome = experiments.measure(cell.experiment, data=data, folder=state)
    return [outcome.row() | {"train_seconds": round(outcome.run.processor_seconds, 1)}]


@contextlib.contextmanager
def _cold_cache() -> Iterator[None]:
    """Give a run a cache of its own, so that no arm's seconds profit from another's."""
    before = os.environ.get("COURSE_CACHE")
    with tempfile.TemporaryDirectory(prefix="evidence-") as folder:
        os.environ["COURSE_CACHE"] = folder
        try:
            yield
        finally:
            os.environ.pop("COURSE_CACHE")
            if before is not None:
                os.environ["COURSE_CACHE"] = before


def state_folder(cell: Cell) -> Path | None:
    """Return where the state of a long run is kept; None for a short one."""
    if cell.cost < WORTH_RESUMING:
        return None
    # A state that an older course left, in another format, is another folder's.
    key = files.digest(cell.key, experiments.versions(), checkpoints.FORMAT)
    return files.folder("evidence", key)


def forget(cell: Cell) -> None:
    """Remove the state that a long run would have resumed from."""
    if folder := state_folder(cell):
        shutil.rmtree(folder, ignore_errors=True)


TABLE = Table(
    tables.RESULTS, tables.COLUMNS, tables.KEY, grid.DATASETS, cells, measure,
    key_of=attrgetter("key"), cost=attrgetter("cost"), shown=("auc", "train_seconds"),
    workers=os.cpu_count() or 1, written=forget,
)  # fmt: skip
