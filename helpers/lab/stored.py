"""Arms that the course has measured already: rows of data/results/strategies.csv."""

from __future__ import annotations

import pandas as pd

from helpers import experiments, strategies
from helpers.errors import CourseError
from helpers.lab.lanes import Result
from helpers.lab.setup import Arm, Setup


def find(setup: Setup, arm: Arm, table: pd.DataFrame | None = None) -> Result | None:
    """Return the stored result of `arm` under `setup`; None when it was not measured.

    Only arms with the strategy's own knobs are looked up: a row does not say which other rates a
    run had. The rows hold scores and no predictions, so there are no curves and no images.
    """
    if arm.augment != "none" or arm.gray != "sum" or arm.build() != _usual(arm):
        return None
    table = experiments.read_rows() if table is None else table
    key = {
        "dataset": setup.experiment(arm).dataset_key, "backbone": setup.backbone,
        "image_size": setup.image_size, "strategy": arm.build().key, "epochs": setup.epochs,
        "seed": setup.seed,
    }  # fmt: skip
    rows = table[(table[list(key)] == pd.Series(key)).all(axis=1)]
    # "All images" has no number in a setup; the largest measured n of the set is all of them
    # only where the grid reached it, so such a race is trained.
    rows = rows[rows["n_train"] == setup.n]
    return None if rows.empty else _result(rows.iloc[-1])


def _usual(arm: Arm):
    options = {"last": arm.last} if arm.strategy == "partial_finetune" else {}
    return strategies.by_name(arm.strategy, **options)


def _result(row: pd.Series) -> Result:
    numbers = {name: float(row[name]) for name in ("auc", "auc_lo", "auc_hi", "accuracy")}
    return Result(
        **numbers, trainable=int(row["trainable_params"]), seconds=float(row["train_seconds"]),
        source="stored", n_train=int(row["n_train"]), versions=str(row["versions"]),
    )  # fmt: skip


def available(setup: Setup, table: pd.DataFrame | None = None) -> list[Result | None]:
    """Return a stored result or None for every arm; none at all when the table is unreadable."""
    try:
        table = experiments.read_rows() if table is None else table
    except CourseError:
        return [None] * len(setup.arms)
    return [find(setup, arm, table) for arm in setup.arms]
