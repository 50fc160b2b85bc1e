"""Memory against the number of images in a folder: ``python -m benchmarks.memory`` (minutes).

Folders of small PNG files are made, loaded with an empty cache and trained on (one epoch of
feature extraction, its state kept in a folder), with the code of then and with the code of now,
each in a process of its own. Memory is what a process owns (anonymous pages) at its peak; pages of
mapped files belong to the system, which drops them when it needs the room, and stand apart. Of two
sizes the difference gives the memory of an image, and by it what more would take. Writes
``memory.json`` and its table in ``README.md``. It needs the repository's history.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

HERE = Path(__file__).parent
THEN = "e928514"  # decoded a whole folder into one array
SIZE, NUMBERS, MANY = 64, (2_000, 20_000), 200_000
MEASURE = """
import json, sys, psutil
from benchmarks.scaling import PeakMemory
from helpers.datasets import load
from helpers.training import loop, recipe, strategies
folder, state = sys.argv[1:]
before = psutil.Process().memory_info()
watch = PeakMemory()
watch.start()
data = load(f"folder:{folder}", size=%d)
loaded = watch.own
strategy = strategies.feature_extraction()
model = strategies.build(strategy, n_classes=2, channels=1)
loop.fit(model, data, strategy, recipe.Recipe(epochs=1), folder=state)
watch.done.set()
print(json.dumps({"start_mb": (before.rss - before.shared) / 1e6, "loaded_mb": loaded / 1e6,
                  "trained_mb": watch.own / 1e6, "mapped_mb": watch.mapped / 1e6}))
"""


def draw(folder: Path, n: int) -> None:
    """Save `n` gray images of noise in two classes."""
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
        for k in range(n // 2):
            Image.fromarray(rng.integers(0, 256, (SIZE, SIZE), np.uint8)).save(
                folder / name / f"{k}.png", compress_level=0
            )


def memory(root: Path, images: Path) -> dict:
    """Return the peak of one process with the code in the checkout `root`."""
    with tempfile.TemporaryDirectory() as cache:
        environment = os.environ | {
            "PYTHONPATH": str(root), "COURSE_CACHE": cache, "OMP_NUM_THREADS": "1",
            "TQDM_DISABLE": "1",
        }  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-c", MEASURE % SIZE, images, f"{cache}/state"], cwd=root,
            env=environment, check=True, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
    return json.loads(done.stdout.splitlines()[-1])


def table(rows: list[dict]) -> str:
    """Return the measurements as Markdown, with what `MANY` images would take."""
    lines = [
        f"Gray images of {SIZE} px; own memory at its peak. One process, one run each.",
        "",
        f"| code | {' | '.join(f'{n:,} images (MB)' for n in NUMBERS)} | bytes an image | "
        f"{MANY:,} images, extrapolated (MB) | mapped files at {NUMBERS[-1]:,} (MB) |",
        "|---|---|---|---|---|---|",
    ]
    for when in ("then", "now"):
        small, large = (r for n in NUMBERS for r in rows if (r["n"], r["code"]) == (n, when))
        most = 0.0  # the peak of both stages is the larger one
        for stage, words in (("loaded_mb", "loading"), ("trained_mb", "loading and training")):
            few, many = small[stage], large[stage]
            slope = (many - few) / (NUMBERS[1] - NUMBERS[0])
            most = max(most, many + slope * (MANY - NUMBERS[1]))
            lines.append(
                f"| {when}, {words} | {few:,.0f} | {many:,.0f} | {1e6 * slope:,.0f} | "
                f"{most:,.0f} | {large['mapped_mb']:,.0f} |"
            )
    return "\n".join(lines)


def main() -> None:
    """Measure both codes at both numbers of images, in turn; write the file and the table."""
    from benchmarks.run import write_readme

    rows = []
    with tempfile.TemporaryDirectory() as folder:
        old = Path(folder) / "then"
        subprocess.run(["git", "worktree", "add", "-q", "--detach", old, THEN], check=True)
        try:
            for n in NUMBERS:
                draw(Path(folder) / f"{n}", n)
                for code, root in (("then", old), ("now", HERE.parent)):
                    rows.append({"n": n, "code": code, **memory(root, Path(folder) / f"{n}")})
                    print(rows[-1], flush=True)
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", old], check=True)
    (HERE / "memory.json").write_text(json.dumps(rows, indent=1) + "\n")
    write_readme(memory=table(rows))


if __name__ == "__main__":
    main()
