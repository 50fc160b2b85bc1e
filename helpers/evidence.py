"""The evidence of the course: every strategy on every data set that a laptop can measure.

``make evidence`` fills data/results/strategies.csv, cheap cells first. Killed and started again it
goes on: a finished cell is a row of the table, a long one that was cut off resumes at its epoch.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import traceback
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

import pandas as pd
import torch

from helpers import cache, datasets, experiments, strategies
from helpers.errors import CourseError
from helpers.experiments import Experiment
from helpers.runs import Recipe
from helpers.strategies import Strategy

DATASETS = ("elpv", "chest_xray", "flowers", "hymenoptera")
SIZES = (50, 200, 800, None)  # training images; None: all
SEEDS = (0, 1, 2)
IMAGE_SIZE = 96
BACKBONE = "efficientnet_lite0"
LONGER = 3  # scratch also gets this many times the epochs of the others

ARMS: tuple[Strategy, ...] = (
    strategies.feature_extraction(),
    strategies.partial_finetune(last=1),
    strategies.partial_finetune(last=2),
    strategies.full_finetune(),
    strategies.lp_ft(),
    strategies.scratch(),
)
# Passes over the images cost the same in every arm or less, so cost is in passes of the whole net.
SHARE_OF_A_FULL_PASS = {"feature_extraction": 0.02, "partial_finetune_last1": 0.1,
                        "partial_finetune": 0.25, "lp_ft": 0.6}  # fmt: skip
WORTH_RESUMING = 4_000  # image passes: about a minute on one core


def epochs_for(n: int) -> int:
    """Return the training budget of every arm: the same passes over the images, more when few.

    All arms of a cell get it, whatever a pass costs them; LP-FT shares it out over its two phases.
    """
    return 40 if n < 100 else 20 if n < 400 else 10 if n < 1000 else 6


@dataclass(frozen=True)
class Cell:
    """One run of the grid, by what tells its row from the others."""

    dataset: str
    n: int
    strategy: Strategy
    epochs: int
    seed: int

    def __str__(self) -> str:
        longer = f", {self.epochs} epochs" if self.epochs != epochs_for(self.n) else ""
        return f"{self.dataset} n={self.n} {self.strategy.key}{longer} seed {self.seed}"

    @property
    def cost(self) -> float:
        """About how much work it is, in images passed forward and backward through all of it."""
        return self.n * self.epochs * SHARE_OF_A_FULL_PASS.get(self.strategy.name, 1.0)

    @property
    def experiment(self) -> Experiment:
        """The experiment to measure."""
        return Experiment(
            self.strategy, self.dataset, self.n, BACKBONE, IMAGE_SIZE,
            Recipe(epochs=self.epochs), self.seed,
        )  # fmt: skip

    @property
    def key(self) -> tuple:
        """The columns of the results table that name this cell."""
        return (self.dataset, self.n, BACKBONE, IMAGE_SIZE, self.strategy.key, self.epochs,
                self.seed)  # fmt: skip


KEY_COLUMNS = ["dataset", "n_train", "backbone", "image_size", "strategy", "epochs", "seed"]


def cells(names: Sequence[str] = DATASETS, sizes: Sequence[int | None] = SIZES) -> list[Cell]:
    """Return every cell of the grid for these data sets, the cheap ones first."""
    found = {
        Cell(name, n, arm, epochs_for(n) * longer, seed)
        for name in names
        for n in _sizes_of(name, sizes)
        for arm in ARMS
        for longer in ((1, LONGER) if not arm.pretrained else (1,))
        for seed in SEEDS
    }
    return sorted(found, key=lambda cell: (cell.cost, cell.key))


def _sizes_of(name: str, sizes: Sequence[int | None]) -> set[int]:
    everything = len(datasets.load(name, size=IMAGE_SIZE).train)
    return {min(n or everything, everything) for n in sizes}


def check_free(experiment: Experiment) -> None:
    """Refuse a run whose row in the course's own table would pass for a cell of the grid.

    The key of a row holds neither batch size nor patience, and its seconds would be wall time. A
    further seed is refused too: with one more than the others, an arm would stand alone.

    Raises
    ------
    CourseError
        When the run belongs to a cell of the grid.
    """
    name = experiment.dataset_key
    if name not in DATASETS or (experiment.backbone, experiment.image_size) != (
        BACKBONE, IMAGE_SIZE
    ):  # fmt: skip
        return
    (n,) = _sizes_of(name, [experiment.n_train])
    run = (n, experiment.strategy.key, experiment.recipe.epochs)
    if run in {(cell.n, cell.strategy.key, cell.epochs) for cell in cells([name])}:
        raise CourseError(
            f"{name} with {n:,} images, {run[1]} and {run[2]} epochs is a cell of the evidence, "
            "which make evidence measures. Give another file for your row: --results FILE."
        )


def missing(plan: Sequence[Cell], table: pd.DataFrame) -> list[Cell]:
    """Return the cells of `plan` that have no row in `table` yet."""
    done = set(table[KEY_COLUMNS].itertuples(index=False, name=None))
    return [cell for cell in plan if cell.key not in done]


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


def measure(cell: Cell) -> dict:
    """Run one cell on one thread and return its row; `train_seconds` is processor time."""
    torch.set_num_threads(1)
    data = cell.experiment.data()
    folder = _state_folder(cell)
    with _cold_cache():
        outcome = experiments.measure(cell.experiment, data=data, folder=folder)
    return outcome.row() | {"train_seconds": round(outcome.run.processor_seconds, 1)}


def _state_folder(cell: Cell) -> Path | None:
    if cell.cost < WORTH_RESUMING:
        return None
    return cache.folder("evidence", cache.digest(cell.key, experiments.versions()))


def run(plan: Sequence[Cell], workers: int = 1, path: Path = experiments.RESULTS) -> int:
    """Measure what `path` does not hold yet, `workers` cells at a time; return how many.

    Raises
    ------
    CourseError
        When cells failed (after all others were measured), a row could not be written, or a worker
        process died, e.g. for want of memory. The last two begin no further cell. Whatever was
        measured is in the table.
    """
    todo = missing(plan, experiments.read_rows(path))
    print(
        f"{len(plan) - len(todo)} of {len(plan)} cells are measured, {len(todo)} to go", flush=True
    )
    round_ = _Round(path, deque(todo))
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        while round_.waiting or round_.running:
            round_.hand_out(pool, workers)
            finished, _ = wait(round_.running, return_when=FIRST_COMPLETED)
            for job in finished:
                round_.take_in(job)
    if error := round_.error():
        raise error
    return len(todo)


@dataclass
class _Round:
    """The cells of one `run`: those that wait, those that run, and what became of the others.

    A pool that is given all cells at once goes through all of them, whatever happens here; so it
    gets no more than it has workers.
    """

    path: Path
    waiting: deque[Cell]
    running: dict[Future, Cell] = field(default_factory=dict)
    failed: dict[Cell, Exception] = field(default_factory=dict)
    stopped: CourseError | None = None

    def hand_out(self, pool: Executor, workers: int) -> None:
        while self.waiting and len(self.running) < workers:
            try:
                job = pool.submit(measure, self.waiting[0])
            except BrokenProcessPool:
                return self.stop(_DIED)
            self.running[job] = self.waiting.popleft()
        return None

    def take_in(self, job: Future) -> None:
        cell = self.running.pop(job)
        try:
            row = job.result()
        except BrokenProcessPool:
            self.stop(_DIED)
        except Exception as error:  # of any kind: the other cells are worth their hours
            self.failed[cell] = error
            print(f"{cell}: failed, {_reason(error)}", flush=True)
            if not isinstance(error, CourseError):
                traceback.print_exception(error)
        else:
            self.keep(cell, row)

    def keep(self, cell: Cell, row: dict) -> None:
        try:
            experiments.append_row(row, self.path)
        except (OSError, CourseError) as error:
            return self.stop(
                f"The row of {cell} could not be written to {self.path}: {_reason(error)} "
                "Put that right and start again; what was written before is kept."
            )
        if folder := _state_folder(cell):
            shutil.rmtree(folder, ignore_errors=True)
        left = sum(cell.cost for cell in (*self.waiting, *self.running.values()))
        print(f"{cell}: AUC {row['auc']:.3f}, {row['train_seconds']:.0f} s; {left:,.0f} passes "
              "left", flush=True)  # fmt: skip
        return None

    def stop(self, why: str) -> None:
        """Begin no further cell; those that run are waited for, for their rows."""
        self.stopped = self.stopped or CourseError(why)
        self.waiting.clear()

    def error(self) -> CourseError | None:
        if self.stopped or not self.failed:
            return self.stopped
        names = [str(cell) for cell in self.failed]
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        first = next(iter(self.failed.values()))
        error = CourseError(
            f"Start again for what could not be measured: {'; '.join(names[:NAMED])}{more}. The "
            f"first failed because: {_reason(first)}"
        )
        error.__cause__ = first
        return error


_DIED = (
    "A measuring process was ended from outside, perhaps for want of memory. What was "
    "measured is kept; start again with fewer --workers."
)
NAMED = 10  # failed cells, in the last message; each is printed when it fails


def _reason(error: Exception) -> str:
    text = str(error) if isinstance(error, CourseError) else f"{type(error).__name__}: {error}"
    return text.rstrip(".") + "."
