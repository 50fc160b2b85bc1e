"""What adapters, small networks and other forms of a network are worth, as measured.

The table behind `notebooks/more/adapters_and_shipping.ipynb`; ``python -m measure shipping`` fills
it.
"""

from __future__ import annotations

from helpers.evidence import tables

SHIPPING = tables.FOLDER / "shipping.csv"

SHIPPING_KEY = ("dataset", "seed")

SHIPPING_COLUMNS = (
    *SHIPPING_KEY, "part", "arm", "backbone", "image_size", "epochs", "n_train", "numbers",
    "megabytes", "milliseconds", "n_test", "auc", "auc_lo", "auc_hi", "gap", "gap_lo", "gap_hi",
    "n_asked", "kept", "kept_lo", "kept_hi", "versions",
)  # fmt: skip
