"""Measure similarity and transferability of the course's data sets: minutes, resumable.

``python -m measure.similarity`` writes data/reference/photographs.npz where it is missing
or damaged and adds what is missing to data/results/similarity.csv and transferability.csv. It needs
``COURSE_DATA_DIR`` for the sets that do not come with the course.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from helpers import __main__, datasets, inspection
from helpers.datasets import Dataset, Split, dataset
from helpers.errors import CourseError
from helpers.evidence import grid, similarity, tables, transferability
from helpers.evidence.similarity import SIMILARITY, SIMILARITY_COLUMNS, read_similarity
from helpers.evidence.transferability import (
    TRANSFERABILITY,
    TRANSFERABILITY_COLUMNS,
    read_transferability,
)
from helpers.networks import backbones
from helpers.training import experiments, metrics, predict
from measure import commands

PHOTOGRAPHS = ("flowers", "hymenoptera")


SEEDS = (0, 1, 2)


N_MEASURED = 400


GRAY = "[gray]"  # marks photographs with their colour taken away


def main() -> int:
    """Measure everything that is missing; return the exit code."""
    torch.set_num_threads(1)
    return __main__.exit_code(_measure_all)


def _measure_all() -> None:
    found = commands.here(grid.DATASETS)
    make_reference()
    for measure in (measure_similarity, measure_transferability):
        for name in found:
            measure(name)


def make_reference(path: Path = similarity.REFERENCE) -> None:
    """Compute the reference features from test images of the photographs, unless they are there.

    A file that cannot be used is made again: that is what its error message promises.

    Raises
    ------
    CourseError
        When a data set of photographs is not on this machine.
    """
    try:
        similarity.load_reference(path)
    except CourseError as error:
        print(error, "Making them now.", flush=True)
    else:
        return
    parts = {}
    for name in PHOTOGRAPHS:
        data = datasets.load(name, size=similarity.IMAGE_SIZE)
        model = backbones.load(similarity.BACKBONE, channels=data.card.channels)
        parts[name] = predict.features(model, data.test.sample(similarity.FRECHET_ROWS, seed=0))
    drawn = f"{similarity.FRECHET_ROWS} images of each test part, seed 0"
    similarity.save_reference(parts, {"drawn": drawn, "versions": experiments.versions()}, path)


def measure_similarity(name: str, path: Path = SIMILARITY) -> None:
    """Measure a data set against each reference, as it is and, if in colour, turned gray."""
    done = _done(read_similarity(path)[["dataset", "seed"]])
    todo = [key for key in _variants(name) if key not in done]
    if not todo:
        return
    data = datasets.load(name, size=similarity.IMAGE_SIZE)
    for label, seed in todo:
        images = data.train.sample(min(N_MEASURED, len(data.train)), seed)
        images = without_colour(images) if label.endswith(GRAY) else images
        tables.append(list(_similarity_rows(label, data, images, seed)), path, SIMILARITY_COLUMNS)
        print(f"{label}, seed {seed}: similarity measured", flush=True)


def _variants(name: str) -> list[tuple[str, int]]:
    labels = [name, name + GRAY] if name in PHOTOGRAPHS else [name]
    return [(label, seed) for label in labels for seed in SEEDS]


def _similarity_rows(label: str, data: Dataset, images: Split, seed: int) -> Iterator[dict]:
    reference = similarity.load_reference()
    model = backbones.load(similarity.BACKBONE, channels=images.images.shape[-1])
    features = predict.features(model, images)
    shift = float(similarity.batchnorm_shift(model, images).mean())
    for other in reference.names:
        found = similarity.distances(features, [reference.of(other)], shift, seed)
        yield {
            "dataset": label, "domain": data.card.domain, "n_classes": len(data.card.classes),
            "reference": other, "n": found.n, "seed": seed, "backbone": similarity.BACKBONE,
            "image_size": similarity.IMAGE_SIZE,
            "proxy_a_distance": round(found.proxy_a_distance, 3),
            "frechet_distance": round(found.frechet_distance, 1),
            "mean_distance": round(found.mean_distance, 4),
            "batchnorm_shift": round(found.batchnorm_shift, 4),
            "versions": experiments.versions(),
        }  # fmt: skip


def _done(keys: pd.DataFrame) -> set[tuple]:
    return set(keys.itertuples(index=False, name=None))


def without_colour(images: Split) -> Split:
    """Return colour images as gray ones, by the luma weights of ITU-R BT.601."""
    # Pillow's luminance (datasets.gray) ends a level off for one colour in 1,770: with it the
    # stored rows would not come out again.
    luma = np.asarray(images.images) @ np.array([0.299, 0.587, 0.114])
    return Split(luma.round().astype(np.uint8)[..., None], images.labels, images.groups)


def measure_transferability(name: str, path: Path = TRANSFERABILITY) -> None:
    """Score the features of every part of the network on the training samples of the grid."""
    data = datasets.load(name, size=similarity.IMAGE_SIZE)
    done = _done(read_transferability(path)[["dataset", "n_train", "seed"]])
    sizes = sorted({min(n or len(data.train), len(data.train)) for n in grid.SIZES})
    todo = [(n, s) for n in sizes for s in SEEDS if (name, n, s) not in done]
    # All images are the same images whatever the seed.
    todo = [(n, s) for n, s in todo if n < len(data.train) or s == SEEDS[0]]
    if not todo:
        return
    model = backbones.load(similarity.BACKBONE, channels=data.card.channels)
    parts = {k: inspection.pooled(model, getattr(data, k)) for k in ("train", "test")}
    source = predict.predict(model, data.train)
    for n, seed in todo:
        rows = list(_transferability_rows(name, data, parts, source, n, seed))
        tables.append(rows, path, TRANSFERABILITY_COLUMNS)
        print(f"{name}, n = {n}, seed {seed}: transferability measured", flush=True)


def _transferability_rows(
    name: str, data: Dataset, parts: dict, source: np.ndarray, n: int, seed: int
) -> Iterator[dict]:
    index = dataset.stratified_sample(data.train.labels, n, seed)
    labels, last = data.train.labels[index], list(parts["train"])[-1]
    for part, features in parts["train"].items():
        probe = probe_auc(features[index], labels, parts["test"][part], data.test.labels)
        leep = transferability.leep(source[index], labels) if part == last else np.nan
        yield {
            "dataset": name, "n_train": n, "seed": seed, "backbone": similarity.BACKBONE,
            "image_size": similarity.IMAGE_SIZE, "part": part,
            "logme": round(transferability.logme(features[index], labels), 4),
            "leep": round(leep, 4), "probe_auc": round(probe, 4),
            "versions": experiments.versions(),
        }  # fmt: skip


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


if __name__ == "__main__":
    os.environ.setdefault("TQDM_DISABLE", "1")
    sys.exit(main())
