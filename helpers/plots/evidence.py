"""Arms of the measured grid as pictures: cost beside quality, curves over n, and beyond."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, NullFormatter

from helpers.plots.style import ACCENT, FROZEN, INK, color_of, draws, label_of
from helpers.plots.style import SHORT_CAVEATS as CAVEATS

LONGER = "_longer"


CLOSEST = 0.21  # of an axis of sizes, between two labels


VARIANTS = {"partial_finetune_last1", "scratch" + LONGER}  # hollow: they share a colour


ORDER = ("feature_extraction", "partial_finetune_last1", "partial_finetune", "full_finetune",
         "lp_ft", "scratch", "scratch" + LONGER)  # fmt: skip


def arm_color(arm: str) -> str:
    """Return the colour of an arm: its strategy's."""
    return color_of(arm.removesuffix(LONGER))


def arm_label(arm: str) -> str:
    """Return an arm's name for people."""
    return label_of(arm.removesuffix(LONGER)) + (", 3 x longer" if arm.endswith(LONGER) else "")


@draws
def cost_quality(arms: pd.DataFrame, title: str = "") -> Figure:
    """Draw test AUC against the seconds it took, a dot per arm with its interval over seeds.

    Parameters
    ----------
    arms : rows of one cell of `helpers.evidence.verdicts.Evidence.arms`.
    """
    arms = arms.sort_values("auc", ascending=False)
    figure, axes = plt.subplots(figsize=(9.5, 4.4))
    for row in arms.itertuples():
        axes.plot([row.seconds] * 2, [row.lo, row.hi], color=arm_color(row.arm), lw=3, alpha=0.45)
        axes.plot(row.seconds, row.auc, ls="", ms=11, **_look(row.arm))
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set(xlabel="processor seconds of a training run (log scale)", title=title)
    most = arms["seeds"].max()
    axes.set_ylabel(f"test AUC, 95 % t-interval\nover {most} seeds")
    low, high = arms["auc"].min(), arms["auc"].max()
    room = 0.02 + 0.5 * (high - low)
    axes.set_ylim(max(0, low - room), min(1, high + room))
    axes.grid(color=FROZEN)
    handles = [_sample(row.arm, ls="") for row in arms.itertuples()]
    for handle, row in zip(handles, arms.itertuples(), strict=True):
        if row.seeds < most:
            handle.set_label(f"{handle.get_label()}, {row.seeds} of {most} seeds")
    figure.legend(handles=handles, loc="outside right center", title="best first")
    return figure


def _look(arm: str) -> dict:
    color = arm_color(arm)
    return {"marker": "o", "color": color, "mec": color if arm in VARIANTS else "white",
            "mfc": "white" if arm in VARIANTS else color, "mew": 2}  # fmt: skip


def _sample(arm: str, ls: str = "-") -> Line2D:
    return Line2D([], [], ls=ls, ms=9, label=arm_label(arm), **_look(arm))


@draws
def arm_curves(arms: pd.DataFrame, mark: int | None = None, title: str = "") -> Figure:
    """Draw AUC against the number of training images, a curve per arm, a panel per data set.

    Parameters
    ----------
    arms : rows of `helpers.evidence.verdicts.Evidence.arms`.
    mark : a number of images to point at.
    """
    figure, panels = _panels(arms)
    for axes, rows in panels:
        for arm in dict.fromkeys(rows["arm"]):
            _curve(axes, arm, rows[rows["arm"] == arm].sort_values("n"))
        _size_axis(axes, sorted(set(rows["n"])), mark)
    figure.suptitle(title)
    return figure


@draws
def continued_curves(arms: pd.DataFrame, guesses: pd.DataFrame, published_from: int) -> Figure:
    """Draw the measured points and, dashed, the guesses beyond them; a panel per data set.

    Parameters
    ----------
    arms : rows of `helpers.evidence.verdicts.Evidence.arms`.
    guesses : table of `helpers.evidence.estimates.continuations`.
    published_from : from here on nothing of ours is drawn: others' results have to speak.
    """
    figure, panels = _panels(arms[arms["arm"].isin(set(guesses["arm"]))], width=5.8)
    for axes, rows in panels:
        here = guesses[guesses["dataset"] == rows["dataset"].iloc[0]]
        for arm, line in here.groupby("arm"):
            _curve(axes, arm, rows[rows["arm"] == arm].sort_values("n"))
            axes.plot(line["n"], line["auc"], "--", color=arm_color(arm), lw=1.8)
            axes.fill_between(line["n"], line["lo"], line["hi"], color=arm_color(arm), alpha=0.12)
        first, last, farthest = rows["n"].min(), rows["n"].max(), here["n"].max()
        _size_axis(axes, [first, last, published_from, 10 * published_from], None)
        axes.axvspan(last, min(farthest, published_from), color=FROZEN, alpha=0.5, lw=0)
        axes.axvspan(published_from, 10 * published_from, color="#BBBBBB", alpha=0.6, lw=0)
        axes.set_xlim(first / 1.4, 10 * published_from)
        for x, text in ((last, "a guess"), (published_from, "published\nby others")):
            axes.annotate(text, (1.15 * x, 0.03), xycoords=("data", "axes fraction"), fontsize=11)
    return figure


def set_label(name: str, separator: str = " ") -> str:
    """Return a data set's name for people, with the caveat that has to stand beside it."""
    return f"{name}{separator}({CAVEATS[name]})" if name in CAVEATS else name


def _panels(
    arms: pd.DataFrame, width: float = 4.2
) -> tuple[Figure, list[tuple[Axes, pd.DataFrame]]]:
    """Return a figure with a panel and the rows of each data set, and a legend of the arms."""
    names = list(dict.fromkeys(arms["dataset"]))
    figure, grid = plt.subplots(
        1, len(names), figsize=(max(7.5, width * len(names)), 4.4), sharey=True, squeeze=False
    )
    panels = [(axes, arms[arms["dataset"] == name])
              for axes, name in zip(grid[0], names, strict=True)]  # fmt: skip
    for (axes, _), name in zip(panels, names, strict=True):
        axes.set_title(set_label(name, "\n"))
        axes.grid(axis="y", color=FROZEN)
    seeds = "/".join(str(k) for k in sorted(set(arms["seeds"]), reverse=True))
    grid[0, 0].set_ylabel(f"test AUC, mean of {seeds} seeds,\n95 % t-interval")
    grid[0, 0].set_ylim(max(0.4, arms["auc"].min() - 0.08), 1.0)
    handles = [_sample(arm) for arm in ORDER if (arms["arm"] == arm).any()]
    figure.legend(handles=handles, loc="outside right center")
    return figure, panels


def _curve(axes: Axes, arm: str, rows: pd.DataFrame) -> None:
    # Side by side, or the intervals would hide each other.
    place = rows["n"] * 1.035 ** (ORDER.index(arm) - len(ORDER) // 2)
    axes.plot(place, rows["auc"], ms=8, lw=1.8, **_look(arm))
    axes.vlines(place, rows["lo"], rows["hi"], color=arm_color(arm), lw=2, alpha=0.45)


def _size_axis(axes: Axes, sizes: Sequence[int], mark: int | None) -> None:
    axes.set_xscale("log")
    ticks = _apart(sizes, max([*sizes, mark or 0]) / min([*sizes, mark or sizes[0]]))
    axes.set_xticks(ticks, [f"{n:,}" for n in ticks])
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("training images")
    if mark is not None:
        axes.axvline(mark, color=INK, lw=1.2, ls=":")
        left = mark > np.sqrt(sizes[0] * sizes[-1])
        axes.annotate(f"n = {mark:,}", (mark, 0.03), xycoords=("data", "axes fraction"),
                      xytext=(-4 if left else 4, 0), textcoords="offset points",
                      ha="right" if left else "left", fontsize=11)  # fmt: skip


def _apart(sizes: Sequence[int], span: float) -> list[int]:
    """Return the sizes, from the largest down, whose labels do not touch on a log axis."""
    kept: list[int] = []
    for n in sorted(sizes, reverse=True):
        if not kept or np.log(kept[-1] / n) > CLOSEST * np.log(span):
            kept.append(n)
    return kept[::-1]


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
