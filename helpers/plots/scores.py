"""Figures of notebook 06: ROC and precision-recall, reliability, what is learned and forgotten."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_curve

from helpers.plots import alt, layout, style
from helpers.plots.style import ACCENT, GRAY, INK, draws


@draws
def roc_and_pr(labels: np.ndarray, scores: np.ndarray, marks: Mapping[str, float]) -> Figure:
    """Draw the ROC curve and the precision-recall curve of one network.

    Parameters
    ----------
    labels : ``(N,)`` of 0 and 1. scores : ``(N,)``, high for class 1.
    marks : name -> threshold, marked on both curves.
    """
    figure, (left, right) = layout.panels(2, 5.5, 4.6)
    fpr, tpr, cuts = roc_curve(labels, scores, drop_intermediate=False)
    precision, recall, pr_cuts = precision_recall_curve(labels, scores)
    share = labels.mean()
    left.plot(fpr, tpr, color=INK, label="the network")
    left.plot([0, 1], [0, 1], color=GRAY, ls=":", label="guessing")
    right.plot(recall[:-1], precision[:-1], color=INK, label="the network")
    right.plot([0, 1], [share, share], color=GRAY, ls=":", label="guessing")
    for marker, (name, cut) in zip("o^s", marks.items(), strict=False):
        dot = {"color": ACCENT, "marker": marker, "ls": "", "ms": 11, "mec": INK, "label": name}
        k, j = np.flatnonzero(cuts >= cut)[-1], np.flatnonzero(pr_cuts >= cut)[0]
        left.plot(fpr[k], tpr[k], **dot)
        right.plot(recall[j], precision[j], **dot)
    left.set(xlabel="false alarms among intact (1 - specificity)",
             ylabel="found among defective (sensitivity)", title="ROC")  # fmt: skip
    right.set(xlabel="found among defective (recall)", ylim=(0, 1.05),
              ylabel="defective among alarms (precision)", title="precision-recall")  # fmt: skip
    left.legend(loc="lower right")
    area = average_precision_score(labels, scores)
    return alt.told(figure, f"n = {len(labels)}, {share:.0%} positive; average precision "
                    f"{area:.2f}. Marked: {', '.join(marks)}.")  # fmt: skip


@draws
def reliability(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw what was said against what came true, a panel each; bars are 95 % intervals.

    Parameters
    ----------
    tables : title -> table of `helpers.training.calibration.reliability`.
    """
    figure, row = layout.panels(len(tables), 4.4, 4.4, sharey=True)
    for axes, (title, table) in zip(row, tables.items(), strict=True):
        axes.plot([0, 1], [0, 1], color=GRAY, ls=":")
        for one in table.itertuples():
            layout.interval(axes, one.said, one.true, one.lo, one.hi, INK, upright=True, ms=8)
        axes.set(xlabel="probability said", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), title=title)
    row[0].set_ylabel("share that is defective")
    gaps = {name: f"largest gap {(t['said'] - t['true']).abs().max():.2f}, "
                  f"{t['n'].sum()} images" for name, t in tables.items()}  # fmt: skip
    return alt.told(figure, gaps)


@draws
def kept_and_learned(table: pd.DataFrame) -> Figure:
    """Draw what is left of the old task against the score on the new one, a way to train each.

    Parameters
    ----------
    table : a row per way: ``label``, ``arm`` (for the colour), and ``kept, kept_lo, kept_hi,
        auc, auc_lo, auc_hi``.
    """
    figure, axes = plt.subplots(figsize=(10, 6))
    for k, row in enumerate(table.itertuples(), 1):
        color = style.color_of(row.arm)
        axes.plot([row.kept_lo, row.kept_hi], [row.auc] * 2, color=color, lw=1.5, alpha=0.6)
        axes.plot([row.kept] * 2, [row.auc_lo, row.auc_hi], color=color, lw=1.5, alpha=0.6)
        axes.plot(row.kept, row.auc, marker=style.marker_of(row.arm), ms=16, color=color, mec="w",
                  ls="", label=f"{k}  {row.label}")  # fmt: skip
        axes.annotate(str(k), (row.kept, row.auc), ha="center", va="center", fontsize=10,
                      color=style.ink_on(color))  # fmt: skip
    axes.set(xlabel="share of ImageNet answers kept on photographs", ylabel="test AUC, solar cells")
    layout.legend_outside(figure, fontsize=11, markerscale=0.5)
    return alt.told(figure, {row.label: f"keeps {row.kept:.0%}, AUC {row.auc:.2f}"
                             for row in table.itertuples()})  # fmt: skip
