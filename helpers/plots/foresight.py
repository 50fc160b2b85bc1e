"""What could be known before training: distances to photographs, and transferability scores."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from helpers.plots.arms import set_label
from helpers.plots.style import ACCENT, FROZEN, INK, draws

# Okabe & Ito: colours of data sets, which are no strategies
SET_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = ("o", "s", "^", "D", "v", "P")
DISTANCES = {
    "proxy_a_distance": "proxy A-distance\n(2: always told apart)",
    "mean_distance": "distance of the means\n(spreads of photographs)",
    "frechet_distance": "Fréchet distance\n(features squared)",
    "batchnorm_shift": "shift from ImageNet's\nBatchNorm (std. dev.)",
}


@draws
def distances(table: pd.DataFrame) -> Figure:
    """Draw how far each data set lies from photographs by four measures, a panel each.

    Filled dots compare with other data sets of photographs. Hollow ones compare photographs with
    other images of the same set: what "no distance" looks like under that measure.

    Parameters
    ----------
    table : data/results/similarity.csv.
    """
    own = table["dataset"].str.removesuffix("[gray]") == table["reference"]
    order = table[~own].groupby("dataset")["mean_distance"].mean().sort_values().index.tolist()
    figure, grid = plt.subplots(1, 4, figsize=(13, 1.4 + 0.5 * len(order)), sharey=True)
    for axes, (measure, title) in zip(grid, DISTANCES.items(), strict=True):
        for row in table[~own].itertuples():
            axes.plot(getattr(row, measure), order.index(row.dataset), "o", color=ACCENT, ms=8,
                      alpha=0.7, mec="white")  # fmt: skip
        if measure != "batchnorm_shift":  # it compares with ImageNet, whatever the reference
            for row in table[table["dataset"] == table["reference"]].itertuples():
                axes.plot(getattr(row, measure), order.index(row.dataset), "o", mfc="none",
                          mec=INK, ms=8)  # fmt: skip
        axes.set_xlabel(title)
        axes.set_xlim(left=0)
        axes.margins(x=0.12)
        axes.set_xlim(left=-0.04 * axes.get_xlim()[1])
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.grid(color=FROZEN)
    labels = [set_label(name, "\n").replace("[gray]", ", gray") for name in order]
    grid[0].set_yticks(range(len(order)), labels)
    grid[0].set_ylim(len(order) - 0.5, -0.5)
    figure.suptitle(
        "filled: against photographs of another set (each reference and seed); hollow: against "
        "its own set", fontsize=12,
    )  # fmt: skip
    return figure


@draws
def scores_by_part(table: pd.DataFrame) -> Figure:
    """Draw LogME against the AUC of a probe, a dot per part of the network, a panel per data set.

    Parameters
    ----------
    table : data/results/transferability.csv, one size per data set.
    """
    names = list(dict.fromkeys(table["dataset"]))
    figure, grid = plt.subplots(1, len(names), figsize=(3.5 * len(names), 3.9), squeeze=False)
    for axes, name in zip(grid[0], names, strict=True):
        rows = table[table["dataset"] == name]
        means = rows.groupby("part", sort=False)[["logme", "probe_auc"]].mean()
        axes.plot(means["logme"], means["probe_auc"], "-", color=FROZEN, zorder=0)
        axes.scatter(means["logme"], means["probe_auc"], c=range(len(means)), cmap="viridis_r",
                     s=70)  # fmt: skip
        for part in (means.index[0], means.index[-1]):
            axes.annotate(part, means.loc[part], xytext=(6, -12), textcoords="offset points",
                          fontsize=10)  # fmt: skip
        rank = means["logme"].corr(means["probe_auc"], method="spearman")
        title = set_label(name, "\n") + f"\nrank correlation {rank:.2f}"
        axes.set(xlabel="LogME (nats per image)", title=title)
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.margins(0.2)
    grid[0, 0].set_ylabel("test AUC of a linear probe")
    return figure


@draws
def foretold(points: pd.DataFrame, xlabel: str, ylabel: str) -> Figure:
    """Draw what was known beforehand against what was measured, a dot per cell with its interval.

    Parameters
    ----------
    points : columns ``dataset, n, x, y, lo, hi``; a colour and a marker per data set.
    """
    figure, axes = plt.subplots(figsize=(9, 4.4))
    axes.axhline(0, color="#999999", lw=1, ls=":")
    for k, (name, rows) in enumerate(points.dropna().groupby("dataset", sort=False)):
        color, marker = SET_COLORS[k % len(SET_COLORS)], MARKERS[k % len(MARKERS)]
        # Cells of one data set share their x; they stand side by side, small n first.
        width = 0.028 * (points["x"].max() - points["x"].min() or 1)
        for i, row in enumerate(rows.sort_values("n").itertuples()):
            x = row.x + (i - (len(rows) - 1) / 2) * width
            axes.plot([x, x], [row.lo, row.hi], color=color, lw=2, alpha=0.6)
            axes.plot(x, row.y, marker, color=color, ms=9, mec="white",
                      label=set_label(name, "\n") if i == 0 else None)  # fmt: skip
            axes.annotate(f"{row.n:,}", (x, row.hi), xytext=(0, 4), textcoords="offset points",
                          fontsize=10, color=color, ha="center", rotation=90)  # fmt: skip
    axes.margins(0.1)
    axes.set(xlabel=xlabel, ylabel=ylabel)
    axes.grid(axis="y", color=FROZEN)
    figure.legend(loc="outside right center", title="number: training images")
    return figure
