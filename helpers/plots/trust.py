"""Whether a number can be trusted: a threshold's calls, and curves of runs that are broken."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
from matplotlib.colors import to_rgba_array
from matplotlib.figure import Figure

from helpers import files
from helpers.plots import alt, layout
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


# What notebook 06 says of each broken run, in the order in which it shows them.
FAULTS = json.loads(files.resource("broken_runs.json").read_text("utf-8"))

# Column of the table -> what it is, and what guessing between two classes gives: ln 2 and .5.
CURVES = {"train_loss": ("training loss, nats", 0.69), "val_loss": ("validation loss, nats", 0.69),
          "val_auc": ("validation AUC", 0.5)}  # fmt: skip


@draws
def broken_run(runs: pd.DataFrame, fault: str, show_name: bool = False) -> Figure:
    """Draw losses and validation AUC against the epoch, a line per seed, beside a healthy run.

    Parameters
    ----------
    runs : data/results/broken_runs.csv.
    fault : one of `FAULTS`. show_name : write in the figure what was broken.
    """
    name = FAULTS[fault]["title"] if show_name else "this run"
    looks = {fault: (name, {"color": ACCENT, "marker": "o"}),
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
