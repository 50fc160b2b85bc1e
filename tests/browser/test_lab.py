"""The strategy lab in a browser, as `make app` serves it."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

READY = 480_000  # milliseconds; about 8 s on two idle cores
RACED = 900_000  # three arms on 400 images; about 25 s on two idle cores
BN_TRAP, STORED = "The BN trap", "Five strategies, measured before"


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


def choose(page: Page, label: str, value: str) -> None:
    page.get_by_label(label, exact=True).select_option(value)


@pytest.fixture
def lab(app: str, page: Page) -> Page:
    """The lab's page, as soon as it can be used."""
    page.goto(app)
    expect(button(page, "Race")).to_be_enabled(timeout=READY)
    return page


def test_it_loads_and_can_be_loaded_again(lab: Page):
    expect(lab.get_by_role("heading", name="Strategy lab")).to_be_visible()
    lab.reload()
    expect(button(lab, "Race")).to_be_enabled(timeout=READY)


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
    expect(lab.get_by_text("Ready.")).to_be_visible()


def test_a_prepared_race_runs_live_to_its_table_its_words_and_its_errors(lab: Page):
    choose(lab, "race", BN_TRAP)
    button(lab, "Race").click()
    expect(lab.get_by_text("Done.")).to_be_visible(timeout=RACED)
    rows = lab.locator(".lab-table tbody tr").all_inner_texts()
    assert len(rows) == 2
    for row in rows:
        assert re.search(r"live.*0\.\d{3} \[0\.\d{3}, 0\.\d{3}\].*%.*2,562", row, re.S), row
    expect(lab.get_by_role("heading", name="Explain this result")).to_be_visible()
    button(lab, "winner's errors").click()
    expect(lab.locator(".lab-mistakes img").first).to_be_visible()


def test_a_race_from_the_stored_evidence_answers_at_once_and_says_so(lab: Page):
    choose(lab, "race", STORED)
    button(lab, "Race").click()
    expect(lab.get_by_text("Done.")).to_be_visible(timeout=READY)
    rows = lab.locator(".lab-table tbody tr").all_inner_texts()
    assert len(rows) == 5
    assert all("stored" in row for row in rows), rows


def test_stop_ends_a_race_before_its_arms_are_done(lab: Page):
    button(lab, "Race").click()
    expect(lab.get_by_text(re.compile("epoch . of"))).to_be_visible(timeout=RACED)
    button(lab, "Stop").click()
    expect(lab.get_by_text("Stopped.")).to_be_visible()
    expect(button(lab, "Race")).to_be_enabled()
    last = lab.locator(".lab-table tbody tr").last.inner_text()
    assert "stopped" in last
    assert "not scored" in last


def test_a_presenter_sees_large_type_and_steps_with_the_keys(lab: Page):
    lab.get_by_text("presenter", exact=True).click()
    heading = lab.locator(".lab h2:visible").first
    expect(heading).to_be_visible()
    assert float(heading.evaluate("e => parseFloat(getComputedStyle(e).fontSize)")) > 24
    expect(lab.get_by_text("Set up a race")).to_be_hidden()
    expect(lab.locator(".lab-table")).to_be_hidden()
    for _ in range(2):  # the network, then the race
        lab.get_by_role("slider").press("ArrowRight")
    expect(lab.locator(".lab-table")).to_be_visible()
    wide = lab.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0, f"{wide} pixels stick out at the right"
