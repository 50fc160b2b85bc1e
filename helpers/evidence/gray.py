"""What the gray stem is worth, measured: ``python -m measure.gray``.

Every way to feed a gray image to a colour network, with BatchNorm at rest and moving, frozen and
fine-tuned: test AUC, and its difference to the replicated image on the same test images. One case
more, ``"swapped"``: the stem is changed after training, as in a careless export.
Killed and started again it goes on where it was; a finished run is a row of grayscale.csv.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from helpers.errors import CourseError
from helpers.evidence import tables
from helpers.evidence.verdicts import interval, widened

RESULTS = tables.FOLDER / "grayscale.csv"


KEY = ("dataset", "n_train", "strategy", "batchnorm", "gray", "seed")


COLUMNS = (
    *KEY, "backbone", "image_size", "epochs", "n_test", "auc", "auc_lo", "auc_hi",
    "change", "change_lo", "change_hi", "train_seconds", "versions",
)  # fmt: skip


REFERENCE = "replicate"


SWAPPED = "swapped"  # trained behind the sum, scored behind the mean


METHODS = (REFERENCE, "sum", "mean", "random", SWAPPED)  # the others need the reference


STRATEGIES = ("feature_extraction", "full_finetune")


# "follow" is no third case: it is "eval" where all is frozen, and "train" where all trains.
BATCHNORM = ("eval", "train")


SEEDS = {"feature_extraction": range(5), "full_finetune": range(3)}  # frozen is cheap


DATASETS = ("elpv", "chest_xray")


N_TRAIN, IMAGE_SIZE, EPOCHS = 400, 96, 6


def read(path: Path = RESULTS) -> pd.DataFrame:
    """Return the measured runs, a row each (`COLUMNS`); empty when nothing was measured yet.

    Raises
    ------
    CourseError
        When the file is there but is not that table.
    """
    return tables.read(path, COLUMNS)


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Average the seeds: a row per data set, strategy, BatchNorm policy and method.

    Returns
    -------
    Columns ``seeds``, ``auc``, ``change`` (to the replicated image, seed by seed), ``change_lo``
    and ``change_hi``. That 95 % interval adds two sources of chance in squares: the seeds
    (Student's t) and the test images (mean half-width of the paired bootstrap).

    Raises
    ------
    CourseError
        When a case was measured with a single seed.
    """
    by = ["dataset", "strategy", "batchnorm", "gray"]
    return pd.DataFrame([
        dict(zip(by, case, strict=True)) | _mean(rows, case)
        for case, rows in table.groupby(by)
    ]).set_index(by)  # fmt: skip


def _mean(rows: pd.DataFrame, case: tuple) -> dict:
    if len(rows) < 2:
        raise CourseError(
            f"{', '.join(case)}: one seed measured, an interval needs two. Run: "
            "python -m measure.gray"
        )
    by_image = (rows["change_hi"] - rows["change_lo"]).mean() / 2
    change, lo, hi = widened(interval(rows["change"]), by_image)
    return {"seeds": len(rows), "auc": rows["auc"].mean(), "change": change,
            "change_lo": lo, "change_hi": hi}  # fmt: skip
