"""What must hold of every stored notebook, besides that nbval runs it again (make nbval)."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from scipy import stats

from helpers import files
from tests.conftest import script

ROOT = Path(__file__).parent.parent
EXERCISE = re.compile(r"^\*\*Exercise (\d+)\*\* \((\d+) min, (●○○|●●○|●●●)\)\. ", re.MULTILINE)
HINT = re.compile(r"<details><summary>Hint (\d)</summary>\n\n(.+?)\n</details>", re.DOTALL)
SOLUTION = {"jupyter": {"outputs_hidden": True, "source_hidden": True}, "tags": ["solution"]}
UNREAD = {"strategies_replaced.csv", "strategies_single.csv"}  # that no notebook draws
NOTEBOOKS = [ROOT / name for name in script(ROOT / "course.py").notebook_files()]
IGNORED_CELLS = 1  # cells in the whole course whose output nbval does not compare


def code_cells(path: Path) -> list:
    return [c for c in nbformat.read(path, 4).cells if c.cell_type == "code"]


def texts(cell) -> str:
    parts = [o.get("text", "") or o.get("data", {}).get("text/plain", "") for o in cell.outputs]
    return "".join(parts)


def pictures(path: Path) -> Iterator[tuple[str, dict]]:
    """Yield every stored picture, and the notes that stand beside it."""
    for cell in code_cells(path):
        for output in cell.outputs:
            for kind, picture in output.get("data", {}).items():
                if kind.startswith("image/"):
                    yield picture, output.metadata.get(kind, {})


def stale(read: dict[str, str]) -> list[str]:
    """Return the names of those files of data/ that are not what they were when they were read."""
    return [name for name, digest in read.items() if now(name) != digest]


def now(name: str) -> str | None:
    """Return the digest of a file or folder of data/ as it is now; None where there is none."""
    files.noted(files.resource(name))
    return files.READ.pop(name, None)


def bound(tree: ast.AST) -> set[str]:
    """Return the names that a cell binds for the cells after it."""
    names, waiting = set(), list(ast.iter_child_nodes(tree))
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)  # what it binds inside stays there
            continue
        if isinstance(node, ast.alias):
            names.add((node.asname or node.name).split(".")[0])
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        waiting += ast.iter_child_nodes(node)
    return names


def used(tree: ast.AST) -> set[str]:
    """Return every name that a cell reads, in functions, too."""
    names = (node for node in ast.walk(tree) if isinstance(node, ast.Name))
    return {name.id for name in names if isinstance(name.ctx, ast.Load)}


def leaks(cells: list[tuple[bool, str]]) -> set[str]:
    """Return the names that a solution binds first and another cell uses.

    Parameters
    ----------
    cells : whether it is a solution, and its code; in order.
    """
    own, solved, found = set(), set(), set()
    for is_solution, source in cells:
        tree = ast.parse(source)
        if is_solution:
            solved |= bound(tree) - own
        else:
            own |= bound(tree)
            found |= (solved - own) & used(tree)
    return found


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


def test_every_picture_has_an_alternative_text(path):
    told = {}
    for picture, notes in pictures(path):
        text = notes.get("alt", "")
        assert len(text) > 40, "run: make notebooks"
        assert told.setdefault(text, picture) == picture, f"two figures are told alike: {text}"


def test_no_picture_is_older_than_a_table_it_was_drawn_from(path):
    """nbval compares no pictures, so a table may change and the picture of it stay."""
    for _, notes in pictures(path):
        assert "read" in notes, "run: make notebooks"
        assert not stale(notes["read"]), "drawn from another table. Run: make notebooks"


def test_a_changed_or_missing_table_is_noticed():
    name = "results/cka.csv"
    right = files.digest(files.resource(name).read_bytes())
    assert stale({name: right}) == []
    assert stale({name: right[::-1], "results/gone.csv": right}) == [name, "results/gone.csv"]
    assert now("gallery") not in (None, files.digest())


def test_the_notes_name_every_table():
    read = {name for path in NOTEBOOKS for _, notes in pictures(path)
            for name in notes.get("read", ())}  # fmt: skip
    tables = {path.name for path in files.resource("results").glob("*.csv")} - UNREAD
    assert {f"results/{name}" for name in tables} | {"gallery"} <= read


def test_every_exercise_has_minutes_difficulty_and_three_hints():
    assert len(NOTEBOOKS) > 6
    for path in NOTEBOOKS:
        markdown = [c.source for c in nbformat.read(path, 4).cells if c.cell_type == "markdown"]
        numbers = [int(found[1]) for text in markdown for found in EXERCISE.finditer(text)]
        named = sum(len(re.findall(r"^\*\*Exercise", text, re.MULTILINE)) for text in markdown)
        assert numbers == list(range(1, named + 1)), f"{path.stem}: **Exercise 1** (10 min, ●●○). "
        assert named >= 2 or not path.stem[0].isdigit()
        for text in (text for text in markdown if EXERCISE.search(text)):
            hints = HINT.findall(text[EXERCISE.search(text).end() :])
            assert [number for number, _ in hints] == ["1", "2", "3"], text
            assert len({hint.strip() for _, hint in hints}) == 3


def test_a_solution_is_collapsed_follows_its_exercise_and_holds_nothing_else(path):
    cells = nbformat.read(path, 4).cells
    for k, cell in enumerate(cells):
        if "solution" in cell.metadata.get("tags", []) or cell.source.startswith("# Solution"):
            assert cell.metadata == SOLUTION, cell.source
            assert cells[k - 1].cell_type == "code", "the attempt stands between"
            assert EXERCISE.search(cells[k - 2].source), cell.source
    exercises = sum(len(EXERCISE.findall(cell.source)) for cell in cells)
    assert sum(cell.metadata == SOLUTION for cell in cells) == exercises
    code = [(cell.metadata == SOLUTION, cell.source) for cell in cells if cell.cell_type == "code"]
    assert not leaks(code), "needed by a cell that is no solution"


def test_what_a_solution_leaks_is_found():
    attempt, solution = (
        (False, "def mine(x): ..."),
        (True, "def right(x):\n    y = x\n    return y"),
    )
    assert leaks([attempt, solution, (False, "mine(1)")]) == set()
    assert leaks([attempt, solution, (False, "print(right(1))")]) == {"right"}
    assert leaks([solution, (False, "def f():\n    return right(2)")]) == {"right"}
    assert leaks([solution, (False, "right, y = 1, 2"), (False, "right + y")]) == set()
    assert leaks([(False, "import numpy as np"), (True, "np = 1"), (False, "np.ones(1)")]) == set()
    assert leaks([(True, "import numpy as np\nx, y = 1, 2"), (False, "np.sum(x)")]) == {"np", "x"}


def test_the_page_for_the_night_before_has_the_notebooks_own_answers():
    finish = script(ROOT / "docs" / "finish_notebooks.py")
    page = finish.NIGHT.read_text("utf-8")
    assert page == finish.with_questions(page), "run: python docs/finish_notebooks.py"
    assert page.count("\n### [") == 8
    asked = [found for path in NOTEBOOKS[:8] for c in nbformat.read(path, 4).cells
             for found in finish.QUESTION.findall(c.source)]  # fmt: skip
    every = sum(path.read_text("utf-8").count("interviewer asks:") for path in NOTEBOOKS[:8])
    assert len(asked) == every > 10, "a question of another form would be left out"
    for link in re.findall(r"\]\(([^)#]+)\)", page):
        assert link.startswith("https://") or (finish.NIGHT.parent / link).exists(), link


def test_its_numbers_are_right():
    page = (ROOT / "docs" / "night_before.md").read_text("utf-8")
    assert f"*t* is {stats.t.ppf(0.975, 2):.3f}" in page
    assert "two classes: .69" in page
    assert round(stats.entropy([0.5, 0.5]), 2) == 0.69
    glossary = page.split("## Ten words")[1].split("\n## ")[0]
    assert glossary.count("\n- **") == 10
