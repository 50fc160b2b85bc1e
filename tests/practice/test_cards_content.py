"""What stands on the cards: every number is worked out again, every link leads somewhere."""

import contextlib
import functools
import io
import json
import re
from collections import Counter
from pathlib import Path

import pytest

from tests.practice.card_numbers import agrees, evaluate, tokens, unexplained

ROOT = Path(__file__).parents[2]
CARDS = ROOT / "data" / "cards"
TOPICS = ("transfer", "strategies", "cnn", "batchnorm", "data", "training", "evaluation",
          "medicine", "shipping")  # fmt: skip
FILES = {name: json.loads((CARDS / f"{name}.json").read_text("utf-8"))
         for name in (*TOPICS, "answers") if (CARDS / f"{name}.json").exists()}  # fmt: skip
ITEMS = {item["id"]: item for items in FILES.values() for item in items}
EVERY = pytest.mark.parametrize("item", ITEMS.values(), ids=ITEMS)

COMMON = {"id", "kind", "topic", "level", "question"}
OPTIONAL = {"link", "source", "numbers"}
FIELDS = {
    "flashcard": {"answer"},
    "choice": {"choices"},
    "numeric": {"value", "tolerance", "unit", "why", "compute"},
    "order": {"steps", "why"},
    "predict": {"code", "output", "why"},
    "spoken": {"words", "weak", "solid", "strong", "weak_misses", "follow_ups", "checklist"},
    "answer": {"seconds", "words", "text"},
}
LEAST = {"flashcard": 125, "choice": 25, "numeric": 12, "order": 8, "predict": 12, "spoken": 62}
SLACK = 1.15  # a spoken answer may be this much longer than its budget


def of(kind):
    chosen = {name: item for name, item in ITEMS.items() if item["kind"] == kind}
    return pytest.mark.parametrize("item", chosen.values(), ids=chosen)


def answers(item):
    """Every text of an item that says something is so (a weak answer is there to be wrong)."""
    texts = [item[name] for name in ("answer", "why", "solid", "strong", "weak_misses", "text")
             if name in item]  # fmt: skip
    texts += [choice["why"] for choice in item.get("choices", ())]
    texts += [choice["text"] for choice in item.get("choices", ()) if choice["right"]]
    texts += [follow["answer"] for follow in item.get("follow_ups", ())]
    return texts + item.get("checklist", []) + item.get("steps", [])


def asked(item):
    """The question, the wrong choices and the follow-up questions: their numbers are given."""
    wrong = [choice["text"] for choice in item.get("choices", ()) if not choice["right"]]
    follows = [follow["question"] for follow in item.get("follow_ups", ())]
    return " ".join([item["question"], item.get("code", ""), *wrong, *follows])


def words(text):
    return len(text.split())


@functools.cache
def headings(path):
    cells = json.loads((ROOT / path).read_text("utf-8"))["cells"]
    text = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    return {line.lstrip("#").strip() for line in text.splitlines() if re.match("#+ ", line)}


@EVERY
def test_an_item_has_the_fields_of_its_kind_and_no_others(item):
    own = FIELDS[item["kind"]]
    assert COMMON | own <= set(item) <= COMMON | own | OPTIONAL
    assert item["topic"] in FILES
    assert item in FILES[item["topic"]]
    assert item["level"] in (1, 2, 3)
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", item["id"])
    texts = [item["question"], *answers(item)]
    assert all(text == text.strip() and text for text in texts)
    assert "link" in item or "source" in item


def test_no_id_comes_twice():
    ids = Counter(item["id"] for items in FILES.values() for item in items)
    assert [name for name, times in ids.items() if times > 1] == []


def test_no_two_items_of_a_kind_ask_the_same():
    """Nor do two questions share nearly all their words."""
    common = set(
        re.findall(
            "[a-z]+",
            "a an and are at be by do does for from how in is it its of "
            "on or that the this to what when where which why with you your",
        )
    )
    seen = {}
    for name, item in ITEMS.items():
        if item["kind"] == "answer":  # one question, three lengths
            continue
        bag = frozenset(re.findall(r"[a-z0-9]+", item["question"].lower())) - common
        for other, kind, theirs in [(o, k, b) for o, (k, b) in seen.items()]:
            alike = len(bag & theirs) / len(bag | theirs)
            assert not (kind == item["kind"] and alike > 0.7), f"{name} asks what {other} asks"
        seen[name] = item["kind"], bag


def test_there_are_enough_of_every_kind():
    kinds = Counter(item["kind"] for item in ITEMS.values())
    assert {kind: kinds[kind] for kind in LEAST if kinds[kind] < LEAST[kind]} == {}
    assert sum(kinds[kind] for kind in ("choice", "numeric", "order", "predict")) >= 62
    assert set(FILES) == {*TOPICS, "answers"}
    assert [item["seconds"] for item in FILES["answers"]] == [30, 60, 300]


@EVERY
def test_a_link_leads_to_a_heading_and_a_source_names_a_year(item):
    if "link" in item:
        path, section = item["link"]["to"], item["link"].get("section")
        assert set(item["link"]) <= {"to", "section"}
        assert (ROOT / path).exists()
        assert section in headings(path) if path.endswith(".ipynb") or section else True
    if "source" in item:
        assert re.search(r"(19|20)\d\d|documentation|docs\.", item["source"])


@EVERY
def test_every_number_in_an_answer_is_worked_out_or_cited(item):
    numbers = item.get("numbers", {})
    texts = answers(item)
    missing = unexplained(texts, asked(item), numbers)
    assert missing == [], f"nothing explains {missing}"
    stale = [n for n in numbers if not any(n in text for text in texts)]
    assert stale == [], f"no answer holds {stale}"
    for written, expression in numbers.items():
        if "published(" in expression:
            assert "source" in item, f"{written} is cited, but of whom?"
        value = evaluate(expression)
        assert agrees(written, value), f"{written} is {value} by {expression}"


@of("flashcard")
def test_a_flashcard_is_answered_in_sixty_words(item):
    assert words(item["answer"]) <= 60


@of("choice")
def test_every_choice_has_its_reason(item):
    choices = item["choices"]
    assert 3 <= len(choices) <= 5
    assert any(choice["right"] for choice in choices)
    assert not all(choice["right"] for choice in choices)
    assert all(set(choice) == {"text", "right", "why"} for choice in choices)
    assert all(words(choice["why"]) >= 4 for choice in choices)
    assert len({choice["text"] for choice in choices}) == len(choices)
    assert len({choice["why"] for choice in choices}) == len(choices)


@of("numeric")
def test_a_numeric_value_is_computed(item):
    assert abs(float(evaluate(item["compute"])) - item["value"]) <= item["tolerance"] / 2 + 1e-9
    assert item["tolerance"] >= 0


@of("order")
def test_steps_are_four_to_seven_different_ones(item):
    assert 4 <= len(item["steps"]) <= 7
    assert len(set(item["steps"])) == len(item["steps"])


@of("predict")
def test_the_code_prints_what_the_card_says(item):
    assert item["code"].count("\n") < 15
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(item["code"], item["id"], "exec"), {"__name__": "card"})
    assert printed.getvalue().strip() == item["output"]
    assert "\n" not in item["output"]


@of("spoken")
def test_a_spoken_answer_keeps_its_budget(item):
    assert item["words"] in (75, 110, 150)
    for level in ("weak", "solid", "strong"):
        assert words(item[level]) <= item["words"] * SLACK, f"{level}: {words(item[level])} words"
    assert words(item["weak"]) < words(item["solid"]) < words(item["strong"])
    assert words(item["strong"]) >= item["words"] * 0.6
    assert len(item["follow_ups"]) == 2
    assert all(set(follow) == {"question", "answer"} for follow in item["follow_ups"])
    assert 3 <= len(item["checklist"]) <= 6
    assert re.fullmatch(r"[^.!?]+(\.\d+[^.!?]*)*[.!?]", item["weak_misses"]), "one sentence"
    assert tokens(item["strong"]) or item.get("source"), "a strong answer has a number or a source"


@of("answer")
def test_the_answers_to_give_take_their_time(item):
    assert item["words"] == {30: 75, 60: 150, 300: 700}[item["seconds"]]
    assert item["words"] * 0.75 <= words(item["text"]) <= item["words"] * SLACK


@pytest.mark.parametrize(("text", "value", "right"), [
    (".86", 0.8551, True), (".86", 0.8649, True), (".86", 0.866, False), ("38", 37.6, True),
    ("4,652,008", 4652008, True), ("23.5 million", 23512130, True), ("27 %", 0.274, True),
    ("27 %", 0.284, False), (".04", -0.041, True), ("-.04", -0.041, True), ("-.04", 0.041, False),
    ("3e-4", 0.0003, True), ("3e-3", 0.0003, False), ("2.4 points", 0.024, True),
])  # fmt: skip
def test_a_written_number_is_compared_at_its_own_precision(text, value, right):
    assert agrees(text, value) is right


def test_what_is_no_claim_is_no_number():
    """Kernels, names of networks and code hold digits and claim nothing."""
    text = "A 3x3 kernel of ResNet-50, `dim=1`, int8: 27 % of 4,652,008 and .5, -1.07, 3e-4."
    assert tokens(text) == ["27", "4,652,008", ".5", "1.07", "3e-4"]
    assert unexplained([text], "", {"27 %": "", "-1.07": ""}) == ["4,652,008", ".5", "3e-4"]
