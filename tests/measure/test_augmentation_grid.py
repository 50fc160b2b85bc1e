"""The measured evidence on augmentation: its grid, its resuming, and its stored rows."""

import dataclasses
import shutil

import numpy as np
import pytest

from helpers.datasets import augment
from helpers.evidence import augmentation, tables
from helpers.evidence.augmentation import AGREEMENT_COLUMNS, COLUMNS, KEY
from measure import augmentation as measured
from measure import runner
from measure.augmentation import Cell, cells, measure
from measure.runner import Table
from tests.conftest import make_dataset, tiny_backbone


def test_the_grid_holds_every_policy_with_none_in_front_and_gives_each_the_same_budget():
    plan = cells()
    seeds = sum(map(len, augmentation.SEEDS.values()))
    assert len(plan) == len(set(plan)) == 2 * seeds * 10
    single = {"horizontal_flip", "vertical_flip", "rotation_30"}
    assert {cell.policy for cell in plan} >= set(augment.POLICIES) | single
    for k, cell in enumerate(plan):
        none = cell._replace(policy="none")
        assert none in plan[: k + 1]
        assert cell.experiment.recipe == none.experiment.recipe
        assert cell.experiment.strategy == none.experiment.strategy
        assert cell.experiment.image_size == none.experiment.image_size


@pytest.fixture
def toy_table(tmp_path, private_cache, one_process, monkeypatch) -> Table:
    """The table on a network and images that take milliseconds."""
    monkeypatch.setattr(measured, "SIZES", (16,))
    monkeypatch.setattr(measured, "AGREEMENT", tmp_path / "agreement.csv")
    monkeypatch.setattr(measured, "AGREEMENT_IMAGES", 8)
    monkeypatch.setattr(
        "helpers.training.experiments.Experiment.data", lambda self: make_dataset(n=16)
    )
    monkeypatch.setattr(
        "helpers.training.strategies.backbones.load",
        lambda name, channels, **options: tiny_backbone(channels),
    )
    return dataclasses.replace(measured.TABLE, path=tmp_path / "augmentation.csv")


PLAN = [Cell("elpv", 16, policy, 0) for policy in ("none", "horizontal_flip")]


def test_a_killed_grid_goes_on_and_does_nothing_twice(toy_table):
    assert runner.run(toy_table, PLAN[:1]) == 1
    assert runner.run(toy_table, PLAN) == 1
    assert runner.run(toy_table, PLAN) == 0
    rows = tables.read(toy_table.path, COLUMNS)
    assert list(rows["policy"]) == ["none", "horizontal_flip"]
    assert (rows["n_test"] == 16).all()
    assert rows.loc[0, ["gain", "gain_lo", "gain_hi"]].tolist() == [0, 0, 0]
    assert rows.loc[1, "gain"] == pytest.approx(rows["auc"].diff()[1], abs=2e-4)
    assert rows["versions"].str.contains("torch=").all()
    agreed = tables.read(measured.AGREEMENT, AGREEMENT_COLUMNS)
    assert list(agreed["policy"]) == list(augment.POLICIES | augment.SINGLES)
    assert agreed.loc[0, "agreement"] == 1
    assert (agreed["n_images"] == 8).all()
    assert agreed["commoner"].between(0.5, 1).all()


def test_a_run_killed_before_its_own_row_doubles_no_agreement(toy_table):
    measure(PLAN[0])
    before = tables.read(measured.AGREEMENT, AGREEMENT_COLUMNS)
    assert len(before)
    assert runner.run(toy_table, PLAN[:1]) == 1
    assert tables.read(measured.AGREEMENT, AGREEMENT_COLUMNS).equals(before)


def test_the_run_without_augmentation_is_repeated_where_its_predictions_are_gone(
    toy_table, private_cache
):
    runner.run(toy_table, PLAN)
    shutil.rmtree(private_cache / "augmentation")
    (again,) = measure(PLAN[1])
    assert again["gain"] == tables.read(toy_table.path, COLUMNS).iloc[1]["gain"]


def test_the_measured_table_is_consistent():
    """Rows of data/results: each cell once, intervals around their values, `gain` as it should."""
    rows = tables.read(augmentation.RESULTS, COLUMNS)
    assert not rows.duplicated(list(KEY)).any()
    assert rows["auc"].between(rows["auc_lo"], rows["auc_hi"]).all()
    none, keys = rows[rows["policy"] == "none"], ["dataset", "n_train", "seed"]
    both = rows.merge(none, on=keys, suffixes=("", "_none"), validate="many_to_one")
    assert len(both) == len(rows)
    assert np.allclose(both["gain"], both["auc"] - both["auc_none"], atol=2e-4)
