"""What data/README.md says of the rows that were measured twice or three times, from all tables."""

import pandas as pd
import pytest

from helpers.evidence import recommend, rules, tables, verdicts
from helpers.evidence.tables import KEY


@pytest.fixture(scope="module")
def now():
    """Return the table as it stood after the second measurement."""
    return tables.read_rows_before()


@pytest.fixture(scope="module")
def before():
    return tables.read_rows(tables.FOLDER / "strategies_replaced.csv")


def test_the_same_runs_came_out_otherwise(now, before):
    both = before.merge(now, on=list(KEY), suffixes=("", "_again"), validate="one_to_one")
    assert len(both) == len(before) == 159
    moved = (both["auc_again"] - both["auc"]).abs().sort_values()
    assert (moved > 0.002).sum() == 42
    assert moved.iloc[-2] == pytest.approx(0.09, abs=0.005)
    farthest = both.loc[moved.index[-1]]
    assert moved.iloc[-1] == pytest.approx(0.34, abs=0.005)
    assert (farthest["strategy"], farthest["n_train"]) == ("scratch", 50)
    slower = both["train_seconds"] / both["train_seconds_again"]
    assert slower[both["strategy"] == "scratch"].median() == pytest.approx(1.4, abs=0.05)


def test_two_of_five_verdicts_by_seeds_alone_were_gone_and_the_one_that_counts_both_stood(
    now, before
):
    kept = now.merge(before[list(KEY)], on=list(KEY), how="left", indicator=True)
    kept = kept.loc[kept.pop("_merge") == "left_only"]
    by_seeds, by_both = {}, {}
    for name, table in {"then": pd.concat([before, kept]), "now": now}.items():
        found = verdicts.evidence(table)
        held = rules.against_lesson(found, recommend.similarities())
        clear = held[held["outcome"].isin(["wins", "loses"])]
        by_both[name] = set(zip(clear["dataset"], clear["n"], strict=True))
        by_seeds[name] = {
            (row.dataset, row.n)
            for row in held.itertuples()
            if verdicts.paired(*(found.auc[row.dataset, row.n][arm]
                                 for arm in (row.lesson_arm, row.other))).clear
        }  # fmt: skip
    assert len(by_seeds["then"]) == 5
    assert by_seeds["then"] - by_seeds["now"] == {("elpv", 1574), ("chest_xray", 800)}
    assert len(by_seeds["now"]) == 3
    assert by_both["then"] == by_both["now"] == {("flowers", 800)}


def test_what_notebook_06_says_of_single_precision_holds():
    now, single = tables.read_rows(), tables.read_rows(tables.SINGLE)
    both = single.merge(now, on=list(KEY), suffixes=("_before", ""), validate="one_to_one")
    assert len(both) == len(single) == 75
    both["moved"] = (both["auc"] - both["auc_before"]).abs()
    by_arm = both.set_index(["strategy", "n_train"])[["auc_before", "auc", "moved"]]
    assert by_arm.loc["feature_extraction", "moved"].max() < 0.001
    for cell, before, after in ((("lp_ft", 50), 0.86, 0.90), (("full_finetune", 200), 0.88, 0.94)):
        means = by_arm.loc[[cell], ["auc_before", "auc"]].mean()
        assert list(means) == pytest.approx([before, after], abs=0.0051)


def test_x_rays_full_fine_tuning_stands_ahead_from_200_images_on_and_at_no_n_clearly():
    found = verdicts.evidence()
    pair = ("full_finetune", "feature_extraction")
    ahead = [verdicts.ahead(found.auc["chest_xray", n], found.by_image["chest_xray", n], *pair)
             for n in (200, 800, 1600, 4173)]  # fmt: skip
    assert all(0.0125 < a.mean < 0.0195 and not a.clear for a in ahead)
