"""The course as most people meet it: a notebook in JupyterLab, run with the menu."""

import time

import nbformat
import pytest
from playwright.sync_api import Page

from tests.browser.servers import ROOT, free_port, running

NOTEBOOK = ROOT / "notebooks" / "02_three_strategies.ipynb"
PATIENCE = 170  # seconds; about 40 on two idle cores
SMALLER = "\nN_TRAIN, SIZE, EPOCHS = 200, 64, 2\n"

CELLS = """() => {
  const notebook = window.jupyterapp.shell.currentWidget.content;
  return notebook.widgets.map(cell => cell.model).filter(model => model.type === "code")
    .map(model => ({count: model.executionCount, outputs: model.outputs.toJSON()}));
}"""


@pytest.fixture
def jupyterlab(tmp_path):
    """The address of JupyterLab on a copy of notebook 02 without outputs, and with less to do."""
    notebook = nbformat.read(NOTEBOOK, 4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        if "parameters" in cell.metadata.get("tags", []):
            cell.source += SMALLER
    root = tmp_path / "notebooks"
    root.mkdir()
    nbformat.write(notebook, root / NOTEBOOK.name)
    arguments = [
        "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={free_port()}", f"--ServerApp.root_dir={root}",
        "--LabApp.expose_app_in_browser=True",
        # Not the tabs and settings of whoever runs the tests, in neither direction.
        f"--LabApp.workspaces_dir={tmp_path / 'tabs'}",
        f"--LabApp.user_settings_dir={tmp_path / 'settings'}",
    ]  # fmt: skip
    with running(arguments, tmp_path) as url:
        yield url


def outputs_once_run(page: Page) -> list[dict]:
    """Wait until every code cell has a number, and return what the page holds below them."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        cells = page.evaluate(CELLS)
        outputs = [output for cell in cells for output in cell["outputs"]]
        failed = [output for output in outputs if output["output_type"] == "error"]
        if failed or all(cell["count"] for cell in cells):
            return outputs
        page.wait_for_timeout(500)
    raise AssertionError(f"Not all cells had run after {PATIENCE} s.")


def test_notebook_02_runs_in_jupyterlab(jupyterlab: str, page: Page):
    """Run > Run All Cells: every cell runs, none fails, and the figures can be seen."""
    page.goto(jupyterlab.replace("/lab?", f"/lab/tree/{NOTEBOOK.name}?"))
    page.get_by_role("heading", name="Three strategies").first.wait_for()
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    outputs = outputs_once_run(page)
    assert not [output for output in outputs if output["output_type"] == "error"]
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 5
    picture = page.locator(".jp-OutputArea-output img").last
    picture.scroll_into_view_if_needed()
    assert picture.bounding_box()["width"] > 300
