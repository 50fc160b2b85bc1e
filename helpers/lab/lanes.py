"""What is known of one arm while a race goes on, and what it came to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from helpers.lab.setup import Arm, Setup
from helpers.metrics import Score

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
    epochs : to be run. history : rows of `helpers.runs.Run.history` so far.
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
    leader, explanation : of `helpers.lab.verdict` and `helpers.lab.explain`, once it is done.
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
