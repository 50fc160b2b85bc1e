"""The course as static pages: whole, linked, and asking no server for anything."""

import re
from pathlib import Path

import pytest

from tests.conftest import script

ROOT = Path(__file__).parent.parent
LOADED = re.compile(r'(?:src|href)="(?!https?:|#|data:)([^"#]+)')


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    script(ROOT / "docs" / "pages.py").build(folder)
    return folder


def test_every_notebook_has_a_page_with_its_pictures_and_folded_solutions(site):
    for name in script(ROOT / "course.py").notebook_files():
        notebook = ROOT / name
        text = (site / name).with_suffix(".html").read_text("utf-8")
        source = notebook.read_text("utf-8")
        assert text.count("<summary>Solution</summary>") == source.count('"solution"')
        pictures = re.findall(r"<img[^>]*>", text)
        assert len(pictures) >= source.count('"image/png": "')
        assert all(re.search(r'alt="[^"]{40}', picture) for picture in pictures)


def test_every_link_leads_to_a_page_and_nothing_is_loaded_from_elsewhere(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 12
    for page in pages:
        text = page.read_text("utf-8")
        assert "<script" not in text
        assert not re.search(r'<(?:img|link|iframe)[^>]*(?:src|href)="https?:', text)
        for link in LOADED.findall(text):
            assert (page.parent / link).exists(), f"{page.name}: {link}"
