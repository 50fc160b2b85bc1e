"""Tables of results on disk: rows are added one by one, and a kill loses none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from filelock import FileLock

from helpers import files
from helpers.errors import CourseError

FOLDER = files.resource("results")

RESULTS = FOLDER / "strategies.csv"

KEY = ("dataset", "n_train", "backbone", "image_size", "strategy", "epochs", "seed")

COLUMNS = (
    "dataset", "domain", "n_train", "backbone", "image_size", "strategy", "epochs", "seed",
    "auc", "auc_lo", "auc_hi", "accuracy", "train_seconds", "trainable_params", "versions",
)  # fmt: skip


def read(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """Return the table at `path`; empty when nothing has been measured yet.

    Raises
    ------
    CourseError
        When the file is there but is not a table with these columns.
    """
    if not path.is_file():
        return pd.DataFrame(columns=list(columns))
    try:
        table = pd.read_csv(path)
    except ValueError as error:  # pandas' own errors are of this kind too
        raise CourseError(f"{path} is no readable CSV ({error}). Restore or delete it.") from error
    if list(table.columns) != list(columns):
        raise CourseError(f"{path} has other columns than expected: {', '.join(columns)}.")
    return table


def append(rows: Sequence[Mapping], path: Path, columns: Sequence[str]) -> None:
    """Add rows, all or none; two processes may write at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(files.folder("locks", path.name + ".lock"), mode=0o644):
        old = read(path, columns)
        new = pd.DataFrame(rows, columns=list(columns))
        table = pd.concat([old, new], ignore_index=True) if len(old) else new
        with files.atomic_path(path) as temporary:
            table.to_csv(temporary, index=False)


def read_rows(path: Path = RESULTS) -> pd.DataFrame:
    """Return the results of the strategies, a row per run (`COLUMNS`); see `read`."""
    return read(path, COLUMNS)


def append_row(new: Mapping, path: Path = RESULTS) -> None:
    """Add a run to the results of the strategies; see `append`."""
    append([new], path, COLUMNS)
