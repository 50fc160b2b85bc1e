"""The course's own cards: whole, linked, their bugs and drills run. What they say: see beside.

tests/practice/test_cards_content.py works out their numbers.
"""

import functools
import html
import json
import re
from collections import Counter
from pathlib import Path

import nbformat
import pytest

from helpers import files
from helpers.practice import cards
from helpers.widgets import bench
from helpers.widgets.answers import words

ROOT = Path(__file__).parents[2]
ITEMS = cards.load()
WHOLE = (files.resource("cards") / "drills.json").exists()


def of(kind: str):
    """Run a test on every item of a kind."""
    chosen = cards.pick(ITEMS, kinds=[kind])
    return pytest.mark.parametrize("item", chosen, ids=[item["id"] for item in chosen])


@functools.cache
def headings(path: Path) -> set[str]:
    source = [cell.source for cell in nbformat.read(path, 4).cells if cell.cell_type == "markdown"]
    return {line.strip("# ").strip() for line in "\n".join(source).splitlines() if line[:1] == "#"}


@pytest.mark.parametrize("kind", ["bug", "drill"])
def test_every_link_leads_to_a_heading(kind):
    for item in cards.pick(ITEMS, kinds=[kind]):
        link = item.get("link", {"to": "README.md"})
        assert (ROOT / link["to"]).exists(), item["id"]
        if "section" in link or link["to"].endswith(".ipynb"):
            assert link.get("section") in headings(ROOT / link["to"]), item["id"]


@of("bug")
def test_a_bug_shows_and_its_mend_mends_it(item):
    """It shows in the assertion, not as code that cannot run."""
    assert cards.still_wrong(item).startswith("The assertion fails")
    assert cards.still_wrong(item, item["mend"]) == ""
    assert len(item["code"].splitlines()) <= 25


@of("bug")
def test_the_checks_of_a_bug_stand_in_the_order_that_finds_it_soonest(item):
    texts = [check["text"] for check in item["checks"]]
    assert 3 <= len(texts) == len(set(texts)) <= 5
    assert any(check["finds"] for check in item["checks"])
    assert cards.minutes_spent(item, texts) <= cards.minutes_spent(item, texts[::-1])


@of("bug")
def test_a_mend_changes_the_line_that_it_names(item):
    faulty = item["code"].splitlines()[item["line"] - 1]
    assert faulty.strip()
    assert faulty != item["mend"]


@of("drill")
def test_a_drill_refuses_its_stub_and_takes_its_solution(item):
    assert bench.check(item, item["stub"]).startswith("✘")
    assert bench.check(item, item["solution"]).startswith("✔")


@pytest.mark.skipif(not WHOLE, reason="the drills are not written yet")
def test_there_are_enough_of_every_kind():
    kinds = Counter(item["kind"] for item in ITEMS)
    assert kinds["flashcard"] >= 120
    assert sum(kinds[kind] for kind in ("choice", "numeric", "order", "predict")) >= 60
    assert kinds["spoken"] >= 60
    assert kinds["bug"] >= 24
    assert kinds["drill"] >= 10


def test_the_notebook_stores_the_answers_as_they_are():
    """Their HTML is not compared when the notebook is run again."""
    stored = json.loads((ROOT / "notebooks" / "08_interview_room.ipynb").read_text("utf-8"))
    shown = "".join("".join(output["data"].get("text/html", ()))
                    for cell in stored["cells"] for output in cell.get("outputs", ())
                    if "data" in output)  # fmt: skip
    for answer in cards.answers():
        assert words(answer["text"]) in shown, "run: make notebooks"


def test_no_text_of_a_card_is_html():
    """Cards are plain text with `code`; a tag would be shown as it is written."""
    for item in ITEMS:
        text = json.dumps(item, ensure_ascii=False)
        assert html.unescape(text) == text, item["id"]
        assert not re.search(r"</?(b|i|br|p|code|pre)>", text), item["id"]
