"""The interview room in a browser, by the keyboard alone."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import SERVE
from tests.browser.servers import ROOT, free_port, running
from tests.browser.test_lab import READY, assert_accessible, assert_seen

CELLS = (
    f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
    "from helpers.widgets import InterviewRoom, Readiness\n"
    "from tests.practice.samples import ITEMS\n"
    "room = InterviewRoom(ITEMS)\nroom.minutes.value = 3\n"
    "room.kind.value = 'without spoken'\nroom",
    "Readiness(room)",
)
NAME = """e => e.getAttribute("aria-label") || (e.labels && e.labels[0] && e.labels[0].textContent)
  || e.textContent"""


@pytest.fixture(scope="module")
def served(tmp_path_factory) -> Iterator[str]:
    """The address of a room with made-up cards, three to a session, served as by `make app`."""
    folder = tmp_path_factory.mktemp("room")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "", "language": "python"}
    nbformat.write(notebook, folder / "small.ipynb")
    arguments = ["-c", SERVE, str(folder / "small.ipynb"), "--no-browser", f"--port={free_port()}"]
    with running(arguments, folder) as url:
        yield url


@pytest.fixture
def room(served: str, page: Page) -> Page:
    page.goto(served)
    expect(page.get_by_role("button", name="Begin a session")).to_be_visible(timeout=READY)
    return page


def reach(page: Page, name: str) -> Locator:
    """Press Tab until what has the focus is called so; it shows that it has the focus."""
    for _ in range(80):
        at = page.locator(":focus")
        if at.count() and at.evaluate(NAME).strip() == name:
            assert_seen(at)
            return at
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab never comes to {name!r}")


def press(page: Page, name: str) -> None:
    reach(page, name)
    page.keyboard.press("Enter")


def sure(page: Page) -> None:
    """Say how sure one is: the focus is there already."""
    expect(page.locator(":focus")).to_have_attribute("type", "radio")
    page.keyboard.press("Space")
    expect(page.get_by_role("button", name="Check")).to_be_visible()


def choose(page: Page, answer: str) -> None:
    """Choose one of several answers with the arrows."""
    names = page.locator(".room-list .widget-radio-box input")
    reach(page, names.first.evaluate(NAME).strip())
    for _ in range(names.count()):
        if page.locator(":focus").evaluate(NAME).strip() == answer:
            page.keyboard.press("Space")
            return
        page.keyboard.press("ArrowDown")
    raise AssertionError(f"no answer {answer!r}")


def test_a_session_by_the_keyboard_alone(room: Page, tmp_path: Path):
    """Date, cards, one that fails and comes back, export, erase, import."""
    reach(room, "interview on")
    room.keyboard.type("12312040")
    press(room, "Begin a session")
    expect(room.get_by_text("Card 1 of 3")).to_be_visible()
    expect(room.get_by_text("Question 1 of kind choice?").first).to_be_visible()
    sure(room)
    choose(room, "answer 1")
    press(room, "Check")
    expect(room.get_by_text("Not right.")).to_be_visible()
    expect(room.locator(":focus")).to_have_text("Again")
    room.keyboard.press("Enter")

    expect(room.get_by_text("Card 2 of 4")).to_be_visible()
    sure(room)
    press(room, "Check")
    expect(room.get_by_text("cannot be read as a number")).to_be_visible()
    reach(room, "answer")
    room.keyboard.type("4,652,008")
    press(room, "Check")
    expect(room.get_by_text("Right.", exact=True)).to_be_visible()
    press(room, "Good")

    expect(room.get_by_text("Card 3 of 4")).to_be_visible()
    sure(room)
    press(room, "Check")
    expect(room.locator(":focus")).to_have_text("Hard")  # 0 % sure
    press(room, "Good")

    expect(room.get_by_text("Card 4 of 4")).to_be_visible()
    expect(room.get_by_text("Question 1 of kind choice?").first).to_be_visible()
    sure(room)
    choose(room, "answer 0")
    press(room, "Check")
    press(room, "Good")
    expect(room.get_by_text("The session is over.")).to_be_visible()
    expect(room.get_by_text("after 20 answers (now 4)")).to_be_visible()

    press(room, "Export progress")
    link = room.get_by_role("link", name="Save interview-")
    expect(link).to_be_visible()
    reach(room, link.text_content())
    with room.expect_download() as download:
        room.keyboard.press("Enter")
    kept = json.loads(Path(download.value.path()).read_text("utf-8"))
    assert kept["interview"] == "2040-12-31"
    assert [review["item"] for review in kept["reviews"]] == [
        "choice-1", "numeric-1", "flashcard-1", "choice-1"]  # fmt: skip
    exported = tmp_path / "exported.json"
    exported.write_text(json.dumps(kept), encoding="utf-8")

    press(room, "Erase progress")
    expect(room.locator(":focus")).to_have_text("Yes, erase it")
    room.keyboard.press("Enter")
    expect(room.get_by_text("Your progress is erased.")).to_be_visible()
    expect(room.get_by_text("after 20 answers (now 0)")).to_be_visible()
    at = reach(room, room.locator(".widget-upload").inner_text().strip())
    with room.expect_file_chooser() as chooser:
        at.press("Enter")
    chooser.value.set_files(exported)
    expect(room.get_by_text("4 answers were new")).to_be_visible()
    expect(room.get_by_label("interview on")).to_have_value("2040-12-31")

    room.get_by_label("interview on").focus()
    room.keyboard.type("01012020")
    room.keyboard.press("Tab")
    expect(room.get_by_text(re.compile("01 January 2020 has passed"))).to_be_visible()
    assert_accessible(room)


def test_the_course_s_own_room_stands_beside_the_lab(app: str, page: Page):
    page.goto(app)
    page.get_by_role("link", name="Interview room").click()
    start = page.get_by_role("button", name="Begin a session")
    expect(start).to_be_visible(timeout=READY)
    assert_accessible(page)
    start.press("Enter")
    expect(page.get_by_text(re.compile("Card 1 of"))).to_be_visible()
    assert_accessible(page)
    expect(page.get_by_text("Of all cards you will know 0%")).to_be_visible()
    assert not page.get_by_text("The bug hunt").count(), "what runs code stays in the notebook"
