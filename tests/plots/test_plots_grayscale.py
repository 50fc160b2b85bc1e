"""What the figures of notebook 03 draw: data, labels, scales."""

import numpy as np
import pandas as pd
import pytest

from helpers import plots

KERNELS = np.random.default_rng(0).normal(size=(4, 3, 3, 3))


def test_kernels_of_a_column_share_one_scale():
    summed = KERNELS.sum(axis=1, keepdims=True)
    figure = plots.gray_kernels(KERNELS, {"sum": summed, "mean": summed / 3}, {"title": 1})
    grid = np.array(figure.axes).reshape(3, 4)
    assert [axes.get_ylabel() for axes in grid[:, 0]] == ["colour", "sum", "mean"]
    assert np.allclose(grid[1, 2].images[0].get_array(), summed[2, 0])
    assert grid[1, 2].images[0].get_clim() == grid[2, 2].images[0].get_clim()
    assert [text.get_text() for text in grid[0, 1].texts] == ["title"]
    shown = grid[0, 0].images[0].get_array()
    assert shown.min() >= 0
    assert shown.max() <= 1


def test_drift_draws_the_scale_with_a_panel_per_case():
    table = pd.DataFrame({"scale": [1 / 3, 0.9], "error": [0.6, 0.4]}, index=["conv1", "fc"])
    tables = {"rests": {"mean": table}, "moves": {"mean": table * 2}}
    figure = plots.gray_drift(tables, ["conv", "logits"], " (n = 8)")
    left, right = figure.axes
    assert left.lines[0].get_ydata().tolist() == [1 / 3, 0.9]
    assert right.lines[0].get_ydata().tolist() == [2 / 3, 1.8]
    assert [tick.get_text() for tick in left.get_xticklabels()] == ["conv", "logits"]
    assert "n = 8" in left.get_xlabel()
    assert left.get_ylim()[1] > 1.8, "a point is cut off"


def test_logits_are_drawn_against_the_reference():
    reference = np.arange(6.0).reshape(2, 3)
    figure = plots.gray_logits(reference, {"sum": reference, "mean": reference / 2}, "n = 2")
    drawn = figure.axes[1].lines[0]
    assert drawn.get_xdata().tolist() == [0, 1, 2, 3, 4, 5]
    assert drawn.get_ydata().tolist() == [0, 0.5, 1, 1.5, 2, 2.5]
    assert [axes.get_title() for axes in figure.axes] == ["sum", "mean"]
    assert figure.alt.endswith("sum: up to 0.0 off, mean: up to 2.5 off.")


def test_border_maps_share_one_scale():
    errors = {"raw": np.eye(4) * 3, "gray": np.eye(4)}
    figure = plots.gray_borders(errors, {"raw": "border 3", "gray": "border 1"})
    raw, gray, bar = figure.axes
    assert raw.images[0].get_clim() == gray.images[0].get_clim() == (0, 3)
    assert np.array_equal(raw.images[0].get_array(), errors["raw"])
    assert raw.get_xlabel() == "border 3"
    assert bar.get_ylabel() == "difference / spread"


def runs() -> pd.DataFrame:
    return pd.DataFrame([
        {"strategy": strategy, "batchnorm": batchnorm, "gray": gray, "seed": seed,
         "auc": 0.8 + seed / 100, "auc_lo": 0.75, "auc_hi": 0.9}
        for strategy in ("feature_extraction", "full_finetune")
        for batchnorm in ("train", "eval")
        for gray in ("mean", "replicate")
        for seed in (0, 1)
    ])  # fmt: skip


def test_auc_has_a_row_per_case_and_a_dot_with_its_interval_per_seed():
    figure = plots.gray_auc(runs(), "n = 656")
    assert "full fine-tune, BatchNorm moves: mean 0.805; replicate 0.805." in figure.alt
    left, right = figure.axes
    rows = [tick.get_text() for tick in left.get_yticklabels()]
    half = ["replicate", "mean"]
    assert rows == ["BatchNorm at rest", *half, "BatchNorm moves", *half]
    assert left.get_yticklabels()[0].get_weight() == "bold"
    dots = [line.get_xdata()[0] for line in left.lines if len(line.get_xdata()) == 1]
    assert sorted(dots) == pytest.approx([0.8] * 4 + [0.81] * 4)
    assert [0.75, 0.9] in [list(line.get_xdata()) for line in right.lines]
    assert (left.get_title(), right.get_title()) == ("feature extraction", "full fine-tune")
    assert figure.get_supxlabel() == "n = 656"


def test_look_draws_both_histograms_and_every_image():
    rng = np.random.default_rng(0)
    values, probabilities = rng.normal(size=5000), rng.uniform(size=7)
    reference = (values, values, probabilities)
    chosen = (values / 3, values / 3, probabilities**2)
    figure = plots.gray_look(chosen, reference, "mean", "BatchNorm at rest")
    stem, normed, images = figure.axes
    shares = [patch.get_data().values for patch in stem.patches]
    assert shares[0].sum() == pytest.approx(1, abs=0.01)
    assert (shares[0] > 0).sum() < (shares[1] > 0).sum(), "a third of the spread is narrower"
    assert normed.get_title() == "standardised, BatchNorm at rest"
    dots = images.lines[1]
    assert np.array_equal(dots.get_xdata(), probabilities)
    assert np.array_equal(dots.get_ydata(), probabilities**2)
    assert images.get_title() == "7 images"
