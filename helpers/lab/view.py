"""What of a race is shown: plain rows for the table and the curves."""

from __future__ import annotations

from collections.abc import Sequence

from helpers.lab.lanes import Lane
from helpers.lab.state import Lab
from helpers.plots.lab import dashes

SCORES = ("auc", "auc_lo", "auc_hi", "accuracy", "trainable", "seconds")


def rows(lanes: Sequence[Lane]) -> list[dict]:
    """Return a row per arm as `helpers.plots.lab.table` and `curves` take them."""
    patterns = dashes([lane.arm.strategy for lane in lanes])
    return [_row(lane, dash) for lane, dash in zip(lanes, patterns, strict=True)]


def _row(lane: Lane, dash: str) -> dict:
    result = lane.result
    return {
        "arm": lane.label, "strategy": lane.arm.strategy, "dash": dash, "words": lane.words,
        "source": result.source if result else None, "share": lane.share, "note": lane.note,
        "history": lane.history,
        **{name: getattr(result, name) if result else None for name in SCORES},
    }  # fmt: skip


def preview(lab: Lab) -> list[dict]:
    """Return rows for the race that is set up, before it runs."""
    setup = lab.setup
    return rows([
        Lane(arm, label, setup.epochs) for arm, label in zip(setup.arms, setup.labels, strict=True)
    ])  # fmt: skip


def status(lab: Lab) -> str:
    """Return the line beside the buttons: what is going on, and how long it will take."""
    done = sum(lane.status in ("done", "failed") for lane in lab.lanes)
    if lab.phase == "running":
        left = lab.time_left
        about = "estimating the time" if left is None else f"about {max(1, round(left))} s left"
        return f"{done} of {len(lab.lanes)} arms done, {about}"
    if lab.phase == "stopped":
        return "Stopped. Arms that were done keep their result."
    if lab.phase == "done":
        failed = sum(lane.status == "failed" for lane in lab.lanes)
        return f"Done{f', {failed} of {len(lab.lanes)} arms failed' if failed else ''}."
    return "" if lab.phase == "failed" else "Ready."
