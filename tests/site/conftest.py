"""The site, built once for all tests that look at it, and a browser to look with."""

from __future__ import annotations

from pathlib import Path

import pytest

import node
import pages
from helpers.errors import CourseError
from tests.browser.conftest import (  # noqa: F401
    browser_context_args,
    browser_type_launch_args,
    page,
    pytest_collection_modifyitems,
)


@pytest.fixture(scope="session")
def built_site(tmp_path_factory) -> Path:
    """The folder of the site, with all that can be built here."""
    folder = tmp_path_factory.mktemp("site")
    pages.build(folder)
    return folder


@pytest.fixture(scope="session")
def npm() -> None:
    """What npm installs for the site; where that cannot be had, the test is skipped and says so."""
    try:
        node.package("reveal.js")
    except CourseError as missing:
        pytest.skip(str(missing))
