"""Learning-rate schedules as plain functions of the step."""

from __future__ import annotations

import math


def warmup_cosine(step: int, total: int, warmup: int, floor: float = 0.01) -> float:
    """Return the factor by which every group's peak rate is multiplied at `step`.

    It rises in a line over the first `warmup` steps, then falls along half a cosine to `floor`
    at the last step. Because it is a factor, each group keeps its own floor, a fraction of its
    own rate; ``CosineAnnealingLR`` has one ``eta_min`` for all groups.

    Parameters
    ----------
    step : 0 .. total - 1.
    total, warmup : numbers of steps, ``0 <= warmup < total``.
    floor : in 0..1.
    """
    if step < warmup:
        return (step + 1) / (warmup + 1)
    progress = (step - warmup) / max(1, total - 1 - warmup)
    return floor + (1 - floor) * (1 + math.cos(math.pi * min(1.0, progress))) / 2
