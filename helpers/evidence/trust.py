"""Whether a number can be trusted, as measured: the five tables behind notebook 06.

``python -m measure predictions``, ``leaks``, ``shift``, ``forgetting`` and ``broken`` fill them.
"""

from __future__ import annotations

from helpers.evidence import tables

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
