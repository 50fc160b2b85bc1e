"""Does the source of pretraining matter, and the better network? The table behind notebook 07.

``python -m measure medical`` fills it.
"""

from __future__ import annotations

from helpers.evidence import tables

MEDICAL = tables.FOLDER / "medical.csv"

# `question`: "source" (what the network learned before) or "network" (which ImageNet network).
# `gain` is the AUC minus that of ImageNet's weights ("source") or of Lite0 ("network"), used in the
# same way, on the same training and test images.
KEY = ("question", "dataset", "start", "n_train", "seed")

COLUMNS = (
    *KEY, "n_source", "strategy", "backbone", "image_size", "epochs", "n_test", "auc",
    "auc_lo", "auc_hi", "gain", "gain_lo", "gain_hi", "versions",
)  # fmt: skip
