"""Tables of results on disk: rows are added one by one, and a kill loses none."""

from __future__ import annotations

import contextlib
import csv
import errno
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd
from filelock import FileLock, Timeout

from helpers import files
from helpers.errors import CourseError

FOLDER = files.resource("results")

RESULTS = FOLDER / "strategies.csv"

# X-rays as they stood until November 2026: AUCs from probabilities in single precision.
SINGLE = FOLDER / "strategies_single.csv"

KEY = ("dataset", "n_train", "backbone", "image_size", "strategy", "epochs", "seed")

COLUMNS = (
    "dataset", "domain", "n_train", "backbone", "image_size", "strategy", "epochs", "seed",
    "auc", "auc_lo", "auc_hi", "accuracy", "train_seconds", "trainable_params", "versions",
)  # fmt: skip


# Columns of text in any of the tables; all others hold numbers. To guess would turn a data set
# called 007 into the number 7, and one called NA into nothing.
TEXT = {"dataset", "domain", "backbone", "strategy", "versions", "policy", "gray", "batchnorm",
        "reference", "weights", "part", "remedy", "leak", "train_on", "place", "repair", "way",
        "arm", "fault", "val_labels", "val_logits", "test_labels", "test_logits",
        "question", "start", "step", "option", "setup", "labels", "logits",
        "view_logits"}  # fmt: skip

WAIT = 60.0  # seconds for another process that writes to the same table


def read(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """Return the table at `path`; empty when nothing has been measured yet.

    Raises
    ------
    CourseError
        When the file is there but is not a table with these columns: other names, a row with more
        or fewer fields, a text where a number belongs.
    """
    if not files.mode(path) or (path.is_file() and not os.path.getsize(path)):
        return pd.DataFrame(columns=list(columns))
    keep = "Put that right, or give another file; this one is left as it is."
    try:
        # Excel writes a mark in front.
        with files.noted(path).open(newline="", encoding="utf-8-sig") as file:
            header, *rows = csv.reader(file, strict=True)
        if header != list(columns):
            raise CourseError(
                f"{path} has other columns than expected: {', '.join(columns)}. {keep}"
            )
        for number, row in enumerate(rows, start=2):
            if len(row) != len(columns):
                raise CourseError(
                    f"Row {number} of {path} has {len(row)} fields, {len(columns)} are expected. "
                    f"{keep}"
                )
        table = pd.DataFrame(rows, columns=list(columns))
        return table.assign(**{
            name: pd.to_numeric(table[name]) for name in columns if name not in TEXT
        })  # fmt: skip
    except (OSError, ValueError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise CourseError(f"{path} is no readable table ({reason}). {keep}") from error


def check(path: Path, columns: Sequence[str] = COLUMNS) -> None:
    """Try, before any work is done, whether `append` would work; raises what it would raise."""
    files.check_target(path, overwrite=True)
    with _locked(path):
        read(path, columns)
        if path.exists():
            path.open("ab").close()


def append(rows: Sequence[Mapping], path: Path, columns: Sequence[str]) -> None:
    """Add rows, all or none; what is in the file stays as it is, byte for byte.

    Processes that write at once wait for each other, with a lock beside the file.

    Raises
    ------
    CourseError
        When the file is another table (see `read`), is locked for a minute, or cannot be written.
    """
    with _locked(path):
        read(path, columns)
        _append(rows, path, columns)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock of a table, and say in one sentence what goes wrong meanwhile."""
    lock = path.with_name(f".{path.name[:60]}.lock")
    with files.writing(lock):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            # Other users may lock it, too; what is in it does not matter.
            held = FileLock(lock, timeout=WAIT, mode=0o666).acquire()
        except Timeout as error:
            raise CourseError(
                f"Another process has been holding {path} for {WAIT:.0f} s, so nothing was added. "
                f"If there is none, delete {lock}; then try again."
            ) from error
    with held, files.writing(path):
        yield


def _append(rows: Sequence[Mapping], path: Path, columns: Sequence[str]) -> None:
    with path.open("a+b", buffering=0) as file:  # a buffer would be written again on closing
        end = file.seek(0, os.SEEK_END)
        file.seek(max(end - 1, 0))
        text = io.StringIO("" if file.read(1) in (b"", b"\n") else "\n", newline="")
        writer = csv.DictWriter(text, columns, lineterminator="\n")
        text.seek(0, os.SEEK_END)
        if not end:
            writer.writeheader()
        for row in rows:
            cells = {name: row.get(name) for name in columns}
            writer.writerow({k: "" if pd.isna(v) else files.shown(v) for k, v in cells.items()})
        content = text.getvalue().encode()
        try:
            if file.write(content) < len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(file.fileno())
        except BaseException:
            file.truncate(end)  # no part of a row stays
            raise


def read_rows(path: Path = RESULTS) -> pd.DataFrame:
    """Return the results of the strategies, a row per run (`COLUMNS`); see `read`."""
    return read(path, COLUMNS)


def read_rows_before() -> pd.DataFrame:
    """Return the results as they stood until November 2026: `SINGLE`, and what is not in it."""
    return pd.concat([read_rows(SINGLE), read_rows()]).drop_duplicates(list(KEY))
