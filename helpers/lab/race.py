"""What is known of one arm while a race goes on, and what it came to."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch

from helpers.evidence import grid
from helpers.inspection.gradcam import gradcam
from helpers.lab.setup import Arm, Setup
from helpers.networks import backbones
from helpers.networks.backbones import Backbone
from helpers.plots.images import confident_errors
from helpers.training import experiments, strategies
from helpers.training.experiments import Outcome
from helpers.training.metrics import Score

Status = Literal["waiting", "loading", "running", "scoring", "done", "stopped", "failed"]

OPEN = ("waiting", "loading", "running", "scoring")

Source = Literal["live", "stored", "earlier"]

SOURCE_WORDS = {
    "live": "trained just now",
    "stored": "measured beforehand for the course, seconds are processor time",
    "baseline": "the commonest class of the test images as the answer to every image",
    "earlier": "the very same run, trained on this machine before",
}

SHOWN_MISTAKES = 12

# Of a result, for tables and files.
NUMBERS = ("auc", "auc_lo", "auc_hi", "accuracy", "trainable", "seconds", "features_known",
           "source", "best_epoch", "versions")  # fmt: skip


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
    features_known : whether the frozen part had been computed before, which `seconds` then lacks.
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
    features_known: bool = False


def result_of(outcome: Outcome) -> Result:
    """Return what a finished arm came to, with its surest errors and what spoke for them.

    Grad-CAM is done at once, so that nobody has to hold on to the network.
    """
    score, run, data = outcome.score, outcome.run, outcome.data
    index = confident_errors(score.labels, score.probabilities, SHOWN_MISTAKES)
    images, said = np.asarray(data.test.images[index]), score.probabilities.argmax(axis=1)
    heat = gradcam(run.model, images, said[index]) if len(index) else np.zeros(images.shape[:3])
    n_wrong = int((said != score.labels).sum())
    return Result(
        score.auc, score.auc_lo, score.auc_hi, score.accuracy, run.trainable, run.seconds, "live",
        score, data.test.groups,
        Mistakes(index, images, heat.astype(np.float32), n_wrong, len(score.labels)),
        run.best_epoch, tuple(data.card.classes), len(data.train), experiments.versions(),
        run.features_known,
    )  # fmt: skip


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
        return self.result.source if self.result else self.status

    @property
    def row(self) -> dict:
        """This arm for `helpers.lab.drawings.table` and `curves`; scores are None until known."""
        return {
            "arm": self.label, "strategy": self.arm.strategy, "words": self.words,
            "share": self.share, "note": self.note, "history": [dict(row) for row in self.history],
            **{name: getattr(self.result, name, None) for name in NUMBERS},
        }  # fmt: skip


def waiting(setup: Setup) -> tuple[Lane, ...]:
    """Return the arms of a race that has not begun."""
    arms = zip(setup.arms, setup.labels, strict=True)
    return tuple(Lane(arm, label, setup.epochs) for arm, label in arms)


def answered(setup: Setup, known: Sequence[tuple[Result, list[dict]] | None]) -> tuple[Lane, ...]:
    """Return the arms of a race: those whose result and curves are known are done, others wait."""
    return tuple(
        replace(lane, status="done", share=1.0, result=row[0], history=tuple(row[1]))
        if row
        else lane
        for lane, row in zip(waiting(setup), known, strict=True)
    )


def stopped(lane: Lane) -> Lane:
    """Return an arm that was ended before it had a result, with a sentence on how far it came."""
    where = f" in epoch {len(lane.history) + 1} of {lane.epochs}" if lane.history else ""
    note = f"Stopped{where}: not scored, because test images are scored only after a whole run."
    note = note if lane.status != "waiting" else "Not begun when the race was stopped."
    return replace(lane, status="stopped", note=note)


@dataclass(frozen=True, eq=False)
class Race:
    """What was started with one press of the button, as it stands.

    Attributes
    ----------
    setup : frozen at the start; changing knobs meanwhile changes the next race.
    question, guess : what was asked before it, and answered; None: nobody guessed.
    look_at : of the prepared race it is; "" where it is none.
    caveat : what must stand beside its numbers; more is known once the images are loaded.
    baseline : the row of the commoner class (`measured.baseline_row`), once it is known.
    shape : channels of the images and number of classes, once they are loaded.
    leader, explanation : of `helpers.lab.explain`, once it is done.
    """

    number: int
    setup: Setup
    lanes: tuple[Lane, ...]
    question: str = ""
    guess: str | None = None
    look_at: str = ""
    caveat: str = ""
    baseline: dict | None = None
    shape: tuple[int, int] | None = None
    leader: str | None = None
    explanation: tuple[str, ...] = ()

    @property
    def results(self) -> dict[str, Result]:
        """Results by arm, as far as there are any."""
        return {lane.label: lane.result for lane in self.lanes if lane.result is not None}


@dataclass(frozen=True)
class Kept:
    """A race that somebody keeps, as data that can be written to a file.

    Attributes
    ----------
    name : given by whoever kept it. when : local time, ISO 8601.
    setup : the fields of `Setup`. guess : what was guessed before, or None.
    rows : `Lane.row` of every arm that has a result.
    explanation : the sentences that stood below the table.
    caveat : what must stand beside numbers on these images.
    """

    name: str
    when: str
    setup: dict
    rows: tuple[dict, ...]
    explanation: tuple[str, ...] = ()
    guess: str | None = None
    caveat: str = ""


FORWARD_ONLY = 0.35  # of a full pass, forward and backward
SCORING = 1000  # images: reading, computing the frozen front and scoring, forward only


def cost(setup: Setup, arm: Arm) -> float:
    """Return about how much work an arm is, in images passed through the whole network.

    Rough: it tells a second from a minute, and a cheap arm from a dear one.
    """
    strategy, shares = arm.build(), grid.SHARE_OF_A_FULL_PASS
    share = shares.get(strategy.name, shares.get(strategy.name.split("_last")[0], 1.0))
    if arm.augment != "none" or strategy.batchnorm == "train":  # nothing is computed ahead
        share = max(share, FORWARD_ONLY)
    return (setup.n or 2000) * setup.epochs * share + SCORING * FORWARD_ONLY


def n_steps(setup: Setup) -> int:
    """Return about how many training steps an arm takes, at 32 images a step."""
    return max(1, math.ceil((setup.n or 2000) / 32)) * setup.epochs


def time_left(race: Race, seconds: float) -> float | None:
    """Return the seconds that a race still takes, so many after its start; None: too early to say.

    By the cost of its arms, corrected by the clock as soon as something has run.
    """
    trained = [lane for lane in race.lanes if not lane.result or lane.result.source != "stored"]
    costs = [cost(race.setup, lane.arm) for lane in trained]
    todo = sum(c * (1 - lane.share) for c, lane in zip(costs, trained, strict=True)
               if lane.status in OPEN)  # fmt: skip
    done = sum(costs) - todo
    return None if done < 0.03 * sum(costs) else seconds * todo / done


@functools.cache
def _bare(backbone: str, channels: int, n_classes: int) -> Backbone:
    """Return a network of shapes only."""
    with torch.device("meta"):
        model = backbones.load(backbone, weights=None)
        model.stem_conv.weight = torch.nn.Parameter(model.stem_conv.weight[:, :channels])
        model.replace_head(backbones.linear_head(model.n_features, n_classes))
    return model


def network_rows(setup: Setup, shape: tuple[int, int] | None = None) -> list[dict]:
    """Return the rows of `helpers.lab.drawings.network`: per arm its label, strategy and ``parts``.

    A part is a row of `helpers.training.strategies.summary`. Raises CourseError for an arm that
    `setup.check` would refuse.

    Parameters
    ----------
    shape : of `Race`; None: as far as it is known before the images are loaded.
    """
    found, shape = [], shape or setup.shape
    for arm, label in zip(setup.arms, setup.labels, strict=True):
        channels = 3 if arm.gray == "replicate" else shape[0]
        bare = _bare(setup.backbone, channels, shape[1])
        parts = strategies.summary(bare, arm.build()).reset_index()
        found.append({"arm": label, "strategy": arm.strategy, "parts": parts.to_dict("records")})
    return found
