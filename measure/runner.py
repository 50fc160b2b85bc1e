"""Measure the cells that a table of results does not hold yet, each in one of several processes.

A cell's rows are in the table as soon as it is finished, so whatever ends a run, the next one goes
on where it was.
"""

from __future__ import annotations

import contextlib
import os
import threading
import traceback
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait as wait_for
from pathlib import Path

import torch
from filelock import FileLock, Timeout

from helpers.errors import CourseError
from helpers.evidence import tables

NAMED = 10  # failed cells, in the last message; each is printed when it fails

WHY_STOPPED = {
    BrokenProcessPool: "A measuring process was ended from outside, perhaps for want of memory. "
    "What was measured is kept; start again with fewer --workers.",
    KeyboardInterrupt: "Stopped. What was measured is kept; start again to go on.",
}


@dataclass(frozen=True)
class Table:
    """A table of data/results: what its cells are, and how one is measured.

    Attributes
    ----------
    key : columns whose values tell one cell from the others; a cell may have several rows.
    datasets : names of the data sets that it is measured on.
    cells : from some of these names to the cells, in the order in which they are measured.
    measure : from a cell to its rows. It is called in another process, on one thread.
    key_of : from a cell to its values of `key`. Where it is left out, cells are those values.
    cost : from a cell to about how much work it is, in any unit.
    shown : columns whose values are printed when a cell is finished.
    workers : cells at a time, unless the user says otherwise.
    prepare : called before anything is measured.
    written : called with a cell when its rows are in the table.
    goes_on : whether `cells` is to be asked again, because further cells hang on what came out.
    """

    path: Path
    columns: Sequence[str]
    key: Sequence[str]
    datasets: Sequence[str]
    cells: Callable[[Sequence[str]], Sequence[Hashable]]
    measure: Callable[[Hashable], Sequence[Mapping]]
    key_of: Callable[[Hashable], tuple] = tuple
    cost: Callable[[Hashable], float] = lambda _: 1
    shown: Sequence[str] = ()
    workers: int = 1
    prepare: Callable[[], None] = lambda: None
    written: Callable[[Hashable], None] = lambda _: None
    goes_on: bool = False


def missing(table: Table, plan: Sequence[Hashable]) -> list[Hashable]:
    """Return the cells of `plan` that have no row in the table yet."""
    rows = tables.read(table.path, table.columns)[list(table.key)]
    done = set(rows.itertuples(index=False, name=None))
    return [cell for cell in plan if table.key_of(cell) not in done]


def run(table: Table, plan: Sequence[Hashable], workers: int = 1) -> int:
    """Measure what the table does not hold yet, `workers` cells at a time; return how many.

    Raises
    ------
    CourseError
        When cells failed (after all others were measured), rows could not be written, a worker
        process died, e.g. for want of memory, or the user stopped it. The last three begin no
        further cell. Whatever was measured is in the table.
    """
    running, failed = {}, {}
    stopped: CourseError | None = None
    with (
        _alone(table.path),
        ProcessPoolExecutor(workers, get_context("spawn"), initializer=_begin) as pool,
    ):
        table.prepare()
        todo = missing(table, plan)
        done = f"{len(plan) - len(todo)} of {len(plan)} cells are measured"
        print(f"{done}, {len(todo)} to go", flush=True)
        waiting = deque(todo)
        while waiting or running:
            try:
                # A pool that is given all cells at once goes through them, whatever happens here.
                while waiting and len(running) < workers:
                    job = pool.submit(table.measure, waiting[0])
                    running[job] = waiting.popleft()
                job = next(iter(wait(running, return_when=FIRST_COMPLETED).done))
                cell = running.pop(job)
                rows = job.result()
                _write(table, cell, rows)
            except (_NotWritten, BrokenProcessPool, KeyboardInterrupt) as error:
                stopped = stopped or CourseError(WHY_STOPPED.get(type(error), str(error)))
                waiting.clear()
            except Exception as error:  # of any kind: the other cells are worth their hours
                failed[cell] = error
                print(f"{cell}: failed, {_reason(error)}", flush=True)
                if not isinstance(error, CourseError):
                    traceback.print_exception(error)
            else:
                left = sum(map(table.cost, [*waiting, *running.values()]))
                values = [f"{name} {rows[0][name]}" for name in table.shown]
                share = 1 - left / sum(map(table.cost, todo))
                print(f"{cell}: {', '.join([*values, f'{share:.0%} done'])}", flush=True)
    if stopped:
        raise stopped
    if failed:
        raise _failure(failed)
    return len(todo)


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold a table for one run: two would measure every cell twice."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(path.with_name(f".{path.name}.run.lock"), timeout=0, mode=0o666):
            yield
    except Timeout as error:
        raise CourseError(
            f"Another run is measuring for {path}. Wait for it, or end it."
        ) from error


def _begin() -> None:
    """Prepare a measuring process: one thread, and an end when its parent ends."""
    torch.set_num_threads(1)

    def end_with_parent() -> None:
        wait_for([parent_process().sentinel])
        os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()


class _NotWritten(CourseError):
    """Measured rows could not be written."""


def _write(table: Table, cell: Hashable, rows: Sequence[Mapping]) -> None:
    try:
        tables.append(rows, table.path, table.columns)
    except (OSError, CourseError) as error:
        raise _NotWritten(
            f"The rows of {cell} could not be written to {table.path}: {_reason(error)} "
            "Put that right and start again; what was written before is kept."
        ) from error
    table.written(cell)


def _failure(failed: Mapping[Hashable, Exception]) -> CourseError:
    names, first = [str(cell) for cell in failed], next(iter(failed.values()))
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    error = CourseError(
        f"Start again for what could not be measured: {'; '.join(names[:NAMED])}{more}. The "
        f"first failed because: {_reason(first)}"
    )
    error.__cause__ = first
    return error


def _reason(error: Exception) -> str:
    text = str(error) if isinstance(error, CourseError) else f"{type(error).__name__}: {error}"
    return text.rstrip(".") + "."
