"""Which weights a run ends with: those of the best epoch, or the mean of the last ones."""

from __future__ import annotations

import math

from torch import Tensor, nn

from helpers.runs import Recipe


class Keeper:
    """Holds a copy of the weights worth keeping while training goes on.

    Attributes
    ----------
    state : the copy, None before the first epoch.
    epoch : the epoch it comes from; of a mean, the last one in it.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.state: dict[str, Tensor] | None = None
        self.epoch = 0
        self.key = (-math.inf, -math.inf)

    def consider(self, row: dict, model: nn.Module) -> None:
        """Look at a finished epoch, a row of the history with finite validation loss."""
        in_mean = row["epoch"] - (self.recipe.epochs - self.recipe.average)
        if self.recipe.average and in_mean >= 1:
            earlier = self.state if in_mean > 1 else None
            self.state, self.epoch = running_mean(earlier, model, in_mean), row["epoch"]
            return
        # Where a class is missing from validation no epoch has an AUC, and the loss decides.
        auc = 0.0 if math.isnan(row["val_auc"]) else row["val_auc"]
        if (auc, -row["val_loss"]) > self.key:
            self.key = (auc, -row["val_loss"])
            self.state, self.epoch = running_mean(None, model, 1), row["epoch"]

    def state_dict(self) -> dict:
        """Return what a resumed run needs."""
        return {"state": self.state, "epoch": self.epoch, "key": list(self.key)}

    def load_state_dict(self, saved: dict) -> None:
        """Go on from what `state_dict` returned."""
        self.state, self.epoch, self.key = saved["state"], saved["epoch"], tuple(saved["key"])


def running_mean(mean: dict[str, Tensor] | None, model: nn.Module, count: int) -> dict[str, Tensor]:
    """Return the mean of `count` states of a model, given the mean of the earlier ones.

    Always a copy: ``state_dict()`` hands out tensors that go on changing with the next step.
    Whole numbers, such as BatchNorm's counters, are taken from the latest state.
    """
    state = {name: value.detach().clone() for name, value in model.state_dict().items()}
    if mean is None:
        return state
    return {
        name: (old := mean[name].to(value.device)) + (value - old) / count
        if value.is_floating_point()
        else value
        for name, value in state.items()
    }
