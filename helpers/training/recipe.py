"""What a training run is given (a recipe) and what comes out of it (a run)."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field

from helpers.errors import CourseError
from helpers.networks.backbones import Backbone
from helpers.training.strategies import Strategy


@dataclass(frozen=True)
class Recipe:
    """How long and how carefully to train; the same for every strategy that is compared.

    Attributes
    ----------
    epochs : passes over the training split, shared out over the phases of the strategy.
    batch_size : images per step and process.
    warmup : share of a phase's steps in which the rates rise from 0 to their peak.
    floor : where the cosine ends, as a fraction of each group's peak rate.
    clip : largest gradient norm over what trains.
    class_weights : weight the loss by the inverse class frequency of the training split.
    average : 0: keep the epoch that is best on validation. k: keep the mean of the weights of
        the last k epochs instead (Izmailov et al. 2018); validation then chooses nothing.
    patience : stop a phase after so many epochs without a better validation score; None: never.
    """

    epochs: int = 8
    batch_size: int = 32
    warmup: float = 0.1
    floor: float = 0.01
    clip: float = 1.0
    class_weights: bool = True
    average: int = 0
    patience: int | None = None

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 2:
            raise CourseError(
                f"epochs = {self.epochs} and batch_size = {self.batch_size}: at least one epoch "
                "and two images per batch are needed (BatchNorm has no statistics of one image)."
            )
        if not (0 <= self.warmup <= 1 and 0 <= self.floor <= 1 and 0 < self.clip < math.inf):
            raise CourseError(
                f"warmup = {self.warmup} and floor = {self.floor} are shares from 0 to 1, and "
                f"clip = {self.clip} must be a number above 0."
            )
        if self.patience is not None and self.patience < 1:
            raise CourseError(f"patience = {self.patience}: give 1 or more epochs, or None.")
        if not 0 <= self.average <= self.epochs or (self.average and self.patience):
            raise CourseError(
                f"average = {self.average} must lie between 0 and epochs = {self.epochs}, and "
                "goes with no patience: the mean needs the last epochs to be run."
            )


@dataclass
class Run:
    """What came out of `fit`.

    Attributes
    ----------
    model : the network with the weights of the best epoch.
    history : a dict per epoch: epoch, phase, train_loss, val_loss, val_auc, val_accuracy, lr,
        seconds (since the start).
    best_epoch : the epoch whose weights `model` has, chosen on validation only; with
        ``recipe.average`` the last one that went into the mean.
    seconds : wall time of training and validation.
    processor_seconds : processor time of the same, all threads together; on a shared machine the
        steadier of the two.
    trainable : parameters that trained in the last phase.
    frozen_front : what was computed once instead of in every epoch, and why, in a sentence.
    features_known : whether that had been done before, so that `seconds` lack it.
    stopped : why it ended, in a sentence; "" when all epochs ran.
    """

    model: Backbone
    strategy: Strategy
    recipe: Recipe
    seed: int
    history: list[dict] = field(default_factory=list)
    best_epoch: int = 0
    seconds: float = 0.0
    processor_seconds: float = 0.0
    trainable: int = 0
    frozen_front: str = ""
    features_known: bool = False
    stopped: str = ""

    @property
    def best(self) -> dict:
        """The row of the history whose epoch was kept."""
        return next(row for row in self.history if row["epoch"] == self.best_epoch)

    def state_dict(self) -> dict:
        """Return what has come out so far, without the network and what the run was given."""
        given = ("model", "strategy", "recipe", "seed")
        return {name: value for name, value in vars(self).items() if name not in given}


def phase_ends(strategy: Strategy, epochs: int, average: int = 0) -> list[int]:
    """Return the epoch at which each phase ends; every phase gets at least one.

    Raises
    ------
    CourseError
        When there are more phases than epochs, or more epochs to `average` than the last phase has.
    """
    n = len(strategy.phases)
    if epochs < n:
        raise CourseError(f"{strategy.name} has {n} phases and needs at least as many epochs.")
    shares = itertools.accumulate(phase.share for phase in strategy.phases)
    ends = [min(max(round(share * epochs), k), epochs - n + k) for k, share in enumerate(shares, 1)]
    last_phase = ends[-1] - [0, *ends][-2]
    if average > last_phase:
        raise CourseError(
            f"average = {average}, but the last phase of {strategy.name} has {last_phase} "
            f"of the {epochs} epochs; average no more than those."
        )
    return ends
