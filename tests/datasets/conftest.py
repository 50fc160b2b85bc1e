from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image


@pytest.fixture
def root(tmp_path) -> Path:
    """Return the folder that image files are drawn into."""
    folder = tmp_path / "images"
    folder.mkdir()
    return folder


@pytest.fixture
def draw(root) -> Callable[..., Path]:
    """Return a function that saves an image of one colour, by its path inside `root`."""

    def save(path: str, colour=90, mode: str = "L", **options) -> Path:
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new(mode, (20, 16), colour).save(file, **options)
        return file

    return save


@pytest.fixture
def fill(root) -> Callable[[dict[str, int]], Path]:
    """Return a function that draws so many images per folder, the k-th with gray value k.

    A mark in the corner makes each of them different from all others.
    """

    def save(counts: dict[str, int]) -> Path:
        for number, (name, n) in enumerate(counts.items()):
            (root / name).mkdir(parents=True, exist_ok=True)
            for k in range(n):
                image = Image.new("L", (20, 16), k % 256)
                image.paste((60 + 20 * number + 7 * (k // 256)) % 256, (15, 0, 20, 3))
                image.save(root / name / f"{k:03d}.png")
        return root

    return save
