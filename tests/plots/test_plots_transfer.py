"""What the figures of notebook 01 draw: data, labels, colours."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from helpers import plots

RNG = np.random.default_rng(0)


def lines(axes) -> dict[str, tuple[list, list]]:
    found = {line.get_label(): line for line in axes.lines if line.get_label()[0] != "_"}
    return {k: (list(v.get_xdata()), list(v.get_ydata())) for k, v in found.items()}


def colour(axes, label: str) -> str:
    return next(to_hex(v.get_color()).upper() for v in axes.lines if v.get_label() == label)


def test_kernels_are_drawn_with_gray_for_zero_and_a_caption():
    pictures = np.full((10, 3, 3, 3), 0.5)
    figure = plots.kernels(pictures, [f"k{i}" for i in range(10)], columns=4)
    assert len(figure.axes) == 12
    assert figure.axes[9].get_title() == "k9"
    assert np.allclose(figure.axes[0].images[0].get_array(), 0.5)
    assert not figure.axes[11].axison
    gray = plots.kernels(np.full((1, 7, 7, 1), 0.5)).axes[0].images[0]
    assert (gray.norm.vmin, gray.norm.vmax) == (0, 1)


def test_a_notice_says_its_sentence():
    assert plots.notice("Weights are missing.").axes[0].texts[0].get_text().endswith("missing.")


def test_channel_maps_show_what_varies_most_of_every_image():
    maps = np.zeros((9, 4, 4))
    maps[7, 0, 0], maps[2, 1, 1] = 9, 5
    image = np.zeros((8, 8, 1), np.uint8)
    figure = plots.channel_maps({"a": (image, maps), "b": (image, maps[:3])}, "stage2", n_maps=4)
    titles = [axes.get_title() for axes in figure.axes]
    assert titles[:3] == ["a", "channel 7", "channel 2"]
    assert titles[5:7] == ["b", "channel 2"]
    assert figure.get_suptitle().startswith("stage2: 9 channels of 4 x 4, the 4 that vary most")


def test_receptive_fields_are_squares_of_their_size_around_the_middle():
    table = pd.DataFrame(
        {"receptive_field": [1, 3, 19, 900]}, index=["image", "stem", "stage1", "stage2"]
    )
    axes = plots.receptive_fields(np.zeros((64, 64, 3), np.uint8), table).axes[0]
    assert [patch.get_width() for patch in axes.patches] == [3, 19, 900]
    assert axes.patches[1].get_x() == 31.5 - 9.5
    assert axes.patches[0].get_label() == "stem: 3 x 3"
    assert "larger than this drawing" in axes.patches[2].get_label()
    assert "64 x 64" in axes.get_xlabel()


def probe_rows() -> pd.DataFrame:
    rows = [
        {"dataset": d, "weights": w, "seed": s, "part": f"p{k}", "depth": k, "auc": a + k / 50,
         "auc_lo": a - 0.03, "auc_hi": a + 0.1, "n_train": 400, "n_test": 656}
        for d in ("elpv", "flowers")
        for w, a in (("imagenet", 0.8), ("random", 0.7))
        for s in (0, 1)
        for k in range(3)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_probe_curves_draw_the_mean_and_every_seed():
    table = probe_rows()
    table.loc[(table["seed"] == 1) & (table["depth"] == 2), "auc"] += 0.02
    figure = plots.probe_curves(table, {"elpv": "solar cells", "flowers": "flowers"})
    left, right = figure.axes
    assert (left.get_title(), right.get_title()) == ("solar cells", "flowers")
    assert lines(left)["pretrained"][1] == pytest.approx([0.8, 0.82, 0.85])
    assert lines(left)["random weights"][1] == pytest.approx([0.7, 0.72, 0.75])
    assert colour(left, "pretrained") == plots.COLORS["feature_extraction"]
    assert colour(left, "random weights") == plots.COLORS["scratch"]
    band = left.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == pytest.approx((0.77, 0.9))
    assert left.get_xlabel() == "400 to train, 656 to test, 2 seeds (small marks)"
    assert "95 %" in left.get_ylabel()
    assert [tick.get_text() for tick in left.get_xticklabels()] == ["p0", "p1", "p2"]
    assert "solar cells: pretrained 0.8 to 0.85; random weights 0.7 to 0.75." in figure.alt
    ahead = (table["weights"] == "imagenet") & (table["part"] == "p1")
    wider = plots.probe_curves(table.assign(auc=table["auc"] + ahead / 10), {"elpv": "solar cells"})
    assert wider.alt.endswith("Furthest apart: solar cells at p1.")
    single = table[(table["seed"] == 0) & (table["dataset"] == "elpv")]
    axes = plots.probe_curves(single, {"elpv": "one"}).axes[0]
    assert axes.get_xlabel().endswith("1 seed")
    assert len(axes.lines) == 2


def test_cka_is_drawn_per_part_with_its_interval():
    rows = [
        {"strategy": name, "seed": s, "part": f"p{k}", "depth": k, "cka": c - k / 10 + s / 50,
         "cka_lo": c - 0.2, "cka_hi": c + 0.05, "n_images": 256}
        for name, c in (("random", 0.5), ("full_finetune", 0.9))
        for s in (0, 1)
        for k in (1, 2)
    ]  # fmt: skip
    axes = plots.cka_per_stage(pd.DataFrame(rows), {"random": "untrained"}).axes[0]
    assert lines(axes)["untrained"][1] == pytest.approx([0.41, 0.31])
    assert lines(axes)["full fine-tune"][1] == pytest.approx([0.81, 0.71])
    assert colour(axes, "full fine-tune") == plots.COLORS["full_finetune"]
    heights = axes.collections[1].get_segments()[0][:, 1]
    assert list(heights) == pytest.approx([0.7, 0.95])
    assert "256 test images, 2 seeds" in axes.get_xlabel()
    assert "full fine-tune: 0.81 to 0.71 (below .9: p1, p2)" in axes.figure.alt


def gaps(*rows) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["n", "gap", "lo", "hi", "seeds"]).set_index("n")


def test_gaps_are_drawn_with_what_is_missing_named():
    table = gaps((50, 0.12, 0.05, 0.19, 3), (200, 0.04, np.nan, np.nan, 1))
    close = gaps((194, 0.1, 0.0, 0.2, 3), (200, 0.1, 0.0, 0.2, 3))
    ticks = plots.gap_by_n({"a": close}).axes[0].get_xticklabels()
    assert [tick.get_text() for tick in ticks] == ["200"], "labels would overlap"
    axes = plots.gap_by_n({"solar cells": table, "flowers": gaps()}).axes[0]
    found = lines(axes)
    assert found["solar cells"][1] == [0.12, 0.04]
    assert found["flowers: not all arms yet"][1] == []
    bars = [s[:, 1] for s in axes.collections[0].get_segments()]
    assert list(bars[0]) == [0.05, 0.19]
    hollow = [line for line in axes.lines if line.get_markerfacecolor() == "white"]
    assert hollow[0].get_ydata().tolist() == [0.04]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["50", "200"]
    assert "95 % interval" in axes.get_ylabel()
    assert not {plots.COLORS[name] for name in plots.COLORS} & {
        colour(axes, label) for label in found
    }
    assert plots.gap_by_n({"flowers": gaps()}).legends


def test_gaps_by_part_are_drawn_with_their_intervals():
    table = pd.DataFrame({"gap": [0.0, 0.1], "lo": [-0.1, 0.05], "hi": [0.1, 0.15]},
                         index=["stem", "stage1"])  # fmt: skip
    axes = plots.gap_by_part({"solar cells": table}).axes[0]
    assert lines(axes)["solar cells"][1] == [0.0, 0.1]
    bars = [list(segment[:, 1]) for segment in axes.collections[0].get_segments()]
    assert bars == [[-0.1, 0.1], [0.05, 0.15]]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["stem", "stage1"]
    assert axes.figure.alt.endswith("0 to 0.1. Intervals above 0: solar cells at stage1.")


def test_hollow_markers_are_explained_only_where_there_are_any():
    one, three = gaps((50, 0.1, np.nan, np.nan, 1)), gaps((50, 0.1, 0.0, 0.2, 3))
    found = [plots.gap_by_n({"a": table}).axes[0].get_xlabel() for table in (one, three)]
    assert ["hollow" in label for label in found] == [True, False]


def test_a_figure_can_be_a_small_jpeg():
    figure = plots.channel_gallery({"stage1": {0: RNG.random((64, 64, 3))}})
    picture = plots.as_jpeg(figure, dpi=60)
    assert picture.data[:2] == b"\xff\xd8"
    assert repr(picture) == "<IPython.core.display.Image object>"
