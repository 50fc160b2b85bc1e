"""Whether a number can be trusted, as measured: the five tables behind notebook 06.

``python -m measure predictions``, ``leaks``, ``shift``, ``forgetting`` and ``broken`` fill them.
"""

from __future__ import annotations

import json

import numpy as np
import pandas as pd

from helpers import files
from helpers.evidence import tables
from helpers.evidence.verdicts import over_seeds_and_images
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

# What is said of each broken run, in the order in which notebook 06 shows them: title, signs in
# the curves, the cheapest check, the mend, and three faults that look alike.
FAULTS = json.loads(files.resource("broken_runs.json").read_text("utf-8"))


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
