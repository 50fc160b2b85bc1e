"""Time and disk from nothing to the first picture of notebook 00.

``python -m benchmarks.install`` clones the course into a folder of its own, installs it there with
no cache of earlier downloads, and runs notebook 00 up to its first picture. Options go to
course.py: ``--cpu`` for PyTorch without GPU libraries, ``--wheels FOLDER`` for an install without a
network. The row goes into ``benchmarks/install.json``, one for each set of options.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "install.json"
GPU = ("nvidia", "triton", "cuda")  # folders of site-packages that only a GPU uses


def size(folder: Path) -> float:
    """Return what a folder takes on disk, in GB (10^9 bytes)."""
    return sum(path.lstat().st_blocks * 512 for path in folder.rglob("*")) / 1e9


def first_picture(notebook: Path) -> Path:
    """Write a copy that ends with the first cell that stores a picture; return its path."""
    content = json.loads(notebook.read_text("utf-8"))
    last = next(
        number
        for number, cell in enumerate(content["cells"])
        if any("image/png" in output.get("data", {}) for output in cell.get("outputs", []))
    )
    content["cells"] = content["cells"][: last + 1]
    short = notebook.with_name("first_picture.ipynb")
    short.write_text(json.dumps(content), "utf-8")
    return short


def measure(options: list[str]) -> dict:
    """Install once and run the notebook's beginning; return seconds and GB."""
    with tempfile.TemporaryDirectory() as folder:
        course = Path(folder) / "course"
        subprocess.run(["git", "clone", "--quiet", ROOT, course], check=True)
        environment = os.environ | {
            "COURSE_CACHE": str(Path(folder) / "cache"), "PIP_NO_CACHE_DIR": "1",
            "UV_NO_CACHE": "1", "TQDM_DISABLE": "1",
        }  # fmt: skip
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, "course.py", *options, "install"],
            cwd=course, env=environment, check=True,
        )  # fmt: skip
        installed = time.perf_counter()
        programs = course / ".venv" / ("Scripts" if os.name == "nt" else "bin")
        subprocess.run(
            [programs / "python", "-m", "jupyter", "nbconvert", "--to", "notebook", "--execute",
             "--inplace", first_picture(course / "notebooks" / "00_start_here.ipynb")],
            cwd=course, env=environment, check=True,
        )  # fmt: skip
        seen = time.perf_counter()
        packages = next((course / ".venv").rglob("site-packages"))
        gpu = sum(size(path) for path in packages.iterdir() if path.name.startswith(GPU))
        return {
            "options": " ".join(option.split("/")[-1] for option in options),
            "python": sys.version.split()[0],
            "install_seconds": round(installed - start),
            "first_picture_seconds": round(seen - installed),
            "environment_gb": round(size(course / ".venv"), 2),
            "of_which_gpu_gb": round(gpu, 2),
        }


def main() -> None:
    """Measure, and replace the row of the same options."""
    row = measure(sys.argv[1:])
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    rows = [old for old in kept if old["options"] != row["options"]] + [row]
    RESULTS.write_text(json.dumps(rows, indent=1) + "\n")
    print(row)


if __name__ == "__main__":
    main()
