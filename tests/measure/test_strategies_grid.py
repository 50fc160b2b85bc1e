import os
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from helpers import datasets
from helpers.__main__ import main
from helpers.errors import CourseError
from helpers.evidence import grid, tables
from helpers.evidence.grid import Cell
from helpers.training import experiments
from helpers.training.strategies import by_name, feature_extraction, scratch
from measure import commands, strategies

DATA = Path(os.environ.get("COURSE_DATA_DIR") or Path(__file__).parents[3] / "shared" / "data")


@pytest.fixture
def blobs(tmp_path, private_cache, monkeypatch):
    """A data set that is found by its bare name: two classes, 60 small images each."""
    rng = np.random.default_rng(0)
    for k, name in enumerate(("dark", "light")):
        (tmp_path / "sets" / "blobs" / name).mkdir(parents=True)
        for i in range(60):
            pixels = rng.integers(0, 90, (16, 16), dtype=np.uint8) + 120 * k
            Image.fromarray(pixels.astype(np.uint8)).save(
                tmp_path / "sets" / "blobs" / name / f"{i}.png"
            )
    monkeypatch.setenv("COURSE_DATA_DIR", str(tmp_path / "sets"))
    return "blobs"


@pytest.fixture
def quick(monkeypatch):
    """Small images and one arm, so that a cell takes a moment."""
    monkeypatch.setattr(grid, "IMAGE_SIZE", 32)
    monkeypatch.setattr(grid, "epochs_for", lambda n: 1)
    monkeypatch.setattr(grid, "ARMS", (feature_extraction(), scratch()))


class HereAndNow:
    """Stands in for a pool of processes: runs a job where it is handed in."""

    def __init__(self, *_arguments, **_options) -> None:
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def submit(self, function, cell):
        from concurrent.futures import Future

        job = Future()
        try:
            job.set_result(function(cell))
        except Exception as error:
            job.set_exception(error)
        return job


@pytest.fixture
def one_process(monkeypatch):
    monkeypatch.setattr(strategies, "ProcessPoolExecutor", HereAndNow)


def test_a_bare_name_is_found_in_the_data_folder(blobs):
    data = datasets.load(blobs, size=16)
    assert data.card.name == "blobs"
    assert data.card.classes == ("dark", "light")


def test_the_plan_has_every_arm_once_and_scratch_twice(blobs, quick):
    plan = grid.cells([blobs], (20, None))
    everything = len(datasets.load(blobs, size=32).train)
    assert len(plan) == 2 * (1 + 2) * len(grid.SEEDS)
    assert {cell.n for cell in plan} == {20, everything}
    assert {c.epochs for c in plan if c.strategy.name == "scratch"} == {1, grid.LONGER}
    assert [c.cost for c in plan] == sorted(c.cost for c in plan)


def test_sizes_beyond_the_data_set_are_all_of_it_once(blobs, quick):
    assert len(grid.cells([blobs], (500, None))) == len(grid.cells([blobs], (None,)))


def test_nothing_is_measured_twice(blobs, quick, one_process, tmp_path, monkeypatch):
    path = tmp_path / "results.csv"
    plan = grid.cells([blobs], (20,))[:2]
    assert strategies.run(plan, path=path) == 2
    assert strategies.run(plan, path=path) == 0
    table = tables.read_rows(path)
    assert len(table) == 2
    assert (table["train_seconds"] > 0).all()
    assert not strategies.missing(plan, table)


def test_what_was_measured_before_a_failure_stays(blobs, quick, one_process, tmp_path, monkeypatch):
    path, plan = tmp_path / "results.csv", grid.cells([blobs], (20,))[:3]
    whole = strategies.measure

    def fails_at_the_last(cell):
        if cell == plan[-1]:
            raise BrokenProcessPool
        return whole(cell)

    monkeypatch.setattr(strategies, "measure", fails_at_the_last)
    with pytest.raises(CourseError, match="fewer --workers"):
        strategies.run(plan, path=path)
    kept = len(tables.read_rows(path))
    monkeypatch.setattr(strategies, "measure", whole)
    assert strategies.run(plan, path=path) == 3 - kept


def begins(cell: Cell) -> dict:
    """A cell that costs nothing; seed 1 has no images, seed 2 ends its process.

    At the top of this module, so that a process of a real pool can be told of it.
    """
    Path(os.environ["BEGUN"], str(cell.seed)).touch()
    if cell.seed == 1:
        raise CourseError("There are no images.")
    if cell.seed == 2:
        os._exit(1)
    key = dict(zip(grid.KEY_COLUMNS, cell.key, strict=True))
    return dict.fromkeys(tables.COLUMNS, 0) | key


@pytest.fixture
def begun(tmp_path, private_cache, monkeypatch):
    """The seeds of the cells that began, on `begins` in place of a measurement."""
    folder = tmp_path / "begun"
    folder.mkdir()
    monkeypatch.setenv("BEGUN", str(folder))
    monkeypatch.setattr(strategies, "measure", begins)
    return lambda: sorted(int(path.name) for path in folder.iterdir())


def plan_of(*seeds: int) -> list[Cell]:
    return [Cell("blobs", 20, scratch(), 40, seed) for seed in seeds]


def seeds_in(path) -> list[int]:
    return sorted(tables.read_rows(path)["seed"])


def test_a_cell_that_fails_keeps_no_other_from_being_measured(tmp_path, begun):
    path = tmp_path / "results.csv"
    with pytest.raises(CourseError) as raised:
        strategies.run(plan_of(1, 3, 4, 5), path=path)
    assert seeds_in(path) == [3, 4, 5]
    assert "measured: blobs n=20 scratch seed 1. " in str(raised.value)
    assert str(raised.value).endswith("because: There are no images.")


def test_a_process_that_dies_ends_the_round(tmp_path, begun):
    path = tmp_path / "results.csv"
    with pytest.raises(CourseError, match="fewer --workers"):
        strategies.run(plan_of(3, 2, 4, 5), path=path)
    assert seeds_in(path) == [3]
    assert begun() == [2, 3]


def full_once(monkeypatch) -> None:
    """The disk is full when the first row is to be written, and only then."""
    whole, calls = tables.append_row, []

    def append_row(row, path):
        calls.append(row)
        if len(calls) == 1:
            raise OSError(28, "No space left on device")
        whole(row, path)

    monkeypatch.setattr(tables, "append_row", append_row)


def test_after_a_row_that_cannot_be_written_no_cell_begins(tmp_path, begun, monkeypatch):
    full_once(monkeypatch)
    with pytest.raises(CourseError, match=r"seed 3 could not be written .*No space left"):
        strategies.run(plan_of(3, 4, 5, 6), path=tmp_path / "results.csv")
    assert begun() == [3], "what had not begun would have run for hours, for nothing"


def test_what_runs_beside_a_row_that_cannot_be_written_is_kept(
    tmp_path, begun, one_process, monkeypatch
):
    full_once(monkeypatch)
    with pytest.raises(CourseError, match="could not be written"):
        strategies.run(plan_of(3, 4, 5, 6), workers=2, path=tmp_path / "results.csv")
    assert begun() == [3, 4]
    assert len(seeds_in(tmp_path / "results.csv")) == 1


def test_a_fault_of_the_course_itself_is_told_with_its_kind(
    tmp_path, begun, one_process, monkeypatch, capsys
):
    monkeypatch.setattr(strategies, "measure", lambda cell: {}["auc"])
    with pytest.raises(CourseError, match=r"KeyError: 'auc'\.") as raised:
        strategies.run(plan_of(*range(30)), path=tmp_path / "results.csv")
    assert "seed 9 and 20 more." in str(raised.value)
    assert "Traceback" in capsys.readouterr().err


def test_a_cell_leaves_no_cache_and_no_setting_behind(blobs, quick, private_cache):
    strategies.measure(grid.cells([blobs], (20,))[0])
    assert os.environ["COURSE_CACHE"] == str(private_cache)
    assert not (private_cache / "prefix").exists()


@pytest.mark.parametrize(("n", "passes"), [(50, 2000), (200, 4000), (800, 8000), (4173, 25038)])
def test_more_images_more_passes(n, passes):
    assert n * grid.epochs_for(n) == passes


def asks(*options: str) -> int:
    """Train on `blobs` as the grid does; `options` say where the row goes, and what is other."""
    return main(["train", "--dataset", "blobs", "--size", "32", "--epochs", "1", "--strategy",
                 "feature_extraction", *options])  # fmt: skip


class Began(Exception):
    """Training began."""


@pytest.fixture
def course_table(blobs, quick, tmp_path, monkeypatch):
    """The course's own table, and a grid on `blobs`; whoever trains raises `Began`."""

    def measure(*_arguments, **_options):
        raise Began

    monkeypatch.setattr(grid, "DATASETS", (blobs,))
    monkeypatch.setattr(tables, "RESULTS", tmp_path / "strategies.csv")
    monkeypatch.setattr(experiments, "measure", measure)
    return tables.RESULTS


@pytest.mark.parametrize(
    "options",
    [["--n", "50"], [], ["--batch-size", "8", "--patience", "2"], ["--seed", "9"],
     ["--strategy", "scratch", "--epochs", str(grid.LONGER)]],
)  # fmt: skip
def test_a_row_that_would_pass_for_one_of_the_grid_is_refused(course_table, capsys, options):
    for table in ([], [str(course_table)]):
        assert asks(*options, "--results", *table) == 2
        error = capsys.readouterr().err
        assert "is a cell of the evidence" in error
        assert "--results FILE" in error


@pytest.mark.parametrize(
    "options",
    [["--n", "30"], ["--epochs", "2"], ["--size", "16"], ["--head", "mlp"], ["--gray", "mean"],
     ["--backbone", "resnet18"], ["--results", "own.csv"]],
)  # fmt: skip
def test_any_other_run_may_go_to_the_table(course_table, options):
    with pytest.raises(Began):
        asks("--results", *options)


def remeasured(names) -> pd.DataFrame:
    """Return two random cheap rows of the stored evidence, measured on these data sets."""
    table = tables.read_rows()
    cheap = table[
        table["dataset"].isin(names)
        & (table["strategy"] == "feature_extraction")
        & (table["n_train"] <= 200)
        & (table["image_size"] == grid.IMAGE_SIZE)
    ]
    return cheap.sample(min(2, len(cheap)))


def test_two_random_rows_of_the_evidence_come_out_again(monkeypatch):
    """Not exactly: another processor rounds otherwise, and the epoch that is kept may differ."""
    if DATA.is_dir():
        monkeypatch.setenv("COURSE_DATA_DIR", str(DATA))
    rows = remeasured(commands.here(grid.DATASETS))
    assert len(rows) == 2, "data/results/strategies.csv has no cheap rows: make evidence"
    for row in rows.itertuples():
        cell = Cell(row.dataset, row.n_train, by_name(row.strategy), row.epochs, row.seed)
        again = strategies.measure(cell)
        assert again["auc"] == pytest.approx(row.auc, abs=0.02), cell
        assert again["trainable_params"] == row.trainable_params
