"""The pictures of the decision: what is drawn, where, in which colour, with which words."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex, to_rgb
from matplotlib.patches import Rectangle

from helpers import plots
from helpers.evidence import estimates, rules, similarity, transferability
from tests.conftest import texts
from tests.evidence.test_recommend import SIMILAR, flat, found, rows


@pytest.fixture(scope="module")
def grid():
    """A clear winner at 50, a tie at 200, and the sizes "all" of two data sets."""
    return found(
        rows("far", 50, flat(lp_ft=0.9), noise=0.001),
        rows("far", 200, flat(full_finetune=0.804), noise=0.01),
        rows("far", 1574, flat(full_finetune=0.9), noise=0.001),
        rows("near", 50, {"feature_extraction": 0.8, "lp_ft": 0.7}, noise=0.001),
        rows("near", 194, {"feature_extraction": 0.8}),
    )


def test_the_map_has_a_tile_per_cell_in_the_winners_colour(grid):
    figure = plots.decision_map(grid.cells)
    axes = figure.axes[0]
    filled = {
        (round(box.get_x() + 0.48), round(box.get_y() + 0.46)): to_hex(box.get_edgecolor()).upper()
        for box in axes.patches
        if isinstance(box, Rectangle)
        and not box.get_hatch()
        and box.get_width() == 0.96
        and to_hex(box.get_facecolor()) != "#ffffff"
    }
    assert filled[0, 0] == plots.COLORS["lp_ft"]
    assert filled[2, 0] == plots.COLORS["full_finetune"]
    assert (1, 0) not in filled, "no clear winner: hatched"
    hatched = [box for box in axes.patches if box.get_hatch()]
    assert len(hatched) == 1, "a tie; a cell with nothing to compare with is white"
    assert "no more images" in figure.legends[0].get_texts()[2].get_text()
    assert [t.get_text() for t in axes.get_xticklabels()] == ["50", "200", "all"]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["far\ntoy", "near\ntoy"]
    one = plots.decision_map(grid.cells[grid.cells["dataset"] == "far"]).axes[0]
    assert [t.get_text() for t in one.get_xticklabels()] == ["50", "200", "1,574"]


def test_the_map_writes_margins_intervals_and_what_is_missing(grid):
    words = "\n".join(texts(plots.decision_map(grid.cells)))
    first = grid.cells.iloc[0]
    assert f"+.{round(first.margin * 1000):03d} [" in words
    tie = grid.cells[(grid.cells["dataset"] == "far") & (grid.cells["n"] == 200)].iloc[0]
    assert (tie.winner, tie.choice) == ("full_finetune", "feature_extraction")
    assert "n = 1,574" in words
    assert "n = 200" not in words, "the column says it"
    assert "\n2 of 7 arms so far" in words
    told = plots.decision_map(grid.cells).alt
    assert "LP-FT (clear): far, n = 50; full fine-tune: far, n = 200" in told
    assert "not measured yet\nonly feature extraction\nn = 194" in words


def test_the_lessons_map_says_who_loses(grid):
    table = rules.against_lesson(grid, SIMILAR)
    words = "\n".join(texts(plots.lesson_map(table)))
    for outcome in set(table["outcome"]):
        assert outcome in words
    assert "loses" in set(table["outcome"])
    figure = plots.lesson_map(table)
    assert "not measured" in figure.legends[0].get_texts()[0].get_text()
    lost = table[table["outcome"] == "loses"].iloc[0]
    assert f"{lost.dataset}, n = {lost.n:,} ({plots.label_of(lost.lesson_arm)}" in figure.alt


def test_words_in_tiles_are_large_dark_and_on_a_pale_ground(grid):
    def light(color: str) -> float:
        parts = np.array(to_rgb(color))
        linear = np.where(parts <= 0.04, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    for figure in (plots.decision_map(grid.cells), plots.lesson_map(rules.against_lesson(
            grid, SIMILAR))):  # fmt: skip
        axes = figure.axes[0]
        grounds = [box.get_facecolor() for box in axes.patches if box.get_facecolor()[3]]
        darkest = min(light(to_hex(ground)) for ground in grounds)
        for text in axes.texts:
            assert (darkest + 0.05) / (light(text.get_color()) + 0.05) > 4.5
            # A page shows a picture at most 9 inches wide.
            assert text.get_fontsize() * min(1, 9 / figure.get_figwidth()) >= 9


def test_cost_and_quality_stand_where_they_are(grid):
    cell = grid.arms[(grid.arms["dataset"] == "far") & (grid.arms["n"] == 50)].copy()
    cell.loc[cell["arm"] == "scratch", "seeds"] = 1
    figure = plots.cost_quality(cell, "far")
    axes = figure.axes[0]
    dots = {(float(line.get_xdata()[0]), float(line.get_ydata()[0]))
            for line in axes.lines if line.get_marker() != "None"}  # fmt: skip
    assert dots == set(zip(cell["seconds"], cell["auc"], strict=True))
    assert "seconds" in axes.get_xlabel()
    assert "3 seeds" in axes.get_ylabel()
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend[0] == plots.label_of("lp_ft"), "best first"
    assert "from scratch, 1 of 3 seeds" in legend
    assert "cut" not in plots.cost_quality(cell.assign(lo=cell["auc"])).axes[0].get_ylabel()
    cut = plots.cost_quality(cell.assign(lo=0.1, seconds=1000)).axes[0]
    assert "(cut below)" in cut.get_ylabel()
    assert cut.xaxis.get_major_formatter()(1000, 0) == "1,000"


def test_curves_show_each_data_set_and_mark_the_size(grid):
    figure = plots.arm_curves(grid.arms, mark=400)
    assert [axes.get_title() for axes in figure.axes] == ["far", "near"]
    left = figure.axes[0]
    curve = next(line for line in left.lines if line.get_color() == plots.COLORS["lp_ft"])
    expected = grid.arms[(grid.arms["dataset"] == "far") & (grid.arms["arm"] == "lp_ft")]
    assert list(curve.get_ydata()) == expected.sort_values("n")["auc"].tolist()
    assert any(list(line.get_xdata()) == [400, 400] for line in left.lines)
    assert "n = 400" in [text.get_text() for text in left.texts]
    assert "moved apart" in left.get_xlabel()


def test_the_imagenet_caveat_stands_wherever_hymenoptera_does():
    evidence = found(rows("hymenoptera", 50, flat(lp_ft=0.9)), rows("far", 50, flat()))
    labels = plots.decision_map(evidence.cells).axes[0].get_yticklabels()
    assert "ants and bees\n(drawn from ImageNet)\ntoy" in [t.get_text() for t in labels]
    titles = [axes.get_title() for axes in plots.arm_curves(evidence.arms).axes]
    assert titles == ["far", "ants and bees\n(drawn from ImageNet)"]


def test_continued_curves_are_dashed_and_end_before_what_others_published(grid):
    guesses = estimates.continuations(grid, "far", ["lp_ft", "full_finetune"])
    figure = plots.continued_curves(grid.arms[grid.arms["dataset"] == "far"], guesses, 50_000)
    axes = figure.axes[0]
    dashed = [line for line in axes.lines if line.get_linestyle() == "--"]
    assert {line.get_color() for line in dashed} == {
        plots.COLORS["lp_ft"], plots.COLORS["full_finetune"]}  # fmt: skip
    assert all((line.get_xdata().min(), line.get_xdata().max()) == (1574, 15740) for line in dashed)
    words = [text.get_text() for text in axes.texts]
    assert words == ["a guess", "published\nby others"]


def test_distances_are_drawn_in_the_order_of_likeness():
    figure = plots.distances(similarity.read_similarity())
    assert len(figure.axes) == 4
    labels = [t.get_text() for t in figure.axes[0].get_yticklabels()]
    assert labels[-1] == "chest X-rays"
    assert labels[0] == "flowers"
    hollow = [line for line in figure.axes[0].lines if line.get_markerfacecolor() == "none"]
    same, gray = ([line for line in hollow if line.get_marker() == kind] for kind in "oD")
    assert len(same) == 6, "two sets against themselves, three seeds"
    assert max(float(line.get_xdata()[0]) for line in same) < 0.3
    assert {labels[int(line.get_ydata()[0])] for line in gray} == {
        "gray flowers", "gray ants and bees\n(drawn from ImageNet)"}  # fmt: skip
    assert "near to far: flowers, gray flowers, ants and bees" in figure.alt
    assert min(float(line.get_xdata()[0]) for line in gray) > 1.5, "told apart by colour alone"


def test_scores_by_part_have_a_dot_per_part_and_the_rank_correlation():
    table = transferability.read_transferability()
    table = table[(table["dataset"] == "flowers") & (table["n_train"] == 800)]
    axes = plots.scores_by_part(table).axes[0]
    assert [text.get_text() for text in axes.texts] == ["stem", *"1234567"]
    assert len(axes.collections[0].get_offsets()) == 8
    means = table.groupby("part")[["logme", "probe_auc"]].mean()
    rank = means["logme"].corr(means["probe_auc"], method="spearman")
    assert f"{rank:.2f}" in axes.get_title()


def test_foretold_has_a_panel_per_size_and_one_x_per_data_set():
    points = pd.DataFrame({"dataset": ["a", "b", "a"], "panel": ["n = 50", "n = 50", "n = 200"],
                           "x": [0.4, 0.7, 0.4], "y": [0.0, 0.2, 0.1], "lo": [-0.1, 0.1, 0.0],
                           "hi": [0.1, 0.3, 0.2]})  # fmt: skip
    figure = plots.foretold(points, "similarity", "gain")
    assert [axes.get_title() for axes in figure.axes] == ["n = 50", "n = 200"]
    drawn = [
        [(float(line.get_xdata()[0]), line.get_color()) for line in axes.lines
         if line.get_marker() not in ("None", "", None)]
        for axes in figure.axes
    ]  # fmt: skip
    assert [x for x, _ in drawn[0]] == [0.4, 0.7]
    assert drawn[1] == drawn[0][:1], "a data set keeps its place and its colour"
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["a", "b"]
    assert figure.alt.endswith("lies above 0 for b, n = 50; for no other dot.")
    assert plots.foretold(points[:1], "x", "y").alt.endswith("lies above 0 for no dot.")
    assert (figure.get_supxlabel(), figure.axes[0].get_ylabel()) == ("similarity", "gain")
