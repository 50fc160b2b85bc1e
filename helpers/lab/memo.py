"""Results that this machine keeps, so that the very same run answers at once the second time.

The key holds everything that decides a result: images, labels, starting weights, settings,
versions, this machine's kind of arithmetic, and the code that trains. Nothing stale can be read.
"""

from __future__ import annotations

import contextlib
import functools
import io
import json
import platform
from pathlib import Path

import numpy as np
import torch

from helpers import files
from helpers.datasets import Dataset, Split
from helpers.lab.race import Mistakes, Result
from helpers.lab.setup import Arm, Setup
from helpers.training import experiments, strategies
from helpers.training.metrics import Score

FORMAT = 1  # raise it when what is stored would mean something else


MOST = 300  # entries, about 100 kB each


CODE = (
    "datasets/*.py",
    "networks/*.py",
    "training/*.py",
    "inspection/gradcam.py",
    "plots/images.py",
    "lab/memo.py",
    "lab/setup.py",
    "lab/worker.py",
)  # of helpers: what decides a result


NUMBERS = ("auc", "auc_lo", "auc_hi", "accuracy", "trainable", "seconds", "best_epoch", "n_train")


SCORE = ("auc", "auc_lo", "auc_hi", "accuracy", "accuracy_lo", "accuracy_hi", "n", "n_groups")


def folder() -> Path:
    """Return where the results are kept."""
    return files.folder("lab", "results")


def key(setup: Setup, arm: Arm, data: Dataset) -> str:
    """Return the name under which the result of `arm` on `data` is kept."""
    experiment = setup.experiment(arm)
    model = strategies.build(
        experiment.strategy, experiment.backbone, n_classes=len(data.card.classes),
        channels=data.card.channels, seed=experiment.seed, **experiment.model_options,
    )  # fmt: skip
    machine = (platform.machine(), torch.backends.cpu.get_cpu_capability(),
               torch.get_num_threads(), torch.cuda.is_available())  # fmt: skip
    weights = [value.contiguous().numpy().tobytes() for value in model.state_dict().values()]
    parts = [chunk for part in (data.train, data.val, data.test) for chunk in _contents(part)]
    return files.digest(
        FORMAT, repr(experiment), repr(arm.policy), data.card.classes, experiments.versions(),
        code(), machine, model.mean.tolist(), model.std.tolist(), *weights, *parts,
    )  # fmt: skip


def _contents(part: Split) -> list[bytes]:
    arrays = (np.asarray(part.images[:]), part.labels, part.groups)
    return [np.ascontiguousarray(array).tobytes() for array in arrays]


@functools.cache
def code() -> str:
    """Return a digest of the source that decides a result."""
    root = Path(__file__).parents[1]
    files = [path for pattern in CODE for path in root.glob(pattern)]
    return files.digest(*(path.read_bytes() for path in sorted(files)))


def read(name: str) -> tuple[Result, list[dict]] | None:
    """Return a kept result and its history; None when there is none, or it is damaged."""
    path = folder() / f"{name}.npz"
    try:
        with np.load(path, allow_pickle=False) as file:
            stored = {name: file[name] for name in file.files}
        facts = json.loads(str(stored["facts"]))
        found = _restored(stored, facts), facts["history"]
    except FileNotFoundError:
        return None
    except Exception:  # a damaged file raises a dozen different types; it is made again
        files.remove(path)
        return None
    files.touch(path)
    return found


def _restored(stored: dict[str, np.ndarray], facts: dict) -> Result:
    score = Score(**facts["score"], probabilities=stored["probabilities"], labels=stored["labels"])
    wrong = Mistakes(stored["index"], stored["images"], stored["heat"], *facts["wrong"])
    return Result(
        **facts["numbers"], source="earlier", score=score, groups=stored["groups"], mistakes=wrong,
        classes=tuple(facts["classes"]), versions=facts["versions"],
    )  # fmt: skip


def write(name: str, result: Result, history: list[dict]) -> None:
    """Keep a result that was trained just now; where nothing can be written, do without."""
    score, wrong = result.score, result.mistakes
    facts = {
        "numbers": {k: getattr(result, k) for k in NUMBERS},
        "score": {k: getattr(score, k) for k in SCORE},
        "wrong": [wrong.n_wrong, wrong.n], "classes": list(result.classes),
        "versions": result.versions, "history": history,
    }  # fmt: skip
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer, facts=np.array(json.dumps(facts)), probabilities=score.probabilities,
        labels=score.labels, groups=result.groups, index=wrong.index, images=wrong.images,
        heat=wrong.heat,
    )  # fmt: skip
    path = folder() / f"{name}.npz"
    with contextlib.suppress(OSError):
        with files.atomic_path(path) as temporary:
            temporary.write_bytes(buffer.getvalue())
        _drop_oldest()


def _drop_oldest() -> None:
    entries = sorted(folder().glob("*.npz"), key=lambda path: path.stat().st_mtime)
    for path in entries[:-MOST]:
        files.remove(path)
