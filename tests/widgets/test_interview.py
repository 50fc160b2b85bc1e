"""The interview room asks, checks, rates and plans; the bench runs what is written there."""

import json
import sys
from datetime import UTC, date, datetime, timedelta
from types import ModuleType

import pytest

from helpers.practice import checker, schedule
from helpers.practice.progress import Store
from helpers.widgets import BugHunt, Drills, InterviewRoom, Readiness
from helpers.widgets import bench as bench_module
from helpers.widgets.answers import field
from tests.conftest import picture
from tests.practice.samples import BUG, DRILL, EVERYTHING, ITEMS

BY_ID = {item["id"]: item for item in EVERYTHING}


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "progress.json")


def asked(store: Store, *names: str) -> InterviewRoom:
    """A room in the middle of a session of these cards."""
    room = InterviewRoom([BY_ID[name] for name in names], store)
    room.minutes.value = 60
    room.start.click()
    return room


def visible(part) -> bool:
    return part.layout.display != "none"


def test_nothing_can_be_answered_before_it_is_said_how_sure_one_is(store):
    room = asked(store, "choice-1")
    assert "Question 1 of kind choice?" in room.question.value
    assert visible(room.sure)
    assert not visible(room.answer)
    assert not visible(room.check)
    room.sure.value = 75
    assert visible(room.answer)
    assert visible(room.check)
    assert not visible(room.rating)


def test_a_right_choice_is_explained_choice_by_choice_and_rated(store):
    room = asked(store, "choice-1")
    room.sure.value = 75
    room.check.click()
    assert "Nothing is chosen" in room.message.value
    room.answer.children[0].value = "answer 0"
    room.check.click()
    assert "Right." in room.feedback.value
    for n in range(4):
        assert f"reason {n} &lt;b&gt;" in room.feedback.value, "escaped, and there for every choice"
    assert not any(button.disabled for button in room.rates.values())
    room.rates["good"].click()
    (kept,) = store.read().reviews
    assert (kept.item, kept.rating, kept.sure, kept.right) == ("choice-1", 3, 75, True)
    assert "The session is over" in room.question.value
    assert room.message.value == ""


def test_a_wrong_answer_can_only_come_again_and_does_in_the_same_session(store):
    room = asked(store, "numeric-1")
    room.sure.value = 100
    room.answer.children[0].value = "4,6"
    room.check.click()
    assert "cannot be read as a number" in room.message.value
    assert store.read().reviews == ()
    room.answer.children[0].value = "4,652,000"
    room.check.click()
    assert "Not right." in room.feedback.value
    assert "4,652,008 parameters" in room.feedback.value
    assert [name for name, button in room.rates.items() if not button.disabled] == ["again"]
    room.rates["again"].click()
    assert "Card 2 of 2" in room.question.value
    assert visible(room.sure)
    assert room.sure.value is None
    assert not visible(room.answer)
    assert room.schedule.due(ITEMS) == [BY_ID["numeric-1"]]


def test_a_flashcard_is_judged_by_the_learner(store):
    room = asked(store, "flashcard-1")
    room.sure.value = 0
    room.check.click()
    assert "<code>x &lt; 1</code>" in room.feedback.value
    assert not any(button.disabled for button in room.rates.values())
    room.rates["again"].click()
    assert store.read().reviews[0].right is False


def test_several_right_choices_are_boxes_and_one_is_a_list():
    boxes, read = field(BY_ID["choice-2"])
    assert read() == []
    boxes.children[0].value = True
    assert read() == [boxes.children[0].description]
    radio, read = field(BY_ID["choice-1"])
    assert read() == []
    radio.value = radio.options[2]
    assert read() == [radio.options[2]]


@pytest.mark.parametrize("name", ["choice-1", "choice-2", "order-1"])
def test_controls_show_no_backticks_and_answer_with_the_text_of_the_card(name):
    item = json.loads(json.dumps(BY_ID[name]).replace("first", "`first`").replace("answer", "`a`"))
    control, read = field(item)
    if name == "order-1":
        assert set(read()) == set(item["steps"])
        assert "first" in control.list.options
        return
    if name == "choice-1":
        control.index = 1
    else:
        control.children[1].value = True
    (text,) = read()
    assert text in [choice["text"] for choice in item["choices"]]
    assert "`a`" in text
    labels = getattr(control, "options", None) or [box.description for box in control.children]
    assert "`" not in "".join(labels)


def test_steps_are_moved_up_and_down(store):
    room = asked(store, "order-2")
    room.sure.value = 50
    order, right = room.answer.children[0], BY_ID["order-2"]["steps"]
    for place, step in enumerate(right):
        order.list.value = step
        while order.rows.index(step) > place:
            order.up.click()
        assert order.list.value == step, "the mark stays on it"
    order.up.click()
    order.down.click()
    assert sorted(order.rows) == sorted(right)
    order.list.value = right[-1]
    order.down.click()
    room.check.click()
    assert ("100% of all pairs" in room.feedback.value) == (order.rows == right)
    assert f"1. {right[0]}<br>2. {right[1]}" in room.feedback.value


def test_a_spoken_answer_is_compared_with_three_and_ticked(store):
    room = asked(store, "spoken-1")
    room.sure.value = 50
    assert "30 s are meant" in room.clock.value
    room.answer.children[0].value = "It saves labels, " * 10
    assert "30 of 75 words" in room.count.value
    room.check.click()
    for part in ("Weak", "It helps.", "Solid", "Strong", ".86", "And 1?", "A number is missing"):
        assert part in room.feedback.value
    assert not visible(room.rating), "first the points"
    _, boxes, done = room.points.children
    assert [box.description for box in boxes.children] == BY_ID["spoken-1"]["checklist"]
    boxes.children[0].value = boxes.children[1].value = True
    done.click()
    assert "2 of 3 points" in room.verdict.value, "beside the buttons"
    assert "Strong" in room.feedback.value, "the model answers stay"
    room.rates["hard"].click()
    assert store.read().reviews[0].right is True


def test_topic_level_and_kind_choose_what_is_asked(store):
    room = InterviewRoom(ITEMS, store)
    room.minutes.value, room.topic.value = 120, "cnn"
    room.start.click()
    assert {item["topic"] for item in room.session} == {"cnn"}
    room.topic.value, room.kind.value, room.level.value = "all topics", "mock interview: spoken", 1
    room.start.click()
    assert [item["id"] for item in room.session] == ["spoken-1"]
    room.topic.value = "cnn"
    room.start.click()
    assert "There is no such card" in room.message.value


def test_the_day_is_kept_and_one_in_the_past_is_not(store):
    room = InterviewRoom(ITEMS, store)
    day = date.today() + timedelta(days=5)
    room.day.value = day
    assert "5 days to go" in room.message.value
    assert InterviewRoom(ITEMS, store).day.value == day
    room.day.value = date.today() - timedelta(days=1)
    assert "has passed" in room.message.value
    assert store.read().interview == day
    room.day.value = None
    assert store.read().interview is None


def test_a_damaged_file_is_a_sentence_and_the_room_opens(store):
    store.path.write_text("{")
    room = InterviewRoom(ITEMS, store)
    assert "It is kept as" in room.message.value
    room.start.click()
    assert "Question" in room.question.value


def test_a_file_that_cannot_be_written_is_a_sentence_and_the_card_stays(store):
    room = asked(store, "flashcard-1")
    room.sure.value = 50
    room.check.click()
    store.path = store.path / "below" / "a file"
    store.path.parents[1].write_text("in the way")
    room.rates["good"].click()
    assert "cannot be" in room.message.value
    assert "Card 1 of 1" in room.question.value


def uploaded(content: bytes) -> dict:
    """A file as the browser hands it over."""
    return {"name": "a.json", "type": "", "size": len(content), "content": memoryview(content),
            "last_modified": datetime.now(UTC)}  # fmt: skip


def test_progress_is_exported_imported_and_erased(store):
    room = asked(store, "flashcard-1")
    room.sure.value = 50
    room.check.click()
    room.rates["easy"].click()
    room.export.click()
    assert 'download="interview-' in room.download.value
    content = store.read().text().encode()
    room.erase.click()
    assert visible(room.sure_erase)
    assert len(store.read().reviews) == 1, "only asked so far"
    room.sure_erase.click()
    assert not store.path.exists()
    room.upload.value = (uploaded(content),)
    assert "1 answers were new" in room.message.value
    assert store.read().reviews[0].item == "flashcard-1"
    room.upload.value = (uploaded(b"{}"),)
    assert "holds no progress" in room.message.value


def test_readiness_follows_every_answer(store):
    room = asked(store, "flashcard-1", "choice-1")
    page = Readiness(room)
    assert "not seen" in page.table.value
    assert "0% in a week" in page.table.value
    before = picture(page.figure)
    room.sure.value = 50
    room.check.click()
    if room.item["kind"] == "choice":
        room.answer.children[0].value = "answer 0"
        room.check.click()
    room.rates["easy"].click()
    assert picture(page.figure) != before
    assert "after 20 answers (now 1)" in page.curve.value
    for _ in range(60):
        store.add("gone", 3, 75, True)
    page.draw()
    assert "Answers to 1 other cards" in page.table.value
    assert "the last 20" in page.curve.value


def hunted(store: Store) -> BugHunt:
    hunt = BugHunt(EVERYTHING, store)
    hunt.choice.value = BUG
    return hunt


def press(bench, text: str) -> None:
    [step] = [part for part in bench.steps.children if getattr(part, "description", "") == text]
    step.click()


def html(bench) -> str:
    return "".join(str(part.value) for part in bench.steps.children if hasattr(part, "value"))


def test_a_bug_is_hunted_from_its_symptom_to_a_mend_that_runs(store):
    hunt = hunted(store)
    assert "1.5 is right" in html(hunt)
    assert BUG["code"].splitlines()[0] not in html(hunt), "the code comes after the checks"
    press(hunt, "Check in this order")
    assert "the cheapest after 1;" in html(hunt)
    hunt.line.value = 1
    press(hunt, "Name this line")
    assert "Not line 1:" in html(hunt)
    press(hunt, "Name this line")
    assert html(hunt).count("Not line") == 1, "the last one only"
    assert "Wrong so far: 2" in html(hunt)
    hunt.line.value = 2
    press(hunt, "Name this line")
    assert hunt.mend.value == "n = len(numbers) - 1"
    press(hunt, "Run the mend")
    assert "The assertion fails: 2.0" in hunt.result.value
    assert store.read().reviews == ()
    hunt.mend.value = "n = 4"
    press(hunt, "Run the mend")
    assert "The assertion holds" in hunt.result.value
    press(hunt, "Run the mend")
    assert [review.item for review in store.read().reviews] == ["bug-1"], "kept once"


def test_a_bug_may_be_mended_in_another_line_that_mends_it(store):
    hunt = hunted(store)
    press(hunt, "Check in this order")
    hunt.line.value = 3
    press(hunt, "Name this line")
    assert hunt.mend.value == "mean = sum(numbers) / n"
    hunt.mend.value = "mean = sum(numbers) / 4"
    press(hunt, "Run the mend")
    assert "The assertion holds" in hunt.result.value
    press(hunt, "Show a mend")
    assert BUG["also"]["3"] in hunt.result.value, "one for the line that was named"


def test_a_mend_that_was_shown_counts_as_not_found(store):
    hunt = hunted(store)
    press(hunt, "Check in this order")
    hunt.line.value = 2
    press(hunt, "Name this line")
    press(hunt, "Show a mend")
    assert BUG["mend"] in hunt.result.value
    assert store.read().reviews[0].rating == schedule.RATINGS["again"]


@pytest.fixture
def drills(store, monkeypatch) -> Drills:
    """Drills with a made-up checker."""

    @checker.checker
    def double(answer):
        if checker.attempt(answer, 3) != 6:
            raise checker.Slip("twice three is six.")
        return "doubled."

    module = ModuleType("helpers.practice.drills")
    module.double = double
    monkeypatch.setitem(sys.modules, "helpers.practice.drills", module)
    drills = Drills(EVERYTHING, store)
    drills.choice.value = DRILL
    return drills


@pytest.mark.parametrize(
    ("text", "said"),
    [(DRILL["stub"], "✘ nothing here yet"), (DRILL["solution"], "✔ doubled."),
     ("def double(x):\n    return x", "✘ twice three is six."),
     ("x = 1", "defines no <code>double"), ("def double(x):", "IndentationError"),
     ("1 / 0", "ZeroDivisionError")],
)  # fmt: skip
def test_what_is_written_in_a_drill_is_run_and_checked(drills, text, said):
    drills.page.value = text
    press(drills, "Check")
    assert said in drills.result.value
    assert said in bench_module.words(bench_module.check(DRILL, text))


def test_a_drill_ends_with_a_rubric_of_100_points(drills, store):
    assert "600 s are meant" in html(drills)
    press(drills, "Show a solution")
    press(drills, "Check")
    boxes = drills.steps.children[6]
    assert [box.description for box in boxes.children] == [
        "60 points: it runs",
        "40 points: no loop",
    ]
    boxes.children[0].value = True
    press(drills, "Count my points")
    assert "60 of 100 points" in html(drills)
    assert store.read().reviews[0].rating == schedule.RATINGS["good"]
    assert json.loads(store.path.read_text("utf-8"))["reviews"][0]["item"] == "drill-1"


def test_where_the_course_has_no_such_cards_the_list_is_empty(store):
    assert BugHunt(ITEMS, store).choice.options == ()
