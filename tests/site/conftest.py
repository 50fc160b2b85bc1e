"""The site, built once for all tests that look at it."""

from __future__ import annotations

from pathlib import Path

import pytest

import pages


@pytest.fixture(scope="session")
def built_site(tmp_path_factory) -> Path:
    """The folder of the site: pages, slides (where npm has reveal.js), handout."""
    folder = tmp_path_factory.mktemp("site")
    pages.build(folder)
    return folder
