"""What a learner has answered: one JSON file in the user's data folder, and nothing elsewhere.

The reviews are the truth: they are only ever added to, and everything else (what is due, what is
ready) is worked out from them (`helpers.practice.schedule`).
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import filelock
import platformdirs

from helpers import files
from helpers.errors import CourseError

WHAT, SCHEMA = "progress of the transfer learning course", 1
PATIENCE = 10  # seconds until another window must have written
SURE = (0, 25, 50, 75, 100)  # per cent


@dataclass(frozen=True)
class Review:
    """One answer.

    Attributes
    ----------
    id : its own. item : the card's. at : when, by the clock of the computer, UTC.
    after : the newest review's time where the clock was behind it, else empty.
    rating : 1 again, 2 hard, 3 good, 4 easy. sure : per cent said before the answer, or None.
    right : whether it was.
    """

    id: str
    item: str
    at: str
    after: str
    rating: int
    sure: int | None
    right: bool

    def __post_init__(self) -> None:
        """Raise ValueError for what no review can be: it may come from a file."""
        times = [datetime.fromisoformat(text) for text in (self.at, self.after) if text]
        fits = (
            isinstance(self.id, str) and isinstance(self.item, str) and self.at
            and all(time.tzinfo == UTC for time in times)
            and type(self.rating) is int and 1 <= self.rating <= 4
            and self.sure in (None, *range(101)) and isinstance(self.right, bool)
        )  # fmt: skip
        if not fits:
            raise ValueError(f"{self} is no review")


@dataclass(frozen=True)
class Progress:
    """What a file holds: the reviews, the day of the interview, and when that was entered."""

    reviews: tuple[Review, ...] = ()
    interview: date | None = None
    entered: str = ""

    def text(self) -> str:
        """Return it as the text of a file."""
        whole = {"what": WHAT, "schema": SCHEMA,
                 "interview": self.interview and self.interview.isoformat(),
                 "entered": self.entered,
                 "reviews": [dataclasses.asdict(review) for review in self.reviews]}  # fmt: skip
        return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"

    def joined(self, other: Progress) -> Progress:
        """Return both together: every review once, and the day that was entered last."""
        reviews = {review.id: review for review in (*self.reviews, *other.reviews)}
        last = max(self, other, key=lambda progress: progress.entered)
        return Progress(tuple(reviews.values()), last.interview, last.entered)


def parse(text: str) -> Progress:
    """Return the progress in the text of a file.

    Raises
    ------
    ValueError
        Saying what is wrong: no JSON, another program's, a newer course's, a broken review.
    """
    whole = json.loads(text)
    if not isinstance(whole, dict) or whole.get("what") != WHAT:
        raise ValueError("it was written by another program")
    if whole.get("schema") != SCHEMA:
        raise ValueError(f"it has schema {whole.get('schema')!r}, this course reads {SCHEMA}")
    try:
        day, entered = whole["interview"], whole["entered"]
        reviews = tuple(Review(**review) for review in whole["reviews"])
        return Progress(reviews, day and date.fromisoformat(day), str(entered))
    except (KeyError, TypeError) as error:
        raise ValueError(f"a field is missing or unknown: {error}") from error


def default_path() -> Path:
    """Return where progress is kept: ``COURSE_PROGRESS``, or the user's data folder."""
    if given := os.environ.get("COURSE_PROGRESS"):
        return files.expanded(given)
    return Path(platformdirs.user_data_dir("transfer-learning-course"), "progress.json")


class Store:
    """The file, for any number of windows at once: each change reads it, adds and writes, locked.

    Parameters
    ----------
    path : None: `default_path`.

    Attributes
    ----------
    notice : a sentence when a file had to be kept aside, else empty.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path, self.notice = path or default_path(), ""

    def read(self) -> Progress:
        """Return what is kept; a damaged or foreign file is kept aside, and `notice` says so.

        Raises
        ------
        CourseError
            When it cannot be read, or not be moved aside.
        """
        with contextlib.suppress(ValueError):  # without the lock: it is replaced as a whole
            return self._parsed()
        with self._locked():
            return self._read_or_set_aside()

    def add(self, item: str, rating: int, sure: int | None, right: bool) -> Review:
        """Keep an answer, given now; raises a `CourseError` where the file cannot be written."""
        at, added = datetime.now(UTC).isoformat(timespec="microseconds"), []

        def change(progress: Progress) -> Progress:
            newest = max((review.at for review in progress.reviews), default="")
            after = newest if newest > at else ""
            added.append(Review(uuid.uuid4().hex, item, at, after, rating, sure, right))
            return dataclasses.replace(progress, reviews=(*progress.reviews, *added))

        self._change(change)
        return added[0]

    def enter(self, day: date | None) -> None:
        """Keep the day of the interview; None: there is none."""
        now = datetime.now(UTC).isoformat(timespec="microseconds")
        self._change(lambda old: dataclasses.replace(old, interview=day, entered=now))

    def take_in(self, content: bytes) -> int:
        """Join an exported file with what is kept; return how many reviews were new.

        Raises
        ------
        CourseError
            When it holds no progress; then nothing has changed.
        """
        try:
            other = parse(content.decode("utf-8"))
        except ValueError as error:
            raise CourseError(
                f"This file holds no progress ({error}). Choose one that Export wrote."
            ) from error
        before = len(self.read().reviews)
        return len(self._change(lambda old: old.joined(other)).reviews) - before

    def erase(self) -> None:
        """Remove the file; nothing of it is kept."""
        with self._locked():
            self.path.unlink(missing_ok=True)

    def _parsed(self) -> Progress:
        try:
            return parse(self.path.read_text("utf-8"))
        except FileNotFoundError:
            return Progress()
        except OSError as error:
            raise CourseError(
                f"Your progress in {self.path} cannot be read ({error.strerror}). Set "
                "COURSE_PROGRESS to a file that can."
            ) from error

    def _read_or_set_aside(self) -> Progress:
        try:
            return self._parsed()
        except ValueError as error:
            stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")
            aside = self.path.with_name(f"{self.path.name}.{stamp}.aside")
            self.path.rename(aside)
            self.notice = (
                f"The file of your progress could not be used ({error}). It is kept as {aside}, "
                "and a new one is begun."
            )
            return Progress()

    def _change(self, change: Callable[[Progress], Progress]) -> Progress:
        with self._locked():
            changed = change(self._read_or_set_aside())
            files.write_text(self.path, changed.text())
        return changed

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Have the file alone, for a moment."""
        with files.writing(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            lock = self.path.with_name(f".{self.path.name}.lock")
            with filelock.FileLock(lock, timeout=PATIENCE):
                yield
