"""What each step of a recipe brought."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.figure import Figure

from helpers.plots import alt, layout
from helpers.plots.style import GRAY, INK, SKY, draws, set_label


class Step(NamedTuple):
    """A row of the figure: its gain with an interval, what it cost, whether it was chosen."""

    name: str
    gain: tuple[float, float, float]
    auc: float
    core_minutes: float
    chosen: bool


@draws
def recipe_steps(steps: Sequence[Step], dataset: str, seeds: int) -> Figure:
    """Draw what each step of a recipe gained over what was chosen before it.

    Parameters
    ----------
    steps : from the first recipe on; the gain is in validation AUC, its 95 % interval over seeds
        and images.
    """
    figure, (axes,) = layout.panels(1, 11, 0.42 * len(steps) + 1.6)
    axes.axvline(0, color=GRAY, lw=1)
    for row, step in enumerate(steps):
        mean, low, high = step.gain
        axes.plot([low, high], [row, row], color=INK, lw=2)
        axes.plot(mean, row, "o", ms=10, mec=INK, color=SKY if step.chosen else "white")
        axes.text(1.02, row, f"{step.auc:.3f}   {step.core_minutes:5.1f}", va="center",
                  transform=axes.get_yaxis_transform())  # fmt: skip
    axes.text(1.02, -0.9, "AUC   core min", va="center", transform=axes.get_yaxis_transform())
    axes.set(yticks=range(len(steps)), yticklabels=[step.name for step in steps],
             ylim=(len(steps) - 0.5, -0.6), title=set_label(dataset),
             xlabel="gain in validation AUC over what was chosen before; filled: chosen\n"
                    f"95 % interval over {seeds} seeds and images")  # fmt: skip
    told = [
        f"{step.name} {step.gain[0]:+.3f} [{step.gain[1]:.3f}, {step.gain[2]:.3f}]"
        f"{', chosen' * step.chosen}, {step.core_minutes:.1f} core minutes"
        for step in steps
    ]
    return alt.told(figure, "; ".join(told) + ".")
