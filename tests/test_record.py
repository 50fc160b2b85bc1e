"""What the record says of the last recipe is computed from its answers."""

import numpy as np
import pandas as pd
import pytest

from benchmarks import record
from helpers import datasets
from helpers.datasets.elpv import soft_targets
from helpers.evidence import recipe
from helpers.evidence.recipe import COLUMNS, MEMBERS, SEEDS, STEPS


@pytest.fixture(scope="module")
def labels():
    test = datasets.load("elpv", size=32).test
    experts = soft_targets(test)[:, 1]
    return test.labels, (experts == 0) | (experts == 1)


@pytest.fixture(scope="module")
def table(labels):
    """Every step measured; on test each network is wrong on the cells of unsure experts alone."""
    truth, sure = labels
    rows = []
    for step, names in {
        **STEPS,
        "network": list(MEMBERS)[1:],
        "test": ["start", *MEMBERS],
    }.items():
        for name in names:
            for seed in SEEDS:
                y = truth if step == "test" else np.arange(40) % 2
                right = sure if step == "test" else np.ones(40, bool)
                logits = np.where((y == 1) == right, 2.0, -2.0)
                rows.append(dict.fromkeys(COLUMNS, "") | {
                    "dataset": "elpv", "step": step, "option": name, "seed": seed,
                    "auc": 0.6 if name == "224 px" else 0.5,  # so that something is chosen
                    "core_seconds": 60.0, "labels": y, "logits": logits, "n_train": 1574,
                    "setup": "{}" if name == "start" else "{'views': true}",
                    "view_logits": np.array([]),
                })  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS))


def test_ours_stands_beside_the_published_rows(table, labels):
    text = record.record_table(table)
    share = f"{labels[1].mean():.1%}"
    assert text.count(f"| {share} ±") == 5  # the first recipe, the last, and three averages of it
    assert "three networks, three seeds | " + share in text
    assert text.index("three seeds | " + share) < text.index("88.4%")
    assert "The last recipe is not measured on these images." in text.split("chest X-rays")[1]


def test_an_average_costs_the_sum_of_its_networks(table):
    costs = [line.split("|")[-2].strip() for line in record.our_lines(table, "elpv")]
    assert costs == ["1", "1", "3", "3", "9"]


def test_where_nothing_was_chosen_the_first_recipe_is_told_once(table):
    same = table.assign(setup="{}")
    lines = record.our_lines(same, "elpv")
    assert len(lines) == 4
    assert all("the first recipe, 1,574 images" in line for line in lines)


def test_a_borrowed_recipe_stands_last(table):
    tested = table[(table.step == "test") & (table.option == "EfficientNet-Lite0")]
    lines = record.our_lines(pd.concat([table, tested.assign(option=recipe.BORROWED)]), "elpv")
    assert lines[:5] == record.our_lines(table, "elpv")
    assert len(lines) == 7
    assert all(recipe.BORROWED in line for line in lines[5:])


def test_what_learned_from_validation_images_stands_apart(table, labels):
    tested = table[(table.step == "test") & (table.option == "EfficientNet-Lite0")]
    right = [np.where(y == 1, 2.0, -2.0) for y in tested.labels]
    joined = tested.assign(step="all", logits=right, core_seconds=90.0, n_train=1968)
    lines = record.our_lines(pd.concat([table, joined]), "elpv")
    assert lines[:5] == record.our_lines(table, "elpv")
    assert ["100.0%" in line and "1,968 images" in line for line in lines[5:]] == [True, True]
    assert [line.split("|")[-2].strip() for line in lines[5:]] == ["2", "4"]


def test_errors_are_divided_over_sure_and_unsure_experts(table, labels):
    text = record.certainty(table)
    n_sure = labels[1].sum()
    assert f"100.0% are right of the {n_sure} test cells" in text
    assert f"0.0% of the other {656 - n_sure}, which hold 100% of all errors" in text
    assert f"would take {0.9 * 656 / n_sure:.1%} of the former" in text


def test_a_threshold_comes_from_validation():
    labels = np.array([0, 0, 1, 1])
    assert record.best_cut(labels, np.array([0.1, 0.6, 0.7, 0.9])) == 0.7
    assert record.accuracy_at(labels, np.array([0.1, 0.8, 0.75, 0.9]), 0.7) == 0.75


def test_earlier_scores_of_the_test_images_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(record.tables, "FOLDER", tmp_path)
    pd.DataFrame({"dataset": ["elpv", "elpv", "chest_xray"], "auc": 0.9}).to_csv(
        tmp_path / "strategies.csv"
    )
    pd.DataFrame({"dataset": "elpv", "auc": 0.9, "n_test": [656, 268]}).to_csv(
        tmp_path / "shift.csv"
    )
    pd.DataFrame({"dataset": ["elpv"], "leep": 0.9}).to_csv(tmp_path / "scores.csv")
    assert record.scored_before("elpv") == 3
    assert record.scored_before("chest_xray") == 1


def test_the_steps_are_listed_with_what_was_chosen(table):
    lines = record.steps_table(table).splitlines()
    assert len(lines) == 2 + len(recipe.climb(table, "elpv"))
    assert [line.endswith("| chosen |") for line in lines[2:4]] == [True, False]
