"""What a minute buys is read off the measured arms."""

import pytest

from helpers.evidence import budgets, recommend


def test_a_budget_buys_the_best_arm_within_it_and_says_its_lead_over_the_smallest():
    auc = {"cheap": {0: 0.80, 1: 0.81}, "middle": {0: 0.79, 1: 0.80}, "dear": {0: 0.90, 1: 0.91}}
    rows = budgets.bought(auc, dict.fromkeys(auc, 0.01), {"cheap": 20, "middle": 40, "dear": 110})
    assert [(row.budget, row.arm) for row in rows] == [
        (30, "cheap"), (60, "cheap"), (120, "dear"), (300, "dear"),
    ]  # fmt: skip
    assert rows[0].lead == (0, 0, 0)
    assert rows[-1].lead.mean == pytest.approx(0.1)
    assert rows[-1].auc == pytest.approx(0.905)


def test_the_report_names_a_budget_only_where_it_buys_another_arm():
    advice = recommend.recommend(1_574, dataset="elpv")
    table = budgets.budget_table(advice.bought)
    assert table["core seconds, up to"].iloc[0] == advice.bought[0].budget
    assert table["strategy"].is_unique
    assert len(table) < len(advice.bought)
    assert budgets.budget_table(recommend.recommend(10**6).bought).empty
