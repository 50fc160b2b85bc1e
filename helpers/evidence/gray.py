"""What the gray stem is worth, as measured; ``python -m measure gray`` fills the table.

``gray`` names the way a gray image is fed to a colour network; in ``"swapped"`` the stem is changed
after training, as in a careless export. ``change`` is the difference in test AUC to the image
replicated three times, on the same test images.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from helpers.evidence import tables, verdicts

RESULTS = tables.FOLDER / "grayscale.csv"

KEY = ("dataset", "n_train", "strategy", "batchnorm", "gray", "seed")

COLUMNS = (
    *KEY, "backbone", "image_size", "epochs", "n_test", "auc", "auc_lo", "auc_hi",
    "change", "change_lo", "change_hi", "train_seconds", "versions",
)  # fmt: skip


def read(path: Path = RESULTS) -> pd.DataFrame:
    """Return the measured runs, a row each (`COLUMNS`); empty when nothing was measured yet."""
    return tables.read(path, COLUMNS)


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Average the seeds: a row per data set, strategy, BatchNorm policy and way to feed gray.

    Returns
    -------
    Columns ``seeds``, ``auc``, ``change`` (to the replicated image, seed by seed), ``change_lo``
    and ``change_hi``, the 95 % interval of `verdicts.summary`; NaN with a single seed.
    """
    by = ["dataset", "strategy", "batchnorm", "gray"]
    change = verdicts.summary(table, by, "change").sort_index()
    change = change.rename(columns={"mean": "change", "lo": "change_lo", "hi": "change_hi"})
    change.insert(1, "auc", table.groupby(by)["auc"].mean())
    return change
