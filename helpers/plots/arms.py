"""Arms of the measured grid as pictures: cost beside quality, curves over n, and beyond."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter

from helpers.datasets.known import SHORT_CAVEATS as CAVEATS
from helpers.plots.style import FROZEN, INK, color_of, draws, label_of

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
    arms : rows of one cell of `helpers.verdicts.Evidence.arms`.
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
    arms : rows of `helpers.verdicts.Evidence.arms`.
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
    arms : rows of `helpers.verdicts.Evidence.arms`.
    guesses : table of `helpers.estimates.continuations`.
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
