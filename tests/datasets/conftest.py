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
def fill(root, draw) -> Callable[[dict[str, int]], Path]:
    """Return a function that draws so many images per folder, the k-th with gray value k."""

    def save(counts: dict[str, int]) -> Path:
        for name, n in counts.items():
            for k in range(n):
                draw(f"{name}/{k:03d}.png", k)
        return root

    return save
