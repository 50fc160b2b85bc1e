"""What the site, the slides, the student version and the handout have in common: their sources."""

from __future__ import annotations

import ast
import contextlib
import html
import io
import re
import sys
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import nbformat
import yaml
from matplotlib.font_manager import FontProperties
from matplotlib.mathtext import MathTextParser, math_to_image
from nbformat import NotebookNode

from helpers.errors import CourseError
from helpers.files import digest

ROOT = Path(__file__).parent.parent
SITE = ROOT / "_site"
WIDGET = "(run the notebook to use it)"  # how a stored output shows a widget
WIDGETS_LIKE = (WIDGET, "VBox(children=")
PICTURES = ("image/png", "image/jpeg")
FORMULA = re.compile(r"\$\$?([^$\n]+?)\$\$?")
TERMS = (
    "Text and figures: CC BY 4.0. Pictures of solar cells: CC BY-NC-SA 4.0, not for commercial "
    "use. Code: Apache-2.0."
)


def notebook_files() -> list[Path]:
    """Return the notebooks, in the order of the course; those in more/ come last."""
    folder = ROOT / "notebooks"
    return [*sorted(folder.glob("*.ipynb")), *sorted(folder.glob("more/*.ipynb"))]


def name_of(path: Path) -> str:
    """Return how the tables of this folder call a notebook, e.g. ``"more/layers_and_shapes"``."""
    return path.relative_to(ROOT / "notebooks").with_suffix("").as_posix()


def read(path: Path) -> NotebookNode:
    """Return a notebook with its outputs.

    Raises
    ------
    CourseError
        Where a code cell was not run: then there is nothing to show.
    """
    notebook = nbformat.read(path, 4)
    for cell in notebook.cells:
        if cell.cell_type == "code" and cell.execution_count is None:
            raise CourseError(
                f"{path.name} has a cell without stored outputs ({cell.id}). Run the notebooks "
                "first: python course.py notebooks"
            )
    return notebook


def title_of(notebook: NotebookNode) -> str:
    """Return a notebook's first heading."""
    return notebook.cells[0].source.splitlines()[0].strip("# ")


def tagged(cell: NotebookNode, tag: str) -> bool:
    """Whether a cell carries a tag."""
    return tag in cell.metadata.get("tags", [])


def text_of(output: NotebookNode) -> str:
    """Return the plain text of an output; empty where it has none, or is a warning."""
    if output.output_type == "stream":
        return output.text if output.name == "stdout" else ""
    return output.get("data", {}).get("text/plain", "")


def is_widget(output: NotebookNode) -> bool:
    """Whether an output is a widget, which says nothing without a kernel."""
    return any(mark in text_of(output) for mark in WIDGETS_LIKE)


def pictures_of(cell: NotebookNode) -> Iterator[tuple[str, str, str]]:
    """Yield the pictures of a cell: kind (``"image/png"``), base64, alternative text."""
    for output in cell.get("outputs", []):
        for kind in PICTURES:
            if kind in output.get("data", {}):
                yield kind, output.data[kind], output.metadata[kind]["alt"]


def question_of(notebook: NotebookNode, cell: NotebookNode) -> tuple[str, list[str]]:
    """Return what a cell with a `Prediction` asks, and the answers to choose from.

    Raises
    ------
    CourseError
        Where the question is put together from what only the running notebook knows.
    """
    names = {}
    for other in notebook.cells[: notebook.cells.index(cell) + 1]:
        if other.cell_type == "code":
            for node in ast.parse(other.source).body:
                if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                    names[node.targets[0].id] = node.value
    calls = (node for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.Call))
    for call in calls:
        if getattr(call.func, "attr", "") == "Prediction":
            words = [names.get(getattr(arg, "id", ""), arg) for arg in call.args[:2]]
            try:
                question, answers = (ast.literal_eval(word) for word in words)
            except ValueError:
                break
            return question, answers
    raise CourseError(f"{cell.id} asks no question that stands there in plain words.")


def linked(path: Path, text: str, there: Collection[Path]) -> str:
    """Return markdown in which a link to what will not be there is plain text.

    Parameters
    ----------
    path : the file that the text stands in, from which its links lead.
    there : the files that may be linked to.
    """

    def mend(found: re.Match) -> str:
        words, address = found[1], found[2]
        target = (path.parent / address.split("#")[0]).resolve()
        return found[0] if re.match(r"https?:|#", address) or target in there else words

    return re.sub(r"(?<!!)\[([^\]]+)\]\(([^)\s]+)\)", mend, text)


def with_formulas(text: str, show: Callable[[str], str]) -> str:
    """Return markdown whose ``$...$`` are what `show` makes of them; code stays as it is."""
    parts = re.split(r"(```.*?```|`[^`]*`)", text, flags=re.DOTALL)
    parts[::2] = [FORMULA.sub(lambda found: show(found[1]), part) for part in parts[::2]]
    return "".join(parts)


def formula(latex: str) -> tuple[bytes, float]:
    """Return a formula as an SVG, and how far it reaches below the line of text, in points."""
    font, target = FontProperties(size=13, math_fontfamily="dejavuserif"), io.BytesIO()
    text = "$" + latex.replace(r"\qquad", r"\quad\quad") + "$"  # matplotlib knows no qquad
    math_to_image(text, target, prop=font, format="svg", dpi=72)
    return target.getvalue(), MathTextParser("path").parse(text, dpi=72, prop=font).depth


def kept(content: bytes, suffix: str, folder: Path) -> str:
    """Write a picture under a name that its content gives; return the name."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{digest(content)[:16]}.{suffix}"
    (folder / name).write_bytes(content)
    return name


def formula_html(latex: str, folder: Path, up: str) -> str:
    """Return a formula as the HTML of a picture; its alternative text is the LaTeX.

    Parameters
    ----------
    folder : where the picture is written.
    up : how that folder is reached from the page, with a slash at its end.
    """
    drawn, depth = formula(latex)
    name = kept(drawn, "svg", folder)
    return (
        f'<img class="formula" src="{up}{name}" alt="{html.escape(latex)}" '
        f'style="vertical-align: -{depth}pt">'
    )


def target(words: list[str], usual: Path) -> Path:
    """Return the folder that a command's words name, else the usual one.

    Raises
    ------
    CourseError
        For more than one word, and for one like an option: a folder would get its name.
    """
    if len(words) > 1 or (words and words[0].startswith("-")):
        raise CourseError(f"{' '.join(words)}: name one folder to build into, or nothing.")
    return Path(words[0]) if words else usual


def run(
    words: list[str],
    usual: Path,
    build: Callable[[Path], list[Path]],
    say: Callable[[list[Path], Path], str],
) -> int:
    """Build into the folder that a command's words name, and say what was made; the exit code."""
    try:
        folder = target(words, usual)
        with writing(folder):
            made = build(folder)
    except CourseError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(say(made, folder))
    return 0


@contextlib.contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turn what the system refuses while `folder` is filled into one sentence (`CourseError`)."""
    try:
        yield
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""  # a full disk names no file
        raise CourseError(
            f"{folder} cannot be filled ({error.strerror}{where}). Name a folder that has room "
            "and may be written to."
        ) from error


def citation() -> str:
    """Return how to cite the course, in a sentence; from CITATION.cff."""
    facts = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    authors = ", ".join(author["name"] for author in facts["authors"])
    return f"{authors}: {facts['title']}, version {facts['version']}."


def footer() -> str:
    """Return the terms and how to cite, as HTML; it stands under every page."""
    return (
        f'<p class="terms">{html.escape(TERMS)}<br>'
        f"To cite: {html.escape(citation())} (CITATION.cff)</p>"
    )
