"""What trained networks answer on validation and test images of `elpv`, kept image by image.

For calibration, thresholds, intervals of differences and conformal sets. Every strategy is trained
on a usual sample; and, where defects are rare, on one sample with four remedies for that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from helpers import datasets
from helpers.datasets import Dataset, Split
from helpers.evidence import grid
from helpers.evidence.trust import PREDICTION_COLUMNS, PREDICTION_KEY, PREDICTIONS
from helpers.training import experiments, metrics, predict, strategies
from helpers.training.experiments import Experiment
from helpers.training.recipe import Recipe
from measure.runner import Table

DATASET, N_TRAIN = "elpv", 400

STRATEGIES = ("feature_extraction", "partial_finetune", "full_finetune", "lp_ft", "scratch")

RARE = 0.1  # share of defective cells where they are rare

RARE_STRATEGIES = {"feature_extraction": range(5), "full_finetune": range(3)}

# "class_weights" is what the course does everywhere else.
REMEDIES = ("none", "class_weights", "oversampling")

N_VAL_RARE = 300


class Cell(NamedTuple):
    """One run; `rare` is the share of the positive class, 0 for the data set's own."""

    dataset: str
    n_train: int
    rare: float
    strategy: str
    remedy: str
    seed: int


def cells(names: Sequence[str] = (DATASET,)) -> list[Cell]:
    """Return every run: the usual samples, seed by seed, then those with a rare class."""
    usual = [
        Cell(name, N_TRAIN, 0.0, strategy, "class_weights", seed)
        for name in names for seed in range(5) for strategy in STRATEGIES
    ]  # fmt: skip
    rare = [
        Cell(name, N_TRAIN, RARE, strategy, remedy, seed)
        for name in names
        for strategy, seeds in RARE_STRATEGIES.items()
        for seed in seeds
        for remedy in REMEDIES
    ]
    return usual + rare


def measure(cell: Cell) -> list[dict]:
    """Train one cell, and return its row with all its answers."""
    data, epochs = datasets.load(cell.dataset, size=grid.IMAGE_SIZE), grid.epochs_for(cell.n_train)
    if cell.rare:
        data = replace(
            data,
            train=with_share(data.train, cell.n_train, cell.rare, cell.seed),
            val=with_share(data.val, N_VAL_RARE, cell.rare, cell.seed),
        )
    else:
        data = data.take(cell.n_train, cell.seed)
    if cell.remedy == "oversampling":
        data, epochs = oversampled(data, epochs)
    recipe = Recipe(epochs=epochs, class_weights=cell.remedy == "class_weights")
    experiment = Experiment(
        strategies.by_name(cell.strategy), cell.dataset, cell.n_train, grid.BACKBONE,
        grid.IMAGE_SIZE, recipe, cell.seed,
    )  # fmt: skip
    outcome = experiments.measure(experiment, data=data)
    validated = predict.predict(outcome.run.model, data.val)
    row = outcome.row() | cell._asdict() | {
        "n_val": len(data.val), "n_test": outcome.score.n,
        "val_labels": digits(data.val.labels), "val_logits": logits(validated),
        "test_labels": digits(data.test.labels), "test_logits": logits(outcome.score.probabilities),
    }  # fmt: skip
    return [{name: row[name] for name in PREDICTION_COLUMNS}]


def with_share(split: Split, n: int, share: float, seed: int) -> Split:
    """Return `n` images of which `share` are of class 1."""
    rng, n_positive = np.random.default_rng(seed), round(share * n)
    chosen = [
        rng.choice(np.flatnonzero(split.labels == k), count, replace=False)
        for k, count in ((0, n - n_positive), (1, n_positive))
    ]
    return split.subset(np.sort(np.concatenate(chosen)))


def oversampled(data: Dataset, epochs: int) -> tuple[Dataset, int]:
    """Repeat the rarer class until both are as large; as many steps as before, so fewer epochs."""
    more = repeated(data.train)
    return replace(data, train=more), max(1, round(epochs * len(data.train) / len(more)))


def repeated(split: Split) -> Split:
    """Return a split with the images of class 1 again and again, until both are as many."""
    positive = np.flatnonzero(split.labels == 1)
    extra = np.resize(positive, len(split) - 2 * len(positive))
    return split.subset(np.concatenate([np.arange(len(split)), extra]))


def digits(labels: np.ndarray) -> str:
    """Return labels as one word, a digit each."""
    return "".join(map(str, labels.tolist()))


def logits(probabilities: np.ndarray) -> str:
    """Return the log odds of class 1, three decimals each, as one line."""
    return " ".join(f"{odds:.3f}" for odds in metrics.log_odds(probabilities))


TABLE = Table(
    PREDICTIONS, PREDICTION_COLUMNS, PREDICTION_KEY, (DATASET,), cells, measure, shown=("auc",)
)
