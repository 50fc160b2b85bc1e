import os
from dataclasses import replace

import pytest

from helpers import datasets
from helpers.__main__ import main
from helpers.evidence import grid, tables
from helpers.training import experiments
from helpers.training.strategies import by_name, feature_extraction, scratch
from measure import runner, strategies
from measure.__main__ import here
from measure.strategies import Cell
from tests.conftest import DATA, draw_classes


@pytest.fixture
def blobs(tmp_path, private_cache, monkeypatch):
    """A data set that is found by its bare name: two classes, 60 small images each."""
    draw_classes(tmp_path / "sets" / "blobs", n=60, size=16)
    monkeypatch.setenv("COURSE_DATA_DIR", str(tmp_path / "sets"))
    return "blobs"


@pytest.fixture
def quick(monkeypatch):
    """Small images and one arm, so that a cell takes a moment."""
    monkeypatch.setattr(grid, "IMAGE_SIZE", 32)
    monkeypatch.setattr(grid, "epochs_for", lambda n: 1)
    monkeypatch.setattr(grid, "ARMS", (feature_extraction(), scratch()))
    monkeypatch.setattr(grid, "SIZES", (20, None))


def test_the_plan_has_every_arm_once_and_scratch_twice(blobs, quick):
    plan, data = strategies.cells([blobs]), datasets.load(blobs, size=32)
    assert (data.card.name, data.card.classes) == ("blobs", ("dark", "light"))
    everything = len(data.train)
    assert len(plan) == 2 * (1 + 2) * len(grid.SEEDS)
    assert {cell.n for cell in plan} == {20, everything}
    assert {c.epochs for c in plan if c.strategy.name == "scratch"} == {1, grid.TIMES_LONGER}
    assert [c.cost for c in plan] == sorted(c.cost for c in plan)
    (all_of_it,) = grid.sizes_of(blobs, (500, None))
    assert [all_of_it] == list(grid.sizes_of(blobs, (None,))), "500 are more than there are"


def test_a_cell_is_a_row_of_the_table_and_is_not_measured_again(
    blobs, quick, one_process, tmp_path
):
    table = replace(strategies.TABLE, path=tmp_path / "results.csv")
    plan = strategies.cells([blobs])[:2]
    assert runner.run(table, plan) == 2
    assert runner.run(table, plan) == 0
    rows = tables.read_rows(table.path)
    assert len(rows) == 2


def test_the_state_of_a_long_cell_is_kept_until_its_row_is_written(
    blobs, quick, one_process, tmp_path, private_cache, monkeypatch
):
    monkeypatch.setattr(strategies, "WORTH_RESUMING", 0)
    table = replace(strategies.TABLE, path=tmp_path / "results.csv")
    (cell,) = plan = strategies.cells([blobs])[:1]
    state = strategies.state_folder(cell)
    strategies.measure(cell)
    assert any(state.iterdir()), "a kill before the row is written would cost the run"
    runner.run(table, plan)
    assert not state.exists()


def test_a_cell_leaves_no_cache_and_no_setting_behind(blobs, quick, private_cache):
    strategies.measure(strategies.cells([blobs])[0])
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
    monkeypatch.setattr(grid, "SIZES", (50, None))
    monkeypatch.setattr(tables, "RESULTS", tmp_path / "strategies.csv")
    monkeypatch.setattr(experiments, "measure", measure)
    return tables.RESULTS


@pytest.mark.parametrize(
    "options",
    [["--n", "50"], [], ["--batch-size", "8", "--patience", "2"], ["--seed", "9"],
     ["--strategy", "scratch", "--epochs", str(grid.TIMES_LONGER)]],
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


def test_two_random_rows_of_the_evidence_come_out_again(monkeypatch):
    """Not exactly: another processor rounds otherwise, and the epoch that is kept may differ."""
    if DATA.is_dir():
        monkeypatch.setenv("COURSE_DATA_DIR", str(DATA))
    table = tables.read_rows()
    cheap = table[
        table["dataset"].isin(here(grid.DATASETS))
        & (table["strategy"] == "feature_extraction")
        & (table["n_train"] <= 200)
        & (table["image_size"] == grid.IMAGE_SIZE)
    ]
    assert len(cheap) >= 2, "data/results/strategies.csv has no cheap rows: make evidence"
    for row in cheap.sample(2).itertuples():
        cell = Cell(row.dataset, row.n_train, by_name(row.strategy), row.epochs, row.seed)
        (again,) = strategies.measure(cell)
        assert again["auc"] == pytest.approx(row.auc, abs=0.02), cell
        assert again["trainable_params"] == row.trainable_params
