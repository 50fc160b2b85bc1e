"""Take README's picture of the strategy lab anew: ``python docs/screenshot.py``, with Chromium."""

import io
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import expect, sync_playwright

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tests.browser.conftest import CHROMIUM, MISSING, QUIET  # noqa: E402
from tests.browser.servers import free_port, running  # noqa: E402

PICTURE = ROOT / "docs" / "strategy_lab.png"
COLORS = 255  # a palette: a third of the size; with fewer, arms lose their colours


def main() -> None:
    """Run the first prepared race in the app and save what a visitor sees then."""
    if CHROMIUM is None:
        raise SystemExit(MISSING)
    arguments = ["-m", "helpers", "app", "--no-browser", f"--port={free_port()}"]
    with (
        tempfile.TemporaryDirectory() as folder,
        running(arguments, Path(folder)) as url,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        page = browser.new_page(viewport={"width": 1280, "height": 1030})
        page.set_default_navigation_timeout(120_000)
        page.goto(url)
        page.get_by_text("guess first", exact=True).click(timeout=120_000)
        page.get_by_role("button", name="Race", exact=True).click()
        expect(page.locator(".lab-status").get_by_text("Done.")).to_be_visible(timeout=600_000)
        page.mouse.move(0, 0)
        page.wait_for_timeout(1000)
        shot = Image.open(io.BytesIO(page.screenshot()))
        page.goto("about:blank")
        browser.close()
    shot.convert("RGB").quantize(COLORS, Image.Quantize.MAXCOVERAGE).save(PICTURE, optimize=True)


if __name__ == "__main__":
    main()
