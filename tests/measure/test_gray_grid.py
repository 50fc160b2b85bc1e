"""The measured evidence on gray stems: its grid, its resuming, and its stored rows."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from helpers.datasets import Dataset
from helpers.evidence.gray import read
from helpers.training import experiments
from measure import gray, runner
from measure.gray import Cell
from tests.conftest import make_dataset


@pytest.fixture
def small(private_cache, one_process, monkeypatch):
    """Toy images and one epoch, so that a cell takes a moment."""
    toy = make_dataset(32)
    monkeypatch.setattr(gray, "EPOCHS", 1)
    monkeypatch.setattr(gray, "IMAGE_SIZE", 32)
    monkeypatch.setattr("helpers.datasets.load", lambda *_, **__: toy)
    return toy


PLAN = [Cell("elpv", 24, "feature_extraction", "eval", how, 0) for how in ("replicate", "sum")]


def test_the_plan_holds_every_case_once_and_the_reference_first():
    cells = gray.cells(["elpv"])
    assert len(cells) == len(set(cells)) == 2 * 5 * (5 + 3)  # policies, methods, seeds
    for cell in cells:
        assert cells.index(cell._replace(gray=gray.REFERENCE)) <= cells.index(cell)


def test_methods_of_a_seed_differ_in_the_stem_alone():
    a, b = (cell.experiment for cell in PLAN)
    assert a.model_options == {"gray": "replicate"}
    assert replace(a, model_options={}) == replace(b, model_options={})


def test_nothing_is_measured_twice_and_the_sum_changes_nothing(small: Dataset, tmp_path):
    table = replace(gray.TABLE, path=tmp_path / "grayscale.csv")
    assert runner.run(table, PLAN[:1]) == 1
    assert runner.run(table, PLAN) == 1
    assert runner.run(table, PLAN) == 0
    rows = read(table.path)
    assert rows["gray"].tolist() == ["replicate", "sum"]
    assert rows["n_test"].tolist() == [16, 16]
    assert rows["change"].tolist() == pytest.approx([0, 0], abs=0.02)


def test_the_mean_put_in_after_training_is_another_network(small: Dataset):
    (swapped,) = gray.measure(PLAN[0]._replace(gray="swapped"))
    assert swapped["gray"] == "swapped"
    outcome = experiments.measure(PLAN[1].experiment)
    before = outcome.run.model.stem_conv.weight.clone()
    after = gray.with_the_mean(outcome)
    assert torch.allclose(after.run.model.stem_conv.weight, before / 3)
    assert not np.allclose(after.score.probabilities, outcome.score.probabilities, atol=1e-4)


def test_a_lost_reference_is_measured_again(small: Dataset, private_cache):
    (row,) = gray.measure(PLAN[1])
    assert (private_cache / "grayscale").is_dir()
    assert row["change"] == pytest.approx(0, abs=0.02)


def test_the_stored_evidence_that_notebook_03_shows_is_whole():
    stored = read()
    assert not runner.missing(gray.TABLE, gray.cells(["elpv"]))
    summed = stored[(stored["gray"] == "sum") & (stored["strategy"] == "feature_extraction")]
    assert summed["change"].abs().max() < 0.005, "with a frozen network the sum changes nothing"


def test_a_random_cheap_row_comes_out_again():
    """Not exactly: another processor rounds otherwise, and the epoch that is kept may differ."""
    cheap = "dataset == 'elpv' and strategy == 'feature_extraction' and batchnorm == 'eval'"
    row = read().query(cheap).sample(1).iloc[0]
    (again,) = gray.measure(Cell(*row[list(Cell._fields)]))
    assert again["auc"] == pytest.approx(row["auc"], abs=0.02)
    assert again["change"] == pytest.approx(row["change"], abs=0.02)
