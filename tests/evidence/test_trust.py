"""The tables behind notebook 06 and more: whole, read as written, and averaged rightly."""

import numpy as np
import pandas as pd
import pytest

from helpers.evidence import tables, trust, verdicts
from helpers.evidence.verdicts import interval
from helpers.training import metrics
from measure import broken, forgetting, leaks, predictions, runner, shift, shipping

TABLES = [module.TABLE for module in (predictions, leaks, shift, forgetting, broken, shipping)]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.path.stem)
def test_every_planned_cell_is_measured_and_no_other(table):
    plan = table.cells(table.datasets)
    assert runner.missing(table, plan) == []
    rows = tables.read(table.path, table.columns)[list(table.key)]
    assert set(rows.itertuples(index=False, name=None)) == {table.key_of(cell) for cell in plan}


def test_stored_answers_give_the_stored_auc():
    table = trust.read_predictions()
    assert len(table) == len(predictions.cells())
    for row in table.itertuples():
        assert row.test_labels.sum() == 205
        assert (len(row.val_labels), len(row.test_labels)) == (row.n_val, row.n_test)
        assert (len(row.val_logits), len(row.test_logits)) == (row.n_val, row.n_test)
        found = metrics.auc(row.test_labels, np.stack([-row.test_logits, row.test_logits], 1))
        assert found == pytest.approx(row.auc, abs=1e-3)


def test_what_a_leak_adds_is_the_difference_of_both_scores():
    rows = tables.read(trust.LEAKS, trust.LEAK_COLUMNS)
    assert np.allclose(rows["leaky"] - rows["honest"], rows["gap"], atol=2e-4)


def test_a_summary_is_the_mean_with_students_interval():
    table = pd.DataFrame({"way": list("aaab"), "seed": [0, 1, 2, 0], "gap": [0.1, 0.2, 0.6, 0.5]})
    found = verdicts.summary(table, ["way"], "gap")
    assert tuple(found.loc["a"]) == pytest.approx((3, *interval([0.1, 0.2, 0.6])))
    assert found.loc["b", "seeds"] == 1
    assert np.isnan(found.loc["b", "lo"])


def test_test_images_widen_a_summary_that_knows_them():
    table = pd.DataFrame({"way": list("aaa"), "gap": [0.1, 0.2, 0.3]})
    wide = table.assign(gap_lo=table["gap"] - 0.1, gap_hi=table["gap"] + 0.1)
    plain, both = (verdicts.summary(rows, ["way"], "gap").loc["a"] for rows in (table, wide))
    assert both["mean"] == plain["mean"]
    assert both["hi"] - both["mean"] == pytest.approx(np.hypot(plain["hi"] - plain["mean"], 0.1))


def test_a_difference_is_paired_by_seed_and_its_sign_is_first_minus_other():
    rng = np.random.default_rng(0)
    labels = np.arange(300) % 2
    good, bad = (
        pd.DataFrame({
            "seed": seeds, "test_labels": [labels] * 2,
            "test_logits": [labels * shift + rng.normal(size=300) for _ in seeds],
        })
        for shift, seeds in ((2.0, [0, 1]), (0.3, [1, 0]))
    )  # fmt: skip
    found = trust.difference(good, bad)
    assert 0.2 < found.mean < 0.6
    assert trust.difference(bad, good).mean == pytest.approx(-found.mean)
    assert trust.difference(good, good) == (0, 0, 0)
