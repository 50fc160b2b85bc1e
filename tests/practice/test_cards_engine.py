"""Cards are read, refused by name, and answers to them judged."""

import copy
import json

import pytest

from helpers.errors import CourseError
from helpers.practice import cards
from tests.practice.samples import ANSWER, BUG, EVERYTHING, ITEMS, written

BY_ID = {item["id"]: item for item in EVERYTHING}


def test_every_item_of_a_folder_is_read(tmp_path):
    folder = written(tmp_path, [*EVERYTHING, ANSWER, ANSWER | {"id": "answer-10", "seconds": 10}])
    assert sorted(item["id"] for item in cards.load(folder)) == sorted(BY_ID)
    assert [item["seconds"] for item in cards.answers(folder)] == [10, 30], "the shortest first"


@pytest.mark.parametrize("name", [item["id"] for item in EVERYTHING])
def test_an_item_without_one_of_its_fields_is_refused_by_file_id_and_field(name, tmp_path):
    item = BY_ID[name]
    for field in (*cards.COMMON, *cards.KINDS[item["kind"]]):
        broken = {key: value for key, value in item.items() if key != field}
        path = tmp_path / f"{item['topic']}.json"
        path.write_text(json.dumps([broken]), encoding="utf-8")
        with pytest.raises(CourseError) as refused:
            cards.load(tmp_path)
        assert f"'{field}'" in str(refused.value)
        assert path.name in str(refused.value)
        assert field == "id" or name in str(refused.value)


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("flashcard-1", {"id": "With Capitals"}, "'id'"),
        ("flashcard-1", {"level": 4}, "'level'"),
        ("flashcard-1", {"level": True}, "'level'"),
        ("flashcard-1", {"topic": "elsewhere"}, "'topic'"),
        ("flashcard-1", {"kind": "card"}, "'kind'"),
        ("flashcard-1", {"answer": ""}, "'answer' is empty"),
        ("flashcard-1", {"link": None}, "'link'"),
        ("flashcard-1", {"anser": "misspelled"}, "'anser'"),
        ("choice-1", {"choices": [{"text": "a", "right": True}]}, "'why'"),
        ("choice-1", {"choices": [{"text": "a", "right": False, "why": "no"}]}, "'choices'"),
        ("order-1", {"steps": ["one", 2]}, "'steps'"),
        ("numeric-1", {"value": "4"}, "'value'"),
        ("spoken-1", {"follow_ups": ["and?"]}, "'follow_ups'"),
        ("bug-1", {"line": 4}, "'line'"),
        ("drill-1", {"rubric": [{"points": 99, "text": "all"}]}, "'rubric'"),
    ],
)
def test_what_cannot_be_is_refused(name, change, said, tmp_path):
    item = copy.deepcopy(BY_ID[name]) | change
    (tmp_path / f"{BY_ID[name]['topic']}.json").write_text(json.dumps([item]), encoding="utf-8")
    with pytest.raises(CourseError, match=said):
        cards.load(tmp_path)


@pytest.mark.parametrize(
    ("text", "said"), [("{}", "a list"), ("[1]", "mapping"), ("[", "JSON"), ("\udcff", "JSON")]
)
def test_a_file_that_is_no_list_of_items_is_refused(text, said, tmp_path):
    (tmp_path / "cnn.json").write_text(text, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(CourseError, match=rf"cnn\.json.*{said}"):
        cards.load(tmp_path)


def test_two_items_with_one_id_are_refused(tmp_path):
    written(tmp_path, [ITEMS[0], ITEMS[0]])
    with pytest.raises(CourseError, match=r"flashcard-1.*another item's"):
        cards.load(tmp_path)


def test_cards_are_picked_by_topic_level_and_kind():
    assert {item["topic"] for item in cards.pick(ITEMS, "cnn")} == {"cnn"}
    assert {item["level"] for item in cards.pick(ITEMS, level=1)} == {1}
    assert {item["kind"] for item in cards.pick(ITEMS, kinds=["spoken"])} == {"spoken"}
    with pytest.raises(CourseError, match=r"'cn'.*Did you mean 'cnn'"):
        cards.pick(ITEMS, "cn")


@pytest.mark.parametrize(
    ("name", "answer", "right"),
    [
        ("choice-1", ["answer 0"], True), ("choice-1", ["answer 1"], False),
        ("choice-2", ["answer 1", "answer 0"], True), ("choice-2", ["answer 0"], False),
        ("choice-2", ["answer 0", "answer 1", "answer 2"], False),
        ("numeric-1", "4,652,008", True), ("numeric-1", "4652008 parameters", True),
        ("numeric-1", "4652007", False), ("numeric-2", ".8649", True), ("numeric-2", "86 %", True),
        ("numeric-2", "0.866", False), ("order-1", ["first", "second", "third"], True),
        ("order-1", ["second", "first", "third"], False), ("predict-1", " 2\n", True),
        ("predict-1", "3", False), ("spoken-1", ["a number", "a price"], True),
        ("spoken-1", ["a number"], False), ("flashcard-1", "whatever", None),
    ],
)  # fmt: skip
def test_answers_are_judged(name, answer, right):
    assert cards.score(BY_ID[name], answer).right is right


def test_every_choice_is_answered_with_its_reason():
    reasons = cards.score(BY_ID["choice-2"], ["answer 3"]).reasons
    assert [(text, mark, why) for text, mark, why in reasons] == [
        ("answer 0", "✔", "reason 0 <b>"), ("answer 1", "✔", "reason 1 <b>"),
        ("answer 2", "✘", "reason 2 <b>"), ("answer 3", "✘", "reason 3 <b>"),
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["", ".", "0,86", "1,23,456", "nan", "inf", "about 3", "1 2"])
def test_what_is_no_number_is_not_guessed_at(text):
    with pytest.raises(CourseError, match="cannot be read as a number"):
        cards.number(text)


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [("4,652,008", "", 4652008), (".86", "", 0.86), ("−.16", "", -0.16), ("1e-3", "", 1e-3),
     ("86 %", "", 0.86), ("86%", "%", 86), ("86", "%", 86), ("3.", "", 3)],
)  # fmt: skip
def test_numbers_are_read_as_people_write_them(text, unit, value):
    assert cards.number(text, unit) == pytest.approx(value)


def test_nothing_chosen_is_no_answer():
    with pytest.raises(CourseError, match="Nothing is chosen"):
        cards.score(BY_ID["choice-1"], [])


def test_steps_never_come_in_the_right_order_and_a_seed_keeps_them():
    for seed in range(40):
        assert cards.shuffled(BY_ID["order-1"], seed) != BY_ID["order-1"]["steps"]
        assert cards.shuffled(BUG, seed) != [check["text"] for check in BUG["checks"]]
    assert cards.shuffled(BY_ID["choice-1"], 3) == cards.shuffled(BY_ID["choice-1"], 3)
    assert len({tuple(cards.shuffled(BY_ID["choice-1"], seed)) for seed in range(9)}) > 1


def test_the_order_of_checks_costs_minutes_until_one_finds_the_bug():
    assert cards.minutes_spent(BUG, ["print n", "read the code", "train again"]) == 1
    assert cards.minutes_spent(BUG, ["train again", "read the code", "print n"]) == 65


def test_a_bug_shows_and_only_a_right_mend_mends_it():
    assert cards.still_wrong(BUG).startswith("The assertion fails: 2.0")
    assert cards.still_wrong(BUG, BUG["mend"]) == ""
    assert cards.still_wrong(BUG, "mean = sum(numbers) / 4", 3) == "", "in another line"
    assert "IndentationError" in cards.still_wrong(BUG, "  n = 4")
    assert "NameError" in cards.still_wrong(BUG, "")
    assert "SystemExit" in cards.still_wrong(BUG, "raise SystemExit")


def test_what_code_prints_is_caught(capsys):
    assert cards.execute("print('seen')") == ("seen\n", "")
    assert capsys.readouterr().out == ""
