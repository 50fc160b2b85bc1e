"""What the figures of the interview room draw."""

import pandas as pd
import pytest

from helpers import plots


def test_readiness_has_three_bars_a_topic():
    table = pd.DataFrame({"items": [10, 20], "seen": [4, 0], "ready": [0.3, 0.0]},
                         index=["cnn", "data"])  # fmt: skip
    axes = plots.readiness(table, "01 December").axes[0]
    every, seen, known = ([bar.get_width() for bar in bars] for bars in axes.containers)
    assert every == [10, 20]
    assert seen == [4, 0]
    assert known == pytest.approx([3, 0])
    assert "01 December" in axes.get_xlabel()
    assert "cnn: 3 of 10 cards, 4 seen" in plots.readiness(table, "01 December").alt


def test_forgetting_has_a_line_a_way_and_marks_the_day():
    curves = {"once": ([0, 7], [1.0, 0.8]), "often": ([0, 7], [1.0, 0.95])}
    figure = plots.forgetting(curves, 7)
    axes = figure.axes[0]
    assert [line.get_label() for line in axes.lines[:2]] == ["once", "often"]
    assert list(axes.lines[1].get_ydata()) == [1.0, 0.95]
    assert set(axes.lines[2].get_xdata()) == {7}
    assert "once: 0.80 on day 7, often: 0.95 on day 7" in figure.alt
