"""Where transfer lives: linear probes on every part, pretrained against random weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd
import torch
from torch.optim.swa_utils import update_bn

from helpers import datasets
from helpers.datasets import Card, Dataset
from helpers.evidence.probes import PROBE_COLUMNS, PROBES
from helpers.inspection import probe_parts
from helpers.networks import backbones
from helpers.networks.backbones import Backbone
from helpers.training import experiments, predict
from measure import reference
from measure.runner import Table

N_TRAIN, IMAGE_SIZE, BACKBONE = 400, 96, "efficientnet_lite0"

SEEDS = (0, 1, 2)  # of the sample and of random weights

DATASETS = ("elpv", "chest_xray", "flowers")


class Cell(NamedTuple):
    """All parts of three networks, on one sample of a data set."""

    dataset: str
    seed: int


def cells(names: Sequence[str] = DATASETS) -> list[Cell]:
    """Return every cell, one data set after the other."""
    return [Cell(name, seed) for name in names for seed in SEEDS]


def untrained(card: Card, seed: int) -> Backbone:
    """Return the network with random weights, the fair comparison for pretrained ones."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return backbones.load(BACKBONE, channels=card.channels, weights=None)


def calibrated(data: Dataset, seed: int) -> Backbone:
    """Return the network with random weights whose BatchNorm has the training images' statistics.

    In `untrained` it has those it was made with, mean 0 and variance 1.
    """
    model = untrained(data.card, seed)
    update_bn([predict.batch(data.train, slice(None))], model)
    return model


def measure(cell: Cell) -> list[dict]:
    """Fit and score a probe on every part of each network; return a row for each part."""
    data = datasets.load(cell.dataset, size=IMAGE_SIZE)
    data = data.take(min(N_TRAIN, len(data.train)), cell.seed)
    models = {
        "imagenet": backbones.load(BACKBONE, channels=data.card.channels),
        "random": untrained(data.card, cell.seed),
        "random_calibrated": calibrated(data, cell.seed),
    }
    found = {name: probe_parts(model, data) for name, model in models.items()}
    for name in list(models)[1:]:
        pairs = zip(found["imagenet"]["score"], found[name]["score"], strict=True)
        gains = [reference.difference(trained, data.test, other.probabilities, "gain")
                 for trained, other in pairs]  # fmt: skip
        found[name] = found[name].join(pd.DataFrame(gains))
    rows = pd.concat([table.assign(weights=name) for name, table in found.items()])
    return rows.round({"auc": 4, "auc_lo": 4, "auc_hi": 4}).assign(
        **cell._asdict(), domain=data.card.domain, backbone=BACKBONE, image_size=IMAGE_SIZE,
        versions=experiments.versions(),
    ).to_dict("records")  # fmt: skip


TABLE = Table(PROBES, PROBE_COLUMNS, Cell._fields, DATASETS, cells, measure)
