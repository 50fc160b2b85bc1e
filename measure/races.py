"""Whole runs for the lab, with curves and predictions: of the prepared race that is shown at once,
and of those that are shown where a machine is too slow to run them before a class.

No image is stored: labels, probabilities and curves only. Of the test sets of all measured data
sets that are found here the counts are kept, so that the lab knows what guessing comes to.
"""

from __future__ import annotations

import json
import os
import tempfile
from datetime import datetime
from pathlib import Path

import torch

from helpers import datasets, files
from helpers.lab import measured
from helpers.lab.races import PREPARED
from helpers.lab.setup import Setup
from helpers.training import experiments

MEASURED = ("elpv", "chest_xray", "flowers", "hymenoptera")


def make(path: Path = measured.RACES) -> int:
    """Measure the prepared races, on one thread and with nothing cached; return how many arms."""
    torch.set_num_threads(1)
    first, *others = (race.setup for race in PREPARED)
    found = [name for name in MEASURED if name in datasets.names()]
    tests = json.loads(path.read_text("utf-8"))["tests"] if path.is_file() else {}
    for name in found:
        data = datasets.load(name, size=32)
        tests[name] = {"counts": data.counts()["test"]}
        if name == first.dataset:
            tests[name]["labels"] = data.test.labels.tolist()
    runs = measure(first)
    # A race that the table of scores answers at once needs no curves here.
    spare = [run for setup in others if not all(measured.available(setup))
             for run in measure(setup)]  # fmt: skip
    whole = {"tests": tests, "runs": runs, "spare": spare, "when": f"{datetime.now():%Y-%m-%d}"}
    with files.atomic_path(path) as temporary:
        temporary.write_text(json.dumps(whole) + "\n", encoding="utf-8")
    return len(runs) + len(spare)


def measure(setup: Setup) -> list[dict]:
    """Return the arms of a race as they are stored."""
    runs = []
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
        print(f"{measured.key(setup, arm)['strategy']}: AUC {outcome.score.auc:.3f}", flush=True)
    return runs
