"""The slides: as many as said, short, with notes, by keyboard and on paper, asking nobody."""

import re

import pytest

import slides
import sources
from helpers.errors import CourseError

DECKS = slides.table()
LENGTH = {  # slides of each deck
    "fifty_minutes": 26, "00_start_here": 12, "01_why_transfer_works": 19,
    "02_three_strategies": 20, "03_grayscale": 20, "04_augmentation": 19,
    "05_choosing_a_strategy": 20, "06_trust_the_number": 20, "07_medical_pretraining": 20,
    "08_interview_room": 10, "strategy_lab": 9, "more/adapters_and_shipping": 20,
    "more/batchnorm_and_batches": 20, "more/labels_and_classes": 20, "more/layers_and_shapes": 20,
}  # fmt: skip
MOST_TABLE = 100  # words in a table, which is read by its cells
PAGE = re.compile(rb"/Type\s*/Page\b")


@pytest.fixture(scope="module")
def decks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("decks")
    return {name: slides.deck(name, folder / "pictures") for name in DECKS}


@pytest.fixture(scope="module")
def built(npm, tmp_path_factory):
    folder = tmp_path_factory.mktemp("slides")
    slides.build(folder)
    return folder


def words(markup):
    return re.sub(r"<[^>]+>", " ", markup).split()


def test_every_notebook_has_a_deck_of_8_to_20_slides_and_50_minutes_have_one(decks):
    assert {name: len(deck) for name, deck in decks.items()} == LENGTH
    notebooks = {sources.name_of(path) for path in sources.notebook_files()}
    assert set(decks) == notebooks | {slides.FIFTY}
    assert all(8 <= len(decks[name]) <= 20 for name in notebooks)
    used = {row.split("/")[0] for row in DECKS[slides.FIFTY]}
    assert used == {name for name in notebooks if name[:2] in ("00", "01", "02", "03", "04", "05")}


def test_a_slide_is_short_and_has_a_heading(decks):
    for name, deck in decks.items():
        for slide in deck:
            assert slide.title.strip(), name
            most = MOST_TABLE if slide.kind == "table" else slides.MOST_WORDS
            text = [] if slide.kind in ("code", "output") else words(slide.body)
            assert len(words(slide.title)) + len(text) <= most, (name, slide.body)
            assert slide.body.count("**") == 0, (name, slide.body)
            assert slide.body.count("<strong>") == slide.body.count("</strong>")
            assert slide.body.count("\n") <= slides.MOST_LINES + 2 or slide.kind != "code"


def test_every_picture_on_a_slide_has_its_words(decks):
    shown = [slide for deck in decks.values() for slide in deck if slide.kind == "picture"]
    assert len(shown) > 90
    for slide in shown:
        assert slide.body.count("<img") == 1
        assert re.search(r'alt="[^"]{40}', slide.body)


def test_every_slide_has_the_speakers_notes(decks):
    for name, deck in decks.items():
        for slide in deck:
            assert len(words(slide.notes)) >= 10, (name, slide.title)
            assert "Exercise" not in slide.notes
    asked = next(slide for slide in decks["02_three_strategies"] if slide.kind == "ask")
    assert "Check BatchNorm first" in asked.notes
    assert "Check BatchNorm first" not in asked.body


def test_a_deck_asks_no_other_machine(built):
    for path in built.rglob("*.html"):
        text = path.read_text("utf-8")
        assert not re.search(r'(?:src|href)="(?:https?:)?//', text), path.name
    for path in built.rglob("*.css"):
        text = path.read_text("utf-8")
        assert not re.search(r"""url\((?!["']?data:)|@import""", text), path.name


def test_the_list_leads_to_every_deck(built):
    index = (built / "index.html").read_text("utf-8")
    for name in DECKS:
        address = f"{name.replace('/', '-')}.html"
        assert f'href="{address}"' in index
        deck = (built / address).read_text("utf-8")
        assert deck.count("<section") == deck.count('<aside class="notes">') == LENGTH[name]
        for picture in re.findall(r'src="(pictures/[^"]+)"', deck):
            assert (built / picture).exists()
        assert "CC BY-NC-SA 4.0" in deck


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("cell-99 say", "cell cell-99 of 00_start_here, which is not there any more"),
        ("cell-00 tilte", r"(?s)tilte.*title"),
        ("cell-00 say x", "asks 00_start_here, cell-00, for .say x.; give a number"),
        ("cell-02 picture", "nothing to show as 'picture'"),
        ("cell-16 code", "cell-16 has 14 lines"),
        ("cell-22 guess", "cell-22 asks no question"),
        ("cell-01 output", "shows 'output' of 00_start_here, cell-01, which is a text"),
    ],
)
def test_what_slides_json_cannot_mean_is_one_sentence(row, says, tmp_path, monkeypatch):
    monkeypatch.setattr(slides, "table", lambda: {"00_start_here": ["cell-00 title", row]})
    with pytest.raises(CourseError, match=says):
        slides.deck("00_start_here", tmp_path)


def test_a_deck_or_notebook_that_is_not_there_is_named(tmp_path, monkeypatch):
    with pytest.raises(CourseError, match="03_greyscale"):
        slides.deck("03_greyscale", tmp_path)
    monkeypatch.setattr(slides, "table", lambda: {"99_gone": ["cell-00 title"]})
    with pytest.raises(CourseError, match="notebook that is not there: 99_gone"):
        slides.deck("99_gone", tmp_path)


def test_without_npm_the_command_says_what_to_install(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(slides.node, "INSTALLED", tmp_path / "nothing")
    monkeypatch.setattr(slides.node.shutil, "which", lambda name: None)
    assert slides.main([str(tmp_path / "slides")]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: npm is not installed")
    assert "apt-get install npm" in said


def test_sentences_keep_their_bold_words():
    text = (
        "**Read it.** Then say it. Nothing else. **A whole sentence that is bold here.** More."
        "\n\n- **One**: this is *it* (see above). And that.\n- **Both go. On here**, too."
    )
    assert slides.sentences(text) == [
        "**Read it.** Then say it.", "Nothing else.", "**A whole sentence that is bold here.**",
        "More.", "- **One**: this is *it* (see above).", "And that.",
        "- **Both go. On here**, too.",
    ]  # fmt: skip


@pytest.mark.browser
def test_keys_go_on_and_back_and_the_notes_are_the_speakers(built, page):
    page.goto((built / "fifty_minutes.html").as_uri())
    page.wait_for_function("window.Reveal && Reveal.isReady()")
    assert page.evaluate("Reveal.getTotalSlides()") == LENGTH["fifty_minutes"]
    page.keyboard.press("ArrowRight")
    page.keyboard.press("PageDown")
    assert page.evaluate("Reveal.getIndices().h") == 2
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("Reveal.getIndices().h") == 1
    assert page.locator("section.present h2").inner_text() == "A network names a photograph"
    assert page.locator("section.present aside.notes").is_hidden()
    assert len(page.evaluate("Reveal.getSlideNotes()")) > 50
    assert page.evaluate("document.querySelector('section.present img').naturalWidth") > 300


@pytest.mark.browser
@pytest.mark.parametrize("name", DECKS)
def test_nothing_runs_over_a_slide(built, page, name):
    page.goto((built / f"{name.replace('/', '-')}.html").as_uri())
    page.wait_for_function("window.Reveal && Reveal.isReady()")
    over = page.evaluate("""() => {
        const found = [];
        Reveal.getSlides().forEach((slide, h) => {
            Reveal.slide(h);
            if (slide.scrollHeight > 722 || slide.scrollWidth > 1282) found.push(h + 1);
        });
        return found;
    }""")
    assert over == []


@pytest.mark.browser
def test_on_paper_there_are_as_many_pages_as_slides(built, page):
    page.goto(f"{(built / '02_three_strategies.html').as_uri()}?print-pdf")
    page.wait_for_function("document.querySelectorAll('.pdf-page').length > 0")
    printed = page.pdf(prefer_css_page_size=True, print_background=True)
    assert len(PAGE.findall(printed)) == LENGTH["02_three_strategies"]


@pytest.mark.browser
@pytest.mark.long
def test_the_command_prints_every_deck(built):
    assert slides.main([str(built), "--pdf"]) == 0
    for name, n in LENGTH.items():
        printed = (built / f"{name.replace('/', '-')}.pdf").read_bytes()
        assert len(PAGE.findall(printed)) == n, name
