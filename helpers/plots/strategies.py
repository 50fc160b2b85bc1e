"""What training gave: live curves, and a table of results with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import display
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from helpers.plots import alt, layout, style
from helpers.plots.style import ACCENT, FROZEN, GRAY, INK, color_of, draws, ink_on, label_of


@draws
def learning_curves(
    histories: Mapping[str, Sequence[Mapping]], highlight: str | None = None
) -> Figure:
    """Draw training loss and validation AUC against the epoch, a colour per strategy.

    Parameters
    ----------
    histories : strategy name -> rows with ``epoch``, ``train_loss`` and ``val_auc``.
    highlight : draw this one thick and the others thin.
    """
    figure, (left, right) = layout.panels(2, 5.25, 3.6)
    ends = {}
    for name, rows in histories.items():
        epochs = [row["epoch"] for row in rows]
        look = {"label": label_of(name), "color": color_of(name), "marker": style.marker_of(name),
                "lw": {None: 2.2, name: 3.5}.get(highlight, 1.2)}  # fmt: skip
        left.plot(epochs, [r["train_loss"] for r in rows], **look)
        right.plot(epochs, [r["val_auc"] for r in rows], **look)
        if rows:
            ends[label_of(name)] = epochs[-1], rows[-1]["val_auc"], color_of(name)
    left.set(title="training", xlabel="epoch", ylabel="cross-entropy (nats)", ylim=(0, None))
    right.set(title="validation", xlabel="epoch", ylabel="AUC")
    right.axhline(0.5, color=GRAY, lw=1, ls=":")
    right.annotate("guessing", (1, 0.5), textcoords="offset points", xytext=(0, 4), fontsize=10)
    for axes in (left, right):
        axes.xaxis.get_major_locator().set_params(integer=True)
    layout.end_labels(right, ends)
    thick = f"Thick: {label_of(highlight)}." if highlight else ""
    return alt.told(figure, alt.lines_of(figure) + thick)


class LiveCurves:
    """Curves that grow while strategies train, in one place on the page.

    >>> live = LiveCurves()
    >>> training.fit(model, data, strategy, on_epoch=live.follow(strategy.name))
    """

    def __init__(self) -> None:
        self.histories: dict[str, list[dict]] = {}
        self._handle = None

    def follow(self, name: str):
        """Return a callback for ``fit(on_epoch=...)`` that draws this strategy's next epoch."""
        self.histories[name] = []

        def on_epoch(row: dict) -> None:
            self.histories[name].append(row)
            figure = learning_curves(self.histories)
            if self._handle is None:
                self._handle = display(figure, display_id=True)
            else:
                self._handle.update(figure)

        return on_epoch


RIGHT_EDGES = (1.17, 1.33, 1.66, 1.81)  # of the columns of text, in widths of the axes


@draws
def results(rows: Sequence[Mapping], title: str = "", note: str = "") -> Figure:
    """Draw the table of results: a line per strategy, its AUC as a dot with a 95 % interval.

    Parameters
    ----------
    rows : each with ``strategy``, ``trainable``, ``seconds``, ``auc``, ``auc_lo``, ``auc_hi``,
        ``accuracy``.
    note : a line under the axis, e.g. n and seeds.
    """
    figure, axes = plt.subplots(figsize=(11, 1.5 + 0.55 * len(rows)))
    heads = ("trainable", "seconds", "AUC", "accuracy")
    lines = [(-0.8, heads, {"weight": "bold", "va": "baseline"})]
    for y, row in enumerate(rows):
        lo, hi = row["auc_lo"], row["auc_hi"]
        layout.interval(axes, y, row["auc"], lo, hi, color_of(row["strategy"]), ms=11)
        written = (f"{row['trainable']:,}", f"{row['seconds']:.0f}",
                   f"{row['auc']:.3f} [{lo:.3f}, {hi:.3f}]", f"{row['accuracy']:.1%}")  # fmt: skip
        lines.append((y, written, {"va": "center"}))
    for y, written, look in lines:
        for x, text in zip(RIGHT_EDGES, written, strict=True):
            axes.text(x, y, text, transform=axes.get_yaxis_transform(), ha="right", **look)
    layout.rows_axis(axes, [label_of(row["strategy"]) for row in rows], above=1.1)
    axes.set_xlabel("test AUC, 95 % bootstrap interval" + (f"\n{note}" if note else ""))
    axes.set_title(title, loc="left")
    return alt.told(figure, {label_of(row["strategy"]): f"{row['auc']:.3f} [{row['auc_lo']:.3f}, "
                         f"{row['auc_hi']:.3f}]" for row in rows})  # fmt: skip


@draws
def intervals(
    values: Mapping[str, tuple[float, float, float]],
    xlabel: str,
    colors: Mapping[str, str] | None = None,
    reference: tuple[float, str] | None = None,
) -> Figure:
    """Draw values with their intervals, a line each.

    Parameters
    ----------
    values : name -> (value, low, high).
    xlabel : what is measured, its interval and n.
    colors : name -> colour; black where there is none.
    reference : a value to compare with, and its name, e.g. ``(0.5, "guessing")``.
    """
    figure, axes = plt.subplots(figsize=(9, 1.2 + 0.5 * len(values)))
    form = ".3f" if any(round(v, 2) == 1 > v for v, *_ in values.values()) else ".2f"
    form = "+.3f" if reference and reference[0] == 0 else form  # a difference has its sign
    for y, (name, (value, low, high)) in enumerate(values.items()):
        color = (colors or {}).get(name, INK)
        layout.interval(axes, y, value, low, high, color, ms=11)
        axes.annotate(f"{value:{form}}", (value, y - 0.22), ha="center", color=style.dark(color),
                      bbox=style.CALM)  # fmt: skip
    if reference is not None:
        axes.axvline(reference[0], color=GRAY, ls=":")
        axes.annotate(reference[1], (reference[0], -0.6), ha="center", fontsize=10, bbox=style.CALM)
    layout.rows_axis(axes, list(values), above=0.8)
    axes.set_xlabel(xlabel)
    written = [f"{name} {v:{form}}" + f" [{a:{form}}, {b:{form}}]" * bool(a < b)
               for name, (v, a, b) in values.items()]  # fmt: skip
    return alt.told(figure, {xlabel: "; ".join(written)})


@draws
def drift(before_after: Mapping[str, Sequence[float]], ylabel: str) -> Figure:
    """Draw how far the running statistics moved, a bar per BatchNorm layer, first to last.

    Parameters
    ----------
    before_after : name of the case -> one value per layer.
    """
    figure, axes = plt.subplots(figsize=(10, 3.2))
    width = 0.8 / len(before_after)
    for k, (name, values) in enumerate(before_after.items()):
        places = np.arange(len(values)) + k * width
        axes.bar(places, values, width, label=name, color=(ACCENT, INK)[k % 2])
    axes.set(xlabel="BatchNorm layer, from the image to the head", ylabel=ylabel)
    axes.set_ylim(0, 1.3 * max(max(values) for values in before_after.values()) or 1)
    axes.legend(loc="upper right")
    return alt.told(figure, {name: f"at most {max(v):.2g}" for name, v in before_after.items()})


BATCHNORM_MARKS = {"moves": "BN moves", "rests": "BN rests", "none": ""}


@draws
def strategy_map(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw one network under several strategies, a row each.

    A box is a part of the network, image on the left. Filled: it trains, and the fuller the
    colour the larger its learning rate (written in it). Pale: frozen. The mark under a box says
    what the running statistics of its BatchNorm do.

    Parameters
    ----------
    tables : name of the strategy -> table of `helpers.training.strategies.summary`.
    """
    first = next(iter(tables.values()))
    figure, axes = plt.subplots(figsize=(12, 0.9 + 1.0 * len(tables)))
    quiet = {"fontsize": 10, "color": "#555555"}
    for x, (part, parameters) in enumerate(first["parameters"].items()):
        axes.text(x, -0.95, part, ha="center", weight="bold")
        axes.text(x, -0.68, short(parameters), ha="center", **quiet)
    axes.text(-0.75, -0.68, "parameters", ha="right", **quiet)
    for y, (name, table) in enumerate(tables.items()):
        color = color_of(name)
        axes.text(-0.75, y, label_of(name), ha="right", va="center", color=style.dark(color),
                  weight="bold")  # fmt: skip
        largest = table["learning rate"].max() or 1.0
        for x, (_, part) in enumerate(table.iterrows()):
            fill, text = (FROZEN, 1.0), "frozen"
            if part["trains"]:
                rate = part["learning rate"]
                fill, text = (color, strength(rate, largest)), f"{rate:.0e}".replace("e-0", "e-")
            axes.add_patch(FancyBboxPatch(
                (x - 0.42, y - 0.3), 0.84, 0.44, facecolor=fill, edgecolor="none",
                boxstyle="round,pad=0.02,rounding_size=0.08"))  # fmt: skip
            axes.text(x, y - 0.08, text, ha="center", va="center", fontsize=11, color=ink_on(fill))
            mark = BATCHNORM_MARKS[part["batchnorm statistics"]]
            axes.text(x, y + 0.31, mark, ha="center", va="center", fontsize=9, color="#555555")
    axes.set(xlim=(-3.0, len(first) - 0.4), ylim=(len(tables) - 0.35, -1.15))
    axes.axis("off")
    return alt.told(figure, {f"{label_of(name)} trains": ", ".join(table.index[table["trains"]])
                         for name, table in tables.items()})  # fmt: skip


def strength(rate: float, largest: float) -> float:
    """Return how full a box is drawn, in 0..1: rates span decades, so by their logarithm."""
    return float(np.clip(1 + 0.22 * np.log10(rate / largest), 0.35, 1))


def short(number: int) -> str:
    """Return a number of parameters in a few characters, e.g. ``2.7 M``."""
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:.1f} {unit}"
    return str(number)
