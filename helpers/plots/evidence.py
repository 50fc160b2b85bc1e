"""Arms of the measured grid as pictures: cost beside quality, curves over n, and beyond."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, NullFormatter

from helpers.plots import alt, layout, style
from helpers.plots.style import color_of, draws, label_of, look_of, set_label

CLOSEST = 0.21  # of an axis of sizes, between two labels


@draws
def cost_quality(arms: pd.DataFrame, title: str = "") -> Figure:
    """Draw test AUC against the seconds it took, a dot per arm with its interval over seeds.

    Parameters
    ----------
    arms : rows of one cell of `helpers.evidence.verdicts.Evidence.arms`.
    """
    arms, most = arms.sort_values("auc", ascending=False), arms["seeds"].max()
    figure, axes = plt.subplots(figsize=(9.5, 4.4))
    handles = []
    for row in arms.itertuples():
        layout.interval(axes, row.seconds, row.auc, row.lo, row.hi, color_of(row.arm),
                        upright=True, lw=2,
                        **look_of(row.arm) | {"ms": 11})  # fmt: skip
        fewer = f", {row.seeds} of {most} seeds" if row.seeds < most else ""
        label = label_of(row.arm) + fewer
        handles.append(Line2D([], [], ls="", ms=9, label=label, **look_of(row.arm)))
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set(xlabel="processor seconds of a training run (log scale)", title=title)
    low, high = arms["auc"].min(), arms["auc"].max()
    room = 0.02 + 0.5 * (high - low)
    axes.set_ylim(max(0, low - room), min(1, high + room))
    cut = " (cut below)" * bool(arms["lo"].min() < axes.get_ylim()[0])
    axes.set_ylabel(f"test AUC, 95 % t-interval\nover {most} seeds{cut}")
    axes.grid(color=style.FROZEN)
    figure.legend(handles=handles, loc="outside right center", title="best first")
    written = (f"{label_of(a.arm)} {a.auc:.3f} ({a.seconds:.0f} s)" for a in arms.itertuples())
    return alt.told(figure, f"Best first: {', '.join(written)}.")


@draws
def arm_curves(arms: pd.DataFrame, mark: int | None = None, title: str = "") -> Figure:
    """Draw AUC against the number of training images, a curve per arm, a panel per data set.

    Parameters
    ----------
    arms : rows of `helpers.evidence.verdicts.Evidence.arms`.
    mark : a number of images to point at.
    """
    figure, sets = _set_panels(arms)
    for axes, rows in sets:
        for arm in dict.fromkeys(rows["arm"]):
            _curve(axes, arm, rows)
        sizes = sorted(set(rows["n"]))
        every = sizes if mark is None else [*sizes, mark]
        layout.size_axis(axes, sizes, (max(every) / min(every)) ** CLOSEST)
        axes.set_xlabel("training images\n(moved apart to be seen)")
        if mark is not None:
            axes.axvline(mark, color=style.INK, lw=1.2, ls=":")
            left = mark > np.sqrt(sizes[0] * sizes[-1])
            axes.annotate(f"n = {mark:,}", (mark, 0.03), xycoords=("data", "axes fraction"),
                          xytext=(-4 if left else 4, 0), textcoords="offset points",
                          ha="right" if left else "left", fontsize=11)  # fmt: skip
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
    figure, sets = _set_panels(arms[arms["arm"].isin(set(guesses["arm"]))], width=5.8)
    for axes, rows in sets:
        here = guesses[guesses["dataset"] == rows["dataset"].iloc[0]]
        for arm, line in here.groupby("arm"):
            _curve(axes, arm, rows)
            axes.plot(line["n"], line["auc"], "--", color=color_of(arm), lw=1.8)
            axes.fill_between(line["n"], line["lo"], line["hi"], fc=(color_of(arm), 0.12),
                              ec=style.dark(color_of(arm)), lw=0.6)  # fmt: skip
        first, last, end = rows["n"].min(), rows["n"].max(), 10 * published_from
        layout.size_axis(axes, [first, last, published_from, end], (end / first) ** CLOSEST)
        guessed_to = min(here["n"].max(), published_from)
        axes.axvspan(last, guessed_to, color=style.FROZEN, alpha=0.5, lw=0)
        axes.axvspan(published_from, end, color="#BBBBBB", alpha=0.6, lw=0)
        axes.set_xlim(first / 1.4, end)
        for x, text in ((last, "a guess"), (published_from, "published\nby others")):
            axes.annotate(text, (1.15 * x, 0.03), xycoords=("data", "axes fraction"), fontsize=11)
    return figure


def _set_panels(
    arms: pd.DataFrame, width: float = 4.2
) -> tuple[Figure, list[tuple[Axes, pd.DataFrame]]]:
    """Return a figure with a panel and the rows of each data set, and a legend of the arms."""
    names = list(dict.fromkeys(arms["dataset"]))
    figure, row = layout.panels(len(names), max(7.5 / len(names), width), 4.4, sharey=True)
    for axes, name in zip(row, names, strict=True):
        axes.set_title(set_label(name, "\n"))
        axes.grid(axis="y", color=style.FROZEN)
    seeds = "/".join(str(k) for k in sorted(set(arms["seeds"]), reverse=True))
    cut = " (cut at 1)" * bool(arms["hi"].max() > 1)
    row[0].set_ylabel(f"test AUC, mean of {seeds} seeds,\n95 % t-interval{cut}")
    lowest = arms[["auc", "lo"]].min(axis=None)
    row[0].set_ylim(max(0, lowest - 0.03), 1.0)  # no AUC is above 1
    handles = [Line2D([], [], ms=9, label=label_of(arm), **look_of(arm))
               for arm in style.ARMS if (arms["arm"] == arm).any()]  # fmt: skip
    figure.legend(handles=handles, loc="outside right center")
    return figure, [(axes, arms[arms["dataset"] == name])
                    for axes, name in zip(row, names, strict=True)]  # fmt: skip


def _curve(axes: Axes, arm: str, rows: pd.DataFrame) -> None:
    rows = rows[rows["arm"] == arm].sort_values("n")
    # Side by side, or the intervals would hide each other.
    place = rows["n"] * 1.035 ** (style.ARMS.index(arm) - len(style.ARMS) // 2)
    axes.plot(place, rows["auc"], ms=8, lw=1.8, label=label_of(arm), **look_of(arm))
    axes.vlines(place, rows["lo"], rows["hi"], color=color_of(arm), lw=1.6)


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
    labels = ["gray " * name.endswith("[gray]") + set_label(name.removesuffix("[gray]"), "\n")
              for name in order]  # fmt: skip
    figure, row = layout.panels(4, 3.25, 1.4 + 0.5 * len(order), sharey=True)
    for axes, (measure, title) in zip(row, DISTANCES.items(), strict=True):
        for line, itself in zip(table.itertuples(), own, strict=True):
            if itself and measure == "batchnorm_shift":
                continue  # it compares with ImageNet, whatever the reference
            look = {"marker": "o", "color": style.ACCENT, "mec": "white"}
            if itself:
                marker = "D" if line.dataset.endswith("[gray]") else "o"
                look = {"marker": marker, "mfc": "none", "color": style.INK}
            axes.plot(getattr(line, measure), order.index(line.dataset), ms=8, **look)
        axes.set_xlabel(title)
        right = axes.get_xlim()[1]
        axes.set_xlim(-0.04 * right, right)
        axes.xaxis.set_major_locator(MaxNLocator(4))
        layout.rows_axis(axes, labels)
        axes.grid(color=style.FROZEN)
    figure.suptitle(
        "filled: against photographs of another set (each reference and seed); hollow: against "
        "its own set (diamond: gray against colour)", fontsize=12,
    )  # fmt: skip
    return alt.told(figure, f"By distance of the means, near to far: {', '.join(labels)}.")


@draws
def scores_by_part(table: pd.DataFrame) -> Figure:
    """Draw LogME against the AUC of a probe, a dot per part of the network, a panel per data set.

    Parameters
    ----------
    table : data/results/transferability.csv, one size per data set.
    """
    names = list(dict.fromkeys(table["dataset"]))
    figure, row = layout.panels(len(names), 3.5, 3.9)
    for axes, name in zip(row, names, strict=True):
        rows = table[table["dataset"] == name]
        means = rows.groupby("part", sort=False)[["logme", "probe_auc"]].mean()
        axes.plot(means["logme"], means["probe_auc"], "-", color=style.FROZEN, zorder=0)
        axes.scatter(means["logme"], means["probe_auc"], c=range(len(means)), cmap="viridis_r",
                     ec=style.INK, s=70)  # fmt: skip
        for part in means.index:
            axes.annotate(part.removeprefix("stage"), means.loc[part], xytext=(6, -12),
                          textcoords="offset points", fontsize=10)  # fmt: skip
        rank = means["logme"].corr(means["probe_auc"], method="spearman")
        title = set_label(name, "\n") + f"\nrank correlation {rank:.2f}"
        axes.set(xlabel="LogME (nats per image)", title=title)
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.margins(0.2)
    row[0].set_ylabel("test AUC of a linear probe\n(at a dot: which stage)")
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
    figure, row = layout.panels(len(titles), 2.7, 3.9, extra=1.6, sharex=True, sharey=True)
    for axes, title in zip(row, titles, strict=True):
        axes.axhline(0, color=style.GRAY, lw=1, ls=":")
        for dot in points[points["panel"] == title].itertuples():
            color, marker = style.set_look(dot.dataset, names.index(dot.dataset))
            layout.interval(axes, dot.x, dot.y, dot.lo, dot.hi, color, upright=True, lw=2,
                            marker=marker, label=set_label(dot.dataset, "\n"))  # fmt: skip
        axes.set_title(title)
        axes.margins(0.15)
        axes.grid(axis="y", color=style.FROZEN)
    row[0].set_ylabel(ylabel)
    figure.supxlabel(xlabel)
    layout.legend_outside(figure)
    dots = [f"{set_label(d.dataset)}, {d.panel}" for d in points[points["lo"] > 0].itertuples()]
    where = f"for {'; '.join(dots)}; for no other dot" if dots else "for no dot"
    return alt.told(figure, f"The interval lies above 0 {where}.")
