"""What need not be trained: arms that were measured for the course, and what their tests hold.

Two sources. data/results/races.json holds whole runs, with curves and predictions
(``python -m measure races``), those for a machine that is too slow in ``spare``;
data/results/strategies.csv holds a row of scores for each run.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping

import numpy as np
import pandas as pd

from helpers import files
from helpers.evidence import tables
from helpers.lab.race import Result
from helpers.lab.setup import Arm, Setup
from helpers.training import metrics

RACES = files.resource("results") / "races.json"


def key(setup: Setup, arm: Arm) -> dict:
    """Return what tells a stored run from the others, by the columns of the results table."""
    # "All images" has no number in a setup; the largest measured n of the set is all of them
    # only where the grid reached it, so such a race is trained.
    return {
        "dataset": setup.experiment(arm).dataset_key, "backbone": setup.backbone,
        "image_size": setup.image_size, "strategy": arm.build().key, "epochs": setup.epochs,
        "seed": setup.seed, "n_train": setup.n,
    }  # fmt: skip


@functools.cache
def whole_runs() -> dict:
    """Return races.json: ``runs``, ``spare``, and ``tests`` with the classes of each test set."""
    return json.loads(RACES.read_text("utf-8"))


def find(setup: Setup, arm: Arm, table: pd.DataFrame) -> tuple[Result, list[dict]] | None:
    """Return the stored result of `arm` under `setup` and its curves; None if it was not measured.

    Only arms with the strategy's own knobs are looked up: neither source says which other rates a
    run had. A row of `table` holds scores only: then there are no curves and no predictions.
    """
    usual = Arm(arm.strategy, last=arm.last)
    if arm.augment != "none" or arm.gray != "sum" or arm.build() != usual.build():
        return None
    if found := whole(setup, arm, "runs"):
        return found
    wanted = key(setup, arm)
    rows = table[(table[list(wanted)] == pd.Series(wanted)).all(axis=1)]
    if rows.empty:
        return None
    row = rows.iloc[-1]
    return Result(
        *(float(row[name]) for name in ("auc", "auc_lo", "auc_hi", "accuracy")),
        trainable=int(row["trainable_params"]), seconds=float(row["train_seconds"]),
        source="stored", n_train=int(row["n_train"]), versions=str(row["versions"]),
    ), []  # fmt: skip


def whole(setup: Setup, arm: Arm, among: str) -> tuple[Result, list[dict]] | None:
    """Return the stored result of `arm` with its curves; None if no whole run of it is there.

    Parameters
    ----------
    among : ``"runs"``, which answer at once, or ``"spare"``, for a machine that is too slow to
        train a prepared race before a class, where its curves should grow.
    """
    wanted = key(setup, arm)  # which tells every knob but the augmentation
    run = next((run for run in whole_runs()[among] if run["key"] == wanted), None)
    if run is None or arm.augment != "none":
        return None
    test, second = whole_runs()["tests"][setup.dataset], np.array(run["probabilities"])
    score = metrics.score(np.array(test["labels"]), np.stack([1 - second, second], axis=1))
    return Result(
        score.auc, score.auc_lo, score.auc_hi, score.accuracy, run["trainable"], run["seconds"],
        "stored", score, np.arange(score.n), None, run["best_epoch"], tuple(test["counts"]),
        run["key"]["n_train"], run["versions"],
    ), run["history"]  # fmt: skip


def available(setup: Setup) -> list[tuple[Result, list[dict]] | None]:
    """Return `find` for every arm; raises CourseError for a damaged table."""
    table = tables.read_rows()
    return [find(setup, arm, table) for arm in setup.arms]


def baseline(setup: Setup) -> dict | None:
    """Return the row of the commoner class for a set whose test labels are stored, else None."""
    test = whole_runs()["tests"].get(setup.dataset)
    return test and baseline_row(test["counts"])


def baseline_row(counts: Mapping[str, int]) -> dict:
    """Return what answering the commonest class of the test images always would come to, as a row.

    It orders no image before another: its AUC is .5. `counts`: class -> test images.
    """
    commonest = max(counts, key=counts.get)
    name, share = f"always {commonest!r}", counts[commonest] / sum(counts.values())
    same = dict.fromkeys(("strategy", "words", "source"), "baseline")
    scores = dict.fromkeys(("auc", "auc_lo", "auc_hi"), 0.5)
    return {"arm": name, "history": [], "accuracy": share, "trainable": 0, "seconds": 0.0,
            **same, **scores}  # fmt: skip
