"""The page that needs no install: 200 images of 128 pixels, from drop to interval, in seconds.

``python -m benchmarks.try_page`` builds the page, opens it in Chromium as a double click would, and
gives it 200 solar cells as files, the first time and once more (the network is loaded then). It
prints a line of JSON with the medians, and the processor time of the browser.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

import psutil
from PIL import Image
from playwright.sync_api import Page, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1] / "site"))

import try_page

ROUNDS, N = 3, 100  # starts of the page, images of a class


def draw(folder: Path) -> list[list[Path]]:
    """Save solar cells as files, `N` of each class."""
    data = try_page.load_elpv(size=128)
    files: list[list[Path]] = [[], []]
    for k, label in enumerate(data.train.labels):
        if len(files[label]) < N:
            files[label].append(folder / f"{label}-{k}.png")
            Image.fromarray(data.train.images[k, ..., 0]).save(files[label][-1])
    return files


def once(page: Page) -> float:
    """Press Start; return the seconds until the interval stands there."""
    page.evaluate("lastResult = null")
    page.get_by_role("button", name="Start").click()
    while page.evaluate("lastResult === null"):
        page.wait_for_timeout(200)
    return page.evaluate("lastResult.seconds")


def processor_seconds() -> float:
    """Return the processor time of the browser's processes."""
    mine = psutil.Process().children(recursive=True)
    return sum(sum(child.cpu_times()[:2]) for child in mine if "chrom" in child.name())


def main() -> None:
    """Time both and print the medians."""
    found: dict[str, list[float]] = {"first": [], "again": [], "processor": []}
    with tempfile.TemporaryDirectory() as made, sync_playwright() as play:
        index, files = try_page.build(Path(made) / "page"), draw(Path(made))
        for _ in range(ROUNDS):
            chromium = shutil.which("chromium") or shutil.which("google-chrome")
            browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            page = browser.new_page()
            page.goto(index.as_uri())
            for k in (0, 1):
                page.get_by_label(f"Images of class {k + 1}").set_input_files(files[k])
            before = processor_seconds()
            found["first"].append(once(page))
            found["processor"].append(processor_seconds() - before)
            found["again"].append(once(page))
            browser.close()
    medians = {name: round(statistics.median(values), 1) for name, values in found.items()}
    print(json.dumps(medians | {"n": 2 * N, "load": round(os.getloadavg()[0], 1)}))


if __name__ == "__main__":
    main()
