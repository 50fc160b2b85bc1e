"""The handout: one page, readable, with the numbers that were measured."""

import errno
import os
import re
import sys
from pathlib import Path

import pytest

import browser
import handout
import pages
import slides
import sources
import student
from helpers.errors import CourseError
from helpers.evidence import verdicts

SMALLEST = 9  # points
TEMPLATE = (handout.HERE / "theme" / "handout.html").read_text("utf-8")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return handout.build(tmp_path_factory.mktemp("handout"))


@pytest.fixture(scope="module")
def text(built):
    return built[0].read_text("utf-8")


def test_its_numbers_are_the_measured_ones(text):
    found = verdicts.evidence()
    for (name, n), rows in found.runs.groupby(["dataset", "n"]):
        if name in handout.SETS and n in (handout.SIZE, max(found.sizes[name])):
            for arm in handout.ARMS:
                mean = rows.loc[rows["arm"] == arm, "auc"].mean()
                assert f"<td>{mean:.2f} [".replace("0.", ".") in text, (name, n, arm)
    assert f"in {int(found.cells['clear'].sum())} of {len(found.cells)} cells" in text


def test_no_measured_number_is_typed_into_it():
    """What may stand there: the constants of ImageNet's normalisation."""
    words = re.sub(r"(?s)<style>.*?</style>|\{\{.*?\}\}|\{%.*?%\}|<[^>]+>", " ", TEMPLATE)
    assert set(re.findall(r"\.\d+", words)) == {".449", ".226", ".485", ".229"}


def test_numbers_are_written_as_in_the_course():
    assert handout.bare(0.8537) == ".85"
    assert handout.bare(-0.04, signed=True) == "−.04"
    assert handout.bare(0.0004, signed=True) == "+.00"
    assert handout.shown(handout.Interval(0.88, 0.74, 1.02), signed=False) == ".88 [.74, 1.00]"


def test_it_has_what_was_promised_and_its_terms(text):
    headings = re.findall(r"<h2>(.+?)</h2>", text)
    assert [heading.split()[0] for heading in headings] == [
        "Which", "BatchNorm", "Gray", "Training", "A"]  # fmt: skip
    assert text.count("<tr>") == 2 + 6 + 2 * len(handout.SETS)
    assert sources.TERMS in text
    assert sources.citation() in text
    assert not re.search(r'(?:src|href)="(?:https?:)?//', text)


def test_its_type_is_large_enough_on_paper():
    printed = TEMPLATE.split("@media screen")[0]
    sizes = [float(size) for size in re.findall(r"(?:font|font-size): ([\d.]+)pt", printed)]
    assert len(sizes) > 4
    assert min(sizes) >= SMALLEST


def test_without_chromium_there_is_the_page_and_a_sentence(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(browser, "NAMES", ())
    made = handout.build(tmp_path)
    assert [path.name for path in made] == ["index.html"]
    assert "Chromium is not installed" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["handout", "student", "slides", "pages"])
def test_a_folder_that_cannot_be_filled_is_one_sentence(name, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(slides.node, "package", lambda name: tmp_path)
    monkeypatch.setattr(pages, "build", lambda folder: folder.mkdir())
    (tmp_path / "file").touch()
    command = {"handout": handout, "student": student, "slides": slides, "pages": pages}[name]
    assert command.main([str(tmp_path / "file" / "folder")]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"error: {tmp_path / 'file' / 'folder'} cannot be filled (")
    assert said.count("\n") == 1


@pytest.mark.parametrize("name", ["handout", "student", "slides", "pages"])
def test_an_option_that_is_none_makes_no_folder(name, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = {"handout": handout, "student": student, "slides": slides, "pages": pages}[name]
    for words in (["--pfd"], ["one", "two"]):
        assert command.main(words) == 2
        assert capsys.readouterr().err.startswith(f"error: {' '.join(words)}: name one folder")
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_told_without_the_name_of_a_file():
    says = r"folder cannot be filled \([^:]+\)\. Name"
    with pytest.raises(CourseError, match=says), sources.writing(Path("folder")):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_page_that_chromium_does_not_print_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(browser, "chromium", lambda: sys.executable)  # it knows no such option
    with pytest.raises(CourseError, match=r"printed no PDF of page\.html"):
        browser.print_pdf(tmp_path / "page.html", tmp_path / "page.pdf")


@pytest.mark.browser
def test_it_is_one_page_of_a4(built):
    printed = built[1].read_bytes()
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) == 1
    box = [float(x) for x in re.search(rb"/MediaBox \[([\d. ]+)\]", printed)[1].split()]
    assert box[2:] == pytest.approx([595.3, 841.9], abs=1)


@pytest.mark.browser
def test_nothing_of_it_is_cut_off(built, page):
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 703, "height": 1047})  # A4 less its margins, 96 dots an inch
    page.goto(built[0].as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= 703
    assert page.evaluate("document.documentElement.scrollHeight") <= 1047
