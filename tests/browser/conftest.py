"""A real browser for the tests of this folder, and the servers it looks at."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import BrowserContext, Page

from tests.browser.guard import watched
from tests.browser.servers import ROOT, free_port, running

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
MISSING = (
    "No Chromium is installed, so nothing was tested in a browser; on Debian or Ubuntu: "
    "apt-get install chromium"
)
QUIET = (
    "--no-sandbox", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)  # fmt: skip
HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder; run them, and others that need a browser, last.

    Once a browser was started an event loop runs in this thread until the end of the session.
    No other test shall notice.
    """
    for item in items:
        if HERE in item.path.parents:
            item.add_marker("browser")
        if CHROMIUM is None and item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.skip(reason=MISSING))
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict) -> dict:
    """Start the system's Chromium, which asks nobody for updates."""
    return {**browser_type_launch_args, "executable_path": CHROMIUM, "args": list(QUIET)}


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args: dict) -> dict:
    """A laptop's screen."""
    return {**browser_context_args, "viewport": {"width": 1280, "height": 800}}


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page in which a request to another machine or an error in the console fails the test."""
    with watched(context) as page:
        yield page


@pytest.fixture(scope="session")
def app(tmp_path_factory) -> Iterator[str]:
    """The address of the strategy lab, served as by `make app`, with a cache of its own."""
    arguments = ["-m", "helpers", "app", "--no-browser", f"--port={free_port()}"]
    with running(arguments, tmp_path_factory.mktemp("app")) as url:
        yield url


SERVE = """
import pathlib, sys
from helpers.lab import app
app.serve(sys.argv[2:], pathlib.Path(sys.argv[1]))
"""


@pytest.fixture(scope="session")
def staged_app(tmp_path_factory) -> Iterator[str]:
    """The address of a lab that trains nothing (tests/browser/staged.py), else served as `app`."""
    folder = tmp_path_factory.mktemp("staged")
    cell = f"import sys; sys.path.insert(0, {str(ROOT)!r})\nfrom tests.browser import staged\n"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(f"{cell}staged.lab()")])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "", "language": "python"}
    nbformat.write(notebook, folder / "staged.ipynb")
    arguments = ["-c", SERVE, str(folder / "staged.ipynb"), "--no-browser",
                 f"--port={free_port()}"]  # fmt: skip
    with running(arguments, folder) as url:
        yield url
