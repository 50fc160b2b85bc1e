"""Whether a number can be trusted, as measured: the five tables behind notebook 06.

``python -m measure predictions``, ``leaks``, ``shift``, ``forgetting`` and ``broken`` fill them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from helpers.evidence import tables
from helpers.evidence.verdicts import interval, over_seeds_and_images
from helpers.training.metrics import Interval, auc_difference

PREDICTIONS, LEAKS, SHIFT, FORGETTING, BROKEN = (
    tables.FOLDER / f"{name}.csv"
    for name in ("predictions", "leaks", "shift", "forgetting", "broken_runs")
)

PREDICTION_KEY = ("dataset", "n_train", "rare", "strategy", "remedy", "seed")

PREDICTION_COLUMNS = (
    *PREDICTION_KEY, "backbone", "image_size", "epochs", "n_val", "n_test", "auc", "auc_lo",
    "auc_hi", "val_labels", "val_logits", "test_labels", "test_logits", "versions",
)  # fmt: skip

LEAK_KEY = ("dataset", "leak", "strategy", "seed")

LEAK_COLUMNS = (
    *LEAK_KEY, "backbone", "image_size", "epochs", "n_train", "n_leaky", "n_honest",
    "leaky", "honest", "gap", "versions",
)  # fmt: skip

SHIFT_KEY = ("train_on", "seed")

SHIFT_COLUMNS = (
    *SHIFT_KEY, "strategy", "place", "repair", "backbone", "image_size", "epochs", "n_train",
    "n_repair", "n_test", "auc", "auc_lo", "auc_hi", "change", "change_lo", "change_hi",
    "gain", "gain_lo", "gain_hi", "versions",
)  # fmt: skip

FORGETTING_KEY = ("way", "rate", "pull", "seed")

FORGETTING_COLUMNS = (
    *FORGETTING_KEY, "dataset", "n_train", "backbone", "image_size", "epochs", "n_test", "auc",
    "auc_lo", "auc_hi", "n_photographs", "agreement", "agreement_lo", "agreement_hi", "versions",
)  # fmt: skip

BROKEN_KEY = ("fault", "seed")

BROKEN_COLUMNS = (
    *BROKEN_KEY, "epoch", "dataset", "n_train", "n_val", "backbone", "image_size",
    "train_loss", "train_loss_after", "val_loss", "val_auc", "val_accuracy", "grad_norm", "rate",
    "versions",
)  # fmt: skip


def read_predictions() -> pd.DataFrame:
    """Return the answers of trained networks, a row per run.

    ``val_labels, test_labels`` hold arrays ``(N,)`` of 0 and 1; ``val_logits, test_logits`` the log
    odds ``(N,)`` that the network gave to class 1.
    """
    table = tables.read(PREDICTIONS, PREDICTION_COLUMNS)
    for part in ("val", "test"):
        labels, logits = f"{part}_labels", f"{part}_logits"
        table[labels] = [np.array(list(row), int) for row in table[labels]]
        table[logits] = [np.array(row.split(), float) for row in table[logits]]
    return table


def summary(table: pd.DataFrame, by: Sequence[str], column: str) -> pd.DataFrame:
    """Return the mean of a column over seeds with its 95 % interval, a row per case of `by`.

    Student's t over the seeds; where the table has ``column_lo`` and ``column_hi``, the chance of
    the test images is added (`over_seeds_and_images`).

    Returns
    -------
    Indexed by `by`: ``seeds``, ``mean``, ``lo``, ``hi``.
    """
    found = []
    for case, rows in table.groupby(list(by), sort=False):
        images = f"{column}_lo" in table
        mean = over_seeds_and_images(rows, column) if images else interval(rows[column])
        found.append((*case, len(rows), *mean))
    return pd.DataFrame(found, columns=[*by, "seeds", "mean", "lo", "hi"]).set_index(list(by))


def difference(first: pd.DataFrame, other: pd.DataFrame) -> Interval:
    """Return the test AUC of `first` minus that of `other`, paired by seed and by test image.

    Parameters
    ----------
    first, other : rows of `read_predictions`, a row per seed, of the same test images.
    """
    pairs, found = first.merge(other, on="seed"), []
    for pair in pairs.itertuples():
        before, after = (np.stack([-z, z], 1) for z in (pair.test_logits_y, pair.test_logits_x))
        found.append(auc_difference(pair.test_labels_x, before, after))
    return over_seeds_and_images(pd.DataFrame(found, columns=["gap", "gap_lo", "gap_hi"]), "gap")
