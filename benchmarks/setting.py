"""What every contender gets: the same images, sizes, epochs and seed."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from helpers.datasets import Dataset, load
from helpers.datasets.dataset import holdout
from helpers.datasets.elpv import TEST_FRACTION, VAL_FRACTION, read_labels

SIZE = int(os.environ.get("BENCH_SIZE", "128"))
EPOCHS = int(os.environ.get("BENCH_EPOCHS", "10"))
N_TRAIN = 400
BATCH = 32
SEED = int(os.environ.get("BENCH_SEED", "0"))
# Seconds on the clock, or of the processor: the latter count work that several threads share twice.
clock = time.process_time if os.environ.get("BENCH_CLOCK") == "core" else time.perf_counter


@dataclass(frozen=True)
class Files:
    """The same images as files, for contenders that read files: paths and labels per split."""

    train: list[tuple[Path, int]]
    val: list[tuple[Path, int]]


def arrays() -> Dataset:
    """Return ELPV with 400 training images and the whole validation split."""
    full = load("elpv", size=SIZE)
    return Dataset(full.card, full.train.sample(N_TRAIN, SEED), full.val, full.test)


def files() -> Files:
    """Return the files of exactly these images, in the same order."""
    from helpers.datasets.dataset import stratified_sample

    paths, probability, module_type = read_labels()
    labels = (probability >= 0.5).astype(np.int64)
    strata = np.char.add(labels.astype(str), module_type)
    rest, _ = holdout(strata, TEST_FRACTION, 0)  # the split of `helpers.datasets.load`
    train, val = holdout(strata[rest], VAL_FRACTION, 0)
    train = train[stratified_sample(labels[rest][train], N_TRAIN, SEED)]
    return Files(*([(paths[i], int(labels[i])) for i in rest[part]] for part in (train, val)))
