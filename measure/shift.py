"""Trained at one place, used at another: solar cells of one type, then of the other.

Three strategies, and full fine-tuning with moving BatchNorm, scored inside and outside, and on
images that are darker, blurred or noisy; and what repairs a network at the new place: BatchNorm
statistics of unlabelled images, or a few labels for some of its parts.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch.optim.swa_utils import update_bn
from torchvision.transforms.v2 import functional as F

from helpers import datasets, inspection
from helpers.datasets import Dataset, Split
from helpers.datasets.elpv import read_labels
from helpers.evidence import grid
from helpers.evidence.trust import SHIFT, SHIFT_COLUMNS, SHIFT_KEY
from helpers.networks.backbones import Backbone
from helpers.training import experiments, loop, predict, strategies
from helpers.training.metrics import Score
from helpers.training.recipe import Recipe
from measure import reference
from measure.runner import Table

TYPES = ("mono", "poly")

N_TRAIN, N_VAL, N_UNLABELLED, N_LABELLED = 400, 100, 256, 64

# The first is what the others are compared with. In the last, BatchNorm moves in training, too:
# only there are statistics of the training images behind the weights, for which to put others.
STRATEGIES = (
    strategies.feature_extraction(), strategies.full_finetune(), strategies.lp_ft(),
    strategies.full_finetune(batchnorm="follow"),
)  # fmt: skip

REPAIRED = "full_finetune"  # whose parts are tuned on a few labels

NEW_STATISTICS = (REPAIRED, "full_finetune+bn_follow")

PARTS = {"head": ("head",), "early": ("stem", "stage1", "stage2", "head"),
         "late": ("stage6", "stage7", "head"), "all": ()}  # fmt: skip

REPAIR_EPOCHS, REPAIR_RATE = 20, 3e-4


class Cell(NamedTuple):
    """The type of cells to train on, and a seed."""

    train_on: str
    seed: int


def cells(names: Sequence[str] = ("elpv",)) -> list[Cell]:
    """Return every cell: both directions, seed by seed."""
    return [Cell(kind, seed) for _ in names for seed in range(4) for kind in TYPES]


def darker(images: torch.Tensor) -> torch.Tensor:
    """Seven tenths of the brightness."""
    return F.adjust_brightness(images, 0.7)


def blurred(images: torch.Tensor) -> torch.Tensor:
    """A Gaussian of one pixel."""
    return F.gaussian_blur(images, 5, 1.0)


def noisy(images: torch.Tensor) -> torch.Tensor:
    """Noise with a standard deviation of ten gray levels, the same in every run."""
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    return (images.float() + 10 * noise).round().clamp(0, 255).to(torch.uint8)


CHANGES: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "darker": darker, "blurred": blurred, "noisy": noisy
}  # fmt: skip


def measure(cell: Cell) -> list[dict]:
    """Train every strategy on one type; return a row per strategy, place and repair."""
    data = datasets.load("elpv", size=grid.IMAGE_SIZE)
    kind = read_labels()[2]
    other = next(name for name in TYPES if name != cell.train_on)
    here, there = (only(data, kind == name) for name in (cell.train_on, other))
    small = replace(here, train=here.train.sample(N_TRAIN, cell.seed),
                    val=here.val.sample(N_VAL, cell.seed))  # fmt: skip
    unlabelled = here.train.sample(N_UNLABELLED, cell.seed)
    places = {
        "inside": (here.test, unlabelled),
        "outside": (there.test, there.train.sample(N_UNLABELLED, cell.seed)),
        **{name: (changed(here.test, how), changed(unlabelled, how))
           for name, how in CHANGES.items()},
    }  # fmt: skip
    labelled = there.train.sample(N_LABELLED, cell.seed)
    rows, frozen = [], {}
    for strategy in STRATEGIES:
        name, recipe = strategy.key, Recipe(epochs=grid.epochs_for(N_TRAIN))
        model = strategies.build(strategy, n_classes=2, channels=1, seed=cell.seed)
        loop.fit(model, small, strategy, recipe, seed=cell.seed)
        for place, (test, images) in places.items():
            facts = cell._asdict() | {"strategy": name, "place": place, "epochs": recipe.epochs}
            plain = predict.evaluate(model, test)
            frozen.setdefault(place, plain.probabilities)
            rows.append(facts | {"repair": "none", "n_repair": 0, **scored(plain)}
                        | reference.difference(plain, test, frozen[place], "change"))  # fmt: skip
            repairs = {}
            if name in NEW_STATISTICS:
                repairs["batchnorm"] = (lambda m, i=images: rest_anew(m, i), len(images))
            if place == "outside" and name == REPAIRED:
                repairs |= {part: (lambda m, p=part: tune(m, labelled, p, cell.seed), N_LABELLED)
                            for part in PARTS}  # fmt: skip
            for repair, (mend, n) in repairs.items():
                mend(mended := copy.deepcopy(model))
                score = predict.evaluate(mended, test)
                gain = reference.difference(score, test, plain.probabilities, "gain")
                rows.append(facts | {"repair": repair, "n_repair": n, **scored(score)} | gain)
    shared = {"backbone": grid.BACKBONE, "image_size": grid.IMAGE_SIZE, "n_train": N_TRAIN,
              "versions": experiments.versions()}  # fmt: skip
    return [{name: (row | shared).get(name) for name in SHIFT_COLUMNS} for row in rows]


def only(data: Dataset, wanted: np.ndarray) -> Dataset:
    """Return the cells for which `wanted` is true, by their number in the list of files."""
    splits = {"train": data.train, "val": data.val, "test": data.test}
    return replace(data, **{
        name: split.subset(np.flatnonzero(wanted[split.groups]))  # a cell's group is its number
        for name, split in splits.items()
    })  # fmt: skip


def changed(split: Split, how: Callable[[torch.Tensor], torch.Tensor]) -> Split:
    """Return the same images, changed."""
    return replace(split, images=inspection.changed(split.images, how))


def rest_anew(model: Backbone, images: Split) -> None:
    """Estimate all BatchNorm statistics from these images; no label is used."""
    model.frozen = frozenset()
    update_bn([predict.batch(images, i) for i in np.array_split(np.arange(len(images)), 8)], model)
    model.eval()


def tune(model: Backbone, labelled: Split, parts: str, seed: int) -> None:
    """Train the named parts on a few labelled images of the new place, for a fixed time."""
    names = PARTS[parts] or model.part_names
    for name in model.part_names:
        model.part(name).requires_grad_(name in names)
    model.frozen = frozenset(model.part_names)  # statistics rest
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], REPAIR_RATE)
    rng = np.random.default_rng(seed)
    for _ in range(REPAIR_EPOCHS):
        for index in np.array_split(rng.permutation(len(labelled)), 2):
            loss = torch.nn.functional.cross_entropy(
                model.train()(predict.batch(labelled, index)),
                torch.from_numpy(labelled.labels[index]),
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    model.eval()


def scored(score: Score) -> dict:
    """Return a score as columns."""
    return {"n_test": score.n, "auc": round(score.auc, 4), "auc_lo": round(score.auc_lo, 4),
            "auc_hi": round(score.auc_hi, 4)}  # fmt: skip


TABLE = Table(SHIFT, SHIFT_COLUMNS, SHIFT_KEY, ("elpv",), cells, measure)
