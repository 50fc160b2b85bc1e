"""The course as most people meet it: a notebook in JupyterLab, run with the menu."""

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import nbformat
from playwright.sync_api import Page, expect

from tests.browser.servers import ROOT, free_port, running

NOTEBOOK = ROOT / "notebooks" / "02_three_strategies.ipynb"
PATIENCE = 1_500_000  # milliseconds, as for a cell; about 40,000 on two idle cores
SMALLER = "\nN_TRAIN, SIZE, EPOCHS = 200, 64, 2\n"

READY = """() => window.jupyterapp.shell.currentWidget
  ?.sessionContext?.session?.kernel?.status === 'idle'"""

CELLS = """() => {
  const notebook = window.jupyterapp.shell.currentWidget.content;
  return notebook.widgets.map(cell => cell.model).filter(model => model.type === "code")
    .map(model => ({count: model.executionCount, outputs: model.outputs.toJSON()}));
}"""
RUN = f"""() => {{
  const cells = ({CELLS})();
  const failed = cells.some(cell => cell.outputs.some(output => output.output_type === "error"));
  return failed || cells.every(cell => cell.count);
}}"""

WIDGETS = (
    "from skimage.data import chelsea\nfrom helpers import widgets\n"
    "widgets.AugmentationGallery({'cat': chelsea()[:96, :96]})",
    "widgets.Advisor()",
)


@contextlib.contextmanager
def opened(page: Page, notebook: nbformat.NotebookNode, name: str, folder: Path) -> Iterator[None]:
    """Serve `notebook` in JupyterLab and open it; leave it before the server goes."""
    root = folder / "notebooks"
    root.mkdir()
    nbformat.write(notebook, root / name)
    arguments = [
        "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={free_port()}", f"--ServerApp.root_dir={root}",
        "--LabApp.expose_app_in_browser=True",
        # Not the tabs and settings of whoever runs the tests, in neither direction.
        f"--LabApp.workspaces_dir={folder / 'tabs'}",
        f"--LabApp.user_settings_dir={folder / 'settings'}",
    ]  # fmt: skip
    with running(arguments, folder) as url:
        page.goto(url.replace("/lab?", f"/lab/tree/{name}?"))
        try:
            yield
        finally:
            page.goto("about:blank")  # a page whose server is gone complains in the console


def run_all(page: Page) -> list[dict]:
    """Run > Run All Cells; return the outputs, none of which may be an error."""
    page.wait_for_function(READY)  # cells that are run before the kernel is there may be lost
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    page.wait_for_function(RUN, polling=500, timeout=PATIENCE)
    outputs = [output for cell in page.evaluate(CELLS) for output in cell["outputs"]]
    assert not [output for output in outputs if output["output_type"] == "error"]
    return outputs


@contextlib.contextmanager
def shown(page: Page, code: Iterable[str], folder: Path) -> Iterator[None]:
    """Open a notebook of these cells, and run it."""
    cells = [nbformat.v4.new_markdown_cell("# Widgets"), *map(nbformat.v4.new_code_cell, code)]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=kernel)
    with opened(page, notebook, "widgets.ipynb", folder):
        page.get_by_role("heading", name="Widgets").first.wait_for()
        run_all(page)
        yield


def test_notebook_02_runs_in_jupyterlab(tmp_path: Path, page: Page):
    """On a copy without outputs and with less to do: every cell runs, the figures can be seen."""
    notebook = nbformat.read(NOTEBOOK, 4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        if "parameters" in cell.metadata.get("tags", []):
            cell.source += SMALLER
    with opened(page, notebook, NOTEBOOK.name, tmp_path):
        page.get_by_role("heading", name="Three strategies").first.wait_for()
        outputs = run_all(page)
        assert sum("image/png" in output.get("data", {}) for output in outputs) >= 5
        picture = page.locator(".jp-OutputArea-output img").last
        picture.scroll_into_view_if_needed()
        assert picture.bounding_box()["width"] > 300
        assert "AUC" in picture.get_attribute("alt"), "what is read to those who cannot see it"


def test_gallery_and_advisor_answer_to_lists_sliders_and_buttons(tmp_path: Path, page: Page):
    """The widgets of notebooks 04 and 05, moved as a reader would move them."""
    with shown(page, WIDGETS, tmp_path):
        gallery, advisor = (page.locator(".jp-OutputArea-output").nth(k) for k in (0, 1))
        drawn = gallery.locator("img").first
        before = drawn.get_attribute("src")
        gallery.locator("select").select_option("vertical_flip")
        gallery.get_by_text("vertical_flip is meant for").wait_for()
        expect(drawn).not_to_have_attribute("src", before)
        flipped = drawn.get_attribute("src")
        gallery.get_by_role("button", name="draw again").click()
        expect(drawn).not_to_have_attribute("src", flipped)
        advisor.get_by_text("for 400 training images").first.wait_for()
        advisor.locator("select").select_option("chest_xray")
        advisor.get_by_text("measured on chest_xray (n = 200 and 800)").wait_for()
        advisor.locator(".noUi-handle").first.press("ArrowRight")
        advisor.get_by_text("for 400 training images").first.wait_for(state="detached")


TRUST = (
    "import numpy as np\nfrom helpers import widgets\nfrom helpers.evidence import tables, trust\n"
    "rng = np.random.default_rng(0)\nlabels = np.repeat([0, 1], [200, 60])\n"
    "widgets.ThresholdExplorer(labels, rng.beta(2 + 2 * labels, 4 - 2 * labels))",
    "widgets.CurveReader(tables.read(trust.BROKEN, trust.BROKEN_COLUMNS))",
)


def test_threshold_and_curves_answer_to_mouse_and_keyboard(tmp_path: Path, page: Page):
    """The widgets of notebook 06."""
    with shown(page, TRUST, tmp_path):
        explorer, reader = (page.locator(".jp-OutputArea-output").nth(k) for k in (0, 1))
        drawn, handles = explorer.locator("img").first, explorer.locator(".noUi-handle")
        for slider in (0, 1):  # threshold, prevalence: the figure follows
            before = drawn.get_attribute("alt")
            handles.nth(slider).press("ArrowRight")
            expect(drawn).not_to_have_attribute("alt", before)
        cost = explorer.get_by_text("1,000 images cost")
        before = cost.inner_text()
        handles.nth(2).press("ArrowRight")  # the price of a miss
        expect(cost).not_to_have_text(before)
        curves = reader.locator("img").first
        before = curves.get_attribute("src")
        reader.locator("select").select_option("Run 2")
        expect(curves).not_to_have_attribute("src", before)
        first = reader.get_by_role("radio").first
        first.focus()
        first.press("Space")
        reader.get_by_role("button", name="Check").press("Enter")
        reader.get_by_text("The cheapest check").wait_for()
