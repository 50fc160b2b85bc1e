"""Figures of the interview room: what will be known on the day, topic by topic."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from helpers.plots import alt, layout
from helpers.plots.style import FROZEN, INK, SKY, draws


@draws
def readiness(table: pd.DataFrame, day: str) -> Figure:
    """Draw how many cards of each topic will be known on the day, were seen, and are there.

    Parameters
    ----------
    table : of `helpers.practice.schedule.Schedule.readiness`. day : for the axis.
    """
    figure, (axes,) = layout.panels(1, 8, 1 + 0.42 * len(table))
    known = table["ready"] * table["items"]
    for label, numbers, color in (("all cards", table["items"], "white"),
                                  ("seen", table["seen"], FROZEN),
                                  ("expected to be known", known, SKY)):  # fmt: skip
        axes.barh(range(len(table)), numbers, color=color, ec=INK, lw=1, label=label)
    layout.rows_axis(axes, list(table.index))
    axes.set_xlabel(f"cards; known: expected on {day} without another look")
    layout.legend_outside(figure)
    rows = zip(table.index, known, table["items"], table["seen"], strict=True)
    return alt.told(figure, {topic: f"{n_known:.0f} of {n} cards, {seen} seen"
                             for topic, n_known, n, seen in rows})  # fmt: skip


@draws
def forgetting(curves: dict[str, tuple[list[float], list[float]]], day: float) -> Figure:
    """Draw the probability of recall against the days, a line per way to repeat.

    Parameters
    ----------
    curves : label -> days ``(N,)`` and probabilities ``(N,)``. day : of the interview.
    """
    figure, (axes,) = layout.panels(1, 8, 3.8)
    for (label, (days, recall)), color, style in zip(
        curves.items(), (INK, SKY), ("--", "-"), strict=True
    ):
        axes.plot(days, recall, style, color=color, label=label)
    axes.axvline(day, color=INK, ls=":")
    axes.set(xlabel="days from now (dotted: the interview)", ylabel="probability of recall",
             ylim=(0.5, 1.02))  # fmt: skip
    axes.legend(loc="lower left")
    ends = {label: f"{recall[-1]:.2f} on day {day:g}" for label, (_, recall) in curves.items()}
    return alt.told(figure, ends)
