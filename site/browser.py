"""Chromium, without a window: it prints pages as PDF."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from helpers.errors import CourseError

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--no-pdf-header-footer",
    "--virtual-time-budget=20000",
)  # fmt: skip


def chromium() -> str:
    """Return the path of Chromium; raises `CourseError` where there is none."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        raise CourseError(
            "Chromium is not installed, and it makes the PDF. Install it (on Debian or Ubuntu: "
            "apt-get install chromium), or open the page in your browser and print it."
        )
    return found


def print_pdf(page: Path, target: Path, query: str = "") -> Path:
    """Print a page on this disk into the file `target`; return it.

    Parameters
    ----------
    query : what stands behind the page's address, e.g. ``"?print-pdf"``.

    Raises
    ------
    CourseError
        Where there is no Chromium, or it made nothing.
    """
    program = chromium()
    target.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as profile:
        subprocess.run(
            [program, *QUIET, f"--user-data-dir={profile}", f"--print-to-pdf={target}",
             f"{page.resolve().as_uri()}{query}"],
            capture_output=True,
        )  # fmt: skip
    if not target.exists():
        raise CourseError(f"Chromium printed no PDF of {page.name}. Open it and print it there.")
    return target
