"""What single precision cost an AUC: the same answers of the same networks, ranked twice.

``python -m benchmarks.precision`` (minutes on one core; with ``COURSE_DATA_DIR``) trains cells of
the measured grid, as far as precision.json does not hold them. Until November 2026 the course took
the softmax in single precision: whatever was surer than 1 - 6e-8 was 1, and ties count half.
"""

from __future__ import annotations

import itertools
import json

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from benchmarks.run import HERE, write_readme
from helpers.evidence import grid, tables
from helpers.training import experiments, strategies
from helpers.training.experiments import Experiment
from helpers.training.recipe import Recipe

FOUND = HERE / "precision.json"

# The last one: the surest that scratch becomes here within minutes, with its longer schedule.
CELLS = (
    ("chest_xray", 50, "lp_ft", 40), ("chest_xray", 200, "partial_finetune", 20),
    ("chest_xray", 200, "full_finetune", 20), ("chest_xray", 800, "feature_extraction", 10),
    ("chest_xray", 800, "partial_finetune", 10), ("hymenoptera", 194, "partial_finetune", 20),
    ("chest_xray", 200, "scratch", 60),
)  # fmt: skip

CELL = ["dataset", "n_train", "strategy", "epochs"]


def single(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Return the AUC of class 1 of two with probabilities rounded to single precision."""
    return float(roc_auc_score(labels, probabilities[:, 1].astype(np.float32)))


def measured(dataset: str, n: int, strategy: str, epochs: int, seed: int) -> dict:
    """Train one cell and rank its answers to the test images both ways."""
    experiment = Experiment(
        strategies.by_name(strategy), dataset, n, grid.BACKBONE, grid.IMAGE_SIZE,
        Recipe(epochs=epochs), seed,
    )  # fmt: skip
    score = experiments.measure(experiment, data=experiment.data()).score
    cell = dict(zip(CELL, (dataset, n, strategy, epochs), strict=True))
    return cell | {
        "seed": seed,
        "auc": round(score.auc, 4),
        "single": round(single(score.labels, score.probabilities), 4),
        "sure": round(float((score.probabilities.max(axis=1) > 1 - 6e-8).mean()), 3),
    }


def table(rows: pd.DataFrame) -> str:
    """Return the cells as Markdown, beside what the grid's table held for the same runs."""
    both = rows.merge(tables.read_rows_before(), on=[*CELL, "seed"], suffixes=("", "_stored"))
    lines = [
        "| data | images | strategy, epochs | AUC by log odds | the same answers, single precision "
        "| the run of before | rounded to 1 |",
        "|---|---|---|---|---|---|---|",
    ]
    for (name, n, strategy, epochs), cell in both.groupby(CELL, sort=False):
        aucs = [", ".join(f"{auc:.3f}" for auc in cell[column])
                for column in ("auc", "single", "auc_stored")]  # fmt: skip
        sure = ", ".join(f"{share:.0%}" for share in cell["sure"])
        lines.append(f"| {name} | {n} | {strategy}, {epochs} | {' | '.join(aucs)} | {sure} |")
    return "\n".join(lines)


def main() -> None:
    """Measure what is missing, in the order of `CELLS`, and write it down."""
    known = {(*(row[name] for name in CELL), row["seed"]): row
             for row in json.loads(FOUND.read_text())}  # fmt: skip
    for cell, seed in itertools.product(CELLS, range(3)):
        row = known.pop((*cell, seed), None) or measured(*cell, seed)
        known[*cell, seed] = row  # at the end: the order of the cells
        FOUND.write_text(json.dumps(list(known.values()), indent=1) + "\n")
    write_readme(precision=table(pd.DataFrame(known.values())))


if __name__ == "__main__":
    main()
