"""What must hold of every stored notebook, besides that nbval runs it again (make nbval)."""

import re
from pathlib import Path

import nbformat
import pytest

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))
IGNORED_CELLS = 1  # cells in the whole course whose output nbval does not compare


def code_cells(path: Path) -> list:
    return [c for c in nbformat.read(path, 4).cells if c.cell_type == "code"]


def texts(cell) -> str:
    parts = [o.get("text", "") or o.get("data", {}).get("text/plain", "") for o in cell.outputs]
    return "".join(parts)


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def path(request) -> Path:
    return request.param


def test_every_code_cell_was_run_in_order(path):
    """nbval compares nothing in a cell without a count."""
    counts = [cell.execution_count for cell in code_cells(path)]
    assert counts == list(range(1, len(counts) + 1)), "run: make notebooks"


def test_no_output_is_an_error_or_a_machine_path(path):
    for cell in code_cells(path):
        assert all(output.output_type != "error" for output in cell.outputs)
        assert not re.search(r"(/home/|/root/|/Users/|C:\\)", texts(cell))


def test_it_is_small_and_carries_no_widget_state(path):
    assert path.stat().st_size < 3_000_000
    assert "widgets" not in nbformat.read(path, 4).metadata
    assert "jupyter.widget-view" not in path.read_text(), (
        "it would show as an error: make notebooks"
    )


def test_code_cells_are_short_enough_to_read(path):
    for cell in code_cells(path):
        assert len(cell.source.splitlines()) <= 25, cell.source


def test_it_promises_and_ends_as_every_notebook_does(path):
    cells = nbformat.read(path, 4).cells
    assert "you will do | you will learn | you need" in cells[0].source.lower()
    assert "on 2 CPU cores" in cells[0].source
    assert any(cell.source.startswith("## Remember") for cell in cells)


def test_every_link_leads_somewhere(path):
    text = "\n".join(c.source for c in nbformat.read(path, 4).cells if c.cell_type == "markdown")
    for link in re.findall(r"\]\(([^)#]+)", text):
        assert link.startswith("https://") or (path.parent / link).exists(), link


def test_few_cells_are_exempt_from_comparison():
    exempt = {"nbval-ignore-output", "nbval-skip"}
    cells = [cell for path in NOTEBOOKS for cell in code_cells(path)]
    assert cells
    assert sum(bool(exempt & set(c.metadata.get("tags", []))) for c in cells) <= IGNORED_CELLS
