"""What single precision cost an AUC: the same answers of the same networks, ranked twice.

``python -m benchmarks.precision`` (minutes on one core; with ``COURSE_DATA_DIR``) trains cells of
the measured grid. Until November 2026 the course took the softmax in single precision: whatever was
surer than 1 - 6e-8 was 1, and ties count half.
"""

from __future__ import annotations

import json

import numpy as np
from sklearn.metrics import roc_auc_score

from benchmarks.run import HERE, write_readme
from helpers.evidence import grid, tables
from helpers.training import experiments, strategies
from helpers.training.experiments import Experiment
from helpers.training.recipe import Recipe

FOUND = HERE / "precision.json"

CELLS = (
    ("chest_xray", 200, "partial_finetune"), ("chest_xray", 800, "feature_extraction"),
    ("chest_xray", 800, "partial_finetune"), ("hymenoptera", 194, "partial_finetune"),
)  # fmt: skip


def single(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Return the AUC of class 1 of two with probabilities rounded to single precision."""
    return float(roc_auc_score(labels, probabilities[:, 1].astype(np.float32)))


def measured(dataset: str, n: int, strategy: str, seed: int) -> dict:
    """Train one cell and rank its answers to the test images both ways."""
    experiment = Experiment(
        strategies.by_name(strategy), dataset, n, grid.BACKBONE, grid.IMAGE_SIZE,
        Recipe(epochs=grid.epochs_for(n)), seed,
    )  # fmt: skip
    score = experiments.measure(experiment, data=experiment.data()).score
    row = {"dataset": dataset, "n_train": n, "strategy": strategy, "seed": seed}
    return row | {
        "auc": round(score.auc, 4),
        "single": round(single(score.labels, score.probabilities), 4),
        "sure": round(float((score.probabilities.max(axis=1) > 1 - 6e-8).mean()), 3),
    }


def table(rows: list[dict]) -> str:
    """Return the cells as Markdown, beside what the grid's table holds for the same runs."""
    stored = tables.read_rows().query(f"image_size == {grid.IMAGE_SIZE}")
    lines = [
        "| data | images | strategy | AUC by log odds | the same answers, single precision | "
        "in the table | rounded to 1 |",
        "|---|---|---|---|---|---|---|",
    ]
    for dataset, n, strategy in CELLS:
        here = [r for r in rows if (r["dataset"], r["n_train"], r["strategy"])
                == (dataset, n, strategy)]  # fmt: skip
        old = stored[(stored.dataset == dataset) & (stored.n_train == n)
                     & (stored.strategy == strategy)].sort_values("seed")  # fmt: skip
        cells = [", ".join(f"{r[name]:.3f}" for r in here) for name in ("auc", "single")]
        cells += [", ".join(f"{auc:.3f}" for auc in old.auc)]
        cells += [", ".join(f"{r['sure']:.0%}" for r in here)]
        lines.append(f"| {dataset} | {n} | {strategy} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    found = [measured(*cell, seed) for cell in CELLS for seed in range(3)]
    FOUND.write_text(json.dumps(found, indent=1) + "\n")
    write_readme(precision=table(found))
