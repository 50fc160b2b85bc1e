"""Cost against n: seconds per image and memory of strategy 1 on n synthetic images.

``python -m benchmarks.scaling 1600`` prints a line of JSON. The images are noise on disk, read
through a memory map, because only the cost is of interest. Seconds are divided by all images that
went through: n for training and 100 for validation. One small run goes before, so that what the
first call in a process costs (imports, buffers) is counted apart. Memory is what the
process itself owns (anonymous pages) at its peak; pages of mapped files belong to the system,
which drops them when it needs the room, and are reported apart.
"""

from __future__ import annotations

import json
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil

from helpers.datasets import Card, Dataset, Split
from helpers.networks.backbones import Backbone
from helpers.training import loop, recipe, strategies

SIZE, EPOCHS, N_VAL = 64, 5, 100


class PeakMemory(threading.Thread):
    """Watch this process's memory until told to stop."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.own = self.mapped = 0
        self.done = threading.Event()

    def run(self) -> None:
        process = psutil.Process()
        while not self.done.wait(0.02):
            info = process.memory_info()
            self.own = max(self.own, info.rss - info.shared)
            self.mapped = max(self.mapped, info.shared)


def noise(folder: Path, n: int) -> Split:
    """Return n images of noise in a file, block by block."""
    rng = np.random.default_rng(0)
    images = np.lib.format.open_memmap(folder / f"{n}.npy", "w+", np.uint8, (n, SIZE, SIZE, 1))
    for start in range(0, n, 400):
        block = images[start : start + 400]
        block[:] = rng.integers(0, 256, block.shape, dtype=np.uint8)
    images.flush()
    labels = np.arange(n) % 2
    return Split(np.load(folder / f"{n}.npy", mmap_mode="r"), labels, np.arange(n))


def main() -> None:
    """Train strategy 1 on n images with a cold cache and print what it cost."""
    n = int(sys.argv[1])
    card = Card("noise", "noise", "noise", ("a", "b"), 1, SIZE, "none", "made here", "none")
    with tempfile.TemporaryDirectory() as folder:
        train, small = noise(Path(folder), n), noise(Path(folder), N_VAL)
        data = Dataset(card, train, small, small)
        strategy = strategies.feature_extraction()
        model = strategies.build(strategy, n_classes=2, channels=1)
        first = seconds_of(model, replace(data, train=small), strategy)
        model = strategies.build(strategy, n_classes=2, channels=1)
        watch = PeakMemory()
        watch.start()
        seconds = seconds_of(model, data, strategy)
        watch.done.set()
    print(json.dumps({"n": n, "seconds_per_image": seconds / (n + N_VAL), "own_mb": watch.own / 1e6,
                      "mapped_mb": watch.mapped / 1e6, "first_run_seconds": first}))  # fmt: skip


def seconds_of(model: Backbone, data: Dataset, strategy: strategies.Strategy) -> float:
    """Return the seconds of one run of `fit`."""
    start = time.perf_counter()
    loop.fit(model, data, strategy, recipe.Recipe(epochs=EPOCHS))
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
