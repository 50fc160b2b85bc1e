"""What the figures of notebook 04 draw: images, frames, intervals."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from helpers import plots
from tests.conftest import texts

IMAGE = np.arange(16 * 16, dtype=np.uint8).reshape(16, 16, 1)


def test_before_after_shows_the_original_first_and_every_draw():
    figure = plots.before_after({"cell": (IMAGE, [IMAGE + 1, IMAGE + 2]), "cat": (IMAGE, [IMAGE])})
    grid = np.array(figure.axes).reshape(2, 3)
    assert np.array_equal(grid[0, 0].images[0].get_array(), IMAGE.squeeze())
    assert np.array_equal(grid[0, 2].images[0].get_array(), IMAGE.squeeze() + 2)
    assert grid[0, 0].get_ylabel() == "cell"
    assert not grid[1, 2].images
    assert grid[0, 0].get_title() == "original"


def test_crops_are_framed_by_what_they_keep():
    box, crop = np.array([[2, 3, 4, 4]] * 2), np.array([[0, 0, 10, 12], [8, 8, 6, 6]])
    figure = plots.crops_and_defect(np.stack([IMAGE] * 2), box, crop, np.array([1.0, 0.2]))
    first, second = figure.axes
    assert (first.patches[1].get_x(), first.patches[1].get_y()) == (-0.5, -0.5)
    assert (first.patches[1].get_width(), first.patches[1].get_height()) == (12, 10)
    assert to_hex(first.patches[1].get_edgecolor()) != to_hex(second.patches[1].get_edgecolor())
    assert "20% of the" in second.get_xlabel()


def test_cut_away_draws_curves_with_their_intervals_and_the_default():
    figure = plots.cut_away([0.1, 0.5], {"half": [(0.4, 0.3, 0.5), (0.1, 0.05, 0.2)]}, ", n = 9")
    axes = figure.axes[0]
    assert axes.lines[0].get_ydata().tolist() == [0.4, 0.1]
    assert axes.lines[1].get_xdata()[0] == 0.08
    assert "n = 9" in axes.get_ylabel()
    assert figure.alt.endswith("half, at 0.1: 40%, below 2%: nowhere.")
    none = plots.cut_away([0.1, 0.8], {"half": [(0.4, 0, 1), (0, 0, 0)], "all": [(0.2, 0, 1)] * 2})
    assert none.alt.endswith("nowhere."), "both curves have to be low"
    assert "default, 0.08" in "\n".join(texts(figure))


def kept() -> pd.DataFrame:
    return pd.DataFrame([
        {"dataset": name, "policy": policy, "value": value, "lo": value - 0.1, "hi": value + 0.1,
         "n": 300, "commoner": 0.65}
        for name, policy, value in (("elpv", "dihedral", 0.9), ("chest_xray", "dihedral", 0.7),
                                    ("elpv", "natural", 0.8))
    ])  # fmt: skip


def test_kept_predictions_have_a_line_per_policy_and_a_colour_per_data_set():
    figure = plots.kept_predictions(kept())
    axes = figure.axes[0]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["dihedral", "natural"]
    drawn = [list(line.get_xdata()) for line in axes.lines if len(line.get_xdata()) == 2]
    assert pytest.approx([0.6, 0.8]) in drawn
    assert len({line.get_color() for line in axes.lines}) == 2
    assert drawn.count([0.65, 0.65]) == 2, "what always the commoner answer keeps"
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["solar cells (elpv), n = 300", "chest X-rays, n = 300"]
    assert figure.alt.endswith("(natural), fewest, chest X-rays: 70% (dihedral).")


def test_gains_have_a_panel_per_data_set_and_a_tick_per_seed():
    table = pd.DataFrame([
        {"dataset": name, "n_train": n, "policy": "natural", "gain": 0.02, "gain_lo": -0.01,
         "gain_hi": 0.05, "n_test": 656, "seeds": 3}
        for name in ("elpv", "chest_xray") for n in (100, 400)
    ])  # fmt: skip
    runs = pd.concat([table.assign(gain=g) for g in (0.0, 0.02, 0.04)])
    figure = plots.gains(table, pd.concat([runs, runs.assign(policy="none")]))
    left, right = figure.axes
    assert (left.get_title(loc="left"), right.get_title(loc="left")) == (
        "solar cells (elpv)", "chest X-rays",
    )  # fmt: skip
    ticks = [line for line in left.lines if line.get_marker() == "|"]
    assert [len(line.get_xdata()) for line in ticks] == [3, 3]
    bars = [list(line.get_xdata()) for line in left.lines if line.get_linestyle() == "-"]
    assert [-0.01, 0.05] in bars
    assert "656 test images" in left.get_xlabel()


@pytest.mark.parametrize("draw", [plots.kept_predictions, lambda t: plots.gains(t, t)])
def test_an_empty_table_says_how_to_measure(draw):
    assert "python -m measure augmentation" in "\n".join(texts(draw(kept().iloc[:0])))
