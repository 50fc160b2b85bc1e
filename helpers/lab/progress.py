"""How much of a race is done, and how long the rest will take on this machine."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

from helpers.lab.lanes import OPEN, Lane
from helpers.lab.setup import Arm, Setup

# The cost of an image in one epoch, in full passes forward and backward. Rough: it only has to
# tell a second from a minute, and is corrected by the clock as soon as something has run.
SHARE_OF_A_FULL_PASS = {"feature_extraction": 0.03, "partial_finetune": 0.35, "lp_ft": 0.55}
FORWARD_ONLY = 0.35
SCORING = 1000  # images: reading, computing the frozen front and scoring, forward only


def cost(setup: Setup, arm: Arm) -> float:
    """Return about how much work an arm is, in images passed through the whole network."""
    share = SHARE_OF_A_FULL_PASS.get(arm.strategy, 1.0)
    if arm.augment != "none" or arm.build().batchnorm == "train":  # nothing is computed ahead
        share = max(share, FORWARD_ONLY)
    return (setup.n or 2000) * setup.epochs * share + SCORING * FORWARD_ONLY


class Clock:
    """Counts steps and seconds of one race."""

    def __init__(self) -> None:
        self.costs: dict[int, float] = {}
        self.steps: dict[int, int] = {}
        self.started, self.n_steps = 0.0, 1

    def start(self, setup: Setup, places: Sequence[int]) -> None:
        """Begin to count for the arms at `places`."""
        self.costs = {place: cost(setup, setup.arms[place]) for place in places}
        self.steps = dict.fromkeys(places, 0)
        self.n_steps = max(1, math.ceil((setup.n or 2000) / 32)) * setup.epochs
        self.started = time.perf_counter()

    def step(self, place: int) -> float:
        """Count a step of an arm; return the share of it that is done, in 0..1."""
        self.steps[place] += 1
        return min(0.95, self.steps[place] / self.n_steps)

    def left(self, lanes: Sequence[Lane]) -> float | None:
        """Return the seconds that are left, None before enough has run to say."""
        todo = sum(
            cost * (1 - lanes[place].share)
            for place, cost in self.costs.items()
            if lanes[place].status in OPEN
        )
        done = sum(self.costs.values()) - todo
        if done < 0.03 * sum(self.costs.values()):
            return None
        return (time.perf_counter() - self.started) * todo / done
