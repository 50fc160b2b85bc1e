"""What the worker says of one race, written into the lab's state."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from helpers.lab import worker
from helpers.lab.lanes import Result

Change = Literal["setup", "race", "progress", "kept"]


class Reports:
    """What the worker says of one race; once that race is over, nothing is heard any more."""

    def __init__(self, lab: Lab, number: int) -> None:
        self.lab, self.number = lab, number

    @property
    def wanted(self) -> bool:
        """Whether this race is still the one that runs."""
        lab = self.lab
        return lab.phase == "running" and lab.current.number == self.number

    def check(self) -> None:
        """Raise `worker.Abandoned` when this race is over."""
        if not self.wanted:
            raise worker.Abandoned

    def _change(self, place: int, kind: Change = "progress", **changes) -> None:
        lab = self.lab
        with lab._lock:
            self.check()
            lanes = list(lab.current.lanes)
            lanes[place] = replace(lanes[place], **changes)
            lab.current = replace(lab.current, lanes=tuple(lanes))
        lab._tell(kind)

    def status(self, place: int, status: str) -> None:
        """An arm begins to load, to run or to be scored."""
        self._change(place, "race", status=status)

    def step(self, place: int) -> None:
        """A training step is done."""
        lab = self.lab
        with lab._lock:
            self.check()
            share = lab.clock.step(place)
        self._change(place, share=share)

    def epoch(self, place: int, row: dict) -> None:
        """An epoch is done and validated."""
        history = (*self.lab.current.lanes[place].history, dict(row))
        last = len(history) == self.lab.current.lanes[place].epochs
        self._change(place, history=history, **({"status": "scoring"} if last else {}))

    def done(self, place: int, result: Result, history: list[dict]) -> None:
        """An arm is scored, or was kept from before."""
        self._change(
            place, "race", status="done", share=1.0, result=result,
            history=tuple(dict(row) for row in history),
        )  # fmt: skip

    def failed(self, place: int, sentence: str) -> None:
        """An arm cannot be finished."""
        self._change(place, "race", status="failed", note=sentence)
