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
    other images of the same set: what "no distance" looks like under that measure. Hollow diamonds
    compare gray photographs with those of the same set in colour: what the colour alone is worth.

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
            for row in table[own].itertuples():
                marker = "D" if row.dataset.endswith("[gray]") else "o"
                axes.plot(getattr(row, measure), order.index(row.dataset), marker, mfc="none",
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
        "its own set (diamond: gray against colour)", fontsize=12,
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
    points : columns ``dataset, panel, x, y, lo, hi``; a colour and a marker per data set, a panel
        per value of ``panel``.
    """
    points, names = points.dropna(), list(dict.fromkeys(points["dataset"]))
    titles = list(dict.fromkeys(points["panel"]))
    figure, grid = plt.subplots(1, len(titles), figsize=(1.6 + 2.7 * len(titles), 3.9),
                                sharex=True, sharey=True, squeeze=False)  # fmt: skip
    for axes, title in zip(grid[0], titles, strict=True):
        axes.axhline(0, color="#999999", lw=1, ls=":")
        for row in points[points["panel"] == title].itertuples():
            k = names.index(row.dataset)
            color, marker = SET_COLORS[k % len(SET_COLORS)], MARKERS[k % len(MARKERS)]
            axes.plot([row.x] * 2, [row.lo, row.hi], color=color, lw=3, alpha=0.45)
            axes.plot(row.x, row.y, marker, color=color, ms=10, mec="white",
                      label=set_label(row.dataset, "\n"))  # fmt: skip
        axes.set_title(title)
        axes.margins(0.15)
        axes.grid(axis="y", color=FROZEN)
    grid[0, 0].set_ylabel(ylabel)
    figure.supxlabel(xlabel)
    samples = {
        label: handle
        for axes in grid[0]
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(samples.values(), samples, loc="outside right center")
    return figure
