"""How near each data set of the course is to photographs: distances to a stored reference.

The reference, data/reference/photographs.npz, is made first where it is missing or damaged.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from helpers import datasets, files
from helpers.datasets import Split
from helpers.errors import CourseError
from helpers.evidence import grid, similarity
from helpers.evidence.similarity import BACKBONE, IMAGE_SIZE, SIMILARITY, SIMILARITY_COLUMNS
from helpers.networks import backbones
from helpers.training import experiments, predict
from measure.runner import Table

PHOTOGRAPHS = ("flowers", "hymenoptera")

SEEDS = (0, 1, 2)

N_MEASURED = 400

GRAY = "[gray]"  # marks photographs with their colour taken away


class Cell(NamedTuple):
    """One sample of a data set, as it is or, with `GRAY` behind its name, turned gray."""

    dataset: str
    seed: int


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
        data = datasets.load(name, size=IMAGE_SIZE)
        model = backbones.load(BACKBONE, channels=data.card.channels)
        parts[name] = predict.features(model, data.test.sample(similarity.FRECHET_ROWS, seed=0))
    drawn = f"{similarity.FRECHET_ROWS} images of each test part, seed 0"
    save_reference(parts, {"drawn": drawn, "versions": experiments.versions()}, path)


def save_reference(parts: Mapping[str, np.ndarray], facts: dict, path: Path) -> None:
    """Write features ``name -> (N, F)`` as the reference, in half precision, all or nothing."""
    origin = np.repeat(list(parts), [len(rows) for rows in parts.values()])
    features = np.concatenate(list(parts.values())).astype(np.float16)
    facts = {"backbone": BACKBONE, "image_size": IMAGE_SIZE, **facts}
    with files.atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, features=features, origin=origin, facts=json.dumps(facts))


def cells(names: Sequence[str] = grid.DATASETS) -> list[Cell]:
    """Return every cell; photographs stand there twice, in colour and gray."""
    return [
        Cell(label, seed)
        for name in names
        for label in ([name, name + GRAY] if name in PHOTOGRAPHS else [name])
        for seed in SEEDS
    ]


def measure(cell: Cell) -> list[dict]:
    """Measure a sample of training images; return a row for each data set of the reference."""
    data = datasets.load(cell.dataset.removesuffix(GRAY), size=IMAGE_SIZE)
    images = data.train.sample(min(N_MEASURED, len(data.train)), cell.seed)
    images = without_colour(images) if cell.dataset.endswith(GRAY) else images
    features, shift = similarity.seen(images)
    rows = []
    for other, photographs in similarity.load_reference().items():
        found = similarity.distances(features, shift, [photographs], cell.seed)
        rows.append({
            **cell._asdict(), "domain": data.card.domain, "n_classes": len(data.card.classes),
            "reference": other, "n": found.n, "backbone": BACKBONE, "image_size": IMAGE_SIZE,
            "proxy_a_distance": round(found.proxy_a_distance, 3),
            "frechet_distance": round(found.frechet_distance, 1),
            "mean_distance": round(found.mean_distance, 4),
            "batchnorm_shift": round(found.batchnorm_shift, 4),
            "versions": experiments.versions(),
        })  # fmt: skip
    return rows


def without_colour(images: Split) -> Split:
    """Return colour images as gray ones, by the luma weights of ITU-R BT.601."""
    # Pillow's luminance (datasets.decode) ends a level off for one colour in 1,770: with it the
    # stored rows would not come out again.
    luma = np.asarray(images.images) @ np.array([0.299, 0.587, 0.114])
    return Split(luma.round().astype(np.uint8)[..., None], images.labels, images.groups)


TABLE = Table(
    SIMILARITY, SIMILARITY_COLUMNS, Cell._fields, grid.DATASETS, cells, measure,
    prepare=make_reference,
)  # fmt: skip
