"""What the figures of notebook 06 draw: data, labels, alternative texts."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from helpers import plots

LABELS = np.repeat([0, 1], [60, 40])
SCORES = np.random.default_rng(0).beta(2 + 2 * LABELS, 4 - LABELS)


def test_both_curves_are_drawn_and_the_threshold_is_marked_where_it_lies():
    figure = plots.roc_and_pr(LABELS, SCORES, {"half": 0.5})
    left, right = figure.axes
    x, y = left.lines[0].get_data()
    assert np.trapezoid(y, x) == pytest.approx(roc_auc_score(LABELS, SCORES))
    called = SCORES >= 0.5
    found, false = called[LABELS == 1].mean(), called[LABELS == 0].mean()
    assert np.ravel(left.lines[-1].get_data()).tolist() == pytest.approx([false, found])
    precision = LABELS[called].mean()
    assert np.ravel(right.lines[-1].get_data()).tolist() == pytest.approx([found, precision])
    assert set(right.lines[1].get_ydata()) == {0.4}, "guessing is the share of the positives"
    assert "n = 100, 40% positive" in figure.alt


def test_reliability_has_a_panel_a_table_and_a_bar_a_bin():
    table = pd.DataFrame({"said": [0.2, 0.8], "true": [0.1, 0.9], "lo": [0.0, 0.7],
                          "hi": [0.3, 1.0], "n": [50, 50]})  # fmt: skip
    figure = plots.reliability({"before": table, "after": table.assign(true=table["said"])})
    left, right = figure.axes
    assert (left.get_title(), right.get_title()) == ("before", "after")
    assert len(left.lines) == 1 + 2 * 2  # the diagonal; a bar and a dot a bin
    assert list(left.lines[1].get_ydata()) == [0.0, 0.3]
    assert "before: largest gap 0.10, 100 images" in figure.alt
    assert "after: largest gap 0.00" in figure.alt


def test_kept_and_learned_stand_in_one_line_a_way():
    rows = [("frozen", "feature_extraction", 1.0, 0.9, 1.0, 0.8, 0.7, 0.9),
            ("tuned", "full_finetune", 0.3, 0.2, 0.4, 0.85, 0.8, 0.9)]  # fmt: skip
    columns = ["label", "arm", "kept", "kept_lo", "kept_hi", "auc", "auc_lo", "auc_hi"]
    figure = plots.kept_and_learned(pd.DataFrame(rows, columns=columns))
    left, right = figure.axes
    assert [tick.get_text() for tick in left.get_yticklabels()] == ["frozen", "tuned"]
    assert list(left.lines[2].get_xdata()) == [0.2, 0.4]
    assert list(right.lines[2].get_xdata()) == [0.8, 0.9]
    assert {line.get_color() for line in left.lines[2:]} == {plots.color_of("full_finetune")}
    assert "tuned: keeps 30%, AUC 0.85" in figure.alt
