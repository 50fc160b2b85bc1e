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

from helpers import files
from helpers.errors import CourseError
from helpers.evidence import tables
from helpers.evidence.grid import KEY_COLUMNS, Cell
from helpers.training import experiments

WORTH_RESUMING = 4_000  # image passes: about a minute on one core


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
    return files.folder("evidence", files.digest(cell.key, experiments.versions()))


def run(plan: Sequence[Cell], workers: int = 1, path: Path = tables.RESULTS) -> int:
    """Measure what `path` does not hold yet, `workers` cells at a time; return how many.

    Raises
    ------
    CourseError
        When cells failed (after all others were measured), a row could not be written, or a worker
        process died, e.g. for want of memory. The last two begin no further cell. Whatever was
        measured is in the table.
    """
    todo = missing(plan, tables.read_rows(path))
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
            tables.append_row(row, self.path)
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
