"""Predictions and scores: batches in, probabilities out, intervals on top."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from helpers.datasets import Split
from helpers.networks.backbones import Backbone
from helpers.networks.fold import folded
from helpers.training import devices, metrics

EVAL_BATCH = 32  # larger ones gain a few per cent at most (benchmarks) and take more memory


@dataclass(frozen=True)
class Inputs:
    """What a network is fed: images, or the stored activations of its frozen front.

    Attributes
    ----------
    images : uint8 ``(N, H, W, C)``; or floating-point activations ``(N, H, W, C)``, ``(N, F)``.
    labels : ``(N,)``.
    start : the part of the network that takes them.
    known : whether the activations had been computed before.
    """

    images: np.ndarray
    labels: np.ndarray
    start: str = "stem"
    known: bool = False

    def __len__(self) -> int:
        return len(self.labels)


def batch(inputs: Split | Inputs, index: np.ndarray, device: torch.device | str = "cpu") -> Tensor:
    """Return the rows at `index` as ``(N, C, H, W)``, channels last in memory, or ``(N, F)``.

    Images stay uint8; stored activations become float32.
    """
    rows = torch.from_numpy(np.ascontiguousarray(inputs.images[index]))
    rows = rows.permute(0, 3, 1, 2) if rows.ndim == 4 else rows
    rows = rows.to(device, non_blocking=True)
    return rows.float() if rows.is_floating_point() else rows


@contextlib.contextmanager
def at_rest(
    model: nn.Module, start: str = "stem", device: torch.device | None = None
) -> Iterator[nn.Module]:
    """Yield `model` in eval mode on `device` (None: where it is); afterwards it is as it was.

    Where convolutions have to run, a backbone is a copy with its BatchNorm folded, without
    gradients (`helpers.networks.fold`).
    """
    mode, home = model.training, next(model.parameters()).device
    if isinstance(model, Backbone) and start != "head":
        yield folded(model).to(device or home)
        return
    try:
        yield model.eval().to(device or home)
    finally:
        model.train(mode).to(home)


def predict(model: nn.Module, inputs: Split | Inputs, fabric: Fabric | None = None) -> np.ndarray:
    """Return class probabilities, float64 ``(N, n_classes)``, with the model in eval mode.

    Single precision would call all that is surer than 1 - 6e-8 the same: 1. Ranks, and so the AUC,
    would be lost among the surest answers.

    Under several processes each computes a part and all receive the whole.
    """
    fabric = fabric or devices.start()
    start = inputs.start if isinstance(inputs, Inputs) else "stem"
    options = {} if start == "stem" else {"start": start}  # other networks take no `start`
    n, world = len(inputs), fabric.world_size
    mine = np.resize(np.arange(n), math.ceil(n / world) * world)[fabric.global_rank :: world]
    with at_rest(model, start, fabric.device) as quick, torch.inference_mode(), fabric.autocast():
        parts = [
            quick(batch(inputs, index, fabric.device), **options).float()
            for index in np.array_split(mine, math.ceil(len(mine) / EVAL_BATCH))
        ]
    logits = torch.cat(parts)
    if world > 1:
        shares = [torch.empty_like(logits) for _ in range(world)]
        torch.distributed.all_gather(shares, logits)
        logits = torch.stack(shares, dim=1).flatten(0, 1)[:n]
    return logits.cpu().double().softmax(dim=1).numpy()


def evaluate(model: nn.Module, split: Split, fabric: Fabric | None = None) -> metrics.Score:
    """Score `model` on a split with 95 % intervals. On the test split: once, at the end."""
    return metrics.score(split.labels, predict(model, split, fabric), split.groups)


def outputs(
    model: Backbone, split: Split | Inputs, batches: Iterable[np.ndarray], last: str, fabric: Fabric
) -> Iterator[np.ndarray]:
    """Yield what part `last` gives for the rows of each batch, as float32, in eval mode.

    That is ``(B, H, W, C)``, or ``(B, F)``, pooled, where `last` is the last stage.
    """
    quick = folded(model).to(fabric.device)
    for index in batches:
        with torch.inference_mode(), fabric.autocast():
            out = quick(batch(split, index, fabric.device), stop=last)
            out = quick.pool(out) if last == model.part_names[-2] else out.permute(0, 2, 3, 1)
        yield out.float().cpu().numpy()


def features(model: Backbone, split: Split, fabric: Fabric | None = None) -> np.ndarray:
    """Return the pooled features ``(N, F)`` in front of the head, as float32, in eval mode."""
    batches = np.array_split(np.arange(len(split)), math.ceil(len(split) / EVAL_BATCH))
    last, fabric = model.part_names[-2], fabric or devices.start()
    return np.concatenate([*outputs(model, split, batches, last, fabric)])
