"""Figures of notebook 06: what a threshold does, what a probability means, runs that are broken."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.colors import to_rgba_array
from matplotlib.figure import Figure
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_curve

from helpers.plots import alt, layout, style
from helpers.plots.style import ACCENT, CALM, FROZEN, GRAY, INK, SKY, draws

CALLS = {"found": SKY, "missed": INK, "false alarms": ACCENT, "rightly let go": FROZEN}


@draws
def of_a_thousand(*numbers: float) -> Figure:
    """Draw what becomes of 1,000 images, a square each.

    Parameters
    ----------
    numbers : how many are found, missed, false alarms and rightly let go, as
        `helpers.training.threshold.per_thousand` returns them; only the squares are whole.
    """
    figure, (axes,) = layout.panels(1, 11, 3.7)
    calls = np.searchsorted(np.cumsum(numbers).round(), np.arange(1000), side="right")
    axes.pcolormesh(to_rgba_array(list(CALLS.values()))[calls.reshape(50, 20).T], ec="w", lw=1.5)
    axes.set(aspect="equal", xticks=[], yticks=[], ylim=(20, 0), frame_on=False)
    told = [f"{n:,.{n < 10:d}f} {name}" for n, name in zip(numbers, CALLS, strict=True)]
    for label, color in zip(told, CALLS.values(), strict=True):
        axes.plot([], [], "s", ms=18, color=color, mec=INK, label=label)
    layout.legend_outside(figure, title="of 1,000 images", fontsize=18, title_fontsize=18)
    return alt.told(figure, f"{', '.join(told)}.")


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
    left.plot(fpr, tpr, color=INK, label="the network")
    left.plot([0, 1], [0, 1], color=GRAY, ls=":", label="guessing")
    right.plot(recall[:-1], precision[:-1], color=INK, label="the network")
    right.plot([0, 1], [labels.mean()] * 2, color=GRAY, ls=":", label="guessing")
    for marker, (name, cut) in zip("o^s", marks.items(), strict=False):
        dot = {"color": ACCENT, "marker": marker, "ls": "", "ms": 11, "mec": INK, "label": name}
        k, j = np.flatnonzero(cuts >= cut)[-1], np.flatnonzero(pr_cuts >= cut)[0]
        left.plot(fpr[k], tpr[k], **dot)
        right.plot(recall[j], precision[j], **dot)
    left.set(xlabel="false alarms among the negatives (1 - specificity)", title="ROC")
    right.set(xlabel="found among the positives (recall)", title="precision-recall", ylim=(0, 1.05))
    left.set_ylabel("found among the positives (sensitivity)")
    right.set_ylabel("true among the alarms (precision)")
    left.legend(loc="lower right")
    told = f"n = {len(labels)}, {labels.mean():.0%} positive; average precision "
    return alt.told(figure, f"{told}{average_precision_score(labels, scores):.2f}.")


@draws
def reliability(
    tables: Mapping[str, pd.DataFrame], true: str = "share that is defective", unit: str = "images"
) -> Figure:
    """Draw what was said against what came true, a panel each; bars are 95 % intervals.

    Parameters
    ----------
    tables : title -> table of `helpers.training.calibration.reliability`, or one like it.
    true : what came true, for the axis. unit : of what is counted.
    """
    figure, row = layout.panels(len(tables), 4.4, 4.4, sharey=True)
    for axes, (title, table) in zip(row, tables.items(), strict=True):
        axes.plot([0, 1], [0, 1], color=GRAY, ls=":")
        for one in table.itertuples():
            layout.interval(axes, one.said, one.true, one.lo, one.hi, INK, upright=True, ms=8)
        axes.set(xlabel="probability said", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), title=title)
    row[0].set_ylabel(true)
    gaps = {name: f"largest gap {(t['said'] - t['true']).abs().max():.2f}, "
                  f"{t['n'].sum()} {unit}" for name, t in tables.items()}  # fmt: skip
    return alt.told(figure, gaps)


@draws
def kept_and_learned(table: pd.DataFrame) -> Figure:
    """Draw what is left of the old task beside the score on the new one, a line per way to train.

    Parameters
    ----------
    table : columns in this order: ``label``, ``arm`` (for the colour), ``kept, kept_lo, kept_hi``,
        ``auc, auc_lo, auc_hi``.
    """
    figure, row = layout.panels(2, 4.2, 0.9 + 0.5 * len(table), extra=3, sharey=True)
    for y, (_, arm, *values) in enumerate(table.itertuples(index=False)):
        look = {"marker": style.marker_of(arm)}
        for axes, shown in zip(row, (values[:3], values[3:]), strict=True):
            layout.interval(axes, y, *shown, style.color_of(arm), **look)
    names = "share of ImageNet answers kept", "test AUC, solar cells"
    for axes, name, low in zip(row, names, (-0.03, 0.47), strict=True):
        layout.rows_axis(axes, list(table["label"]))
        axes.set(xlabel=f"{name},\n95 % interval", xlim=(low, 1.03))
    return alt.told(figure, {row.label: f"keeps {row.kept:.0%}, AUC {row.auc:.2f}"
                             for row in table.itertuples()})  # fmt: skip


# Column of the table -> what it is, and what guessing between two classes gives: ln 2 and .5.
CURVES = {"train_loss": ("training loss, nats", 0.69), "val_loss": ("validation loss, nats", 0.69),
          "val_auc": ("validation AUC", 0.5)}  # fmt: skip


@draws
def broken_run(runs: pd.DataFrame, fault: str) -> Figure:
    """Draw losses and validation AUC against the epoch, a line per seed, beside a healthy run.

    Parameters
    ----------
    runs : data/results/broken_runs.csv.
    fault : which of them; the figure does not name it.
    """
    looks = {fault: ("this run", {"color": ACCENT, "marker": "o"}),
             "none": ("healthy run", {"color": INK, "ls": "--", "lw": 1.8})}  # fmt: skip
    figure, row = layout.panels(3, 4.2, 3.9)
    shown = runs[runs["fault"].isin(looks)].replace(np.inf, np.nan)
    ends = shown[shown["train_loss"].isna()].itertuples()
    ended = "\n".join(f"seed {row.seed}: NaN in epoch {row.epoch}" for row in ends)
    told = {"ended early": ended or "no seed"}
    for axes, (column, (ylabel, guess)) in zip(row, CURVES.items(), strict=True):
        for one, (label, look) in looks.items():
            lines = shown[shown["fault"] == one].pivot(index="epoch", columns="seed", values=column)
            axes.plot(lines.index, lines, label=label, **look)
            means = " ".join(f"{mean:.3g}" for mean in lines.mean(axis=1).dropna())
            told[f"{ylabel}, {label}, by epoch"] = means or "NaN"
        axes.axhline(guess, color=GRAY, lw=1.5, ls=":", label="guessing")
        axes.text(0.5, 0.45, ended, transform=axes.transAxes, ha="center", fontsize=15, bbox=CALM)
        large = bool(shown[column].max() > 3)
        axes.set(xlabel="epoch", ylabel=ylabel + ", log scale" * large,
                 xticks=shown["epoch"].unique(), yscale=("linear", "log")[large])  # fmt: skip
    layout.legend_outside(figure, "lower center", ncols=3)
    return alt.told(figure, told)
