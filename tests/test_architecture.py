"""The package stays readable: short modules, short functions, imports that run one way."""

import ast
from pathlib import Path

import pytest

HELPERS = Path(__file__).parent.parent / "helpers"
MODULES = sorted(HELPERS.rglob("*.py"))
LONGEST_MODULE, LONGEST_FUNCTION = 300, 45  # lines, docstrings included

# What a module may not import, directly: whoever stands below does not know who stands above.
FORBIDDEN = {
    "datasets": {"backbones", "strategies", "training", "experiments", "plots", "widgets"},
    "backbones": {"datasets", "strategies", "training", "experiments", "plots", "widgets"},
    "strategies": {"datasets", "training", "experiments", "plots", "widgets"},
    "loop": {"training", "experiments", "plots", "widgets"},
    "training": {"experiments", "plots", "widgets"},
    "experiments": {"plots", "widgets"},
    "plots": {"backbones", "strategies", "training", "experiments", "widgets"},
    "checks": {"widgets", "plots"},
}


def imported(path: Path) -> set[str]:
    """Return the names of the modules of helpers that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            parts = node.module.split(".")
            if parts[0] == "helpers":
                found |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(HELPERS).as_posix())
def test_modules_and_functions_can_be_read_in_one_sitting(path):
    assert len(path.read_text().splitlines()) <= LONGEST_MODULE
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            length = node.end_lineno - node.lineno + 1
            docstring = ast.get_docstring(node, clean=False) or ""
            body = length - len(docstring.splitlines())
            assert body <= LONGEST_FUNCTION, f"{node.name} has {body} lines"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(HELPERS).as_posix())
def test_imports_run_one_way(path):
    name = path.relative_to(HELPERS).parts[0].removesuffix(".py")
    assert not imported(path) & FORBIDDEN.get(name, set())
    if name != "widgets":
        assert "widgets" not in imported(path)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(HELPERS).as_posix())
def test_everything_public_is_documented(path):
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), f"{path.name} does not say what it is for"
    for node in ast.walk(tree):
        public = isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name[0] != "_"
        if public and node in ast.iter_child_nodes(tree):
            assert ast.get_docstring(node), f"{path.name}: {node.name} has no docstring"
