"""Common misspellings, found by codespell, in everything that is read by people."""

import subprocess
import sys
from pathlib import Path

import nbformat

from tests.conftest import script

ROOT = Path(__file__).parent.parent
TEXTS = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "CITATION.cff", "LICENSE-TEXT", "docs",
         "data/README.md", "data/cards", "data/templates", "data/broken_runs.json",
         "data/lab_rules.json", "benchmarks/README.md", "helpers", "measure", "site",
         "course.py")  # fmt: skip


def misspelt(*paths: Path | str) -> str:
    """Return what codespell finds; its settings stand in pyproject.toml."""
    command = [sys.executable, "-m", "codespell_lib", *map(str, paths)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout


def test_no_text_and_no_docstring_is_misspelt():
    assert all((ROOT / name).exists() for name in TEXTS)
    assert misspelt(*TEXTS) == ""


def test_no_notebook_is_misspelt(tmp_path):
    names = script(ROOT / "course.py").notebook_files()
    for name in names:
        cells = nbformat.read(ROOT / name, 4).cells
        text = "\n\n".join(cell.source for cell in cells)
        (tmp_path / f"{Path(name).stem}.md").write_text(text, "utf-8")
    assert misspelt(tmp_path) == ""


def test_a_misspelling_would_be_found(tmp_path):
    (tmp_path / "text.md").write_text("The seperate layers recieve it.")
    assert misspelt(tmp_path).count("==>") == 2
