"""What the runner does with cells that fail, die, cannot be written, or are stopped."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from filelock import FileLock

from helpers.errors import CourseError
from helpers.evidence import tables
from measure.runner import Table, missing, run

COLUMNS = ("dataset", "seed", "value")


def begins(cell: tuple) -> list[dict]:
    """A cell that costs nothing; seed 1 has no images, seed 2 ends its process.

    At the top of this module, so that a process of a real pool can be told of it.
    """
    name, seed = cell
    Path(os.environ["BEGUN"], str(seed)).touch()
    if seed == 1:
        raise CourseError("There are no images.")
    if seed == 2:
        os._exit(1)
    return [{"dataset": name, "seed": seed, "value": part} for part in (0, 1)]


@pytest.fixture
def table(tmp_path, private_cache, monkeypatch) -> Table:
    (tmp_path / "begun").mkdir()
    monkeypatch.setenv("BEGUN", str(tmp_path / "begun"))
    path = tmp_path / "results.csv"
    return Table(path, COLUMNS, ("dataset", "seed"), ("blobs",), lambda names: [], begins)


def plan(*seeds: int) -> list[tuple]:
    return [("blobs", seed) for seed in seeds]


def begun() -> list[int]:
    return sorted(int(path.name) for path in Path(os.environ["BEGUN"]).iterdir())


def seeds_in(table: Table) -> list[int]:
    return tables.read(table.path, COLUMNS)["seed"].tolist()


def test_nothing_is_measured_twice(table, one_process):
    assert run(table, plan(3)) == 1
    assert run(table, plan(3, 4)) == 1
    assert run(table, plan(3, 4)) == 0
    assert seeds_in(table) == [3, 3, 4, 4]
    assert missing(table, plan(3, 4, 5)) == plan(5)


def test_a_cell_that_fails_keeps_no_other_from_being_measured(table):
    with pytest.raises(CourseError) as raised:
        run(table, plan(1, 3, 4, 5))
    assert seeds_in(table) == [3, 3, 4, 4, 5, 5]
    assert "measured: ('blobs', 1). " in str(raised.value)
    assert str(raised.value).endswith("because: There are no images.")


def test_a_process_that_dies_ends_the_run_and_what_was_measured_stays(table):
    with pytest.raises(CourseError, match="fewer --workers"):
        run(table, plan(3, 2, 4, 5))
    assert seeds_in(table) == [3, 3]
    assert begun() == [2, 3]
    assert missing(table, plan(3, 2, 4, 5)) == plan(2, 4, 5)


def full_once(monkeypatch) -> None:
    """The disk is full when the first rows are to be written, and only then."""
    whole, calls = tables.append, []

    def append(*arguments):
        calls.append(arguments)
        if len(calls) == 1:
            raise OSError(28, "No space left on device")
        whole(*arguments)

    monkeypatch.setattr(tables, "append", append)


@pytest.mark.parametrize(("workers", "started", "kept"), [(1, [3], 0), (2, [3, 4], 2)])
def test_after_rows_that_cannot_be_written_no_cell_begins_and_what_runs_beside_is_kept(
    table, one_process, monkeypatch, workers, started, kept
):
    """What had not begun would run for hours, for nothing."""
    full_once(monkeypatch)
    with pytest.raises(CourseError, match=r"could not be written .*No space left"):
        run(table, plan(3, 4, 5, 6), workers=workers)
    assert begun() == started
    assert len(tables.read(table.path, COLUMNS)) == kept


def test_a_fault_of_the_course_itself_is_told_with_its_kind(table, one_process, capsys):
    with pytest.raises(CourseError, match=r"KeyError: 'auc'\.") as raised:
        run(replace(table, measure=lambda cell: {}["auc"]), plan(*range(30)))
    assert "9) and 20 more." in str(raised.value)
    assert "Traceback" in capsys.readouterr().err


def test_a_finished_cell_says_its_values_and_how_far_the_work_is(table, one_process, capsys):
    said = []
    priced = replace(
        table, shown=("value",), cost=lambda cell: cell[1], written=said.append,
        prepare=lambda: said.append("ready"),
    )  # fmt: skip
    run(priced, plan(4, 6))
    assert said == ["ready", *plan(4, 6)]
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["0 of 2 cells are measured, 2 to go", "('blobs', 4): value 0, 40% done",
                     "('blobs', 6): value 0, 100% done"]  # fmt: skip


SLOW = """
    import sys, time
    from pathlib import Path
    from measure.runner import Table, run

    def slow(cell):
        if cell[0]:
            Path(sys.argv[1], "begun").touch()
            time.sleep(60)
        return [{"seed": cell[0]}]

    if __name__ == "__main__":
        table = Table(Path(sys.argv[1], "t.csv"), ("seed",), ("seed",), (), list, slow)
        run(table, [(0,), (1,), (2,)])
"""


def test_ctrl_c_ends_in_one_sentence_and_loses_no_finished_row(tmp_path, private_cache):
    script = tmp_path / "slow.py"
    script.write_text(textwrap.dedent(SLOW))
    process = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path)], stderr=subprocess.PIPE, text=True,
        start_new_session=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while not (tmp_path / "begun").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all of its processes
    _, said = process.communicate(timeout=60)
    assert said.endswith("Stopped. What was measured is kept; start again to go on.\n")
    assert tables.read(tmp_path / "t.csv", ("seed",))["seed"].tolist() == [0]


def test_a_second_run_is_refused_while_one_is_measuring(table, one_process):
    with (
        FileLock(table.path.with_name(".results.csv.run.lock")),
        pytest.raises(CourseError, match="Another run is measuring"),
    ):
        run(table, plan(3))
    assert begun() == []
    assert run(table, plan(3)) == 1


PARENT = """
import os, sys, time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from measure.runner import _begin
if __name__ == "__main__":
    pool = ProcessPoolExecutor(1, get_context("spawn"), initializer=_begin)
    print(pool.submit(os.getpid).result(), flush=True)
    time.sleep(600)
"""


def test_a_measuring_process_ends_with_its_parent(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    root = Path(__file__).parents[2]
    parent = subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": str(root)},
    )  # fmt: skip
    worker = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.wait()
    worker.wait(timeout=60)
