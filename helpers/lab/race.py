"""What is known of one arm while a race goes on, and what it came to."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import torch

from helpers.errors import CourseError
from helpers.evidence import tables
from helpers.lab.setup import Arm, Setup
from helpers.networks import backbones
from helpers.networks.backbones import Backbone
from helpers.training import strategies
from helpers.training.metrics import Score

Status = Literal["waiting", "loading", "running", "scoring", "done", "stopped", "failed"]


Source = Literal["live", "stored", "earlier"]


OPEN = ("waiting", "loading", "running", "scoring")


SOURCE_WORDS = {
    "live": "trained just now",
    "stored": "measured beforehand for the course, seconds are processor time",
    "earlier": "the very same run, trained on this machine before",
}


@dataclass(frozen=True, eq=False)
class Mistakes:
    """A few test images that an arm got wrong, the surest first.

    Attributes
    ----------
    index : ``(K,)`` positions in the test split. images : uint8 ``(K, H, W, C)``.
    heat : ``(K, H, W)`` in 0..1: what spoke for the wrong answer (Grad-CAM).
    n_wrong, n : wrong test images in all, and test images in all.
    """

    index: np.ndarray
    images: np.ndarray
    heat: np.ndarray
    n_wrong: int
    n: int


@dataclass(frozen=True, eq=False)
class Result:
    """What an arm came to.

    Attributes
    ----------
    auc, auc_lo, auc_hi, accuracy : on the test images; the interval is 95 %, bootstrapped.
    trainable : parameters that trained. seconds : of training, as measured where it was trained.
    source : trained in this race, read from the stored evidence, or kept by this machine.
    score : with the predictions; None where only a row of the evidence is known.
    groups : ``(N,)`` of the test images, or None: what was resampled as a whole.
    best_epoch : the epoch whose weights were scored, chosen on validation; 0 if not known.
    classes : names; empty where not known.
    """

    auc: float
    auc_lo: float
    auc_hi: float
    accuracy: float
    trainable: int
    seconds: float
    source: Source
    score: Score | None = None
    groups: np.ndarray | None = None
    mistakes: Mistakes | None = None
    best_epoch: int = 0
    classes: tuple[str, ...] = ()
    n_train: int = 0
    versions: str = ""


@dataclass(frozen=True, eq=False)
class Lane:
    """One arm of a race as it stands. It never changes: a change makes a new one.

    Attributes
    ----------
    epochs : to be run. history : rows of `helpers.training.recipe.Run.history` so far.
    share : of the work of this arm that is done, in 0..1.
    note : a sentence where there is something to say, e.g. why it failed.
    """

    arm: Arm
    label: str
    epochs: int
    status: Status = "waiting"
    history: tuple[dict, ...] = ()
    share: float = 0.0
    result: Result | None = None
    note: str = ""

    @property
    def words(self) -> str:
        """What this arm is doing, for people."""
        if self.status == "running":
            return f"epoch {min(len(self.history) + 1, self.epochs)} of {self.epochs}"
        if self.status == "done" and self.result is not None:
            return self.result.source
        return self.status


@dataclass(frozen=True, eq=False)
class Race:
    """What was started with one press of the button, as it stands.

    Attributes
    ----------
    setup : frozen at the start; changing knobs meanwhile changes the next race.
    question, guess : what was asked before it, and answered; None: nobody guessed.
    name, look_at : of the prepared race it is; "" where it is none.
    leader, explanation : of `helpers.lab.explain` and `helpers.lab.explain`, once it is done.
    """

    number: int
    setup: Setup
    lanes: tuple[Lane, ...]
    question: str = ""
    guess: str | None = None
    name: str = ""
    look_at: str = ""
    leader: str | None = None
    explanation: tuple[str, ...] = ()

    @property
    def results(self) -> dict[str, Result]:
        """Results by arm, as far as there are any."""
        return {lane.label: lane.result for lane in self.lanes if lane.result is not None}


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


def find(setup: Setup, arm: Arm, table: pd.DataFrame | None = None) -> Result | None:
    """Return the stored result of `arm` under `setup`; None when it was not measured.

    Only arms with the strategy's own knobs are looked up: a row does not say which other rates a
    run had. The rows hold scores and no predictions, so there are no curves and no images.
    """
    if arm.augment != "none" or arm.gray != "sum" or arm.build() != _usual(arm):
        return None
    table = tables.read_rows() if table is None else table
    key = {
        "dataset": setup.experiment(arm).dataset_key, "backbone": setup.backbone,
        "image_size": setup.image_size, "strategy": arm.build().key, "epochs": setup.epochs,
        "seed": setup.seed,
    }  # fmt: skip
    rows = table[(table[list(key)] == pd.Series(key)).all(axis=1)]
    # "All images" has no number in a setup; the largest measured n of the set is all of them
    # only where the grid reached it, so such a race is trained.
    rows = rows[rows["n_train"] == setup.n]
    return None if rows.empty else _result(rows.iloc[-1])


def _usual(arm: Arm):
    options = {"last": arm.last} if arm.strategy == "partial_finetune" else {}
    return strategies.by_name(arm.strategy, **options)


def _result(row: pd.Series) -> Result:
    numbers = {name: float(row[name]) for name in ("auc", "auc_lo", "auc_hi", "accuracy")}
    return Result(
        **numbers, trainable=int(row["trainable_params"]), seconds=float(row["train_seconds"]),
        source="stored", n_train=int(row["n_train"]), versions=str(row["versions"]),
    )  # fmt: skip


def available(setup: Setup, table: pd.DataFrame | None = None) -> list[Result | None]:
    """Return a stored result or None for every arm; none at all when the table is unreadable."""
    try:
        table = tables.read_rows() if table is None else table
    except CourseError:
        return [None] * len(setup.arms)
    return [find(setup, arm, table) for arm in setup.arms]


@functools.cache
def _bare(backbone: str) -> Backbone:
    """Return a network of shapes only, with a head for two classes."""
    with torch.device("meta"):
        model = backbones.load(backbone, weights=None)
        model.replace_head(backbones.linear_head(model.n_features, 2))
    return model


def rows(setup: Setup) -> list[dict]:
    """Return per arm its ``parts``: name, parameters, peak rate (0: frozen) and BatchNorm mode.

    Of a strategy with several phases it is the last one. Raises CourseError for an arm that
    `setup.check` would refuse.
    """
    model = _bare(setup.backbone)
    found = []
    for arm, label in zip(setup.arms, setup.labels, strict=True):
        table = strategies.summary(model, arm.build()).reset_index()
        parts = [
            {"part": row["part"], "parameters": int(row["parameters"]),
             "rate": float(row["learning rate"]), "batchnorm": row["batchnorm statistics"]}
            for row in table.to_dict("records")
        ]  # fmt: skip
        found.append({"arm": label, "strategy": arm.strategy, "parts": parts})
    return found
