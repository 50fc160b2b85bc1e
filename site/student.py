"""Build the student version, and the teacher's copy for nbgrader: ``python course.py student``.

Both come from the notebooks. The teacher's copy (_site/teacher) has each exercise as nbgrader wants
it: a cell to answer in, with the solution between nbgrader's delimiters, and a cell that grades.
The student version (_site/student) is what nbgrader would release of it: no solutions, no outputs.
An exercise keeps its minutes, its difficulty (which gives its points) and its three hints.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode

import sources
from helpers.errors import CourseError
from sources import ROOT, SITE

ASSIGNMENT = "transfer_learning"
EXERCISE = re.compile(r"^\*\*Exercise (\d+)\*\* \((\d+) min, ([●○]+)\)", re.MULTILINE)
CHECK = re.compile(r"^practice\.\w+\((.+)\)$")
BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
BEGIN_HIDDEN, END_HIDDEN = "### BEGIN HIDDEN TESTS", "### END HIDDEN TESTS"
REGIONS = re.compile(
    f"^(?:{BEGIN}\n.*?^{END}|{BEGIN_HIDDEN}\n.*?^{END_HIDDEN})\n?", re.DOTALL | re.MULTILINE
)
# A region is replaced by nothing: the stub stands above it, so that Run All gets to the end.
CONFIG = """# nbgrader's settings for this course: nbgrader generate_assignment {assignment}
c = get_config()
c.CourseDirectory.course_id = "transfer-learning"
c.ClearSolutions.code_stub = {{"python": ""}}
c.ExecutePreprocessor.timeout = 1500
"""
README = """The student version of the course: every exercise has a stub, its minutes, marks and
three hints; no solutions, no outputs. It needs the course installed. Put the folder notebooks over
the course's own, or open it where it lies.
"""


@dataclass(frozen=True)
class Exercise:
    """An exercise of a notebook: where it stands, what it is worth, and its parts as code."""

    at: int  # the position of the cell to answer in; its text stands before, its solution after
    name: str
    points: int
    stub: str
    solution: str
    check: str


def exercises(path: Path, notebook: NotebookNode) -> Iterator[Exercise]:
    """Yield the exercises of a notebook.

    Raises
    ------
    CourseError
        Where one is not as the others: text, attempt, solution, both ending in the same check.
    """
    for k, cell in enumerate(notebook.cells):
        if not sources.tagged(cell, "solution"):
            continue
        text, attempt = notebook.cells[k - 2].source, notebook.cells[k - 1].source
        asked = EXERCISE.search(text)
        stub, _, check = attempt.rpartition("\n")
        solved, _, checked = cell.source.rpartition("\n")
        mine, right = CHECK.match(check), CHECK.match(checked)
        if not (asked and mine and right):
            raise CourseError(
                f"{path.name}, {cell.id}: an exercise is a text, an attempt and a solution, and "
                "both end in practice.CHECKER(...)."
            )
        solution = "\n\n\n".join(filter(None, [
            re.sub(r"\A# Solution.*\n|\A# Solution.*\Z", "", solved).strip(),
            f"{mine[1]} = {right[1]}",
        ]))  # fmt: skip
        name = f"{path.stem}-exercise-{asked[1]}"
        yield Exercise(k - 1, name, asked[3].count("●"), stub.strip(), solution, check)


def teachers(path: Path) -> NotebookNode:
    """Return a notebook with its exercises as nbgrader's, solutions between its delimiters."""
    notebook = deepcopy(sources.read(path))
    for exercise in reversed(list(exercises(path, notebook))):
        answer = nbformat.v4.new_code_cell(
            f"{exercise.stub}\n\n\n{BEGIN}\n{exercise.solution}\n{END}",
            id=notebook.cells[exercise.at].id,
            metadata={"nbgrader": grader(exercise.name, "code", solution=True)},
        )
        hidden = f"assert (checked := {exercise.check}).right, checked"
        test = nbformat.v4.new_code_cell(
            f"{BEGIN_HIDDEN}\n{hidden}\n{END_HIDDEN}\n{exercise.check}",
            id=notebook.cells[exercise.at + 1].id,
            metadata={"nbgrader": grader(f"{exercise.name}-check", "code", grade=True, locked=True,
                                         points=exercise.points)},
        )  # fmt: skip
        notebook.cells[exercise.at : exercise.at + 2] = [answer, test]
        notebook.cells[exercise.at - 1].metadata["nbgrader"] = grader(
            f"{exercise.name}-text", "markdown", locked=True
        )
    return emptied(notebook)


def grader(
    name: str,
    cell_type: str,
    *,
    grade: bool = False,
    solution: bool = False,
    locked: bool = False,
    points: int | None = None,
) -> dict[str, object]:
    """Return a cell's metadata for nbgrader, version 3 of its format."""
    found = {"schema_version": 3, "grade_id": name, "grade": grade, "solution": solution,
             "locked": locked, "task": False, "cell_type": cell_type}  # fmt: skip
    return found if points is None else found | {"points": points}


def emptied(notebook: NotebookNode) -> NotebookNode:
    """Return the notebook without outputs and counts."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return notebook


def released(notebook: NotebookNode) -> NotebookNode:
    """Return a teacher's copy as nbgrader releases it: nothing between the delimiters is left."""
    notebook = deepcopy(notebook)
    for cell in notebook.cells:
        cell.source = REGIONS.sub("", cell.source).rstrip()
    return notebook


def build(folder: Path) -> list[Path]:
    """Write ``student/`` and ``teacher/`` into `folder`; return their notebooks, in turn."""
    source = folder / "teacher" / "source" / ASSIGNMENT
    paths, texts = sources.notebook_files(), linked_texts()
    made = []
    for path in paths:
        teacher = teachers(path)
        student = released(teacher)
        for cell in (cell for cell in student.cells if cell.cell_type == "markdown"):
            cell.source = sources.linked(path, cell.source, {*paths, *texts})
        for cell in (cell for cell in teacher.cells if cell.cell_type == "markdown"):
            # nbgrader wants the notebooks of an assignment in one folder.
            text = sources.linked(path, cell.source, paths)
            cell.source = re.sub(r"\]\((?:\.\./|more/)?(\w+\.ipynb)", r"](\1", text)
        made += [written(student, folder / "student" / path.relative_to(ROOT)),
                 written(teacher, source / path.name)]  # fmt: skip
    for path in texts:
        target = folder / "student" / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(sources.linked(path, path.read_text("utf-8"), {*paths, *texts}), "utf-8")
    (folder / "student" / "README.txt").write_text(README, "utf-8")
    config = CONFIG.format(assignment=ASSIGNMENT)
    (folder / "teacher" / "nbgrader_config.py").write_text(config, "utf-8")
    return made


def linked_texts() -> list[Path]:
    """Return the pages of text that a notebook links to."""
    found = set()
    for path in sources.notebook_files():
        for link in re.findall(r"\]\(([^)#\s]+\.md)", path.read_text("utf-8")):
            found.add((path.parent / link).resolve())
    return sorted(found)


def written(notebook: NotebookNode, target: Path) -> Path:
    """Write a notebook into a file whose folder need not be there; return the file."""
    target.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, target)
    return target


def main(words: list[str]) -> int:
    """Build both versions into the folder that the words name; return the exit code."""
    return sources.run(words, SITE, build, lambda made, folder: (
        f"{len(made) // 2} notebooks for students: {folder / 'student'}; with solutions, for "
        f"nbgrader: {folder / 'teacher'}"
    ))  # fmt: skip


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
