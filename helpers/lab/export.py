"""Kept races side by side, as a CSV file and as one page that needs nothing else."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from helpers import cache, paths, report
from helpers.errors import CourseError
from helpers.lab import kept as shelf
from helpers.lab.kept import Kept
from helpers.lab.setup import NAMES
from helpers.plots import lab as drawings

TITLE = "Strategy lab: kept races"
COLUMNS = (
    "run", "when", "dataset", "n", "image_size", "backbone", "epochs", "seed", "arm", "strategy",
    "auc", "auc_lo", "auc_hi", "accuracy", "trainable", "seconds", "source", "best_epoch",
    "versions",
)  # fmt: skip
NOTE = (
    "AUC on the test images with a 95 % bootstrap interval; one run of each arm. live: trained in "
    "that race; stored: measured for the course; earlier: the same run, trained there before."
)


def comparison(runs: Sequence[Kept]) -> pd.DataFrame:
    """Return a row per arm and a column per kept race: test AUC with its interval."""
    names = list(dict.fromkeys(_full(row) for run in runs for row in run.rows))
    columns = {
        run.name: {_full(row): f"{row['auc']:.3f} [{row['auc_lo']:.3f}, {row['auc_hi']:.3f}]"
                   for row in run.rows}
        for run in runs
    }  # fmt: skip
    cells = {run: [scores.get(name, "") for name in names] for run, scores in columns.items()}
    return pd.DataFrame({"arm": names, **cells})


def _full(row: dict) -> str:
    """Return an arm's name with its strategy, which a race of one strategy leaves out."""
    family = NAMES.get(row["strategy"], row["strategy"])
    return row["arm"] if row["arm"].startswith(family) else f"{family}, {row['arm']}"


def as_csv(runs: Sequence[Kept]) -> str:
    """Return a line per arm of every run, with the settings in front."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for run in runs:
        for row in run.rows:
            writer.writerow({**run.setup, "run": run.name, "when": run.when, **row})
    return buffer.getvalue()


def table_rows(run: Kept) -> list[dict]:
    """Return a kept race as `helpers.plots.lab.table` and `curves` take it."""
    patterns = drawings.dashes([row["strategy"] for row in run.rows])
    return [
        {**row, "dash": dash, "words": row["source"], "share": 1.0, "note": ""}
        for row, dash in zip(run.rows, patterns, strict=True)
    ]


def run_html(run: Kept) -> str:
    """Return one kept race: settings, guess, table, curves and explanation."""
    rows = table_rows(run)
    said = "".join(f"<p>{drawings.safe(sentence)}</p>" for sentence in run.explanation)
    guess = f"<p>Guess before the race: {drawings.safe(run.guess)}</p>" if run.guess else ""
    drawn = any(row["history"] for row in rows)
    return (
        f"<h2>{drawings.safe(run.name)}</h2><p>{drawings.safe(run.where)} Kept "
        f"{drawings.safe(run.when.replace('T', ' '))}</p>{guess}{drawings.table(rows)}{said}"
        + (drawings.curves(rows, run.setup["epochs"]) if drawn else "")
    )


def as_html(runs: Sequence[Kept]) -> str:
    """Return one self-contained page: style and drawings are in it, nothing is fetched."""
    both = comparison(runs).to_html(index=False, border=0, escape=True) if len(runs) > 1 else ""
    body = "\n".join(run_html(run) for run in runs)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{TITLE}</title>'
        f"<style>{report.STYLE}{drawings.STYLE}</style></head>\n<body><h1>{TITLE}</h1>\n"
        f"<p>{NOTE}</p>{both}\n{body}\n</body></html>\n"
    )


def save(runs: Sequence[Kept], folder: str) -> tuple[Path, Path]:
    """Write the CSV and the page into `folder`; an empty name is the lab's own folder.

    Raises
    ------
    CourseError
        When nothing is chosen, or that folder is not there or cannot be written to.
    """
    if not runs:
        raise CourseError("Choose one or more kept runs to export.")
    target = paths.expanded(folder.strip()) if folder.strip() else None
    if target is not None and not paths.is_folder(target):
        raise CourseError(f"There is no folder {str(target)!r}. Make it first, or choose another.")
    target = target or cache.folder("lab", "exports")
    written = target / "strategy_lab.csv", target / "strategy_lab.html"
    shelf.write(written[0], as_csv(runs))
    shelf.write(written[1], as_html(runs))
    return written
