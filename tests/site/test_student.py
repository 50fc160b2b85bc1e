"""The student version: nothing of a solution is left, stubs are refused, solutions pass."""

import re

import jsonschema
import nbformat
import pytest
from nbclient import NotebookClient

import sources
import student
from helpers.errors import CourseError

NAMES = [sources.name_of(path) for path in sources.notebook_files()]
SCHEMA = {  # nbgrader's, version 3
    "type": "object",
    "properties": {
        "schema_version": {"type": "integer", "minimum": 3, "maximum": 3},
        "grade_id": {"type": "string", "pattern": r"^[a-zA-Z0-9_\-]+$"},
        "points": {"type": "number", "minimum": 0},
        "cell_type": {"type": "string", "enum": ["code", "markdown"]},
        **{name: {"type": "boolean"} for name in ("grade", "solution", "locked", "task")},
    },
    "required": ["schema_version", "grade_id", "grade", "solution", "locked", "task"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("versions")
    student.build(folder)
    return folder


@pytest.fixture(params=NAMES)
def name(request) -> str:
    return request.param


def path_of(name):
    return sources.ROOT / "notebooks" / f"{name}.ipynb"


def both(built, name):
    """Return a notebook of the students, and the teacher's copy of it."""
    found = (built / "student" / "notebooks" / f"{name}.ipynb",
             built / "teacher" / "source" / student.ASSIGNMENT / path_of(name).name)  # fmt: skip
    return [nbformat.read(path, 4) for path in found]


def graded(notebook):
    return [cell for cell in notebook.cells
            if cell.cell_type == "code" and "nbgrader" in cell.metadata]  # fmt: skip


def test_a_stub_is_refused_and_its_solution_passes(built, name):
    """What a learner gets who does nothing, and what nbgrader gives the teacher's own answers."""
    for notebook, right in zip(both(built, name), (False, True), strict=True):
        imports = next(cell.source for cell in notebook.cells if cell.cell_type == "code")
        names: dict = {}
        exec(imports, names)
        cells = graded(notebook)
        assert len(cells) == 2 * path_of(name).read_text("utf-8").count('"solution"')
        for answer, check in zip(cells[::2], cells[1::2], strict=True):
            exec(answer.source, names)
            *before, last = check.source.splitlines()
            exec("\n".join(before), names)  # the hidden test, in the teacher's copy
            assert eval(last, names).right is right, check.source


def test_nothing_of_a_solution_is_left(built, name):
    pupil, _ = both(built, name)
    source = sources.read(path_of(name))
    rest = [cell for cell in source.cells if not sources.tagged(cell, "solution")]
    elsewhere = {line.strip() for cell in rest for line in cell.source.splitlines()}
    text = "\n".join(cell.source for cell in pupil.cells)
    lines = {line.strip() for cell in pupil.cells for line in cell.source.splitlines()}
    for cell in source.cells:
        if sources.tagged(cell, "solution"):
            own = {line.strip() for line in cell.source.splitlines()} - elsewhere
            assert not own & lines
            assert not set(re.findall(r"\w+_solution", cell.source)) & set(re.findall(r"\w+", text))
    assert "### " not in "".join(cell.source for cell in pupil.cells if cell.cell_type == "code")
    assert not any(sources.tagged(cell, "solution") for cell in pupil.cells)


def test_the_student_version_has_no_outputs_and_keeps_the_rest(built, name):
    pupil, teacher = both(built, name)
    nbformat.validate(pupil)
    nbformat.validate(teacher)
    source = sources.read(path_of(name))
    assert [cell.id for cell in pupil.cells] == [cell.id for cell in source.cells]
    for cell in pupil.cells:
        assert cell.cell_type != "code" or (cell.outputs, cell.execution_count) == ([], None)


def test_the_metadata_is_nbgraders(built, name):
    pupil, teacher = both(built, name)
    for notebook in (pupil, teacher):
        found = [cell for cell in notebook.cells if "nbgrader" in cell.metadata]
        names = [cell.metadata.nbgrader.grade_id for cell in found]
        assert len(set(names)) == len(names)
        for cell in found:
            notes = cell.metadata.nbgrader
            jsonschema.validate(notes, SCHEMA)
            assert notes.cell_type == cell.cell_type
            assert notes.grade == ("points" in notes)
            assert notes.grade or not cell.source.startswith(student.BEGIN_HIDDEN)
    for answer, check in zip(*[iter(graded(teacher))] * 2, strict=True):
        assert answer.metadata.nbgrader.solution
        assert answer.source.count(student.BEGIN) == answer.source.count(student.END) == 1
        assert 1 <= check.metadata.nbgrader.points <= 3


def test_every_exercise_keeps_minutes_marks_and_hints(built, name):
    pupil, _ = both(built, name)
    for k, cell in enumerate(pupil.cells):
        if cell.metadata.get("nbgrader", {}).get("solution"):
            text = pupil.cells[k - 1].source
            marks = student.EXERCISE.search(text)[3].count("●")
            assert pupil.cells[k + 1].metadata.nbgrader.points == marks
            assert re.findall(r"<summary>Hint (\d)", text) == ["1", "2", "3"]


def test_links_lead_somewhere(built):
    for path in [*built.rglob("*.ipynb"), *built.rglob("*.md")]:
        text = path.read_text("utf-8")
        if path.suffix == ".ipynb":
            cells = nbformat.read(path, 4).cells
            text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
        for link in re.findall(r"(?<!!)\]\(([^)#\s]+)", text):
            assert link.startswith("https://") or (path.parent / link).exists(), (path.name, link)


def test_nbgrader_is_told_to_leave_the_stub(built):
    settings = (built / "teacher" / "nbgrader_config.py").read_text("utf-8")
    assert 'code_stub = {"python": ""}' in settings
    compile(settings, "nbgrader_config.py", "exec")


def test_an_exercise_of_another_form_is_named():
    notebook = sources.read(path_of("00_start_here"))
    at = next(k for k, cell in enumerate(notebook.cells) if sources.tagged(cell, "solution"))
    notebook.cells[at].source = "x = 1"
    with pytest.raises(CourseError, match=r"00_start_here\.ipynb, cell-10: an exercise is"):
        list(student.exercises(path_of("00_start_here"), notebook))


@pytest.mark.long
def test_the_student_version_runs_to_its_end_with_its_stubs(built, name, monkeypatch):
    monkeypatch.setenv("TQDM_DISABLE", "1")
    path = built / "student" / "notebooks" / f"{name}.ipynb"
    notebook = nbformat.read(path, 4)
    client = NotebookClient(notebook, timeout=1500, kernel_name="python3",
                            resources={"metadata": {"path": path.parent}})  # fmt: skip
    client.execute()
    said = [output.data["text/plain"] for cell in notebook.cells
            if cell.metadata.get("nbgrader", {}).get("grade")
            for output in cell.outputs if "data" in output]  # fmt: skip
    assert all(text.startswith("✘") for text in said)
    assert len(said) == len(graded(notebook)) // 2
