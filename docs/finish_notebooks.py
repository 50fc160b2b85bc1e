"""What follows a run of the notebooks: tidy the stored outputs, save the figure README shows."""

import base64
from pathlib import Path

import nbformat

HERE = Path(__file__).parent
NOTEBOOKS = HERE.parent / "notebooks"
WIDGET = "application/vnd.jupyter.widget-view+json"


def main() -> None:
    """Tidy every notebook; write the last picture tagged ``readme-picture`` beside this file."""
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        notebook = nbformat.read(path, 4)
        for cell in notebook.cells:
            for output in cell.get("outputs", []):
                # A stored view of a widget that no longer lives shows as an error.
                output.get("data", {}).pop(WIDGET, None)
            if "readme-picture" in cell.metadata.get("tags", []):
                save_picture(path, cell)
        nbformat.write(notebook, path)


def save_picture(path: Path, cell: nbformat.NotebookNode) -> None:
    """Write the cell's picture; exit with a sentence when the cell was not run."""
    data = [output.get("data", {}) for output in cell.outputs]
    pictures = [found["image/png"] for found in data if "image/png" in found]
    if not pictures:
        raise SystemExit(f"{path.name} stores no picture yet. Run: make notebooks")
    (HERE / "three_strategies.png").write_bytes(base64.b64decode(pictures[0]))


if __name__ == "__main__":
    main()
