from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from helpers.datasets import Dataset
from helpers.errors import CourseError
from helpers.evidence import gray as evidence_gray
from helpers.evidence.gray import read, summary
from helpers.training import experiments
from measure import gray
from measure.gray import Cell
from tests.conftest import make_dataset


@pytest.fixture
def small(private_cache, monkeypatch):
    """Toy images and one epoch, so that a cell takes a moment."""
    toy = make_dataset(32)
    monkeypatch.setattr(evidence_gray, "EPOCHS", 1)
    monkeypatch.setattr(evidence_gray, "N_TRAIN", 24)
    monkeypatch.setattr(evidence_gray, "IMAGE_SIZE", 32)
    monkeypatch.setattr("helpers.datasets.load", lambda *_, **__: toy)
    return toy


def plan() -> list[Cell]:
    return [Cell("elpv", "feature_extraction", "eval", how, 0) for how in ("replicate", "sum")]


def test_the_plan_holds_every_case_once_and_the_reference_first():
    cells = gray.cells(["elpv"])
    assert len(cells) == len(set(cells)) == 2 * 5 * (5 + 3)  # policies, methods, seeds
    for cell in cells:
        assert cells.index(cell.reference) <= cells.index(cell)


def test_methods_of_a_seed_differ_in_the_stem_alone():
    a, b = (cell.experiment for cell in plan())
    assert a.model_options == {"gray": "replicate"}
    assert replace(a, model_options={}) == replace(b, model_options={})


def test_nothing_is_measured_twice_and_the_sum_changes_nothing(small: Dataset, tmp_path):
    path = tmp_path / "grayscale.csv"
    assert gray.run(plan()[:1], path) == 1
    assert gray.run(plan(), path) == 1
    assert gray.run(plan(), path) == 0
    table = read(path)
    assert table["gray"].tolist() == ["replicate", "sum"]
    assert table["n_test"].tolist() == [16, 16]
    assert table["change"].tolist() == pytest.approx([0, 0], abs=0.02)


def test_the_mean_put_in_after_training_is_another_network(small: Dataset):
    swapped = gray.measure(replace(plan()[0], gray="swapped"))
    assert swapped["gray"] == "swapped"
    outcome = experiments.measure(plan()[1].experiment)
    before = outcome.run.model.stem_conv.weight.clone()
    after = gray._with_the_mean(outcome)
    assert torch.allclose(after.run.model.stem_conv.weight, before / 3)
    assert not np.allclose(after.score.probabilities, outcome.score.probabilities, atol=1e-4)


def test_a_lost_reference_is_measured_again(small: Dataset, private_cache):
    row = gray.measure(plan()[1])
    assert (private_cache / "grayscale").is_dir()
    assert row["change"] == pytest.approx(0, abs=0.02)


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
    with pytest.raises(CourseError, match="one seed measured, an interval needs two"):
        summary(table([0.1]))


def test_what_is_not_the_table_is_refused(tmp_path):
    path = tmp_path / "grayscale.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(CourseError, match="other columns"):
        read(path)


def test_the_stored_evidence_that_notebook_03_shows_is_whole():
    stored = read()
    shown = [cell for cell in gray.cells() if cell.dataset == "elpv"]
    assert not gray.missing(shown, stored)
    summed = stored[(stored["gray"] == "sum") & (stored["strategy"] == "feature_extraction")]
    assert summed["change"].abs().max() < 0.005, "with a frozen network the sum changes nothing"


def test_a_random_cheap_row_comes_out_again():
    """Not exactly: another processor rounds otherwise, and the epoch that is kept may differ."""
    stored = read()
    cheap = stored[
        (stored["dataset"] == "elpv")
        & (stored["strategy"] == "feature_extraction")
        & (stored["batchnorm"] == "eval")
    ]
    row = cheap.sample(1).iloc[0]
    cell = Cell(row["dataset"], row["strategy"], row["batchnorm"], row["gray"], int(row["seed"]))
    again = gray.measure(cell)
    assert again["auc"] == pytest.approx(row["auc"], abs=0.02)
    assert again["change"] == pytest.approx(row["change"], abs=0.02)
