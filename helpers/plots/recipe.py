"""What each step of a recipe brought."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from helpers.plots import alt, layout
from helpers.plots.style import GRAY, INK, SKY, draws, set_label


@draws
def recipe_steps(steps: Sequence, dataset: str, seeds: int) -> Figure:
    """Draw a staircase: the AUC of each option beside that of what stood before it.

    Parameters
    ----------
    steps : options from the first recipe on, each with the attributes ``name``, ``auc`` (mean over
        the seeds, on validation), ``gain`` (mean, low and high end of its difference from what
        stood before), ``core_minutes`` and ``chosen``, as `helpers.evidence.recipe.Tried` has.
    """
    figure, (axes,) = layout.panels(1, 11, 0.42 * len(steps) + 1.6)
    for row, step in enumerate(steps):
        mean, low, high = step.gain
        before = step.auc - mean
        axes.plot([before, before], [row - 0.5, row + 0.5], color=GRAY, lw=2)
        axes.plot([before + low, before + high], [row, row], color=INK, lw=2)
        axes.plot(step.auc, row, "o", ms=10, mec=INK, color=SKY if step.chosen else "white")
        axes.text(1.02, row, f"{step.auc:.3f}  {mean:+.3f}  {step.core_minutes:5.1f}", va="center",
                  transform=axes.get_yaxis_transform())  # fmt: skip
    axes.text(1.02, -0.9, "AUC    gain   minutes", va="center",
              transform=axes.get_yaxis_transform())  # fmt: skip
    axes.set(yticks=range(len(steps)), yticklabels=[step.name for step in steps],
             ylim=(len(steps) - 0.5, -0.6), title=set_label(dataset),
             xlabel=f"validation AUC, mean of {seeds} seeds (filled: chosen); gray: what stood "
                    "before;\nline: 95 % of the difference, over seeds and images")  # fmt: skip
    told = [
        f"{step.name} {step.auc:.3f}, gain {step.gain[0]:+.3f} "
        f"[{step.gain[1]:+.3f}, {step.gain[2]:+.3f}]"
        f"{', chosen' * step.chosen}, {step.core_minutes:.1f} core minutes"
        for step in steps
    ]
    return alt.told(figure, "; ".join(told) + ".")
