"""Whole runs for the lab, with curves and predictions: the prepared race that is shown at once.

No image is stored: labels, probabilities and curves only. Of the test sets of all measured data
sets that are found here the counts are kept, so that the lab knows what guessing comes to.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import torch

from helpers import datasets, files
from helpers.lab import measured
from helpers.lab.races import PREPARED
from helpers.training import experiments

MEASURED = ("elpv", "chest_xray", "flowers", "hymenoptera")


def make(path: Path = measured.RACES) -> int:
    """Measure the first prepared race, on one thread and with nothing cached; return its arms."""
    torch.set_num_threads(1)
    setup, runs = PREPARED[0].setup, []
    found = [name for name in MEASURED if name in datasets.names()]
    tests = json.loads(path.read_text("utf-8"))["tests"] if path.is_file() else {}
    for name in found:
        data = datasets.load(name, size=32)
        tests[name] = {"counts": data.counts()["test"]}
        if name == setup.dataset:
            tests[name]["labels"] = data.test.labels.tolist()
    for arm in setup.arms:
        with tempfile.TemporaryDirectory(prefix="races-") as folder:
            os.environ["COURSE_CACHE"] = folder
            outcome = experiments.measure(setup.experiment(arm))
        run, probabilities = outcome.run, outcome.score.probabilities[:, 1].tolist()
        runs.append({
            "key": measured.key(setup, arm), "trainable": run.trainable,
            "seconds": round(run.processor_seconds, 1), "best_epoch": run.best_epoch,
            "versions": experiments.versions(),
            "history": [{k: round(row[k], 4) for k in ("epoch", "train_loss", "val_auc")}
                        for row in run.history],
            "probabilities": [float(f"{p:.4g}") for p in probabilities],
        })  # fmt: skip
        print(f"{arm.strategy}: AUC {outcome.score.auc:.3f}", flush=True)
    with files.atomic_path(path) as temporary:
        temporary.write_text(json.dumps({"tests": tests, "runs": runs}) + "\n", encoding="utf-8")
    return len(runs)
