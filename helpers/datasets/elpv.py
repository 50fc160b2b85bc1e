"""ELPV: 2,624 electroluminescence images of solar cells, shipped inside the package elpv-dataset.

Deitsch et al., "Automatic classification of defective photovoltaic module cells in
electroluminescence images", Solar Energy 185 (2019), arXiv 1807.02894.
"""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

import numpy as np

from helpers.datasets.dataset import Card, Dataset, Split, holdout
from helpers.datasets.decode import decode_parts
from helpers.errors import CourseError

TEST_FRACTION = 0.25  # as in Deitsch 2019: 1,968 cells to train on, 656 to test
VAL_FRACTION = 0.2  # of those 1,968
LABEL = re.compile(r"\S+\s+(0(\.\d+)?|1(\.0+)?)\s+(mono|poly)\s*")  # a line of labels.csv
CLASSES = ("intact", "defective")
# Neighbouring files per block of the "blocks" split: a module has 60 cells on average (2,624 of 44
# modules). Across blocks of 60 the labels of neighbours say little any more (notebook 06).
BLOCK = 60
SPLIT_RULES = {
    "random": (
        "25 % test as in Deitsch 2019, drawn at random within class and module type; "
        "a fifth of the rest is validation"
    ),
    "blocks": (
        f"blocks of {BLOCK} neighbouring files stay together, about 25 % of them are test, "
        "a fifth of the rest validation"
    ),
}


def load_elpv(
    *, size: int = 128, split: str = "random", threshold: float = 0.5, seed: int = 0
) -> Dataset:
    """Load ELPV with a binary label: 1 (defective) where the experts' probability >= `threshold`.

    Parameters
    ----------
    size : height and width in pixels; the originals are 300.
    split : ``"random"`` (stratified by class and module type) or ``"blocks"`` (neighbouring
        files stay on one side; stricter, because cells of one module lie next to each other
        and no module number is published).
    threshold : in (0, 1]. The probabilities in the set are 0, 1/3, 2/3 and 1.
    seed : which of the possible splits.

    Raises
    ------
    CourseError
        For an unknown split, or a threshold that leaves one class empty.
    """
    if split not in SPLIT_RULES:
        raise CourseError(f"ELPV has the splits {', '.join(SPLIT_RULES)}; {split!r} is not one.")
    if not 0 < threshold <= 1:
        raise CourseError(f"threshold must lie in (0, 1], it is {threshold}; 0.5 is the default.")
    files, probability, module_type = read_labels()
    images = decode_parts(files[0].parents[1], {"all": files}, size, 1, "elpv")["all"]
    labels = (probability >= threshold).astype(np.int64)
    strata = np.char.add(labels.astype(str), module_type)
    groups = _blocks(module_type) if split == "blocks" else np.arange(len(labels))
    rest, test = holdout(strata, TEST_FRACTION, seed, groups)
    train, val = holdout(strata[rest], VAL_FRACTION, seed, groups[rest])
    everything = Split(images, labels, groups)
    return Dataset(
        _card(size, split, threshold),
        train=everything.subset(rest[train]),
        val=everything.subset(rest[val]),
        test=everything.subset(test),
    )


def read_labels() -> tuple[list[Path], np.ndarray, np.ndarray]:
    """Return image files, defect probability and module type ("mono" or "poly").

    Raises
    ------
    CourseError
        Naming the line of labels.csv that is something else.
    """
    root = Path(str(resources.files("elpv_dataset"))) / "data"
    table = root / "labels.csv"
    lines = table.read_text("utf-8", "replace").splitlines() or [""]
    for number, line in enumerate(lines, 1):
        if not LABEL.fullmatch(line):
            raise CourseError(
                f"Line {number} of {table} is {line!r}; expected are a file, a probability from 0 "
                "to 1, and mono or poly. Install the package elpv-dataset again."
            )
    names, probability, module_type = zip(*(line.split() for line in lines), strict=True)
    return [root / name for name in names], np.array(probability, float), np.array(module_type)


def _blocks(module_type: np.ndarray) -> np.ndarray:
    """Number runs of `BLOCK` neighbouring files; a change of module type starts a new block."""
    position = np.arange(len(module_type))
    new_run = np.r_[True, module_type[1:] != module_type[:-1]]
    in_run = position - np.maximum.accumulate(np.where(new_run, position, 0))
    return np.cumsum(in_run % BLOCK == 0) - 1


def caveat(threshold: float = 0.5) -> str:
    """Return what must stand beside every number on these images, cut at `threshold`."""
    return (
        f"Labels are the experts' defect probability cut at {threshold:g}; 401 of 2,624 "
        "cells are uncertain (1/3 or 2/3). No module number is published, so a random split "
        "very likely has cells of one module on both sides; a split by blocks is stricter."
    )


def _card(size: int, split: str, threshold: float) -> Card:
    return Card(
        name="elpv",
        title="solar cells, electroluminescence",
        domain="electroluminescence",
        classes=CLASSES,
        channels=1,
        size=size,
        split_rule=SPLIT_RULES[split],
        source="ELPV, Deitsch et al., Solar Energy 185 (2019), arXiv 1807.02894",
        terms="CC BY-NC-SA 4.0",
        caveat=caveat(threshold),
    )


def soft_targets(split: Split) -> np.ndarray:
    """Return the experts' probabilities of both classes, ``(N, 2)``.

    ``split.groups`` must be the rows of ELPV's list, as they are unless it was split by blocks.
    """
    _, probability, _ = read_labels()
    defective = probability[split.groups]
    return np.stack([1 - defective, defective], axis=1)
