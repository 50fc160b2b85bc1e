"""What is due, and what will be known on the day of the interview: FSRS over the learner's reviews.

The cards of the scheduler (`fsrs`, the algorithm of Anki) are worked out anew from the reviews each
time, so that nothing but these has to be kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property

import fsrs
import pandas as pd

from helpers.errors import CourseError
from helpers.practice.cards import Item
from helpers.practice.progress import Progress, Review
from helpers.training.metrics import wilson

NO_DATE = 365  # days that an interval may have while no interview is in sight
SOON = timedelta(minutes=1)  # until what was not known comes back
BEGINS = time(9)  # of the interview, by the local clock
SECONDS = {"flashcard": 40, "choice": 50, "numeric": 70, "order": 70, "predict": 80}
SPEECH = 2.5  # words a second: 75 in 30 s
RATINGS = {"again": 1, "hard": 2, "good": 3, "easy": 4}


def counted_at(review: Review, reviews: Iterable[Review], now: datetime) -> datetime:
    """Return when a review counts as given, whatever the clock said then.

    A clock that was behind: right after the review before it. A clock that was ahead, so that the
    review lies in the future: when the next one was given, or now.
    """
    at = datetime.fromisoformat(review.at)
    if at > now:
        later = (datetime.fromisoformat(other.at) for other in reviews if other.after >= review.at)
        return min(later, default=now)
    after = datetime.fromisoformat(review.after) if review.after else at
    return max(at, after) if after <= now else at


def days_left(interview: date | None, today: date) -> int:
    """Return the days to the interview, `NO_DATE` without one.

    Raises
    ------
    CourseError
        When that day has passed.
    """
    if interview is None:
        return NO_DATE
    if interview < today:
        raise CourseError(
            f"{interview:%d %B %Y} has passed; today is {today:%d %B %Y}. Enter the day of your "
            "next interview, or none."
        )
    return (interview - today).days


class Schedule:
    """The reviews as a scheduler sees them.

    Parameters
    ----------
    progress : reviews and the day of the interview. now : None: the clock's; with a time zone.

    Attributes
    ----------
    trouble : a sentence for a day that has passed or a clock that was set back, else empty.
    """

    def __init__(self, progress: Progress, now: datetime | None = None) -> None:
        self.progress, self.now = progress, now or datetime.now(UTC)
        self.trouble, today = "", self.now.astimezone().date()
        try:
            self.left = days_left(progress.interview, today)
        except CourseError as error:
            self.left, self.trouble = NO_DATE, str(error)
        soon = (self.now + timedelta(minutes=1)).isoformat()
        ahead = [review.at for review in progress.reviews if review.at > soon]
        if ahead:
            self.trouble += (
                f" This computer's clock says {self.now:%d %B %Y, %H:%M} UTC, but an answer was "
                f"given at {max(ahead)[:16].replace('T', ', ')}: set the clock right. No answer is "
                "lost."
            )
        # Without its chance: the days are worked out anew at each look, and must be the same then.
        self.scheduler = fsrs.Scheduler(
            maximum_interval=max(1, self.left), enable_fuzzing=False,
            learning_steps=[SOON], relearning_steps=[SOON],
        )  # fmt: skip

    @cached_property
    def cards(self) -> dict[str, fsrs.Card]:
        """The scheduler's card of every item with a review, present in the course or not."""
        reviews, logs = self.progress.reviews, {}
        for review in reviews:
            at = counted_at(review, reviews, self.now)
            logs.setdefault(review.item, []).append(fsrs.ReviewLog(1, review.rating, at, None))
        blank = fsrs.Card(card_id=1, due=self.now)
        return {item: self.scheduler.reschedule_card(blank, given) for item, given in logs.items()}

    @property
    def day(self) -> datetime:
        """When the interview begins; without one, or after it, in a week."""
        today, day = self.now.astimezone().date(), self.progress.interview
        if day is None or day < today:
            day = today + timedelta(days=7)
        return max(datetime.combine(day, BEGINS).astimezone(UTC), self.now)

    def recall(self, item: str, when: datetime | None = None) -> float:
        """Return the probability of recalling an item at a time (None: `day`); 0 if never seen."""
        card = self.cards.get(item)
        return self.scheduler.get_card_retrievability(card, when or self.day) if card else 0.0

    def due(self, items: Iterable[Item], until: datetime | None = None) -> list[Item]:
        """Return the seen items that are due until then (None: midnight), the shakiest first."""
        if until is None:
            tomorrow = self.now.astimezone().date() + timedelta(days=1)
            until = datetime.combine(tomorrow, time()).astimezone(UTC)
        found = [item for item in items
                 if item["id"] in self.cards and self.cards[item["id"]].due < until]  # fmt: skip
        return sorted(found, key=lambda item: self.recall(item["id"]))

    def plan(self, items: Sequence[Item], minutes: float = 15) -> list[Item]:
        """Return a session: what is due, then new ones, topics and kinds in turn, easy ones first.

        Where neither fills the time, what is least sure to be known on the day comes again.
        """
        due, taken, places, count = self.due(items), [], {}, Counter()
        topics, kinds = (sorted({item[name] for item in items}) for name in ("topic", "kind"))
        for item in sorted(items, key=lambda item: item["level"]):
            topic, kind = topics.index(item["topic"]), kinds.index(item["kind"])
            places[item["id"]] = count[topic, kind], (topic + kind) % len(kinds), topic
            count[topic, kind] += 1
        fresh = [item for item in items if item["id"] not in self.cards]
        fresh.sort(key=lambda item: places[item["id"]])
        rest = [item for item in items if item["id"] in self.cards and item not in due]
        rest.sort(key=lambda item: self.recall(item["id"]))
        seconds = 60 * minutes
        for item in [*due, *fresh, *rest]:
            if (seconds := seconds - seconds_for(item)) < 0 and taken:
                break
            taken.append(item)
        return taken

    def readiness(self, items: Sequence[Item]) -> pd.DataFrame:
        """Return a row per topic: ``items, seen, recall, ready, due, weakest``.

        ``recall`` is what is expected of the seen ones on the day, if nothing is repeated until
        then; ``ready`` the same share of all items, those never seen counted as not known;
        ``weakest`` the seen item that is least sure, or the first new one.
        """
        rows = {}
        for topic in sorted({item["topic"] for item in items}):
            mine = [item for item in items if item["topic"] == topic]
            known = [item for item in mine if item["id"] in self.cards]
            seen = [self.recall(item["id"]) for item in known]
            rows[topic] = {
                "items": len(mine), "seen": len(seen),
                "recall": sum(seen) / len(seen) if seen else float("nan"),
                "ready": sum(seen) / len(mine), "due": len(self.due(mine)),
                "weakest": min(known or mine, key=lambda item: self.recall(item["id"])),
            }  # fmt: skip
        return pd.DataFrame.from_dict(rows, orient="index")


def seconds_for(item: Item) -> float:
    """Return how long an item takes, about: a spoken one its words and as long to compare."""
    return SECONDS.get(item["kind"], 2 * item.get("words", 75) / SPEECH + 60)


def reliability(reviews: Iterable[Review]) -> pd.DataFrame:
    """Return how often the learner was right for each "how sure": ``said, true, lo, hi, n``.

    Shares with Wilson's 95 % interval, of the answers before which it was said.
    """
    given: dict[int, list[bool]] = {}
    for review in reviews:
        if review.sure is not None:
            given.setdefault(review.sure, []).append(review.right)
    rows = []
    for sure, right in sorted(given.items()):
        share = sum(right) / len(right)
        rows.append((sure / 100, share, *wilson(share, len(right)), len(right)))
    return pd.DataFrame(rows, columns=["said", "true", "lo", "hi", "n"])
