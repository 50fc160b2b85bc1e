"""The decision as pictures: who won in which cell, and where the usual advice held."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from helpers.plots import alt
from helpers.plots.style import ACCENT, COLORS, GRAY, INK, color_of, draws, label_of, set_label

OUTCOMES = {"wins": COLORS["full_finetune"], "loses": ACCENT, "no clear difference": GRAY,
            "not measured": "#FFFFFF"}  # fmt: skip

RIM = "#888888"
WHITE = Patch(fc="white", ec=RIM, label="not measured, or no more images")
WORDS = 12  # points; a board is as wide as a page, so they are shown about as large


@draws
def decision_map(cells: pd.DataFrame, n_arms: int = 7) -> Figure:
    """Draw who won in each measured cell, a row per data set and a column per size.

    A thick rim: the winner beats the runner-up clearly. Hatched: no clear winner. White: not
    measured yet, or there are no more images. The numbers are the margin in AUC and its 95 %
    interval over seeds and test images.

    Parameters
    ----------
    cells : table of `helpers.evidence.verdicts.Evidence`.
    n_arms : arms in the grid; a cell with fewer says how many took part.
    """
    domains = {row.dataset: row.domain for row in cells.itertuples()}
    figure, axes, at = _board(cells, domains)
    for cell in cells.itertuples():
        shared = _column(cells, cell.dataset, cell.n) != "all"  # then the column says n
        _write_cell(axes, *at(cell), cell, n_arms, size="" if shared else f"n = {cell.n:,}")
    seeds = "/".join(str(k) for k in sorted(set(cells["seeds"])))
    axes.set_xlabel(
        "training images; in a tile: the best arm and its lead in AUC over the second,\n"
        f"95 % interval over {seeds} seeds and the test images"
    )
    handles = [
        Patch(fc="#EEEEEE", ec=INK, lw=3, label="clear winner"),
        Patch(fc="#EEEEEE", ec=GRAY, hatch="///", label="no clear winner"),
    ]
    figure.legend(handles=[*handles, WHITE], loc="outside upper right", ncols=3)
    best = [f"{label_of(c.winner)}{' (clear)' * bool(c.clear)}: " + _named(c)
            for c in cells.itertuples()]  # fmt: skip
    clear = f"Clear in {cells['clear'].astype(bool).sum()} of {len(cells)} cells."
    return alt.told(figure, f"{clear} Highest on average: {'; '.join(best)}.")


def _named(cell) -> str:
    return f"{set_label(cell.dataset)}, n = {cell.n:,}"


def _write_cell(axes: Axes, x: int, y: int, cell, n_arms: int, size: str) -> None:
    if np.isnan(cell.margin):
        return _write(axes, x, y, "not measured yet", f"only {label_of(cell.winner)}\n{size}")
    color = color_of(cell.winner)
    if cell.clear:
        _box(axes, x, y, fc=_pale(color), ec=color, lw=4)
    else:
        _box(axes, x, y, fc="none", ec=_pale(color, 0.5), hatch="//", lw=1.5)
        # Hatching behind letters is hard to read, so the writing gets a calm ground.
        axes.add_patch(Rectangle((x - 0.455, y - 0.38), 0.91, 0.76, fc=_pale(color), ec="none"))
    lines = [_margin(cell.margin, cell.margin_lo, cell.margin_hi), size]
    lines += [f"{n_arms - len(cell.missing)} of {n_arms} arms so far"] if cell.missing else []
    _write(axes, x, y, label_of(cell.winner), "\n".join(filter(None, lines)))


def _write(axes: Axes, x: int, y: int, head: str, rest: str) -> None:
    """Write into a tile: dark on pale, the first line bold."""
    head = head.replace(", ", ",\n")
    y += 0.095 * (head.count("\n") - rest.strip().count("\n"))  # the whole in the tile's middle
    look = {"ha": "center", "color": INK, "fontsize": WORDS, "linespacing": 1.25}
    axes.text(x, y - 0.02, head, va="bottom", weight="bold", **look)
    axes.text(x, y + 0.02, rest.strip(), va="top", **look)


def _pale(color: str, share: float = 0.25) -> str:
    return to_hex([1 - share * (1 - part) for part in to_rgb(color)])


@draws
def lesson_map(table: pd.DataFrame) -> Figure:
    """Draw where the usual advice won, lost, or could not be told from its best opponent.

    Parameters
    ----------
    table : of `helpers.evidence.rules.against_lesson`.
    """
    likeness = {row.dataset: row.likeness for row in table.itertuples()}
    figure, axes, at = _board(table, likeness)
    for cell in table.itertuples():
        x, y = at(cell)
        color = OUTCOMES[cell.outcome]
        thick = 4 if cell.outcome in ("wins", "loses") else 1
        _box(axes, x, y, fc=_pale(color), ec=color if thick > 1 else RIM, lw=thick)
        gain = "" if np.isnan(cell.gain) else _margin(cell.gain, cell.gain_lo, cell.gain_hi)
        _write(axes, x, y, cell.outcome, gain)
    axes.set_xlabel("training images; in a tile: AUC of the best arm that follows the advice "
                    "minus the\nbest other, 95 % interval over seeds and test images")  # fmt: skip
    figure.legend(handles=[WHITE], loc="outside upper right")
    told = table["outcome"].value_counts().to_dict()
    for c in table[table["outcome"].isin(["wins", "loses"])].itertuples():
        arms = f"{label_of(c.lesson_arm)} against {label_of(c.other)}"
        told[c.outcome] = f"{told[c.outcome]}; {_named(c)} ({arms})"
    return alt.told(figure, told)


def _board(
    table: pd.DataFrame, remarks: Mapping[str, str]
) -> tuple[Figure, Axes, Callable[[object], tuple[int, int]]]:
    """Return an empty board, and a function that says in which column and row a cell lies.

    Parameters
    ----------
    table : columns ``dataset`` and ``n``, a row per cell.
    remarks : data set -> a line under its name.
    """
    found = {_column(table, row.dataset, row.n) for row in table.itertuples()}
    columns = sorted(found, key=lambda column: np.inf if column == "all" else int(column))
    names = list(dict.fromkeys(table["dataset"]))
    figure, axes = plt.subplots(figsize=(1.8 + 2.25 * len(columns), 1.6 + 1.1 * len(names)))
    for x, y in np.ndindex(len(columns), len(names)):
        _box(axes, x, y, fc="white", ec=RIM)
    axes.set_xticks(range(len(columns)), [c if c == "all" else f"{int(c):,}" for c in columns])
    labels = ["\n".join(dict.fromkeys([set_label(name, "\n"), remarks[name]])) for name in names]
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
