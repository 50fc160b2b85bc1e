"""The measured evidence on augmentation: its grid, its resuming, and what is read out of it."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from helpers.datasets import augment
from helpers.errors import CourseError
from helpers.evidence import augmentation, tables
from helpers.evidence.augmentation import AGREEMENT_COLUMNS, COLUMNS, KEY
from helpers.training import metrics
from measure import augmentation as measure_augmentation
from measure.augmentation import Cell, cells, main, measure, run
from tests.conftest import make_dataset, tiny_backbone


def scores(labels: np.ndarray, sharpness: float, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=len(labels))
    p = 1 / (1 + np.exp(-sharpness * (labels - 0.5) - noise))
    return np.stack([1 - p, p], axis=1)


def test_difference_is_that_of_the_aucs_and_zero_for_the_same_prediction():
    labels = np.arange(300) % 2
    weak, sharp = scores(labels, 0.5, 0), scores(labels, 3.0, 1)
    same = metrics.auc_difference(labels, weak, weak)
    assert (same.mean, same.lo, same.hi) == (0, 0, 0)
    found = metrics.auc_difference(labels, weak, sharp)
    assert found.mean == pytest.approx(
        roc_auc_score(labels, sharp[:, 1]) - roc_auc_score(labels, weak[:, 1])
    )
    assert 0 < found.lo < found.mean < found.hi


def test_pairing_narrows_the_interval_and_groups_widen_it():
    labels = np.repeat(np.arange(60) % 2, 5)
    before = scores(labels, 1.0, 0)
    after = before.copy()
    after[::7] = scores(labels, 2.0, 1)[::7]  # the two agree on most images
    other = scores(labels, 1.2, 2)
    paired_width = np.ptp(metrics.auc_difference(labels, before, after)[1:])
    apart = np.ptp(metrics.auc_difference(labels, before, other)[1:])
    assert paired_width < apart
    copies = np.repeat(np.arange(60), 5)
    labels, before, after = labels[::5], before[::5], after[::5]
    one, five = (
        metrics.auc_difference(*(a.repeat(5, axis=0) for a in (labels, before, after)), groups)
        for groups in (copies, None)
    )
    assert one.hi - one.lo > 1.5 * (five.hi - five.lo), "copies of an image are no new evidence"


def test_tables_grow_by_whole_rows_and_refuse_other_columns(tmp_path, private_cache):
    path = tmp_path / "results" / "table.csv"
    assert tables.read(path, ["a", "b"]).empty
    tables.append([{"a": 1, "b": 2}], path, ["a", "b"])
    tables.append([{"b": 4, "a": 3}, {"a": 5, "b": 6}], path, ["a", "b"])
    assert tables.read(path, ["a", "b"]).to_numpy().tolist() == [[1, 2], [3, 4], [5, 6]]
    with pytest.raises(CourseError, match="other columns than expected: a, c"):
        tables.read(path, ["a", "c"])
    path.write_bytes(b"")
    with pytest.raises(CourseError, match="no readable CSV"):
        tables.read(path, ["a", "b"])


def test_the_grid_holds_every_policy_with_none_in_front():
    plan = cells()
    assert len(plan) == len(set(plan)) == 2 * 2 * len(augmentation.SEEDS) * 10
    assert {cell.policy for cell in plan} >= set(augment.POLICIES) | {
        "horizontal_flip", "vertical_flip", "rotation_30",
    }  # fmt: skip
    seen = set()
    for cell in plan:
        seen.add(cell)
        assert dataclasses.replace(cell, policy="none") in seen


def test_every_policy_gets_the_same_budget():
    for n in augmentation.SIZES:
        found = {
            (cell.experiment.recipe, cell.experiment.strategy, cell.experiment.image_size)
            for cell in cells()
            if cell.n_train == n
        }
        assert len(found) == 1


@pytest.fixture
def toy_cells(monkeypatch, private_cache):
    """The grid's machinery on a network and images that take milliseconds."""
    monkeypatch.setattr(augmentation, "SIZES", (16,))
    monkeypatch.setattr(measure_augmentation, "AGREEMENT_IMAGES", 8)
    monkeypatch.setattr(
        "helpers.training.experiments.Experiment.data", lambda self: make_dataset(n=16)
    )
    monkeypatch.setattr(
        "helpers.training.strategies.backbones.load",
        lambda name, channels, **options: tiny_backbone(channels),
    )
    return [Cell("elpv", 16, policy, 0) for policy in ("none", "horizontal_flip")]


def test_a_killed_grid_goes_on_and_does_nothing_twice(tmp_path, toy_cells):
    results, kept = tmp_path / "a.csv", tmp_path / "b.csv"
    assert run(toy_cells[:1], results, kept) == 1
    assert run(toy_cells, results, kept) == 1
    assert run(toy_cells, results, kept) == 0
    rows = tables.read(results, COLUMNS)
    assert list(rows["policy"]) == ["none", "horizontal_flip"]
    assert (rows["n_test"] == 16).all()
    assert rows.loc[0, ["gain", "gain_lo", "gain_hi"]].tolist() == [0, 0, 0]
    assert rows.loc[1, "gain"] == pytest.approx(rows["auc"].diff()[1], abs=2e-4)
    assert rows["versions"].str.contains("torch=").all()
    agreed = tables.read(kept, AGREEMENT_COLUMNS)
    assert list(agreed["policy"]) == list(augment.POLICIES | augment.SINGLES)
    assert agreed.loc[0, "agreement"] == 1
    assert (agreed["n_images"] == 8).all()


def test_a_run_killed_before_its_own_row_doubles_no_agreement(tmp_path, toy_cells, monkeypatch):
    results, kept = tmp_path / "a.csv", tmp_path / "b.csv"

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(measure_augmentation, "_row", killed)
        with pytest.raises(KeyboardInterrupt):
            run(toy_cells[:1], results, kept)
    before = tables.read(kept, AGREEMENT_COLUMNS)
    assert len(before)
    assert run(toy_cells[:1], results, kept) == 1
    assert tables.read(kept, AGREEMENT_COLUMNS).equals(before)


def test_the_run_without_augmentation_is_repeated_where_its_predictions_are_gone(
    tmp_path, toy_cells, private_cache
):
    results, kept = tmp_path / "a.csv", tmp_path / "b.csv"
    run(toy_cells, results, kept)
    for path in (private_cache / "augmentation").glob("*.npy"):
        path.unlink()
    again = measure(toy_cells[1], kept)
    before = tables.read(results, COLUMNS).iloc[1]
    assert again["gain"] == before["gain"]


def toy_runs(gains: dict[str, list[tuple]]) -> pd.DataFrame:
    rows = [
        {"dataset": "elpv", "n_train": 100, "policy": policy, "seed": seed, "n_test": 656,
         "gain": gain, "gain_lo": lo, "gain_hi": hi}
        for policy, runs in gains.items()
        for seed, (gain, lo, hi) in enumerate(runs)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_findings_count_both_the_seeds_and_the_test_images():
    steady, wild = [0.03, 0.02, 0.04] * 2, [0.09, -0.01, 0.06] * 2
    bars = {
        "natural": [(gain, gain - 0.015, gain + 0.015) for gain in steady],
        "dihedral": [(gain, gain - 0.015, gain + 0.015) for gain in wild],  # seeds disagree
        "radiograph": [(gain, gain - 0.05, gain + 0.05) for gain in steady],  # images do
        "too_strong": [(-gain, -gain - 0.015, -gain + 0.015) for gain in steady],
    }
    runs = toy_runs({"none": [(0, 0, 0)] * 6, **bars})
    table = augmentation.findings(runs).set_index("policy")
    assert table["verdict"].to_dict() == {
        "natural": "helps", "dihedral": "not distinguishable",
        "radiograph": "not distinguishable", "too_strong": "hurts",
    }  # fmt: skip
    half = np.hypot(2.5706 * np.std(steady, ddof=1) / np.sqrt(6), 0.015)
    assert table.loc["natural", ["gain", "gain_lo", "gain_hi"]].tolist() == pytest.approx(
        [0.03, 0.03 - half, 0.03 + half], abs=1e-5
    )
    assert table["ups"].to_dict() == {
        "natural": 6, "dihedral": 4, "radiograph": 6, "too_strong": 0,
    }  # fmt: skip
    assert (table["seeds"] == 6).all()


def test_findings_judge_nothing_before_every_seed_is_measured():
    runs = toy_runs({"none": [(0, 0, 0)] * 6, "natural": [(0.03, 0.01, 0.05)] * 5})
    assert augmentation.findings(runs)["verdict"].tolist() == ["unfinished"]
    empty = tables.read(augmentation.RESULTS.with_name("no such table.csv"), COLUMNS)
    assert augmentation.findings(empty).empty


def test_kept_predictions_are_means_over_seeds():
    rows = pd.DataFrame([
        {"dataset": "elpv", "policy": policy, "agreement": a, "agreement_lo": a - 0.1,
         "agreement_hi": a + 0.1, "n_images": 300}
        for policy, a in (("none", 1.0), ("natural", 0.8), ("natural", 0.6))
    ])  # fmt: skip
    table = augmentation.kept_predictions(rows)
    assert list(table["policy"]) == ["natural"]
    assert table.loc[0, ["value", "lo", "hi", "n"]].tolist() == pytest.approx([0.7, 0.6, 0.8, 300])


def test_one_line_says_what_was_measured_of_a_policy():
    found = augmentation.findings(toy_runs({"natural": [(0.03, 0.01, 0.05)] * 6}))
    kept = pd.DataFrame([{"dataset": "elpv", "policy": "natural", "value": 0.7}])
    line = augmentation.describe("natural", "elpv", found, kept)
    assert line == "70% of answers kept; n=100 +0.030 [+0.010, +0.050], up in 6 of 6, helps"
    assert augmentation.describe("natural", "chest_xray", found, kept) == "not measured yet"


def test_a_wrong_data_set_is_refused_by_the_command(capsys):
    with pytest.raises(SystemExit):
        main(["--datasets", "flowers"])
    assert "invalid choice" in capsys.readouterr().err


def test_the_measured_table_is_consistent():
    """Rows of data/results: each cell once, intervals around their values, `gain` as it should."""
    rows = tables.read(augmentation.RESULTS, COLUMNS)
    assert not rows.duplicated(list(KEY)).any()
    assert rows["auc"].between(rows["auc_lo"], rows["auc_hi"]).all()
    keys = ["dataset", "n_train", "seed"]
    none = rows[rows["policy"] == "none"].set_index(keys)["auc"]
    expected = (
        rows["auc"].to_numpy() - none.loc[list(rows[keys].itertuples(index=False))].to_numpy()
    )
    assert np.allclose(rows["gain"], expected, atol=2e-4)
