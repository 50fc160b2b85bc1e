"""A network as a row of boxes: what trains, at which rate, and where BatchNorm rests."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from helpers.plots.style import FROZEN, INK, color_of, draws, label_of


@draws
def strategy_map(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw one network under several strategies, a row each.

    A box is a part of the network, image on the left. Filled: it trains, and the fuller the
    colour the larger its learning rate (written in it). Pale: frozen. The mark under a box says
    what the running statistics of its BatchNorm do.

    Parameters
    ----------
    tables : name of the strategy -> table of `helpers.strategies.summary`.
    """
    first = next(iter(tables.values()))
    figure, axes = plt.subplots(figsize=(12, 0.9 + 1.0 * len(tables)))
    for y, (name, table) in enumerate(tables.items()):
        _strategy_row(axes, y, name, table)
    for x, (part, parameters) in enumerate(first["parameters"].items()):
        axes.text(x, -0.95, part, ha="center", weight="bold")
        axes.text(x, -0.68, short(parameters), ha="center", fontsize=10, color="#555555")
    axes.text(-0.75, -0.68, "parameters", ha="right", fontsize=10, color="#555555")
    axes.set(xlim=(-3.0, len(first) - 0.4), ylim=(len(tables) - 0.35, -1.15))
    axes.axis("off")
    return figure


def _strategy_row(axes: Axes, y: int, name: str, table: pd.DataFrame) -> None:
    color = color_of(name)
    axes.text(-0.75, y, label_of(name), ha="right", va="center", color=color, weight="bold")
    largest = table["learning rate"].max() or 1.0
    for x, (_, part) in enumerate(table.iterrows()):
        trains, rate = bool(part["trains"]), part["learning rate"]
        fill = strength(rate, largest) if trains else 1.0
        box = FancyBboxPatch(
            (x - 0.42, y - 0.3), 0.84, 0.44, boxstyle="round,pad=0.02,rounding_size=0.08",
            facecolor=color if trains else FROZEN, alpha=fill, edgecolor="none",
        )  # fmt: skip
        axes.add_patch(box)
        text = f"{rate:.0e}".replace("e-0", "e-") if trains else "frozen"
        axes.text(x, y - 0.08, text, ha="center", va="center", fontsize=11,
                  color=_readable_on(color if trains else FROZEN, fill))  # fmt: skip
        mark = {"moves": "BN moves", "rests": "BN rests", "none": ""}
        axes.text(x, y + 0.31, mark[part["batchnorm statistics"]], ha="center", va="center",
                  fontsize=9, color="#555555")  # fmt: skip


def _readable_on(color: str, alpha: float) -> str:
    """Return dark or white ink, whichever stands out on `color` over a white page."""
    red, green, blue = (1 - alpha + alpha * part for part in to_rgb(color))
    return INK if 0.299 * red + 0.587 * green + 0.114 * blue > 0.55 else "white"


def strength(rate: float, largest: float) -> float:
    """Return how full a box is drawn, in 0..1: rates span decades, so by their logarithm."""
    return float(np.clip(1 + 0.22 * np.log10(rate / largest), 0.35, 1))


def short(number: int) -> str:
    """Return a number of parameters in a few characters, e.g. ``2.7 M``."""
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:.1f} {unit}"
    return str(number)
