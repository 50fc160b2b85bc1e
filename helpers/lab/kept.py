"""Races that somebody wants to keep: a name, the settings and the scores, as files of their own."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from helpers import cache
from helpers.errors import CourseError
from helpers.lab.lanes import Race

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
        return self._folder or cache.folder("lab", "kept")

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
        cache.remove(self._path(name))

    def _path(self, name: str) -> Path:
        # The digest keeps apart what looks the same once odd characters are gone.
        readable = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")[:40] or "run"
        return self.folder / f"{readable}-{cache.digest(name)[:8]}.json"


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
        with cache.atomic_path(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CourseError(
            f"{path.parent} cannot be written to ({error.strerror or error}). Choose a folder of "
            "your own."
        ) from error
