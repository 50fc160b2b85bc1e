"""COURSE_DATASET moves the whole course: every notebook runs on a set it was not written on."""

import os
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from PIL import Image

HERE = Path(__file__).parent.parent / "notebooks"
NOTEBOOKS = [
    path for path in sorted([*HERE.glob("*.ipynb"), *HERE.glob("more/*.ipynb")])
    if "datasets.load" in path.read_text("utf-8")  # the interview room looks at no images
]  # fmt: skip
# Every notebook by `make test-all`; these by every `make test`.
OFTEN = {"00_start_here", "02_three_strategies", "05_choosing_a_strategy", "labels_and_classes"}
# Fewer draws than a reader gets: here only that every cell runs is asked.
QUICK = {"batchnorm_and_batches": "SEEDS, EPOCHS = range(2), 1",
         "adapters_and_shipping": "SEEDS = range(2)",
         "labels_and_classes": "SEEDS, MANY = range(2), range(2)",
         "layers_and_shapes": "DRAWS, N_LOOK = 2, 4"}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Three classes of small colour images, few of them, in odd sizes."""
    root = tmp_path_factory.mktemp("blobs") / "images"
    rng = np.random.default_rng(0)
    for k, name in enumerate(("red", "green", "blue")):
        (root / name).mkdir(parents=True)
        for i in range(24):
            pixels = rng.integers(0, 120, (50 + i, 60, 3))
            pixels[..., k] += 100
            Image.fromarray(pixels.astype(np.uint8)).save(root / name / f"{i}.png")
    return root


@pytest.mark.parametrize("path", [
    pytest.param(path, id=path.stem, marks=[] if path.stem in OFTEN else pytest.mark.long)
    for path in NOTEBOOKS
])  # fmt: skip
def test_a_colour_folder_with_three_classes_and_few_images(path, folder, tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_DATASET", f"folder:{folder}")
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path))
    monkeypatch.setenv("TQDM_DISABLE", "1")
    notebook = nbformat.read(path, 4)
    for cell in notebook.cells:
        if "parameters" in cell.metadata.get("tags", []):
            cell.source += "\n" + QUICK.get(path.stem, "")
    resources = {"metadata": {"path": os.fspath(path.parent)}}
    NotebookClient(notebook, timeout=1500, resources=resources).execute()
    printed = "".join(
        output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", [])
    )
    assert "red" in printed
    assert "defective" not in printed
