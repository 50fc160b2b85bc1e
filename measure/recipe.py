"""Try the steps of `helpers.evidence.recipe` one after the other, each on top of what was chosen.

``python -m measure recipe`` measures the next step and goes on until all are done: hours. The test
images are scored once for the first recipe and once for the last, by three networks each. At the
end the last recipe learns from the validation images, too: three networks more. Larger networks are
averaged with the last one on validation; on solar cells that is not told apart from one network, at
several times its price, and so never meets the test images. Where validation could choose nothing,
the last recipe is the first; larger networks, and what solar cells chose, are tested beside it.
"""

from __future__ import annotations

import itertools
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import NamedTuple
from unittest import mock

import numpy as np

from helpers import datasets, files
from helpers.datasets import Dataset, Split, views
from helpers.datasets.elpv import soft_targets
from helpers.datasets.views import Seen, View
from helpers.evidence import recipe
from helpers.evidence.recipe import COLUMNS, KEY, RECIPE, SEEDS, STEPS, Setup
from helpers.networks.backbones import Backbone
from helpers.training import checkpoints, experiments, loop, metrics, predict, strategies
from helpers.training.predict import Inputs
from helpers.training.recipe import Recipe
from measure.leaks import joined
from measure.predictions import digits, logits
from measure.runner import Table

DATASETS = ("elpv", "chest_xray")

N_TRAIN = 1_600  # of the X-rays; solar cells have 1,574

SMOOTHED = 0.05  # probability that a smoothed label leaves to the other class


class Cell(NamedTuple):
    """One option of one step, and a seed of the training; the images are the same for all."""

    dataset: str
    step: str
    option: str
    seed: int


def cells(names: Sequence[str]) -> list[Cell]:
    """Return what has to be measured before the next choice can be made, on every data set."""
    table, found = recipe.read_recipe(), []
    for name in names:
        _, setup, step = recipe.choices(table, name)
        first, *others = recipe.MEMBERS
        if step:
            wanted = [(step, option) for option in recipe.options(name, step)]
        elif setup != Setup():
            wanted = [("test", "start"), ("test", first), ("all", first),
                      *(("network", other) for other in others)]  # fmt: skip
        else:
            wanted = [("test", "start"), *itertools.product(["network", "test"], others),
                      ("all", first), ("test", recipe.BORROWED)]  # fmt: skip
        found += [Cell(name, *option, seed) for option in wanted for seed in SEEDS]
    return found


def setup_of(cell: Cell) -> Setup:
    """Return how a cell is trained: what was chosen in earlier steps, and its own change."""
    if cell.step == "test" and cell.option == "start":
        return Setup()
    if cell.option == recipe.BORROWED:
        return recipe.choices(recipe.read_recipe(), "elpv")[1]
    _, setup, _ = recipe.choices(recipe.read_recipe(), cell.dataset, until=cell.step)
    setup = replace(setup, **STEPS.get(cell.step, recipe.MEMBERS)[cell.option])
    # Of "all" no images are left to choose an epoch: where no mean is taken, the last one stays.
    return replace(setup, average=max(int(cell.step == "all"), setup.average))


def looks(dataset: str, setup: Setup) -> list[View]:
    """Return the fixed views of a data set: all turns of a cell, small shifts of an X-ray."""
    if not setup.views:
        return []
    return views.dihedral(8) if dataset == "elpv" else views.nudged(4)


def targets(split: Split, kind: str) -> np.ndarray | None:
    """Return the probabilities to learn instead of labels, ``(N, 2)``; None for labels."""
    if kind == "labels":
        return None
    if kind == "smoothed":
        return np.where(np.eye(2)[split.labels] == 1, 1 - SMOOTHED, SMOOTHED)
    return soft_targets(split)


def load(cell: Cell, size: int) -> Dataset:
    """Return the images, the same for every option and seed; for "all", all but the test images."""
    data = datasets.load(cell.dataset, size=size)
    if cell.step == "all":
        return replace(data, train=joined(data.train, data.val))
    return data.take(N_TRAIN) if len(data.train) > N_TRAIN else data


def trained(setup: Setup, data: Dataset, seed: int, kept: bool) -> tuple[Backbone, float]:
    """Return a network and its core seconds, and keep it in the cache (14 to 25 MB).

    `kept`: the one that an earlier step has kept, if it is there: the test images are to meet the
    networks that validation chose. A step always trains.
    """
    key = files.digest(data.card.name, len(data.train), asdict(setup), seed, experiments.versions())
    path = files.folder("recipe", f"{key}.safetensors")
    if kept and path.is_file():
        model, facts = checkpoints.load(path)
        return model, facts["core_seconds"]
    model, seconds = train(setup, data, seed)
    checkpoints.export(
        model, path, classes=data.card.classes, channels=data.card.channels, core_seconds=seconds
    )
    return model, seconds


def train(setup: Setup, data: Dataset, seed: int) -> tuple[Backbone, float]:
    """Train one network; return it and its core seconds, what is frozen computed anew."""
    name, options = setup.strategy, {}
    if name == "partial_finetune":
        head, backbone, decay = setup.rates
        options = {"last": setup.last, "head_lr": head, "backbone_lr": backbone, "decay": decay}
    strategy = strategies.by_name(name, **options)
    model = strategies.build(
        strategy, setup.backbone, n_classes=len(data.card.classes), channels=data.card.channels,
        seed=seed,
    )  # fmt: skip
    how = Recipe(epochs=setup.epochs, class_weights=setup.class_weights, average=setup.average)
    start = time.process_time()
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch.dict("os.environ", {"COURSE_CACHE": folder}),
    ):
        run = loop.fit(
            model, data, strategy, how, seed=seed, views=looks(data.card.name, setup),
            targets=targets(data.train, setup.targets),
        )  # fmt: skip
    return run.model, time.process_time() - start


def measure(cell: Cell) -> list[dict]:
    """Train one network and return its answers as a row."""
    setup = setup_of(cell)
    data = load(cell, setup.size)
    model, seconds = trained(setup, data, cell.seed, kept=cell.step == "test")
    tested = cell.step in ("test", "all")
    part, split = ("test", data.test) if tested else ("validation", data.val)
    turned = [Inputs(Seen(split.images, v), split.labels) for v in looks(cell.dataset, setup)]
    answers, *seen = [predict.predict(model, inputs) for inputs in (split, *turned)]
    row = cell._asdict() | {
        "part": part, "setup": json.dumps(asdict(setup)), "n_train": len(data.train),
        "n": len(split), "auc": round(metrics.auc(split.labels, answers), 4),
        "accuracy": round(float((answers.argmax(1) == split.labels).mean()), 4),
        "core_seconds": round(seconds, 1), "labels": digits(split.labels),
        "logits": logits(answers), "view_logits": logits(np.mean(seen, axis=0)) if seen else "",
        "versions": experiments.versions(),
    }  # fmt: skip
    return [{name: row[name] for name in COLUMNS}]


TABLE = Table(
    RECIPE, COLUMNS, KEY, DATASETS, cells, measure, shown=("auc", "core_seconds"), goes_on=True
)
