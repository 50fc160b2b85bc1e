"""What is read out of the measured evidence on augmentation."""

import numpy as np
import pandas as pd
import pytest

from helpers.evidence import augmentation, tables
from helpers.evidence.augmentation import COLUMNS


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
    assert table["effect"].to_dict() == {
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
    assert augmentation.findings(runs)["effect"].tolist() == ["unfinished"]
    empty = tables.read(augmentation.RESULTS.with_name("no such table.csv"), COLUMNS)
    assert augmentation.findings(empty).empty


def test_what_notebook_04_says_of_the_measured_policies_holds():
    found = augmentation.findings(tables.read(augmentation.RESULTS, COLUMNS))
    effects = found.set_index(["dataset", "n_train", "policy"])["effect"].sort_index()
    assert not (effects["elpv"] == "helps").any()
    assert (effects["elpv", 400][["default_crop", "too_strong"]] == "hurts").all()
    assert (effects["chest_xray"] == "not distinguishable").all()
    gains = found[found["dataset"] == "chest_xray"].set_index(["policy", "n_train"])
    for policy in ("radiograph", "natural", "default_crop"):
        assert gains.loc[policy, "gain"].between(0.014, 0.024).all()
        assert (gains.loc[policy, "ups"] == 3).all()


def test_what_notebook_04_says_of_single_precision_holds():
    before = tables.read(augmentation.SINGLE, COLUMNS)
    then = augmentation.findings(before.assign(dataset="elpv"))  # that set asks for six seeds
    crude = then["policy"].isin(["natural", "radiograph", "rotation_30", "default_crop"])
    assert (then.loc[crude, "effect"] == "helps").all()
    both = augmentation.scored_twice()
    assert len(both) == 60
    lost = (both["auc"] - both["auc_before"]).groupby([both["n_train"], both["policy"]]).mean()
    assert lost[400, "none"] == pytest.approx(0.05, abs=0.005)
    assert lost[400].drop("none").max() < lost[400, "none"]


def test_kept_predictions_are_means_over_seeds():
    rows = pd.DataFrame([
        {"dataset": "elpv", "policy": policy, "agreement": a, "agreement_lo": a - 0.1,
         "agreement_hi": a + 0.1, "n_images": 300, "commoner": 0.7}
        for policy, a in (("none", 1.0), ("natural", 0.8), ("natural", 0.6))
    ])  # fmt: skip
    table = augmentation.kept_predictions(rows)
    assert list(table["policy"]) == ["natural"]
    assert table.loc[0, ["value", "lo", "hi", "n", "commoner"]].tolist() == pytest.approx(
        [0.7, 0.6, 0.8, 300, 0.7]
    )


def test_one_line_says_what_was_measured_of_a_policy():
    found = augmentation.findings(toy_runs({"natural": [(0.03, 0.01, 0.05)] * 6}))
    kept = pd.DataFrame([{"dataset": "elpv", "policy": "natural", "value": 0.7}])
    line = augmentation.describe("natural", "elpv", found, kept)
    assert line == "70% of answers kept; n=100 +0.030 [+0.010, +0.050], up in 6 of 6, helps"
    assert augmentation.describe("natural", "chest_xray", found, kept) == "not measured yet"
