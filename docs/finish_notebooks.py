"""What follows a run of the notebooks.

Tidy the stored outputs, save the figure README shows, and collect the interviewer's questions.
"""

import base64
import re
from pathlib import Path

import nbformat

HERE = Path(__file__).parent
NOTEBOOKS = HERE.parent / "notebooks"
NIGHT = HERE / "night_before.md"
QUESTION = re.compile(
    r"<details><summary><b>The interviewer asks:</b> (.+?)</summary>\n(.*?)</details>", re.DOTALL
)
WIDGET = "application/vnd.jupyter.widget-view+json"


def main() -> None:
    """Tidy every notebook; write the last picture tagged ``readme-picture`` beside this file."""
    for path in sorted([*NOTEBOOKS.glob("*.ipynb"), *NOTEBOOKS.glob("more/*.ipynb")]):
        notebook = nbformat.read(path, 4)
        for cell in notebook.cells:
            for output in cell.get("outputs", []):
                data = output.get("data", {})
                # A stored view of a widget that no longer lives shows as an error.
                data.pop(WIDGET, None)
                if {"image/png", "image/jpeg"} & set(data):
                    data.pop("text/html", None)  # the picture once more, for those who listen
            if "readme-picture" in cell.metadata.get("tags", []):
                save_picture(path, cell)
        nbformat.write(notebook, path)
    NIGHT.write_text(with_questions(NIGHT.read_text("utf-8")), "utf-8")


def with_questions(page: str) -> str:
    """Return the page for the night before with the questions and answers of 00 to 07 as they are.

    They stand in the notebooks only; here, between two marks, they are copied.
    """
    parts = []
    for path in sorted(NOTEBOOKS.glob("0[0-7]_*.ipynb")):
        cells = [cell.source for cell in nbformat.read(path, 4).cells]
        parts.append(f"### [{cells[0].splitlines()[0].strip('# ')}](../notebooks/{path.name})")
        for question, answer in QUESTION.findall("\n".join(cells)):
            answer = re.sub(r"\]\((\d\d_\w+\.ipynb)", r"](../notebooks/\1", answer.strip())
            parts += [f"**{question[0].upper()}{question[1:]}**", answer]
    begin, end = "<!-- questions: copied from the notebooks -->", "<!-- end of the questions -->"
    before, after = page.split(begin)[0], page.split(end)[1]
    return before + "\n\n".join([begin, *parts, end]) + after


def save_picture(path: Path, cell: nbformat.NotebookNode) -> None:
    """Write the cell's picture; exit with a sentence when the cell was not run."""
    data = [output.get("data", {}) for output in cell.outputs]
    pictures = [found["image/png"] for found in data if "image/png" in found]
    if not pictures:
        raise SystemExit(f"{path.name} stores no picture yet. Run: make notebooks")
    (HERE / "three_strategies.png").write_bytes(base64.b64decode(pictures[0]))


if __name__ == "__main__":
    main()
