"""What the tests of training share: the tiny network, prepared for a strategy, and its runs."""

from __future__ import annotations

import torch

from helpers.datasets import Dataset
from helpers.networks import backbones
from helpers.networks.backbones import Backbone
from helpers.training import loop, strategies
from helpers.training.recipe import Recipe, Run
from helpers.training.strategies import Strategy
from tests.conftest import tiny_backbone

SHORT = Recipe(epochs=4, batch_size=8)
FAST = strategies.full_finetune(head_lr=0.05, backbone_lr=0.05)


def build(strategy: Strategy | None = None) -> Backbone:
    """Return the tiny network with the head of `strategy` (full fine-tuning), ready to train."""
    strategy = strategy or strategies.full_finetune()
    model = tiny_backbone()
    torch.manual_seed(0)
    model.replace_head(backbones.HEADS[strategy.head](model.n_features, 2))
    return strategies.apply(model, strategy)


def fit(data: Dataset, strategy: Strategy | None = None, recipe: Recipe = SHORT, **options) -> Run:
    """Train what `build` gives."""
    strategy = strategy or strategies.full_finetune()
    return loop.fit(build(strategy), data, strategy, recipe, **options)


def losses(run: Run) -> list[float]:
    """Return the training loss of every epoch: the same for the same run, and for no other."""
    return [row["train_loss"] for row in run.history]
