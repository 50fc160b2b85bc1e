"""nbval never looks at pictures, so what is drawn is tested here: data, labels, colours."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex, to_rgb

from helpers import plots
from helpers.evidence.verdicts import ARMS
from helpers.plots import strategies as plots_strategies
from helpers.plots import style
from helpers.training import strategies
from tests.conftest import make_split, texts, tiny_backbone

HISTORY = [{"epoch": k, "train_loss": 1 / k, "val_auc": 0.6 + k / 20} for k in (1, 2, 3)]
ROWS = [
    {"strategy": name, "trainable": 10, "seconds": 2.0, "auc": auc, "auc_lo": auc - 0.03,
     "auc_hi": auc + 0.02, "accuracy": 0.75}
    for name, auc in (("scratch", 0.74), ("partial_finetune_last1", 0.86))
]  # fmt: skip


def test_every_strategy_and_arm_has_a_colour_and_a_name_of_its_own():
    assert set(plots.COLORS) == set(plots.LABELS) == set(strategies.STRATEGIES)
    assert len(set(plots.COLORS.values())) == len(plots.COLORS)
    assert plots.color_of("partial_finetune_last1") == plots.COLORS["partial_finetune"]
    assert plots.label_of("partial_finetune_last1") == "partial fine-tune, last 1"
    assert plots.color_of("scratch_longer") == plots.COLORS["scratch"]
    assert len({plots.label_of(name) for name in ARMS}) == len(ARMS)
    assert tuple(sorted(ARMS, key=style.ARMS.index)) == style.ARMS
    looks = {(plots.color_of(name), name in style.HOLLOW) for name in ARMS}
    assert len(looks) == len(ARMS), "colour and fill together tell the arms apart"


def test_learning_curves_draw_the_rows_with_labelled_axes():
    figure = plots.learning_curves({"scratch": HISTORY, "full_finetune": HISTORY}, "scratch")
    left, right = figure.axes
    assert left.lines[0].get_ydata().tolist() == [1, 1 / 2, 1 / 3]
    assert right.lines[0].get_ydata().tolist() == [0.65, 0.7, 0.75]
    assert (left.get_ylabel(), right.get_ylabel()) == ("cross-entropy (nats)", "AUC")
    assert to_hex(left.lines[0].get_color()).upper() == plots.COLORS["scratch"]
    assert left.lines[0].get_linewidth() > 2 * left.lines[1].get_linewidth()
    assert {"from scratch", "full fine-tune"} <= set(texts(figure)), "named at their ends"
    assert plt.get_fignums() == [], "closed, so that a cell shows it once"


def test_names_at_the_ends_of_lines_stand_apart():
    same = {name: HISTORY for name in plots.COLORS}
    right = plots.learning_curves(same).axes[1]
    heights = sorted(text.xy[1] for text in right.texts if text.get_text() != "guessing")
    low, high = right.get_ylim()
    assert len(heights) == len(same)
    assert min(np.diff(heights)) > 0.07 * (high - low)
    assert np.mean(heights) == pytest.approx(HISTORY[-1]["val_auc"])


def test_every_strategy_has_a_marker_of_its_own():
    assert set(style.MARKERS) == set(plots.COLORS)
    assert len(set(style.MARKERS.values())) == len(plots.COLORS)


def test_results_draw_value_and_interval_and_write_them_out():
    figure = plots.results(ROWS, "title", "n = 656")
    axes = figure.axes[0]
    intervals = [line.get_xdata() for line in axes.lines if len(line.get_xdata()) == 2]
    assert [list(x) for x in intervals] == [
        pytest.approx([0.71, 0.76]),
        pytest.approx([0.83, 0.88]),
    ]
    assert "0.860 [0.830, 0.880]" in texts(figure)
    assert "95 % bootstrap interval" in axes.get_xlabel()
    assert "n = 656" in axes.get_xlabel()


def test_strategy_map_says_rate_or_frozen_for_every_part():
    strategy = strategies.partial_finetune(last=1, head_lr=1e-2, backbone_lr=1e-3)
    table = strategies.summary(tiny_backbone(), strategy)
    written = texts(plots.strategy_map({strategy.name: table}))
    assert written.count("frozen") == 3
    assert "1e-3" in written
    assert "1e-2" in written
    assert "BN rests" in written


def test_intervals_are_drawn_where_they_are():
    figure = plots.intervals({"a": (0.8, 0.7, 0.85)}, "AUC", reference=(0.5, "guessing"))
    drawn = [list(line.get_xdata()) for line in figure.axes[0].lines]
    assert [0.7, 0.85] in drawn
    assert [0.5, 0.5] in drawn
    assert "guessing" in texts(figure)
    assert "0.80" in texts(figure)
    gain = plots.intervals({"a": (0.012, -0.01, 0.03)}, "gain", reference=(0, "no difference"))
    assert "+0.012" in texts(gain), "a difference has a sign, and may be small"
    near = plots.intervals({"a": (0.998, 0.99, 1.0), "b": (0.957, 0.94, 0.97)}, "AUC")
    assert {"0.998", "0.957"} <= set(texts(near)), "not 1.00"


def test_drift_has_a_bar_per_layer():
    axes = plots.drift({"case": [0.1, 0.2, 0.3]}, "shift").axes[0]
    assert [bar.get_height() for bar in axes.patches] == [0.1, 0.2, 0.3]
    assert axes.get_ylabel() == "shift"


def test_class_examples_show_each_class_in_its_row():
    split = make_split(12, classes=3)
    figure = plots.class_examples(split.images, split.labels, ("a", "b", "c"), n=4)
    grid = np.array(figure.axes).reshape(3, 4)
    for label, name in enumerate("abc"):
        assert grid[label, 0].get_title(loc="left") == f"{name} (4 images)"
        shown = grid[label, 0].images[0].get_array()
        members = split.images[split.labels == label].squeeze()
        assert any(np.array_equal(shown, image) for image in members)


def test_top_classes_name_and_weigh():
    figure = plots.top_classes(np.zeros((8, 8, 3), np.uint8), ["cat", "dog"], [0.7, 0.2])
    bars = figure.axes[1]
    assert [tick.get_text() for tick in bars.get_yticklabels()] == ["cat", "dog"]
    assert [bar.get_width() for bar in bars.patches] == [0.7, 0.2]


def test_feature_maps_show_the_channel_that_varies_most():
    maps = np.zeros((3, 4, 4))
    maps[2, 0, 0] = 5
    figure = plots.feature_maps({"x": (np.zeros((8, 8, 1), np.uint8), {"stem": maps})})
    assert "ch. 2" in figure.axes[1].get_title()


def test_live_curves_keep_one_place_and_grow(monkeypatch):
    shown = []

    class Handle:
        def update(self, figure):
            shown.append(figure)

    monkeypatch.setattr(plots_strategies, "display", lambda figure, display_id: Handle())
    live = plots.LiveCurves()
    follow = live.follow("scratch")
    for row in HISTORY:
        follow(row)
    assert live.histories["scratch"] == HISTORY
    assert len(shown) == 2, "the first draws, the others update"
    assert len(shown[-1].axes[0].lines[0].get_xdata()) == 3


@pytest.mark.parametrize("fullness", [0.35, 0.7, 1])
def test_writing_on_every_colour_of_a_strategy_can_be_read(fullness):
    def light(color):
        return 0.05 + np.dot([0.2126, 0.7152, 0.0722], np.power(to_rgb(color), 2.2))

    for color in plots.COLORS.values():
        paper = tuple(1 - fullness * (1 - part) for part in to_rgb(color))
        dark, bright = sorted([light(style.ink_on((color, fullness))), light(paper)])
        assert bright / dark > 4.5, "WCAG 2, level AA"
    assert style.ink_on("black") == "white"
