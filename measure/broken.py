"""Training runs that are broken on purpose, one fault at a time, beside a healthy one.

The loop is written out here, so that each fault stands where one meets it: a line that is missing,
or in the wrong place. Three seeds, few images, a row per epoch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR, LRScheduler

from helpers import datasets
from helpers.datasets import augment
from helpers.evidence import grid
from helpers.evidence.trust import BROKEN, BROKEN_COLUMNS, BROKEN_KEY
from helpers.networks.backbones import Backbone
from helpers.training import experiments, metrics, strategies
from helpers.training.loop import warmup_cosine
from helpers.training.predict import batch
from helpers.training.recipe import Recipe
from measure.runner import Table

DATASET, N_TRAIN, N_VAL, EPOCHS, SEEDS = "elpv", 200, 200, 8, range(3)

BATCH, HEAD_RATE, RATE = 32, 3e-3, 3e-4

FAULTS = (
    "none", "rate_too_high", "no_warmup", "labels_shuffled", "wrong_range", "softmax_twice",
    "no_zero_grad", "no_eval", "batch_of_one", "one_eta_min", "stale_clipping",
    "augmented_validation", "half_precision",
)  # fmt: skip


class Cell(NamedTuple):
    """One fault, or ``"none"``, with a seed."""

    fault: str
    seed: int


def cells(names: Sequence[str] = (DATASET,)) -> list[Cell]:
    """Return every run, seed by seed."""
    return [Cell(fault, seed) for _ in names for seed in SEEDS for fault in FAULTS]


def measure(cell: Cell) -> list[dict]:
    """Train one run; return a row per epoch."""
    data = datasets.load(DATASET, size=grid.IMAGE_SIZE)
    train, val = data.train.sample(N_TRAIN, cell.seed), data.val.sample(N_VAL, cell.seed)
    fault = cell.fault
    model = strategies.build(strategies.full_finetune(), n_classes=2, channels=1, seed=cell.seed)
    if fault in ("no_eval", "batch_of_one"):
        model.frozen = frozenset()  # the statistics move
    model.train()
    if fault == "half_precision":
        model.half()
    targets = train.labels
    rng = np.random.default_rng(cell.seed)
    if fault == "labels_shuffled":
        targets = rng.permutation(targets)
    batch_size = 1 if fault == "batch_of_one" else BATCH
    n_steps = EPOCHS * -(-N_TRAIN // batch_size)
    optimizer, schedule = optimizer_of(model, fault, n_steps)
    rows = []
    for epoch in range(EPOCHS):
        losses, norms = [], []
        facts = cell._asdict() | {
            "epoch": epoch + 1, "dataset": DATASET, "n_train": N_TRAIN, "n_val": N_VAL,
            "backbone": grid.BACKBONE, "image_size": grid.IMAGE_SIZE,
            "versions": experiments.versions(),
        }  # fmt: skip
        for index in np.array_split(rng.permutation(N_TRAIN), -(-N_TRAIN // batch_size)):
            images, labels = prepared(batch(train, index), fault), torch.from_numpy(targets[index])
            if fault != "no_zero_grad":
                optimizer.zero_grad()
            loss = loss_of(model(images), labels, fault)
            loss.backward()
            # Over all parameters. Those that the optimizer does not know are never set to zero.
            norms.append(float(nn.utils.clip_grad_norm_(model.parameters(), 1.0)))
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
            if not np.isfinite(losses[-1]):
                break  # nothing finite comes any more
        if not np.isfinite(losses[-1]):
            rows.append(facts | {"train_loss": float("nan")})
            break
        again = answers(model, train.images, fault)
        asked = answers(model, val.images, fault, validation=True)
        labels = torch.from_numpy(val.labels)
        rows.append(facts | {
            "train_loss": rounded(np.mean(losses)),
            "train_loss_after": rounded(loss_of(again, torch.from_numpy(targets), fault).item()),
            "val_loss": rounded(loss_of(asked, labels, fault).item()),
            "val_auc": auc_of(asked, val.labels),
            "val_accuracy": rounded((asked.argmax(1) == labels).float().mean().item()),
            "grad_norm": rounded(np.mean(norms)), "rate": optimizer.param_groups[-1]["lr"],
        })  # fmt: skip
    return [{name: row.get(name) for name in BROKEN_COLUMNS} for row in rows]


def optimizer_of(
    model: Backbone, fault: str, n_steps: int
) -> tuple[torch.optim.Optimizer, LRScheduler]:
    """Return AdamW with the head's rate and the backbone's, and their schedule."""
    head, times = list(model.head.parameters()), 30 if fault == "rate_too_high" else 1
    backbone = [p for name in model.part_names[:-1] for p in model.part(name).parameters()]
    groups = [{"params": head, "lr": times * HEAD_RATE}]
    if fault != "stale_clipping":  # there the backbone has gradients, and no optimizer
        groups.append({"params": backbone, "lr": times * RATE})
    optimizer = torch.optim.AdamW(groups)
    if fault == "one_eta_min":  # above the backbone's peak: its rate climbs
        return optimizer, CosineAnnealingLR(optimizer, n_steps, eta_min=1e-3)
    recipe = Recipe(warmup=0.0 if fault == "no_warmup" else 0.1)
    return optimizer, LambdaLR(optimizer, lambda step: warmup_cosine(step, n_steps, recipe))


def prepared(images: Tensor, fault: str) -> Tensor:
    """Return images as the network takes them, or as it does not."""
    if fault == "wrong_range":
        return images.float()  # 0 .. 255, where floats stand for 0 .. 1
    return images.half() / 255 if fault == "half_precision" else images


def loss_of(logits: Tensor, labels: Tensor, fault: str) -> Tensor:
    """Return the cross-entropy, which takes logits."""
    if fault == "softmax_twice":
        logits = logits.softmax(dim=1)
    return nn.functional.cross_entropy(logits, labels)


@torch.no_grad()
def answers(model: Backbone, images: np.ndarray, fault: str, *, validation: bool = False) -> Tensor:
    """Return logits in eval mode, or in train mode where that is the fault."""
    model.train(fault == "no_eval")
    policy = augment.by_name("too_strong")
    found = []
    for rows in np.array_split(images, -(-len(images) // BATCH)):
        shown = torch.from_numpy(rows).permute(0, 3, 1, 2)
        if validation and fault == "augmented_validation":
            shown = policy(shown)
        found.append(model(prepared(shown, fault)).float())
    model.train()
    return torch.cat(found)


def auc_of(logits: Tensor, labels: np.ndarray) -> float:
    """Return the AUC, or nothing where the network answers NaN."""
    if not torch.isfinite(logits).all():
        return float("nan")
    return round(metrics.auc(labels, logits.double().softmax(dim=1).numpy()), 4)


def rounded(value: float) -> float:
    """Return four decimals; NaN stays."""
    return round(float(value), 4)


TABLE = Table(
    BROKEN, BROKEN_COLUMNS, BROKEN_KEY, (DATASET,), cells, measure, shown=("train_loss", "val_auc")
)
