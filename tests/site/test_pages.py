"""The site: whole, linked, searchable from a USB stick, and asking no server for anything."""

import html
import re
from urllib.parse import unquote

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

import pages
import sources
from helpers.errors import CourseError
from helpers.practice import cards

LINK = re.compile(r'<(?:a|link|script|img|iframe|source)\b[^>]*?\b(?:src|href)="([^"]+)"')
NAMES = [sources.name_of(path) for path in sources.notebook_files()]
MEGABYTES = 120
PATIENCE = 120_000  # milliseconds
QUIET = {"preload": False}  # axe would fetch the styles, which file:// does not allow


def own_pages(folder):
    """Return the pages that Sphinx made: name -> text."""
    beside = {"slides", "handout", "try"}
    return {path.relative_to(folder).as_posix(): path.read_text("utf-8")
            for path in folder.rglob("*.html")
            if not beside & set(path.relative_to(folder).parts)}  # fmt: skip


def test_every_notebook_has_a_page_with_its_pictures_and_folded_solutions(built_site):
    for name in NAMES:
        text = (built_site / "notebooks" / f"{name}.html").read_text("utf-8")
        source = (sources.ROOT / "notebooks" / f"{name}.ipynb").read_text("utf-8")
        assert text.count(">Solution</") == source.count('"solution"')
        found = re.findall(r'<img[^>]*src="[^"]*pictures/[^"]*\.(?:png|jpeg)"[^>]*>', text)
        assert len(found) == source.count('"image/png": "') + source.count('"image/jpeg": "')
        assert all(re.search(r'alt="[^"]{40}', picture) for picture in found)


def test_every_picture_has_an_alternative_text(built_site):
    for name, text in own_pages(built_site).items():
        for picture in re.findall(r"<img[^>]*>", text):
            assert re.search(r'alt="[^"]+"', picture), (name, picture)


def test_every_link_leads_to_a_file_or_an_anchor_and_nothing_is_loaded_from_elsewhere(built_site):
    texts = {path: path.read_text("utf-8") for path in built_site.rglob("*.html")}
    assert len(texts) > 28  # the others need npm
    anchors = {path: set(re.findall(r'\bid="([^"]+)"', text)) for path, text in texts.items()}
    for path, text in texts.items():
        assert not re.search(r'<(?:img|link|script|iframe)[^>]*(?:src|href)="(?:https?:)?//', text)
        if "try" in path.parts:
            continue  # its links are made by scripts
        for link in map(html.unescape, LINK.findall(text)):
            if re.match(r"https?:|data:|mailto:", link):
                continue
            place, _, anchor = link.partition("#")
            target = (path.parent / unquote(place.split("?")[0])).resolve() if place else path
            assert target.exists(), (path.name, link)
            if anchor and target in anchors and "slides" not in target.parts:
                assert anchor in anchors[target], (path.name, link)


def test_terms_and_how_to_cite_stand_on_every_page(built_site):
    for name, text in own_pages(built_site).items():
        assert "CC BY-NC-SA 4.0" in text, name
        assert html.escape(sources.citation()) in text, name


def test_a_page_with_widgets_says_once_that_they_stand_still(built_site):
    several = 0
    for name, text in own_pages(built_site).items():
        widgets, said = text.count('class="still"'), text.count("The widgets stand still")
        assert said == bool(widgets), name
        several += widgets > 1
    assert several > 8
    assert sources.WIDGET not in "".join(own_pages(built_site).values())


def test_formulas_are_pictures_with_their_latex(built_site):
    text = (built_site / "notebooks" / "03_grayscale.html").read_text("utf-8")
    assert text.count('class="formula"') >= 8
    assert r'alt="z / \sqrt{v + eps}"' in text
    assert "$x, x, x$" not in text
    code = "`$HOME` and\n```\necho $A $B\n```\nand $x$"
    assert sources.with_formulas(code, str.upper) == code.replace("$x$", "X")


def test_every_card_is_there_with_its_answer_folded(built_site):
    text = (built_site / "cards.html").read_text("utf-8")
    items = [*cards.load(), *cards.answers()]
    assert text.count("<details><summary>Answer</summary>") == text.count("</details>")
    assert text.count("<summary>Answer</summary>") == len(items) > 300
    plain = re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", "", text)))
    typed = plain.translate(str.maketrans("“”‘’", "\"\"''")).replace("…", "...")
    for item in items:
        asked = item.get("symptom") or item.get("task") or item["question"]
        words = re.sub(r"\s+", " ", asked.replace("`", ""))[:40].replace("...", "…")
        assert words.replace("…", "...") in typed, item["id"]
    for topic in {item["topic"] for item in cards.load()}:
        assert topic in pages.TOPICS


def test_the_site_fits_a_small_stick(built_site):
    size = sum(path.stat().st_size for path in built_site.rglob("*") if path.is_file())
    assert size < MEGABYTES * 1e6


def test_the_start_page_leads_to_what_was_built(built_site):
    text = (built_site / "index.html").read_text("utf-8")
    for part in ("slides", "handout", "try"):
        assert (f'href="{part}/index.html"' in text) == (built_site / part / "index.html").exists()


def test_a_notebook_without_outputs_is_one_sentence(tmp_path):
    notebook = sources.ROOT / "notebooks" / "00_start_here.ipynb"
    bare = tmp_path / "bare.ipynb"
    bare.write_text(re.sub(r'"execution_count": \d+', '"execution_count": null',
                           notebook.read_text("utf-8")), "utf-8")  # fmt: skip
    with pytest.raises(CourseError, match=r"bare.ipynb has a cell without stored outputs \(cell-"):
        sources.read(bare)


def test_what_sphinx_refuses_is_named(tmp_path, monkeypatch):
    few = sources.notebook_files()[:1]
    monkeypatch.setattr(sources, "notebook_files", lambda: few)
    monkeypatch.setattr(pages, "texts", list)
    monkeypatch.setattr(pages, "cards_page", lambda _: "# Cards\n\n```{nonsense}\n```\n")
    with pytest.raises(CourseError, match=r"(?s)mend what it names.*nonsense"):
        pages.build(tmp_path / "site", everything=False)
    assert not (tmp_path / "site" / "index.html").exists()


def test_what_cannot_be_built_is_said_and_left_out(tmp_path, monkeypatch, capsys):
    def missing(folder):
        raise CourseError("npm is not installed.")

    for maker in (pages.try_page, pages.slides, pages.handout):
        monkeypatch.setattr(maker, "build", missing)
    assert pages.parts(tmp_path) == {}
    assert capsys.readouterr().err.count("npm is not installed.") == 3


@pytest.mark.browser
def test_search_works_from_a_folder(built_site, page):
    page.goto((built_site / "index.html").as_uri())
    expect(page.get_by_role("heading", level=1)).to_contain_text("made visible", timeout=PATIENCE)
    page.goto(f"{(built_site / 'search.html').as_uri()}?q=BatchNorm")
    results = page.locator("#search-results")
    expect(results).to_contain_text("Search finished", timeout=PATIENCE)
    found = results.inner_text()
    assert "Three strategies" in found
    assert "Cards and quiz" in found
    results.get_by_role("link", name="02 Three strategies").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("02 Three", timeout=PATIENCE)


@pytest.mark.browser
def test_a_long_notebook_opens_whole_and_a_solution_unfolds(built_site, page):
    page.goto((built_site / "notebooks" / "01_why_transfer_works.html").as_uri())
    broken = page.evaluate("[...document.images].filter(i => i.complete && !i.naturalWidth).length")
    assert broken == 0
    wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0
    solution = page.locator("details.hide", has_text="field_solution").first
    code = solution.locator(".highlight").first
    expect(code).to_be_hidden()
    solution.locator("summary").click()
    expect(code).to_be_visible(timeout=PATIENCE)


@pytest.mark.browser
@pytest.mark.parametrize("name", ["index", "notebooks/00_start_here", "handout/index"])
def test_a_page_can_be_read_by_all(built_site, page, name):
    page.goto((built_site / f"{name}.html").as_uri())
    found = {fault["id"] for fault in Axe().run(page, options=QUIET).response["violations"]}
    assert found <= {"region"}, found  # the theme's side bar
