"""What a minute buys: the best measured arm within a budget of core seconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from helpers.evidence.verdicts import ahead, means
from helpers.plots.style import label_of
from helpers.training.metrics import Interval

SECONDS = (10, 30, 60, 120, 300)  # core seconds of a training


class Bought(NamedTuple):
    """The best arm within a budget of core seconds; its lead over what the smallest one buys."""

    budget: int
    arm: str
    auc: float
    lead: Interval


def bought(
    auc: Mapping[str, Mapping[int, float]], by_image: Mapping[str, float],
    seconds: Mapping[str, float],
) -> list[Bought]:  # fmt: skip
    """Return what each of `SECONDS` buys, from AUCs by arm and seed; those that buy none left out.

    The arms are picked by the AUC they are told by, so this says what was to be had, not how to
    choose.
    """
    mean, found = means(auc), []
    for budget in SECONDS:
        within = [arm for arm in auc if seconds[arm] <= budget]
        if within:
            best = max(within, key=mean.get)
            first = found[0].arm if found else best
            lead = Interval(0, 0, 0) if best == first else ahead(auc, by_image, best, first)
            found.append(Bought(budget, best, mean[best], lead))
    return found


def budget_table(rows: Sequence[Bought]) -> pd.DataFrame:
    """Return what each budget buys as text for a report; one that buys nothing new is left out."""
    rows = [
        row for row, before in zip(rows, [None, *rows], strict=False)
        if before is None or row.arm != before.arm
    ]  # fmt: skip
    return pd.DataFrame({
        "core seconds, up to": [row.budget for row in rows],
        "strategy": [label_of(row.arm) for row in rows],
        "AUC": [f"{row.auc:.3f}" for row in rows],
        "minus the first": [f"{row.lead.mean:+.3f}" for row in rows],
        "95 %": ["" if row is rows[0] else f"{row.lead.lo:+.3f} to {row.lead.hi:+.3f}"
                 for row in rows],
    })  # fmt: skip
