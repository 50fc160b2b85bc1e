"""What this machine has: versions, weights at hand, and how long the course will take on it."""

from __future__ import annotations

import os
import platform
import time
from importlib.metadata import version
from pathlib import Path

import psutil
import torch

from helpers import backbones, cache, datasets, engine

PACKAGES = ("torch", "torchvision", "timm", "lightning-fabric", "ipywidgets", "jupyterlab")
# Seconds that `probe` took on the two cores on which the course's times were measured.
REFERENCE_SECONDS = 0.095


def report() -> dict[str, str]:
    """Return what matters of this machine, a short text per topic."""
    memory = psutil.virtual_memory()
    facts = {
        "Python": f"{platform.python_version()} on {platform.system()}",
        "compute": engine.describe(),
        "memory": f"{memory.available / 2**30:.0f} of {memory.total / 2**30:.0f} GB free",
        "data set": datasets.default_name() + _where("COURSE_DATASET"),
        "own images": os.environ.get("COURSE_DATA_DIR", "none (COURSE_DATA_DIR is not set)"),
        "cache": f"{_short(cache.folder())} ({_writable(cache.folder())})",
    }
    facts |= {f"weights of {name}": place for name, place in backbones.available().items()}
    return facts | {name: version(name) for name in PACKAGES}


def probe() -> float:
    """Return how many seconds one small training step costs here (best of three)."""
    model = backbones.load(weights=None).train()
    images = torch.zeros(16, 3, 96, 96)
    seconds = []
    for _ in range(4):
        start = time.perf_counter()
        model(images).sum().backward()
        seconds.append(time.perf_counter() - start)
    return min(seconds[1:])


def minutes(at_reference: float) -> float:
    """Return the minutes to expect here for what takes `at_reference` minutes on two cores."""
    return at_reference * probe() / REFERENCE_SECONDS


def _where(variable: str) -> str:
    return (
        f" (set by {variable})" if os.environ.get(variable) else f" (default; {variable} moves it)"
    )


def _short(folder: Path) -> str:
    """Write the home folder as ~, so that a shown notebook does not tell whose machine it was."""
    home = Path.home()
    return str(Path("~", folder.relative_to(home)) if folder.is_relative_to(home) else folder)


def _writable(folder: Path) -> str:
    while not folder.exists():
        folder = folder.parent
    return "writable" if os.access(folder, os.W_OK) else "not writable: nothing is kept"
