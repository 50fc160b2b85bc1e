"""Save the figure that README shows: the stored output of the cell tagged ``readme-picture``."""

import base64
from pathlib import Path

import nbformat

HERE = Path(__file__).parent
NOTEBOOKS = HERE.parent / "notebooks"


def main() -> None:
    """Write the last picture so tagged beside this file."""
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        for cell in nbformat.read(path, 4).cells:
            if "readme-picture" in cell.metadata.get("tags", []):
                pictures = [
                    o.data["image/png"] for o in cell.outputs if "image/png" in o.get("data", {})
                ]
                if not pictures:
                    raise SystemExit(f"{path.name} stores no picture yet. Run: make notebooks")
                picture = pictures[0]
                (HERE / "three_strategies.png").write_bytes(base64.b64decode(picture))


if __name__ == "__main__":
    main()
