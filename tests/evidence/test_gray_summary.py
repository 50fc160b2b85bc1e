"""What is read out of the measured evidence on gray stems."""

import numpy as np
import pandas as pd
import pytest

from helpers.evidence.gray import summary


def table(changes: list[float]) -> pd.DataFrame:
    return pd.DataFrame([
        {"dataset": "elpv", "strategy": "full_finetune", "batchnorm": "eval", "gray": "mean",
         "seed": seed, "auc": 0.8 + change, "change": change, "change_lo": change - 0.03,
         "change_hi": change + 0.03}
        for seed, change in enumerate(changes)
    ])  # fmt: skip


def test_the_summary_adds_the_chance_of_seeds_and_of_images():
    alike = summary(table([-0.02, -0.02, -0.02])).iloc[0]
    assert alike["change"] == pytest.approx(-0.02)
    assert alike["auc"] == pytest.approx(0.78)
    assert alike["change_hi"] == pytest.approx(0.01), "only the images are left to chance"
    apart = summary(table([-0.04, -0.02, 0.0])).iloc[0]
    by_seed = 4.30265 * 0.02 / np.sqrt(3)
    assert apart["change_hi"] - apart["change"] == pytest.approx(np.hypot(by_seed, 0.03), rel=1e-5)


def test_one_seed_has_no_interval():
    alone = summary(table([0.1])).iloc[0]
    assert alone["change"] == pytest.approx(0.1)
    assert alone[["change_lo", "change_hi"]].isna().all()
