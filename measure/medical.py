"""Does it matter what a network learned before? And is the better ImageNet network better here?

First question, on chest X-rays: bacterial or viral pneumonia, learned from ImageNet's weights, from
ImageNet's after pneumonia or not (the right domain), from ImageNet's after solar cells (a wrong
one), and from none; and from any published checkpoint (`helpers.networks.medical`) that
``COURSE_ACCEPT_TERMS`` names, once its file is there. Second question, on all four sets:
EfficientNet-Lite0, Lite1 and Lite2.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from helpers import datasets, files
from helpers.datasets import Dataset
from helpers.datasets.dataset import holdout
from helpers.evidence import grid
from helpers.evidence.medical import COLUMNS, KEY, MEDICAL
from helpers.networks import medical
from helpers.training import checkpoints, experiments, loop, strategies
from helpers.training.experiments import Experiment
from helpers.training.recipe import Recipe
from measure import reference
from measure.leaks import joined
from measure.runner import Table

TARGET = "chest_xray_cause"

N_SOURCE = 1_500  # training images of either source

N_SOURCES = 3  # networks of each source, taken in turn

STARTS = ("imagenet", "pneumonia", "solar", "random")

NETWORKS = ("efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2")

FIRST = {"source": STARTS[0], "network": NETWORKS[0]}  # what the others are compared with

N_NETWORK = 200  # training images, or all where there are fewer


class Cell(NamedTuple):
    """One start on one data set, and a seed; all starts see the same images."""

    question: str
    dataset: str
    start: str
    n_train: int
    seed: int


def cells(names: Sequence[str]) -> list[Cell]:
    """Return every cell, seed by seed."""
    accepted = os.environ.get(medical.TERMS, "").split(",")
    published = [name for name in medical.CHECKPOINTS if name in accepted]
    plan = [Cell("source", TARGET, start, n, seed) for seed in range(3) for n in (50, 200, 800)
            for start in (*STARTS, *published) if TARGET in names]  # fmt: skip
    sizes = {name: min(grid.sizes_of(name, [N_NETWORK])) for name in names if name != TARGET}
    plan += [Cell("network", name, network, n, seed) for seed in range(3)
             for name, n in sizes.items() for network in NETWORKS]  # fmt: skip
    # With few images the draw decides most, and more draws are cheap.
    plan += [Cell("source", TARGET, start, n, seed) for seed in range(3, 8) for n in (50, 200)
             for start in STARTS if TARGET in names]  # fmt: skip
    return plan


def pneumonia_images(target: Dataset) -> Dataset:
    """Return X-rays with and without pneumonia, none of a patient of the target's val or test."""
    data = datasets.load("chest_xray", size=grid.IMAGE_SIZE)
    pool = joined(data.train, data.val)
    held = {image.tobytes() for part in (target.val, target.test) for image in part.images}
    theirs = pool.groups[[image.tobytes() in held for image in pool.images]]
    free = pool.subset(np.flatnonzero(~np.isin(pool.groups, [*theirs, *data.test.groups])))
    train, val = holdout(free.labels, 0.2, 0, free.groups)
    return replace(data, train=free.subset(train), val=free.subset(val))


def source_weights(name: str, seed: int, target: Dataset) -> Path:
    """Return the weights after a source task (ImageNet first), training them where need be."""
    key = files.digest(name, seed, N_SOURCE, experiments.versions())
    path = files.folder("medical", f"{name}-{key}.safetensors")
    if not path.is_file():
        data = datasets.load("elpv", size=grid.IMAGE_SIZE)
        data = (pneumonia_images(target) if name == "pneumonia" else data).take(N_SOURCE, seed)
        strategy = strategies.full_finetune()
        model = strategies.build(strategy, n_classes=2, channels=1, seed=seed)
        loop.fit(model, data, strategy, Recipe(epochs=grid.epochs_for(N_SOURCE)), seed=seed)
        checkpoints.export(model, path, classes=data.card.classes, channels=1)
    return path


def experiments_of(cell: Cell, target: Dataset) -> dict[str, Experiment]:
    """Return what is trained in a cell: ``"frozen"``, feature extraction, and ``"tuned"``."""
    tuned = strategies.scratch() if cell.start == "random" else strategies.partial_finetune()
    ways = {"frozen": strategies.feature_extraction(), "tuned": tuned}
    backbone, options = grid.BACKBONE, {}
    if cell.question == "network" or cell.start in medical.CHECKPOINTS:
        backbone = cell.start
    elif cell.start in ("pneumonia", "solar"):
        options = {"weights": source_weights(cell.start, cell.seed % N_SOURCES, target)}
    elif cell.start == "random":
        del ways["frozen"]  # notebook 01 measures what random features are worth
    return {
        way: Experiment(strategy, cell.dataset, cell.n_train, backbone, grid.IMAGE_SIZE,
                        Recipe(epochs=grid.epochs_for(cell.n_train)), cell.seed,
                        model_options=options)
        for way, strategy in ways.items()
    }  # fmt: skip


def measure(cell: Cell) -> list[dict]:
    """Train and score one start, frozen and tuned; return a row for each."""
    target, rows = datasets.load(cell.dataset, size=grid.IMAGE_SIZE), []
    small = target.take(cell.n_train, cell.seed)
    first = cell._replace(start=FIRST[cell.question])
    others = experiments_of(first, target)
    for way, experiment in experiments_of(cell, target).items():
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The weights of")  # the source's head is left out
            score = experiments.measure(experiment, data=small).score
        own = score.probabilities if cell == first else None
        reference_run = (first, way), others[way]
        before = reference.probabilities("medical", *reference_run, own, data=small)
        row = cell._asdict() | {
            "strategy": experiment.strategy.key, "backbone": experiment.backbone,
            "n_source": N_SOURCE if "weights" in experiment.model_options else 0,
            "image_size": grid.IMAGE_SIZE, "epochs": experiment.recipe.epochs, "n_test": score.n,
            "auc": round(score.auc, 4), "auc_lo": round(score.auc_lo, 4),
            "auc_hi": round(score.auc_hi, 4), "versions": experiments.versions(),
        } | reference.difference(score, target.test, before, "gain")  # fmt: skip
        rows.append({name: row[name] for name in COLUMNS})
    return rows


TABLE = Table(
    MEDICAL, COLUMNS, KEY, (TARGET, *grid.DATASETS), cells, measure, shown=("auc",), workers=2
)
