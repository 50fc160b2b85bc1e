"""What a network forgets of ImageNet while it learns solar cells, and what holds it back.

After training the old head is put back, and the network is asked about photographs. Agreement is
the share of answers (of 1,000 classes) that are those of the untouched network.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook

from helpers import datasets
from helpers.datasets import Split
from helpers.evidence import grid
from helpers.evidence.trust import FORGETTING, FORGETTING_COLUMNS, FORGETTING_KEY
from helpers.networks import backbones
from helpers.networks.backbones import Backbone
from helpers.training import experiments, loop, metrics, predict, strategies
from helpers.training.recipe import Recipe
from helpers.training.strategies import ALL, Phase, Strategy
from measure.leaks import joined
from measure.runner import Table

DATASET, N_TRAIN = "elpv", 400

PHOTOGRAPHS, N_PHOTOGRAPHS = ("flowers", "hymenoptera"), 300

USUAL = 3e-4  # peak rate of the last stage

# Way, rate of the last stage, and how strongly it is pulled (decoupled, as AdamW's decay).
WAYS = (
    ("feature_extraction", 0.0, 0.0),
    ("partial_finetune", USUAL, 0.0),
    ("lp_ft", USUAL, 0.0),
    ("full_finetune", 1e-4, 0.0),
    ("full_finetune", USUAL, 0.0),
    ("full_finetune", 3e-3, 0.0),
    ("gradual", USUAL, 0.0),
    ("to_start", USUAL, 30.0),
    ("to_zero", USUAL, 30.0),
)

SEEDS = range(3)


class Cell(NamedTuple):
    """One way to train, and a seed."""

    way: str
    rate: float
    pull: float
    seed: int


def cells(names: Sequence[str] = (DATASET,)) -> list[Cell]:
    """Return every cell, seed by seed."""
    return [Cell(*way, seed) for _ in names for seed in SEEDS for way in WAYS]


def strategy_of(cell: Cell) -> Strategy:
    """Return the strategy of a cell."""
    if cell.way == "gradual":  # one stage more at a time (Howard & Ruder 2018), then all
        phases = [Phase(last, 3e-3, cell.rate, 0.75, share=0.1) for last in (0, 1, 2, 4)]
        return Strategy("full_finetune", (*phases, Phase(ALL, 3e-3, cell.rate, 0.75, share=0.6)))
    if cell.way == "feature_extraction":
        return strategies.feature_extraction()
    if cell.way in ("partial_finetune", "lp_ft"):
        return strategies.by_name(cell.way, backbone_lr=cell.rate)
    decay = {"weight_decay": cell.pull} if cell.way == "to_zero" else {}
    return strategies.full_finetune(backbone_lr=cell.rate, **decay)


@contextlib.contextmanager
def pulled_back(model: Backbone, strength: float) -> Iterator[None]:
    """Pull every weight of the backbone towards where it started, after each step (L2-SP).

    Decoupled from the loss, as AdamW decays: only the goal is another one.
    """
    head = set(model.head.parameters())
    start = {p: p.detach().clone() for p in model.parameters() if p not in head}

    def after_step(optimizer: Optimizer, *_) -> None:
        for group in optimizer.param_groups:
            for p in group["params"]:
                if p in start:
                    p.data.lerp_(start[p], min(1.0, group["lr"] * strength))

    handle = register_optimizer_step_post_hook(after_step)
    try:
        yield
    finally:
        handle.remove()


def photographs() -> Split:
    """Return test images of both sets of photographs, as many of each."""
    parts = [
        datasets.load(name, size=grid.IMAGE_SIZE).test.sample(N_PHOTOGRAPHS // 2)
        for name in PHOTOGRAPHS
    ]
    return joined(*parts)


def measure(cell: Cell) -> list[dict]:
    """Train one way; ask the network about solar cells and, with its old head, about photographs.

    The stem stays the colour one: the same network takes gray cells and colour photographs.
    """
    data = datasets.load(DATASET, size=grid.IMAGE_SIZE).take(N_TRAIN, cell.seed)
    untouched, asked = backbones.load(), photographs()
    before = predict.predict(untouched, asked).argmax(axis=1)
    # The last epoch: validation would keep an early one here and a late one there, and how much is
    # forgotten would say more about that choice than about the way.
    strategy, recipe = strategy_of(cell), Recipe(epochs=grid.epochs_for(N_TRAIN), average=1)
    model = strategies.build(strategy, n_classes=2, channels=1, seed=cell.seed, gray="replicate")
    with pulled_back(model, cell.pull if cell.way == "to_start" else 0.0):
        loop.fit(model, data, strategy, recipe, seed=cell.seed)
    score = predict.evaluate(model, data.test)
    model.replace_head(copy.deepcopy(untouched.head))
    after = predict.predict(model, asked).argmax(axis=1)
    agreement = float(np.mean(before == after))
    lo, hi = metrics.wilson(agreement, len(asked))
    row = cell._asdict() | {
        "dataset": DATASET, "n_train": N_TRAIN, "backbone": grid.BACKBONE,
        "image_size": grid.IMAGE_SIZE, "epochs": recipe.epochs, "n_test": score.n,
        "auc": round(score.auc, 4), "auc_lo": round(score.auc_lo, 4),
        "auc_hi": round(score.auc_hi, 4), "n_photographs": len(asked),
        "agreement": round(agreement, 4), "agreement_lo": round(lo, 4),
        "agreement_hi": round(hi, 4), "versions": experiments.versions(),
    }  # fmt: skip
    return [{name: row[name] for name in FORGETTING_COLUMNS}]


TABLE = Table(
    FORGETTING, FORGETTING_COLUMNS, FORGETTING_KEY, (DATASET,), cells, measure,
    shown=("agreement", "auc"),
)  # fmt: skip
