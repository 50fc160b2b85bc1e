"""What training gave: live curves, and a table of results with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
from IPython.display import display
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from helpers.plots.style import ACCENT, FROZEN, INK, color_of, draws, label_of


@draws
def learning_curves(
    histories: Mapping[str, Sequence[Mapping]], highlight: str | None = None
) -> Figure:
    """Draw training loss and validation AUC against the epoch, a colour per strategy.

    Parameters
    ----------
    histories : strategy name -> rows with ``epoch``, ``train_loss`` and ``val_auc``.
    highlight : draw this one in full colour and the others faintly.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(10.5, 3.6))
    for name, rows in histories.items():
        faint = highlight is not None and name != highlight
        epochs = [row["epoch"] for row in rows]
        look = {"color": color_of(name), "marker": "o", "alpha": 0.25 if faint else 1.0}
        left.plot(epochs, [r["train_loss"] for r in rows], label=label_of(name), **look)
        right.plot(epochs, [r["val_auc"] for r in rows], **look)
    left.set(title="training", xlabel="epoch", ylabel="cross-entropy (nats)", ylim=(0, None))
    right.set(title="validation", xlabel="epoch", ylabel="AUC")
    right.axhline(0.5, color="#999999", lw=1, ls=":")
    right.annotate("guessing", (1, 0.5), textcoords="offset points", xytext=(0, 4), fontsize=10)
    for axes in (left, right):
        axes.xaxis.get_major_locator().set_params(integer=True)
    if histories:
        figure.legend(*left.get_legend_handles_labels(), loc="outside right center")
    return figure


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
            self._draw()

        return on_epoch

    def _draw(self) -> None:
        figure = learning_curves(self.histories)
        if self._handle is None:
            self._handle = display(figure, display_id=True)
        else:
            self._handle.update(figure)


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
    for y, row in enumerate(rows):
        _result_line(axes, y, row)
    axes.set_yticks(range(len(rows)), [label_of(row["strategy"]) for row in rows])
    axes.set_ylim(len(rows) - 0.4, -1.1)
    axes.set_xlabel("test AUC, 95 % bootstrap interval" + (f"\n{note}" if note else ""))
    axes.set_title(title, loc="left")
    axes.grid(axis="x", color=FROZEN)
    for x, head in zip(COLUMNS_AT, ("trainable", "seconds", "AUC", "accuracy"), strict=True):
        axes.text(x, -0.8, head, transform=axes.get_yaxis_transform(), ha="right", weight="bold")
    return figure


COLUMNS_AT = (1.17, 1.3, 1.63, 1.78)  # right edges of the text columns, in widths of the axes


def _result_line(axes: Axes, y: int, row: Mapping) -> None:
    color = color_of(row["strategy"])
    axes.plot([row["auc_lo"], row["auc_hi"]], [y, y], color=color, lw=4, solid_capstyle="round")
    axes.plot(row["auc"], y, "o", color=color, ms=11, mec="white", mew=1.5)
    texts = (
        f"{row['trainable']:,}",
        f"{row['seconds']:.0f}",
        f"{row['auc']:.3f} [{row['auc_lo']:.3f}, {row['auc_hi']:.3f}]",
        f"{row['accuracy']:.1%}",
    )
    for x, text in zip(COLUMNS_AT, texts, strict=True):
        axes.text(x, y, text, transform=axes.get_yaxis_transform(), ha="right", va="center")


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
    is_difference = reference is not None and reference[0] == 0
    form = "+.3f" if is_difference else ".2f"
    for y, (name, (value, low, high)) in enumerate(values.items()):
        color = (colors or {}).get(name, INK)
        axes.plot([low, high], [y, y], color=color, lw=4, solid_capstyle="round")
        axes.plot(value, y, "o", color=color, ms=11, mec="white", mew=1.5)
        axes.annotate(f"{value:{form}}", (value, y - 0.22), ha="center", color=color)
    if reference is not None:
        axes.axvline(reference[0], color="#999999", ls=":")
        axes.annotate(reference[1], (reference[0], -0.6), ha="center", fontsize=10)
    axes.set_yticks(range(len(values)), list(values))
    axes.set(xlabel=xlabel, ylim=(len(values) - 0.5, -0.8))
    axes.grid(axis="x", color=FROZEN)
    return figure


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
        positions = [i + k * width for i in range(len(values))]
        axes.bar(positions, values, width, label=name, color=(ACCENT, INK)[k % 2])
    axes.set(xlabel="BatchNorm layer, from the image to the head", ylabel=ylabel)
    axes.set_ylim(0, 1.3 * max(max(values) for values in before_after.values()) or 1)
    axes.legend(loc="upper right")
    return figure
