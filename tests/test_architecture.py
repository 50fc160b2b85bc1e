"""The house: rooms stand on floors and import only downwards, and none grows unnoticed."""

import ast
import io
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = sorted([*(ROOT / "helpers").rglob("*.py"), *(ROOT / "measure").rglob("*.py")])
LONGEST_FILE, LONGEST_FUNCTION = 350, 60  # lines; of a function without its docstring
LONGER_FILES = {"advise.py": 450, "files.py": 390}  # rooms of one file

# A room may import from rooms on floors below its own.
FLOORS = (
    ("errors",),
    ("files",),
    ("plots", "datasets", "networks"),
    ("training",),
    ("inspection", "evidence"),
    ("practice",),
    ("widgets", "lab", "advise"),
    ("__main__",),
)
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}

# Code lines (no docstrings, comments, blank lines) that a room may have. An issue may raise one.
CEILINGS = {
    "errors": 20, "files": 215, "plots": 1325, "datasets": 1380, "networks": 810, "training": 1055,
    "inspection": 630, "evidence": 1325, "practice": 1855, "widgets": 985, "lab": 1835, "advise":
    320, "__main__": 185, "measure": 1805,
}  # fmt: skip


def room_of(path: Path) -> str:
    """Return the room that a file stands in; `measure` is a single one."""
    parts = path.relative_to(ROOT).parts
    return "measure" if parts[0] == "measure" else parts[1].removesuffix(".py")


def dotted(path: Path) -> str:
    return path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(
        ".__init__"
    )  # fmt: skip


NAMES = {dotted(path): path for path in MODULES}


def imported(path: Path) -> set[str]:
    """Return the dotted names of the course's modules that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert not node.level, f"{path}: imports are absolute here"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                found.add(whole if whole in NAMES else node.module)
    return {name for name in found if name in NAMES and name != "helpers"}


def code_lines(path: Path) -> int:
    """Count the lines with code on them: no docstrings, comments or blank lines."""
    source = path.read_text()
    docstrings = {
        line
        for node in ast.walk(ast.parse(source))
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
        and ast.get_docstring(node, clean=False) is not None
        for line in range(node.body[0].lineno, node.body[0].end_lineno + 1)
    }
    nothing = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT,
               tokenize.ENCODING, tokenize.ENDMARKER}  # fmt: skip
    code = {
        line
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type not in nothing
        for line in range(token.start[0], token.end[0] + 1)
    }
    return len(code - docstrings)


def circles() -> Iterator[str]:
    """Yield a sentence for every file that comes back to itself over its imports."""
    below = {name: imported(path) for name, path in NAMES.items()}
    for name in NAMES:
        seen, waiting = set(), list(below[name])
        while waiting:
            other = waiting.pop()
            if other not in seen:
                seen.add(other)
                waiting += below[other]
        if name in seen:
            yield f"{name} imports itself over others"


def test_every_room_has_a_floor_and_a_ceiling():
    rooms = {room_of(path) for path in MODULES} - {"__init__", "measure"}
    assert rooms == set(FLOOR)
    assert len(rooms - {"__main__"}) <= 12
    assert set(CEILINGS) == rooms | {"measure"}


def test_imports_run_downwards():
    upwards = [
        f"{dotted(path)} imports {name}"
        for path in MODULES
        if room_of(path) not in ("measure", "__init__")
        for name in imported(path)
        if name.startswith("measure")
        or ((room := room_of(NAMES[name])) != room_of(path) and FLOOR[room] >= FLOOR[room_of(path)])
    ]
    assert not upwards


def test_no_circle_of_files():
    assert not list(circles())


@pytest.mark.parametrize("room", CEILINGS)
def test_a_room_stays_under_its_ceiling(room):
    lines = sum(code_lines(path) for path in MODULES if room_of(path) == room)
    assert lines <= CEILINGS[room], f"{room} has {lines} code lines: take something away"


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_files_and_functions_can_be_read_in_one_sitting(path):
    most = LONGER_FILES.get(path.name, LONGEST_FILE)
    assert len(path.read_text().splitlines()) <= most
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            docstring = ast.get_docstring(node, clean=False) or ""
            body = node.end_lineno - node.lineno + 1 - len(docstring.splitlines())
            assert body <= LONGEST_FUNCTION, f"{node.name} has {body} lines"


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_everything_public_is_documented(path):
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), f"{path.name} does not say what it is for"
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name[0] != "_":
            assert ast.get_docstring(node), f"{path.name}: {node.name} has no docstring"
