"""Races that somebody wants to keep: a name, the settings and the scores, as files of their own."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import pandas as pd

from helpers import files
from helpers.errors import CourseError
from helpers.lab import drawings
from helpers.lab.race import Race
from helpers.plots.style import LABELS as NAMES

LONGEST_NAME = 60


ROW = ("auc", "auc_lo", "auc_hi", "accuracy", "trainable", "seconds", "source", "best_epoch",
       "versions")  # fmt: skip


@dataclass(frozen=True)
class Kept:
    """A race that was kept.

    Attributes
    ----------
    name : given by whoever kept it. when : local time, ISO 8601.
    setup : the fields of `helpers.lab.setup.Setup`. guess : what was guessed before, or None.
    rows : a dict per arm: ``arm``, ``strategy``, ``dash`` (how its line is drawn), the scores,
        and ``history``.
    explanation : the sentences that stood below the table.
    caveat : what must stand beside numbers on these images.
    """

    name: str
    when: str
    setup: dict
    rows: tuple[dict, ...]
    explanation: tuple[str, ...] = ()
    guess: str | None = None
    caveat: str = ""

    @classmethod
    def of(cls, name: str, race: Race) -> Kept:
        """Make one from a race that has results.

        Raises
        ------
        CourseError
            When the name is empty or too long.
        """
        name = " ".join(str(name).split())
        if not name or len(name) > LONGEST_NAME or not re.search(r"\w", name):
            raise CourseError(
                f"Give the run a name of 1 to {LONGEST_NAME} characters, with a letter or a digit "
                "in it."
            )
        rows = tuple(
            {"arm": lane.label, "strategy": lane.arm.strategy,
             **{k: getattr(lane.result, k) for k in ROW},
             "history": [dict(row) for row in lane.history]}
            for lane in race.lanes if lane.result is not None
        )  # fmt: skip
        when = datetime.now().isoformat(timespec="seconds")
        return cls(name, when, asdict(race.setup), rows, race.explanation, race.guess,
                   race.setup.caveat)  # fmt: skip

    @property
    def where(self) -> str:
        """The settings that all arms share, in a line."""
        s = self.setup
        n = f"{s['n']:,}" if s["n"] else "all"
        return (
            f"{s['dataset']}, {n} images, {s['image_size']} px, {s['backbone']}, "
            f"{s['epochs']} epochs, seed {s['seed']}. {self.caveat}"
        ).strip()


class Shelf:
    """The kept races of this user, a file each.

    Parameters
    ----------
    folder : where they lie; None: in the cache folder.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder

    @property
    def folder(self) -> Path:
        """Where the files lie."""
        return self._folder or files.folder("lab", "kept")

    def all(self) -> list[Kept]:
        """Return what is kept, the oldest first, without `unreadable` files."""
        found = [kept for path in self.folder.glob("*.json") if (kept := _read(path))]
        return sorted(found, key=lambda kept: (kept.when, kept.name))

    def unreadable(self) -> list[Path]:
        """Return the files that lie there and cannot be read; nothing is done to them."""
        return sorted(path for path in self.folder.glob("*.json") if _read(path) is None)

    def get(self, name: str) -> Kept:
        """Return the kept race called `name`.

        Raises
        ------
        CourseError
            When there is none.
        """
        kept = _read(self._path(name))
        if kept is None:
            raise CourseError(f"No run is kept under the name {name!r}.")
        return kept

    def add(self, kept: Kept) -> Path:
        """Keep a race; whole or not at all.

        Raises
        ------
        CourseError
            When the name is taken, or the folder cannot be written to.
        """
        path = self._path(kept.name)
        if path.exists():
            raise CourseError(
                f"A run is already kept as {kept.name!r}. Choose another name, or remove that one."
            )
        write(path, json.dumps(asdict(kept), indent=1))
        return path

    def remove(self, name: str) -> None:
        """Forget a kept race."""
        files.remove(self._path(name))

    def _path(self, name: str) -> Path:
        # The digest keeps apart what looks the same once odd characters are gone.
        readable = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")[:40] or "run"
        return self.folder / f"{readable}-{files.digest(name)[:8]}.json"


def _read(path: Path) -> Kept | None:
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        rows, said = tuple(fields.pop("rows")), tuple(fields.pop("explanation"))
        return Kept(**fields, rows=rows, explanation=said)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def write(path: Path, text: str) -> None:
    """Write a file whole or not at all.

    Raises
    ------
    CourseError
        When that folder cannot be written to.
    """
    try:
        with files.atomic_path(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CourseError(
            f"{path.parent} cannot be written to ({error.strerror or error}). Choose a folder of "
            "your own."
        ) from error


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
    """Return a kept race as `helpers.lab.drawings.table` and `curves` take it."""
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
        f"<style>{drawings.STYLE}</style></head>\n<body><h1>{TITLE}</h1>\n"
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
    target = files.expanded(folder.strip()) if folder.strip() else None
    if target is not None and not files.is_folder(target):
        raise CourseError(f"There is no folder {str(target)!r}. Make it first, or choose another.")
    target = target or files.folder("lab", "exports")
    written = target / "strategy_lab.csv", target / "strategy_lab.html"
    write(written[0], as_csv(runs))
    write(written[1], as_html(runs))
    return written
