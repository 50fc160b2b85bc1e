"""What is due and what will be known on the day, worked out from reviews alone."""

import dataclasses
from datetime import UTC, date, datetime, timedelta

import fsrs
import pytest

from helpers.errors import CourseError
from helpers.practice import schedule
from helpers.practice.progress import Progress, Review
from helpers.practice.schedule import Schedule
from helpers.training.metrics import wilson
from tests.practice.samples import ITEMS

NOW = datetime(2026, 12, 1, 18, tzinfo=UTC)
BY_ID = {item["id"]: item for item in ITEMS}


def review(item: str, days_ago: float, rating: int = 3, **fields) -> Review:
    at = (NOW - timedelta(days=days_ago)).isoformat(timespec="microseconds")
    known = {"id": f"{item} {at}", "item": item, "at": at, "after": "", "rating": rating,
             "sure": 75, "right": rating > 1}  # fmt: skip
    return Review(**known | fields)


def planned(*reviews: Review, days: int | None = 10, now: datetime = NOW) -> Schedule:
    interview = None if days is None else now.date() + timedelta(days=days)
    return Schedule(Progress(reviews, interview), now)


def test_the_scheduler_is_fsrs_as_published():
    """Its own review_card, called by hand, gives the same stability."""
    card, scheduler = (
        fsrs.Card(),
        fsrs.Scheduler(enable_fuzzing=False, learning_steps=[timedelta(minutes=1)]),
    )
    for days in (9, 5, 1):
        card, _ = scheduler.review_card(card, fsrs.Rating.Good, NOW - timedelta(days=days))
    mine = planned(*(review("flashcard-1", days) for days in (9, 5, 1))).cards["flashcard-1"]
    assert mine.stability == card.stability
    assert mine.difficulty == card.difficulty


def test_no_card_waits_longer_than_the_interview():
    known = [review("flashcard-1", days, 4) for days in (60, 40, 20, 0)]
    for days in (3, 10):
        card = planned(*known, days=days).cards["flashcard-1"]
        assert card.due == NOW + timedelta(days=days)
    assert planned(*known, days=None).cards["flashcard-1"].due > NOW + timedelta(days=30)


def test_the_same_reviews_give_the_same_days_whenever_they_are_looked_at():
    known = [review("flashcard-1", days) for days in (9, 5, 1)]
    assert planned(*known).cards == planned(*known).cards


def test_what_was_not_known_comes_back_and_what_was_known_rests():
    now = planned(review("flashcard-1", 0, 1), review("flashcard-2", 0, 3))
    assert now.due(ITEMS) == [BY_ID["flashcard-1"]]
    assert now.recall("flashcard-1") < now.recall("flashcard-2") < 1
    assert now.recall("choice-1") == 0


def test_a_day_that_has_passed_is_one_sentence_and_the_room_goes_on():
    with pytest.raises(CourseError, match="30 November 2026 has passed; today is 01 December 2026"):
        schedule.days_left(date(2026, 11, 30), date(2026, 12, 1))
    now = planned(review("flashcard-1", 1), days=-1)
    assert "has passed" in now.trouble
    assert now.due(ITEMS) == []
    assert now.plan(ITEMS)
    assert planned(days=0).trouble == ""


def test_a_clock_that_was_set_back_is_one_sentence_and_loses_nothing():
    now = planned(review("flashcard-1", -30), review("flashcard-2", 2))
    assert "set the clock right" in now.trouble
    assert now.cards.keys() == {"flashcard-1", "flashcard-2"}
    assert now.cards["flashcard-1"].last_review == NOW


def test_reviews_by_a_wrong_clock_count_from_when_they_can_have_been_given():
    ahead = review("flashcard-1", -30)
    then = review("flashcard-2", 5, after=ahead.at)  # the clock is right again
    reviews = [ahead, then]
    assert schedule.counted_at(ahead, reviews, NOW) == NOW - timedelta(days=5)
    assert schedule.counted_at(then, reviews, NOW) == NOW - timedelta(days=5)
    before = review("flashcard-1", 5)
    behind = review("flashcard-2", 4000, after=before.at)  # a clock that began in 2015
    assert schedule.counted_at(behind, [before, behind], NOW) == NOW - timedelta(days=5)


def test_a_session_fills_its_minutes_due_cards_first_then_topics_and_kinds_in_turn():
    now = planned(review("order-2", 8, 1), review("flashcard-1", 0, 4))
    session = now.plan(ITEMS, minutes=8)
    assert session[0]["id"] == "order-2"
    assert {item["topic"] for item in session[1:6]} == {"cnn", "training", "transfer"}
    assert len({item["kind"] for item in session[1:6]}) == 5
    assert [item["level"] for item in session[1:6]].count(1) >= 4
    assert 360 <= sum(map(schedule.seconds_for, session)) <= 480
    assert "flashcard-1" not in {item["id"] for item in session}
    everything = now.plan(ITEMS, minutes=100)
    assert sorted(item["id"] for item in everything) == sorted(BY_ID)
    assert everything[-1]["id"] == "flashcard-1", "what is known rests until nothing else is left"
    assert len(now.plan(ITEMS, minutes=0.1)) == 1, "one at least"
    assert now.plan([]) == []


def test_the_next_evening_goes_on_with_the_kinds_that_were_not_asked():
    seen = [item["id"] for item in planned().plan(ITEMS, minutes=6)]
    now = planned(*(review(name, 0, 4) for name in seen))
    kinds = {BY_ID[name]["kind"] for name in seen}
    assert now.plan(ITEMS, minutes=1)[0]["kind"] not in kinds


def test_readiness_is_the_recall_on_the_day_and_the_unseen_are_not_known():
    now = planned(review("flashcard-1", 1), review("spoken-1", 3, 1), days=4)
    row = now.readiness(ITEMS).loc["transfer"]
    recall = [now.scheduler.get_card_retrievability(now.cards[name], now.day)
              for name in ("flashcard-1", "spoken-1")]  # fmt: skip
    assert (row["items"], row["seen"], row["due"]) == (4, 2, 1)
    assert row["recall"] == pytest.approx(sum(recall) / 2)
    assert row["ready"] == pytest.approx(sum(recall) / 4)
    assert row["weakest"]["id"] == "spoken-1"
    later = planned(review("flashcard-1", 1), review("spoken-1", 3, 1), days=14)
    assert later.readiness(ITEMS).loc["transfer", "recall"] < row["recall"]
    assert now.readiness(ITEMS).loc["training", "seen"] == 0


def test_an_item_that_was_removed_keeps_its_history():
    now = planned(review("gone", 1), review("flashcard-1", 1))
    assert "gone" in now.cards
    assert now.plan(ITEMS)
    assert now.readiness(ITEMS)["seen"].sum() == 1


def test_reliability_counts_the_answers_before_which_it_was_said():
    said = [review("a", 1, sure=75), review("b", 1, rating=1, sure=75), review("c", 1, sure=100),
            review("d", 1, sure=None)]  # fmt: skip
    table = schedule.reliability(said)
    assert table["said"].tolist() == [0.75, 1.0]
    assert table["true"].tolist() == [0.5, 1.0]
    assert table["n"].tolist() == [2, 1]
    assert (table.loc[0, "lo"], table.loc[0, "hi"]) == wilson(0.5, 2)
    assert schedule.reliability([]).empty


def test_a_review_cannot_be_what_it_is_not():
    good = review("a", 1)
    for wrong in ({"rating": 0}, {"rating": True}, {"sure": 101}, {"right": 1}, {"at": ""},
                  {"at": "2026-12-01T00:00:00"}, {"id": 1}):  # fmt: skip
        with pytest.raises(ValueError, match="is no review"):
            dataclasses.replace(good, **wrong)
