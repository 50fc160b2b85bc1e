"""The strategy lab in a browser, as `make app` serves it."""

import json
import re
from urllib.parse import parse_qs, urlencode, urlsplit

import psutil
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect

from helpers.lab.races import PREPARED

READY = 480_000  # milliseconds; about 8 s on two idle cores
RACED = 900_000  # three arms on 400 images; about 25 s on two idle cores
BN_TRAP, STORED = "The BN trap", "Five strategies, measured before"
STEPS = ("1 question", "2 network", "3 race", "4 explanation", "5 errors")
LEAST_TYPE = 0.03  # of the window's height, for the last row

SMALL_TYPE = """() => [...document.querySelectorAll(".lab *")]
  .filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()))
  .filter(e => e.tagName !== "STYLE" && e.getBoundingClientRect().width > 0)
  .map(e => {
    const svg = e.ownerSVGElement, box = svg && svg.viewBox.baseVal;
    const scale = box && box.width
      ? Math.min(svg.clientWidth / box.width, svg.clientHeight / box.height) : 1;
    return [scale * parseFloat(getComputedStyle(e).fontSize) / innerHeight, e.textContent];
  })
  .sort((a, b) => a[0] - b[0])[0]"""


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


def status(page: Page, text: str | re.Pattern) -> Locator:
    """Return what stands beside Race, not its twin for screen readers."""
    return page.locator(".lab-status").get_by_text(text)


def choose(page: Page, label: str, value: str) -> None:
    page.get_by_label(label, exact=True).select_option(value)
    if label == "race":  # a guess that is made before the answers to it are there is lost
        there = re.compile(re.escape(urlencode({"race": value})))
        expect(page.locator(".lab-address")).to_have_attribute("data-query", there)


def step(page: Page) -> str:
    """Return the step that a presenter's page is at."""
    return page.locator(".lab-steps button[aria-pressed=true]").inner_text()


def assert_accessible(page: Page) -> None:
    """Have axe-core look for faults that it calls serious or critical."""
    page.wait_for_timeout(300)  # the names of the controls follow what is drawn
    found = Axe().run(page).response
    assert len(found["passes"]) > 20  # it has looked
    worst = [(v["id"], [node["html"] for node in v["nodes"]]) for v in found["violations"]
             if v["impact"] in ("serious", "critical")]  # fmt: skip
    assert not worst


@pytest.fixture
def fresh(app: str, page: Page) -> Page:
    """The lab's page as a visitor finds it: it asks for a guess."""
    page.goto(app)
    expect(status(page, "Commit to a guess first")).to_be_visible(timeout=READY)
    return page


@pytest.fixture
def lab(fresh: Page) -> Page:
    """The lab's page where nobody has to guess."""
    fresh.get_by_text("guess first", exact=True).click()
    expect(button(fresh, "Race")).to_be_enabled(timeout=READY)
    return fresh


def test_a_reload_brings_back_the_race_the_guess_and_the_step(fresh: Page):
    expect(fresh.get_by_role("heading", name="Strategy lab")).to_be_visible()
    choose(fresh, "race", STORED)
    fresh.get_by_role("radio", name="no clear winner").check()
    button(fresh, "Commit to this guess").click()
    button(fresh, "Race").click()
    expect(status(fresh, "Done.")).to_be_visible(timeout=READY)
    fresh.get_by_text("presenter", exact=True).click()
    expect(fresh.locator(".lab-presenter")).to_be_visible()  # before that the keys are the page's
    for now in ("2 network", "3 race"):
        fresh.keyboard.press("PageDown")
        expect(button(fresh, now)).to_have_class(re.compile("mod-active"))
    expect(fresh.locator(".lab-table")).to_be_visible()
    fresh.wait_for_url(re.compile("step=3"))
    asked = parse_qs(urlsplit(fresh.url).query)
    assert asked["race"] == [STORED]
    assert (asked["presenter"], asked["raced"], asked["guess"]) == (
        ["1"], ["1"], ["no clear winner"])  # fmt: skip
    fresh.reload()
    expect(status(fresh, "Done.")).to_be_visible(timeout=READY)
    assert step(fresh) == "3 race"
    assert fresh.locator(".lab-table tbody tr").count() == 6


def test_a_number_that_cannot_be_read_bars_race_and_stays_to_be_put_right(lab: Page):
    for name, wrong, right in (("head rate", "0,003", "0.003"), ("epochs", "1e1", "10")):
        field = lab.get_by_label(name, exact=True).first
        field.fill(wrong)
        button(lab, "Race").click(force=True)  # which leaves the field
        expect(button(lab, "Race")).to_be_disabled()
        expect(lab.get_by_text(f"'{wrong}' cannot be read as {name}")).to_be_visible()
        expect(field).to_have_value(wrong)
        field.fill(right)
        field.press("Tab")
        expect(button(lab, "Race")).to_be_enabled()
    expect(status(lab, "Ready.")).to_be_visible()


def test_a_prepared_race_runs_live_to_its_table_its_words_and_its_errors(lab: Page):
    choose(lab, "race", BN_TRAP)
    button(lab, "Race live").click()
    expect(status(lab, "Done.")).to_be_visible(timeout=RACED)
    rows = lab.locator(".lab-table tbody tr").all_inner_texts()
    assert len(rows) == 3
    for row in rows[:2]:
        assert re.search(r"live.*0\.\d{3}\s+\[0\.\d{3}, 0\.\d{3}\].*%.*2,562", row, re.S), row
    assert "always 'intact'" in rows[2]
    expect(lab.get_by_role("heading", name="Explain this result")).to_be_visible()
    button(lab, "winner's errors").click()
    expect(lab.locator(".lab-mistakes img").first).to_be_visible()
    assert_accessible(lab)


def test_a_race_from_the_stored_evidence_answers_at_once_and_says_so(lab: Page):
    choose(lab, "race", STORED)
    button(lab, "Race").click()
    expect(status(lab, "Done.")).to_be_visible(timeout=READY)
    rows = lab.locator(".lab-table tbody tr").all_inner_texts()
    assert len(rows) == 6
    assert all("stored" in row for row in rows[:5]), rows


def test_stop_ends_a_race_before_its_arms_are_done(lab: Page):
    button(lab, "Race live").click()
    expect(lab.get_by_text(re.compile("epoch . of"))).to_be_visible(timeout=RACED)
    button(lab, "Stop").click()
    expect(status(lab, "Stopped.")).to_be_visible()
    expect(button(lab, "Race")).to_be_enabled()
    last = lab.locator(".lab-table tbody tr").nth(2).inner_text()
    assert "stopped" in last
    assert "Not begun" in last


@pytest.fixture(params=[(1280, 800), (1920, 1080)], ids=lambda size: f"{size[0]}x{size[1]}")
def stage(request, staged_app: str, page: Page) -> Page:
    """The presenter's page at the first step: Race answers at once, with results of whole runs."""
    width, height = request.param
    page.set_viewport_size({"width": width, "height": height})
    page.goto(staged_app)
    expect(status(page, "Commit to a guess first")).to_be_visible(timeout=READY)
    page.get_by_text("presenter", exact=True).click()
    expect(page.get_by_text("Set up a race")).to_be_hidden()
    return page


@pytest.mark.parametrize("race", [race.name for race in PREPARED])
def test_a_clicker_leads_through_a_race_that_the_last_row_can_read(stage: Page, race: str):
    """No control has the focus; every step fits the window, says its name and is accessible."""
    choose(stage, "race", race)
    stage.get_by_role("radio", name="no clear winner").check()
    button(stage, "Commit to this guess").click()
    button(stage, "Race").click()
    expect(stage.locator(".lab-steps button[aria-pressed=true]")).to_have_text("3 race")
    stage.evaluate("document.activeElement.blur()")
    stage.keyboard.press("PageUp")
    stage.keyboard.press("PageUp")
    for name in STEPS:
        expect(stage.locator(".lab-steps button[aria-pressed=true]")).to_have_text(name)
        stage.wait_for_timeout(300)
        share, text = stage.evaluate(SMALL_TYPE)
        assert share >= LEAST_TYPE, f"{name}: {text!r} is {share:.1%} of the window's height"
        out = stage.evaluate("""() => { const lab = document.querySelector('.lab');
          return [lab.getBoundingClientRect().bottom - innerHeight,
                  Math.max(...[...lab.querySelectorAll('*')].map(
                    e => e.getBoundingClientRect().right)) - innerWidth] }""")
        assert max(out) <= 1, f"{name}: {out} pixels stick out below and at the right"
        assert_accessible(stage)
        stage.keyboard.press("PageDown")
    stage.keyboard.press("PageUp")
    stage.keyboard.press("ArrowLeft")
    expect(stage.locator(".lab-steps button[aria-pressed=true]")).to_have_text("3 race")
    plot = stage.locator(".lab-table tbody .lab-interval").first.bounding_box()
    assert plot["width"] > stage.viewport_size["width"] / 4


def test_a_class_is_counted_by_the_keyboard_alone(stage: Page):
    """A guess, three hands, one taken off; bars that the last row can read, then the sentence."""
    stage.evaluate("document.activeElement.blur()")
    hands = stage.locator(".lab-poll b")
    stage.keyboard.press("Numpad1")  # End, as long as NumLock is off: it counts nothing
    for key, counts in (("1", "1000"), ("4", "1001"), ("4", "1002"), ("4", "1003"),
                        ("Shift+Digit1", "0003")):  # fmt: skip
        stage.keyboard.press(key)
        expect(hands).to_have_text(list(counts))
    assert step(stage) == "1 question"
    bar = stage.locator(".lab-poll i").nth(3).bounding_box()
    assert bar["width"] > stage.viewport_size["width"] / 3
    for radio, count in zip(stage.get_by_role("radio").all(), hands.all(), strict=True):
        middles = [
            at["y"] + at["height"] / 2 for at in (radio.bounding_box(), count.bounding_box())
        ]
        assert abs(middles[0] - middles[1]) < 5, "a count stands beside its answer"
    share, text = stage.evaluate(SMALL_TYPE)
    assert share >= LEAST_TYPE, text
    assert_accessible(stage)
    stage.reload()
    expect(hands).to_have_text(list("0003"), timeout=READY)
    stage.get_by_role("radio", name="no clear winner").focus()
    stage.keyboard.press("Space")
    stage.keyboard.press("3")  # the focus is on an answer: a key counts all the same
    expect(hands).to_have_text(list("0013"))
    button(stage, "Commit to this guess").press("Enter")
    expect(button(stage, "Race")).to_be_focused()
    stage.keyboard.press("Enter")
    expect(status(stage, "Done.")).to_be_visible(timeout=READY)
    stage.keyboard.press("PageDown")
    said = stage.get_by_role(
        "heading", name="The class: 3 of 4 said no clear winner; the race says"
    )
    expect(said).to_be_visible()


def test_every_look_is_accessible_and_the_arms_are_named_at_their_lines(lab: Page):
    assert_accessible(lab)
    button(lab, "Race").click()
    expect(status(lab, "Done.")).to_be_visible(timeout=READY)
    letters = lab.locator(".lab-chart").first.locator("text.lab-title").all_text_contents()
    assert sorted(letters[-3:]) == ["A", "B", "C"]
    for look in ("curves", "network", "winner's errors", "kept runs"):
        button(lab, look).click()
        assert_accessible(lab)
    pictures = lab.locator(".lab svg[role=img], .lab img")
    assert pictures.count() >= 2
    for k in range(pictures.count()):
        named = pictures.nth(k)
        assert named.get_attribute("aria-label") or named.get_attribute("alt")


def assert_seen(at: Locator) -> None:
    """Have what has the focus show it by a line around it."""
    style, width = at.evaluate(
        "e => [getComputedStyle(e).outlineStyle, parseFloat(getComputedStyle(e).outlineWidth)]"
    )
    assert style != "none", at
    assert width >= 3 or style == "auto", at


def test_lists_fields_and_tabs_show_that_they_have_the_focus(fresh: Page):
    for name in ("race", "images", "how many", "head rate"):
        fresh.get_by_label(name, exact=True).first.focus()
        fresh.keyboard.press("Shift+Tab")
        fresh.keyboard.press("Tab")
        assert_seen(fresh.locator(":focus"))
    fresh.get_by_label("seed", exact=True).focus()
    fresh.keyboard.press("Tab")
    assert fresh.locator(":focus").get_attribute("role") == "tab"
    assert_seen(fresh.locator(":focus"))


def test_the_focus_stays_where_the_next_button_is(fresh: Page):
    fresh.get_by_role("radio", name="from scratch").check()
    button(fresh, "Commit to this guess").press("Enter")
    expect(button(fresh, "Race")).to_be_focused()


def test_the_keyboard_alone_reaches_a_result(fresh: Page):
    """Tab, Space and Enter, from the top of the page; what has the focus shows it."""
    wanted = [("Space", "radio"), ("Enter", "Commit to this guess"), ("Enter", "Race")]
    for _ in range(100):
        at = fresh.locator(":focus")
        key, name = wanted[0]
        if at.count() and name in (at.get_attribute("type"), at.inner_text()):
            assert_seen(at)
            fresh.keyboard.press(key)
            wanted.pop(0)
            if not wanted:
                break
            if name != "radio":  # the focus goes on by itself, once the button is disabled
                expect(button(fresh, wanted[0][1])).to_be_focused()
                continue
            expect(button(fresh, wanted[0][1])).to_be_enabled()
        fresh.keyboard.press("Tab")
    assert not wanted
    expect(status(fresh, "Done.")).to_be_visible(timeout=READY)


def test_a_kernel_that_has_ended_says_so(app: str, browser: Browser):
    """In words, and not by broken pictures or seconds that never pass."""
    page = browser.new_page()
    page.goto(app)
    expect(status(page, "Commit to a guess first")).to_be_visible(timeout=READY)
    page.get_by_text("guess first", exact=True).click()
    button(page, "Race live").click()
    expect(status(page, re.compile("arms done"))).to_be_visible(timeout=READY)
    config = json.loads(page.locator("#jupyter-config-data").text_content())
    (kernel,) = [process for process in psutil.process_iter(["cmdline"])
                 if config["kernelId"] in " ".join(process.info["cmdline"] or ())]  # fmt: skip
    kernel.kill()
    said = page.get_by_role("alert")
    expect(said).to_contain_text("has ended", timeout=60_000)
    expect(status(page, re.compile("arms done"))).to_be_hidden()
    expect(said.get_by_role("button", name="Load again")).to_be_focused()
    icons = page.locator(".jupyter-widgets-disconnected").evaluate_all(
        "all => all.map(e => getComputedStyle(e, '::before').display)"
    )
    assert icons
    assert set(icons) == {"none"}, "a red broken chain stands beside a widget"
    said.get_by_role("button", name="Load again").click()
    expect(button(page, "Race live")).to_be_visible(timeout=READY)
    expect(page.get_by_role("alert")).to_be_hidden()
    page.goto("about:blank")
    page.close()
