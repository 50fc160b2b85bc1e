"""What data/README.md says of the rows that were measured twice, from both tables."""

import pandas as pd
import pytest

from helpers.evidence import recommend, rules, tables, verdicts
from helpers.evidence.tables import KEY


@pytest.fixture(scope="module")
def now():
    return tables.read_rows()


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


def test_two_of_five_clear_verdicts_on_the_lesson_were_gone(now, before):
    kept = now.merge(before[list(KEY)], on=list(KEY), how="left", indicator=True)
    kept = kept.loc[kept.pop("_merge") == "left_only"]
    found = {}
    for name, table in {"then": pd.concat([before, kept]), "now": now}.items():
        verdict = rules.against_lesson(verdicts.evidence(table), recommend.similarities())
        clear = verdict[verdict["verdict"].isin(["wins", "loses"])]
        found[name] = set(zip(clear["dataset"], clear["n"], strict=True))
    assert len(found["then"]) == 5
    assert found["then"] - found["now"] == {("elpv", 1574), ("chest_xray", 800)}
    assert len(found["now"]) == 3
