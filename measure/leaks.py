"""What a leak is worth: the AUC that it shows, and the AUC of the same recipe without it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from helpers import datasets
from helpers.datasets import Dataset, Split
from helpers.datasets.dataset import holdout
from helpers.evidence import grid
from helpers.evidence.trust import LEAK_COLUMNS, LEAK_KEY, LEAKS
from helpers.training import experiments, metrics, predict, strategies
from helpers.training.experiments import Experiment, Outcome
from helpers.training.recipe import Recipe
from measure.predictions import repeated, with_share
from measure.runner import Table

SIZE = grid.IMAGE_SIZE

N_XRAYS = 1600  # training images; more patients lie on both sides than with a few hundred

COPIED = 0.25  # share of the test images that lie in the training images, too

LEAKS_OF = {"elpv": ("oversampled", "copies", "neighbours"), "chest_xray": ("patients",)}

SEEDS = {"feature_extraction": range(10), "full_finetune": range(3)}


class Cell(NamedTuple):
    """One leak, with a strategy and a seed; the seed draws the split as well."""

    dataset: str
    leak: str
    strategy: str
    seed: int


def cells(names: Sequence[str] = ("elpv", "chest_xray")) -> list[Cell]:
    """Return every cell, the cheap strategy first."""
    return [
        Cell(name, leak, strategy, seed)
        for strategy, seeds in SEEDS.items()
        for name in names
        for leak in LEAKS_OF[name]
        for seed in seeds
        if (leak, strategy) != ("patients", "full_finetune")  # two trainings on 1,600 images a seed
    ]


def measure(cell: Cell) -> list[dict]:
    """Train what the leak needs, and return both scores."""
    row = LEAK[cell.leak](cell)
    row |= cell._asdict() | {
        "backbone": grid.BACKBONE, "image_size": SIZE, "versions": experiments.versions(),
        "gap": round(row["leaky"] - row["honest"], 4),
    }  # fmt: skip
    return [{name: row[name] for name in LEAK_COLUMNS}]


def trained(cell: Cell, data: Dataset) -> Outcome:
    """Train on ``data.train``; return the experiment's outcome, scored on ``data.test``."""
    recipe = Recipe(epochs=grid.epochs_for(len(data.train)))
    return experiments.measure(
        Experiment(strategies.by_name(cell.strategy), cell.dataset, None, grid.BACKBONE, SIZE,
                   recipe, cell.seed),
        data=data,
    )  # fmt: skip


def two_splits(leaky: Dataset, honest: Dataset, cell: Cell) -> dict:
    """Score the same recipe, on as many images, on two ways to split."""
    n = min(len(leaky.train), len(honest.train))
    one, other = (trained(cell, data.take(n, cell.seed)) for data in (leaky, honest))
    return {"leaky": round(one.score.auc, 4), "honest": round(other.score.auc, 4),
            "n_leaky": one.score.n, "n_honest": other.score.n, "n_train": n,
            "epochs": one.experiment.recipe.epochs}  # fmt: skip


def neighbours(cell: Cell) -> dict:
    """A random split of solar cells against one by blocks of neighbouring files."""
    leaky, honest = (
        datasets.load(cell.dataset, size=SIZE, split=split, seed=cell.seed)
        for split in ("random", "blocks")
    )
    return two_splits(leaky, honest, cell)


def patients(cell: Cell) -> dict:
    """X-rays of the training folder, split by image against by patient."""
    data = datasets.load(cell.dataset, size=SIZE)
    pool = joined(data.train, data.val)
    by_image, by_patient = (split(data, pool, cell.seed, g) for g in (None, pool.groups))
    return two_splits(by_image.take(N_XRAYS, cell.seed), by_patient.take(N_XRAYS, cell.seed), cell)


def joined(*splits: Split) -> Split:
    """Put splits together."""
    parts = [[getattr(split, name) for split in splits] for name in ("images", "labels", "groups")]
    return Split(*map(np.concatenate, parts))


def split(data: Dataset, pool: Split, seed: int, groups: np.ndarray | None) -> Dataset:
    """Cut a pool of images anew: a quarter is test, a fifth of the rest validation."""
    rest, test = holdout(pool.labels, 0.25, seed, groups)
    left = None if groups is None else groups[rest]
    train, val = holdout(pool.labels[rest], 0.2, seed, left)
    return replace(data, train=pool.subset(rest[train]), val=pool.subset(rest[val]),
                   test=pool.subset(test))  # fmt: skip


def copies(cell: Cell) -> dict:
    """A quarter of the test images lie in the training images, too; scored with and without."""
    data = datasets.load(cell.dataset, size=SIZE, seed=cell.seed)
    rng = np.random.default_rng(cell.seed)
    copied = np.sort(rng.permutation(len(data.test))[: round(COPIED * len(data.test))])
    others = np.setdiff1d(np.arange(len(data.test)), copied)
    small = data.take(400 - len(copied), cell.seed)
    small = replace(small, train=joined(small.train, data.test.subset(copied)))
    outcome = trained(cell, small)
    score = outcome.score
    clean = metrics.auc(score.labels[others], score.probabilities[others])
    return {"leaky": round(score.auc, 4), "honest": round(clean, 4), "n_leaky": score.n,
            "n_honest": len(others), "n_train": len(small.train),
            "epochs": outcome.experiment.recipe.epochs}  # fmt: skip


def oversampled(cell: Cell) -> dict:
    """Repeat the rare class, then split: copies of one cell lie on both sides.

    One network, and two scores: on the test images of that split, and on the untouched ones.
    """
    data = datasets.load(cell.dataset, size=SIZE, seed=cell.seed)
    pool = repeated(with_share(data.train, 400, 0.1, cell.seed))
    leaky = split(data, pool, cell.seed, None)
    outcome = trained(cell, leaky)
    honest = predict.evaluate(outcome.run.model, data.test)
    return {"leaky": round(outcome.score.auc, 4), "honest": round(honest.auc, 4),
            "n_leaky": outcome.score.n, "n_honest": honest.n, "n_train": len(leaky.train),
            "epochs": outcome.experiment.recipe.epochs}  # fmt: skip


LEAK: dict[str, Callable[[Cell], dict]] = {
    "neighbours": neighbours, "patients": patients, "copies": copies, "oversampled": oversampled,
}  # fmt: skip

TABLE = Table(
    LEAKS, LEAK_COLUMNS, LEAK_KEY, ("elpv", "chest_xray"), cells, measure,
    shown=("leaky", "honest"),
)  # fmt: skip
