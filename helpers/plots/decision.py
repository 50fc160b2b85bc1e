"""The decision as pictures: who won in which cell, and where the rule of thumb held."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from helpers.plots import alt
from helpers.plots.style import ACCENT, COLORS, FROZEN, GRAY, INK, color_of, draws, ink_on, label_of
from helpers.plots.style import SHORT_CAVEATS as CAVEATS

VERDICTS = {"wins": COLORS["full_finetune"], "loses": ACCENT, "no clear difference": FROZEN,
            "not measured": "#FFFFFF"}  # fmt: skip

RIM = "#888888"


@draws
def decision_map(cells: pd.DataFrame, n_arms: int = 7) -> Figure:
    """Draw who won in each measured cell, a row per data set and a column per size.

    Full colour: the winner beats the runner-up clearly. Pale and hatched: no clear winner. White:
    not measured yet, or there are no more images. The numbers are the margin in AUC and its 95 %
    interval, paired by seed, and what a run costs in processor seconds.

    Parameters
    ----------
    cells : table of `helpers.evidence.verdicts.Evidence`.
    n_arms : arms in the grid; a cell with fewer says how many took part.
    """
    domains = {row.dataset: row.domain for row in cells.itertuples()}
    figure, axes, at = _board(cells, domains, height=1.4)
    for cell in cells.itertuples():
        shared = _column(cells, cell.dataset, cell.n) != "all"  # then the column says n
        _write_cell(axes, *at(cell), cell, n_arms, size="" if shared else f"n = {cell.n:,}")
    seeds = "/".join(str(k) for k in sorted(set(cells["seeds"])))
    axes.set_xlabel(
        "training images; in a tile: the winner and its processor seconds, AUC over the runner-up "
        f"with the 95 % t-interval over {seeds} seeds;\n"
        "as good: the cheapest arm that cannot be told from the winner and loses under .01"
    )
    handles = [
        Patch(fc=RIM, ec="white", label="clear winner"),
        Patch(fc="#EEEEEE", ec=GRAY, hatch="///", label="no clear winner"),
        Patch(fc="white", ec=RIM, label="not measured, or no more images"),
    ]
    figure.legend(handles=handles, loc="outside upper right", ncols=3)
    clear = [f"{c.dataset} n = {c.n} {label_of(c.winner)}" for c in cells.itertuples() if c.clear]
    return alt.told(figure, f"Clear in {len(clear)} of {len(cells)} cells: {'; '.join(clear)}.")


def _write_cell(axes: Axes, x: int, y: int, cell, n_arms: int, size: str) -> None:
    if np.isnan(cell.margin):
        text = f"not measured yet\nonly {label_of(cell.winner)}\n{size}".strip()
        axes.text(x, y, text, ha="center", va="center", fontsize=10.5, linespacing=1.4)
        return
    color = color_of(cell.winner)
    if cell.clear:
        _box(axes, x, y, fc=color, ec="white")
    else:
        pale, hatches = (tuple(1 - share * (1 - part) for part in to_rgb(color))
                       for share in (0.28, 0.5))  # fmt: skip
        _box(axes, x, y, fc="none", ec=hatches, hatch="//", lw=1.5)
        # Hatching behind letters is hard to read, so the writing gets a calm ground.
        axes.add_patch(Rectangle((x - 0.46, y - 0.36), 0.92, 0.72, fc=pale, ec="none"))
    margin = _margin(cell.margin, cell.margin_lo, cell.margin_hi)
    lines = [f"{_seconds(cell.winner_seconds)}; {margin}"]
    if cell.choice != cell.winner:
        lines += [f"as good, {_seconds(cell.choice_seconds)}:", label_of(cell.choice)]
    taking_part = f"{n_arms - len(cell.missing)} of {n_arms} arms so far" if cell.missing else ""
    lines += [", ".join(filter(None, [size, taking_part]))] if size or taking_part else []
    ink, height = ink_on(color) if cell.clear else INK, 0.115 * (len(lines) + 1)
    axes.text(x, y - height / 2, label_of(cell.winner), ha="center", va="center", color=ink,
              weight="bold", fontsize=12)  # fmt: skip
    axes.text(x, y + 0.085, "\n".join(lines), ha="center", va="center", color=ink,
              fontsize=10.5, linespacing=1.35)  # fmt: skip


def _seconds(value: float) -> str:
    return f"{max(1, round(value)):,} s"


@draws
def lesson_map(table: pd.DataFrame) -> Figure:
    """Draw where the lesson's advice won, lost, or could not be told from its best opponent.

    Parameters
    ----------
    table : of `helpers.evidence.rules.against_lesson`.
    """
    likeness = {row.dataset: row.likeness for row in table.itertuples()}
    figure, axes, at = _board(table, likeness)
    for cell in table.itertuples():
        x, y = at(cell)
        color = VERDICTS[cell.verdict]
        _box(axes, x, y, fc=color, ec=RIM)
        ink = ink_on(color)
        axes.text(x, y - 0.24, cell.verdict, ha="center", va="center", weight="bold", color=ink)
        text = "\nagainst ".join(label_of(arm) if isinstance(arm, str) else "(not measured)"
                                 for arm in (cell.lesson_arm, cell.other))  # fmt: skip
        if cell.verdict != "not measured":
            text += f"\n{_margin(cell.gain, cell.gain_lo, cell.gain_hi)}"
        axes.text(x, y + 0.16, text, ha="center", va="center", fontsize=10.5, color=ink)
    axes.set_xlabel("training images; AUC of the lesson's arm minus the best other arm, paired "
                    "95 % t-interval over seeds")  # fmt: skip
    return alt.told(figure, table["verdict"].value_counts().to_dict())


def _board(
    table: pd.DataFrame, remarks: Mapping[str, str], height: float = 1.25
) -> tuple[Figure, Axes, Callable[[object], tuple[int, int]]]:
    """Return an empty board, and a function that says in which column and row a cell lies.

    Parameters
    ----------
    table : columns ``dataset`` and ``n``, a row per cell. height : of a row, in inches.
    remarks : data set -> a line under its name.
    """
    found = {_column(table, row.dataset, row.n) for row in table.itertuples()}
    columns = sorted(found, key=lambda column: np.inf if column == "all" else int(column))
    names = list(dict.fromkeys(table["dataset"]))
    figure, axes = plt.subplots(figsize=(1.6 + 2.75 * len(columns), 1.6 + height * len(names)))
    for x, y in np.ndindex(len(columns), len(names)):
        _box(axes, x, y, fc="white", ec=RIM)
    axes.set_xticks(range(len(columns)), [c if c == "all" else f"{int(c):,}" for c in columns])
    labels = ["\n".join([name, remarks[name], CAVEATS.get(name, "")]).strip() for name in names]
    axes.set_yticks(range(len(names)), labels)
    axes.set(xlim=(-0.55, len(columns) - 0.45), ylim=(len(names) - 0.45, -0.55))
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)

    def at(cell) -> tuple[int, int]:
        return columns.index(_column(table, cell.dataset, cell.n)), names.index(cell.dataset)

    return figure, axes, at


def _box(axes: Axes, x: int, y: int, **look) -> None:
    axes.add_patch(Rectangle((x - 0.48, y - 0.46), 0.96, 0.92, **look))


def _column(table: pd.DataFrame, dataset: str, n: int) -> str:
    """Return the column of a size: the size, or "all" for one that only this data set has."""
    own = table.loc[table["dataset"] == dataset, "n"]
    shared = (table.loc[table["n"] == n, "dataset"] != dataset).any()
    alone = table["dataset"].nunique() == 1
    return "all" if n == own.max() and not shared and not alone else f"{n}"


def _margin(mean: float, lo: float, hi: float) -> str:
    """Write a difference of AUCs and its interval as in ``+.031 [+.012, +.050]``."""
    written = [f"{value:+.3f}".replace("0.", ".", 1).replace("-", "−") for value in (mean, lo, hi)]
    return f"{written[0]} (one seed)" if np.isnan(lo) else "{} [{}, {}]".format(*written)
