"""How well features fit the labels before anything is trained: LogME, LEEP, and a trained probe."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from helpers import datasets
from helpers.datasets import Dataset, dataset
from helpers.evidence import grid, transferability
from helpers.evidence.similarity import BACKBONE, IMAGE_SIZE
from helpers.evidence.transferability import TRANSFERABILITY, TRANSFERABILITY_COLUMNS
from helpers.inspection import pooled
from helpers.networks import backbones
from helpers.training import experiments, metrics, predict
from measure.runner import Table

SEEDS = (0, 1, 2)


class Cell(NamedTuple):
    """One training sample of the grid."""

    dataset: str
    n_train: int
    seed: int


def cells(names: Sequence[str] = grid.DATASETS) -> list[Cell]:
    """Return every cell, smallest first; all images are the same images whatever the seed."""
    plan = []
    for name in names:
        sizes = sorted(grid.sizes_of(name))
        plan += [Cell(name, n, s) for n in sizes for s in SEEDS if n < sizes[-1] or s == SEEDS[0]]
    return plan


@functools.lru_cache(maxsize=1)
def seen_by_the_network(name: str) -> tuple[Dataset, dict, np.ndarray]:
    """Return a data set, its pooled features and its training images' ImageNet probabilities.

    Features: split -> part -> ``(N, F)``. Probabilities: ``(N, 1000)``.
    """
    data = datasets.load(name, size=IMAGE_SIZE)
    model = backbones.load(BACKBONE, channels=data.card.channels)
    features = {split: pooled(model, getattr(data, split)) for split in ("train", "test")}
    return data, features, predict.predict(model, data.train)


def measure(cell: Cell) -> list[dict]:
    """Score the features of every part of the network; return a row for each part."""
    data, features, source = seen_by_the_network(cell.dataset)
    index = dataset.stratified_sample(data.train.labels, cell.n_train, cell.seed)
    labels, last = data.train.labels[index], list(features["train"])[-1]
    rows = []
    for part, train in features["train"].items():
        probe = probe_auc(train[index], labels, features["test"][part], data.test.labels)
        leep = transferability.leep(source[index], labels) if part == last else np.nan
        rows.append({
            **cell._asdict(), "backbone": BACKBONE, "image_size": IMAGE_SIZE, "part": part,
            "logme": round(transferability.logme(train[index], labels), 4),
            "leep": round(leep, 4), "probe_auc": round(probe, 4),
            "versions": experiments.versions(),
        })  # fmt: skip
    return rows


def probe_auc(
    features: np.ndarray, labels: np.ndarray, test_features: np.ndarray, test_labels: np.ndarray
) -> float:
    """Return the test AUC of a logistic regression on standardised features, C = 0.01.

    The strength is fixed for all parts, so that nothing is chosen on the test split.
    """
    probe = make_pipeline(
        StandardScaler(), LogisticRegression(C=0.01, max_iter=2000, class_weight="balanced")
    ).fit(features, labels)
    return metrics.auc(test_labels, probe.predict_proba(test_features))


TABLE = Table(TRANSFERABILITY, TRANSFERABILITY_COLUMNS, Cell._fields, grid.DATASETS, cells, measure)
