"""The decision as pictures: who won where, at which price, and what similarity foretold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import NullFormatter

from helpers.plots.style import ACCENT, COLORS, FROZEN, INK, color_of, draws, label_of

LONGER = "_longer"
VARIANTS = {"partial_finetune_last1", "scratch" + LONGER}  # hollow: they share a colour
ORDER = ("feature_extraction", "partial_finetune_last1", "partial_finetune", "full_finetune",
         "lp_ft", "scratch", "scratch" + LONGER)  # fmt: skip
VERDICTS = {"wins": COLORS["full_finetune"], "loses": ACCENT, "no clear difference": FROZEN,
            "not measured": "#FFFFFF"}  # fmt: skip


def arm_color(arm: str) -> str:
    """Return the colour of an arm: its strategy's."""
    return color_of(arm.removesuffix(LONGER))


def arm_label(arm: str) -> str:
    """Return an arm's name for people."""
    return label_of(arm.removesuffix(LONGER)) + (", 3 x longer" if arm.endswith(LONGER) else "")


@draws
def decision_map(cells: pd.DataFrame, n_arms: int = 7) -> Figure:
    """Draw who won in each measured cell, a row per data set and a column per size.

    Full colour: the winner beats the runner-up clearly. Pale and hatched: no clear winner. The
    numbers are the margin in AUC and its 95 % interval, paired by seed.

    Parameters
    ----------
    cells : table of `helpers.verdicts.Evidence`.
    n_arms : arms in the grid; a cell with fewer says how many took part.
    """
    columns, names = _columns(cells), list(dict.fromkeys(cells["dataset"]))
    figure, axes = plt.subplots(figsize=(1.6 + 2.75 * len(columns), 1.6 + 1.25 * len(names)))
    for cell in cells.itertuples():
        x, y = columns.index(_column(cells, cell.dataset, cell.n)), names.index(cell.dataset)
        _tile(axes, x, y, arm_color(cell.winner), cell.clear)
        lines = _tile_lines(cell, n_arms)
        ink = _ink_on(arm_color(cell.winner)) if cell.clear else INK
        axes.text(x, y - 0.24, arm_label(cell.winner), ha="center", va="center", color=ink,
                  weight="bold", fontsize=12)  # fmt: skip
        axes.text(x, y + 0.13, "\n".join(lines), ha="center", va="center", color=ink,
                  fontsize=10.5, linespacing=1.4)  # fmt: skip
    _grid_axes(axes, columns, names, {row.dataset: row.domain for row in cells.itertuples()})
    seeds = "/".join(str(k) for k in sorted(set(cells["seeds"])))
    axes.set_xlabel(
        f"training images; numbers: AUC over the runner-up, 95 % t-interval over {seeds} seeds;\n"
        "as good: the cheapest arm that cannot be told from the winner and loses under .01"
    )
    handles = [Patch(fc="#BBBBBB", ec="white", label="clear winner"),
               Patch(fc="#EEEEEE", ec="#999999", hatch="///", label="no clear winner")]  # fmt: skip
    figure.legend(handles=handles, loc="outside upper right", ncols=2)
    return figure


def _tile_lines(cell, n_arms: int) -> list[str]:
    taking_part = n_arms - len(cell.missing)
    lines = ["nothing to compare with" if np.isnan(cell.margin) else _margin(
        cell.margin, cell.margin_lo, cell.margin_hi)]  # fmt: skip
    if cell.choice != cell.winner:
        lines.append(f"as good: {arm_label(cell.choice)}")
    arms = f", {taking_part} of {n_arms} arms" if taking_part < n_arms else ""
    return [*lines, f"n = {cell.n:,}{arms}"]


@draws
def lesson_map(table: pd.DataFrame) -> Figure:
    """Draw where the lesson's advice won, lost, or could not be told from its best opponent.

    Parameters
    ----------
    table : of `helpers.rules.against_lesson`.
    """
    columns, names = _columns(table), list(dict.fromkeys(table["dataset"]))
    figure, axes = plt.subplots(figsize=(1.6 + 2.75 * len(columns), 1.6 + 1.25 * len(names)))
    for cell in table.itertuples():
        x, y = columns.index(_column(table, cell.dataset, cell.n)), names.index(cell.dataset)
        color = VERDICTS[cell.verdict]
        axes.add_patch(Rectangle((x - 0.48, y - 0.46), 0.96, 0.92, fc=color, ec="#BBBBBB"))
        ink = _ink_on(color)
        axes.text(x, y - 0.24, cell.verdict, ha="center", va="center", weight="bold", color=ink)
        if cell.verdict != "not measured":
            text = (f"{arm_label(cell.lesson_arm)}\nagainst {arm_label(cell.other)}\n"
                    f"{_margin(cell.gain, cell.gain_lo, cell.gain_hi)}")  # fmt: skip
            axes.text(x, y + 0.16, text, ha="center", va="center", fontsize=10.5, color=ink)
    _grid_axes(axes, columns, names, {})
    axes.set_xlabel("training images; AUC of the lesson's arm minus the best other arm, paired "
                    "95 % t-interval over seeds")  # fmt: skip
    return figure


def _columns(table: pd.DataFrame) -> list[str]:
    found = {_column(table, row.dataset, row.n) for row in table.itertuples()}
    numbers = sorted(int(c) for c in found if c != "all")
    return [f"{n}" for n in numbers] + ["all"] * ("all" in found)


def _column(table: pd.DataFrame, dataset: str, n: int) -> str:
    """Return the column of a size: the size, or "all" for one that only this data set has."""
    own = table.loc[table["dataset"] == dataset, "n"]
    shared = (table.loc[table["n"] == n, "dataset"] != dataset).any()
    alone = table["dataset"].nunique() == 1
    return "all" if n == own.max() and not shared and not alone else f"{n}"


def _tile(axes: Axes, x: int, y: int, color: str, clear: bool) -> None:
    box = dict(xy=(x - 0.48, y - 0.46), width=0.96, height=0.92)
    if clear:
        axes.add_patch(Rectangle(**box, fc=color, ec="white"))
        return
    pale = tuple(0.72 + 0.28 * part for part in to_rgb(color))
    lines = tuple(0.5 + 0.5 * part for part in to_rgb(color))
    axes.add_patch(Rectangle(**box, fc="none", ec=lines, hatch="//", lw=1.5))
    # Hatching behind letters is hard to read, so the writing gets a calm ground.
    axes.add_patch(Rectangle((x - 0.46, y - 0.36), 0.92, 0.72, fc=pale, ec="none"))


def _grid_axes(axes: Axes, columns: list[str], names: list[str], domains: Mapping) -> None:
    axes.set_xticks(range(len(columns)), [c if c == "all" else f"{int(c):,}" for c in columns])
    labels = [f"{name}\n{domains[name]}" if name in domains else name for name in names]
    axes.set_yticks(range(len(names)), labels)
    axes.set(xlim=(-0.55, len(columns) - 0.45), ylim=(len(names) - 0.45, -0.55))
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _margin(mean: float, lo: float, hi: float) -> str:
    bounds = f" [{_short(lo)}, {_short(hi)}]" if not np.isnan(lo) else " (one seed)"
    return _short(mean) + bounds


def _short(value: float) -> str:
    return f"{value:+.3f}".replace("0.", ".", 1).replace("-", "−")


def _ink_on(color: str) -> str:
    red, green, blue = to_rgb(color)
    return INK if 0.299 * red + 0.587 * green + 0.114 * blue > 0.5 else "white"


@draws
def cost_quality(arms: pd.DataFrame, title: str = "") -> Figure:
    """Draw test AUC against the seconds it took, a dot per arm with its interval over seeds.

    Parameters
    ----------
    arms : rows of one cell of `helpers.verdicts.Evidence.arms`.
    """
    figure, axes = plt.subplots(figsize=(9.5, 4.4))
    for row in arms.itertuples():
        axes.plot([row.seconds] * 2, [row.lo, row.hi], color=arm_color(row.arm), lw=3, alpha=0.45)
        axes.plot(row.seconds, row.auc, ls="", ms=11, **_look(row.arm), label=arm_label(row.arm))
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set(xlabel="processor seconds of a training run (log scale)", title=title)
    axes.set_ylabel(f"test AUC, 95 % t-interval\nover {arms['seeds'].max()} seeds")
    low, high = arms["auc"].min(), arms["auc"].max()
    room = 0.02 + 0.5 * (high - low)
    axes.set_ylim(max(0, low - room), min(1, high + room))
    axes.grid(color=FROZEN)
    handles = [_sample(arm, ls="") for arm in arms.sort_values("auc", ascending=False)["arm"]]
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
    names = list(dict.fromkeys(arms["dataset"]))
    figure, grid = plt.subplots(
        1, len(names), figsize=(max(7.5, 4.2 * len(names)), 4.4), sharey=True, squeeze=False
    )
    for axes, name in zip(grid[0], names, strict=True):
        rows = arms[arms["dataset"] == name]
        for arm in dict.fromkeys(arms["arm"]):
            _curve(axes, arm, rows[rows["arm"] == arm].sort_values("n"))
        _size_axis(axes, sorted(set(rows["n"])), mark)
        axes.set_title(name)
        axes.grid(axis="y", color=FROZEN)
    grid[0, 0].set_ylabel(f"test AUC, mean of {arms['seeds'].max()} seeds,\n95 % t-interval")
    grid[0, 0].set_ylim(max(0.4, arms["auc"].min() - 0.08), 1.0)
    handles = [_sample(arm) for arm in ORDER if (arms["arm"] == arm).any()]
    figure.legend(handles=handles, loc="outside right center")
    figure.suptitle(title)
    return figure


def _curve(axes: Axes, arm: str, rows: pd.DataFrame) -> None:
    # Side by side, or the intervals would hide each other.
    place = rows["n"] * 1.035 ** (ORDER.index(arm) - len(ORDER) // 2)
    axes.plot(place, rows["auc"], ms=8, lw=1.8, **_look(arm))
    axes.vlines(place, rows["lo"], rows["hi"], color=arm_color(arm), lw=2, alpha=0.45)


def _size_axis(axes: Axes, sizes: Sequence[int], mark: int | None) -> None:
    axes.set_xscale("log")
    axes.set_xticks(sizes, [f"{n:,}" for n in sizes])
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("training images")
    if mark is not None:
        axes.axvline(mark, color=INK, lw=1.2, ls=":")
        left = mark > np.sqrt(sizes[0] * sizes[-1])
        axes.annotate(f"n = {mark:,}", (mark, 0.03), xycoords=("data", "axes fraction"),
                      xytext=(-4 if left else 4, 0), textcoords="offset points",
                      ha="right" if left else "left", fontsize=11)  # fmt: skip
