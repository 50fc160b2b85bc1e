"""Where transfer lives: linear probes on every part, pretrained against random weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch

from helpers import datasets
from helpers.datasets import Card
from helpers.evidence.probes import PROBE_COLUMNS, PROBES
from helpers.inspection import probe_parts
from helpers.networks import backbones
from helpers.networks.backbones import Backbone
from helpers.training import experiments
from measure.runner import Table

N_TRAIN, IMAGE_SIZE, BACKBONE = 400, 96, "efficientnet_lite0"

SEEDS = (0, 1, 2)  # of the sample and of random weights

DATASETS = ("elpv", "flowers")


class Cell(NamedTuple):
    """All parts of one network, on a sample of one data set."""

    dataset: str
    weights: str
    seed: int


def cells(names: Sequence[str] = DATASETS) -> list[Cell]:
    """Return every cell, one data set after the other."""
    return [
        Cell(name, weights, seed)
        for name in names
        for seed in SEEDS
        for weights in ("imagenet", "random")
    ]


def untrained(card: Card, seed: int) -> Backbone:
    """Return the network with random weights, the fair comparison for pretrained ones."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return backbones.load(BACKBONE, channels=card.channels, weights=None)


def measure(cell: Cell) -> list[dict]:
    """Fit and score a probe on every part of the network; return a row for each part."""
    data = datasets.load(cell.dataset, size=IMAGE_SIZE)
    data = data.take(min(N_TRAIN, len(data.train)), cell.seed)
    if cell.weights == "random":
        model = untrained(data.card, cell.seed)
    else:
        model = backbones.load(BACKBONE, channels=data.card.channels, weights=cell.weights)
    rows = probe_parts(model, data).round({"auc": 4, "auc_lo": 4, "auc_hi": 4})
    return rows.assign(
        **cell._asdict(), domain=data.card.domain, backbone=BACKBONE, image_size=IMAGE_SIZE,
        versions=experiments.versions(),
    ).to_dict("records")  # fmt: skip


TABLE = Table(PROBES, PROBE_COLUMNS, Cell._fields, DATASETS, cells, measure)
