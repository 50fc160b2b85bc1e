"""Runs that are compared with another run on the same test images, seed by seed."""

from __future__ import annotations

import numpy as np

from helpers import files
from helpers.datasets import Split
from helpers.training import experiments, metrics
from helpers.training.experiments import Experiment
from helpers.training.metrics import Score


def probabilities(
    folder: str,
    key: tuple,
    experiment: Experiment,
    own: np.ndarray | None = None,
    **options,
) -> np.ndarray:
    """Return the test probabilities ``(N, n_classes)`` of a reference run, which are kept.

    Parameters
    ----------
    folder : of the cache.
    key, experiment : of the reference run; it is trained again where nothing is kept.
    own : the probabilities, where the reference run is what has just been trained.
    options : of `helpers.training.experiments.measure`.
    """
    name = f"{files.digest(key, experiment, experiments.versions())}.npy"
    path = files.folder(folder, name)
    if own is None and not path.is_file():
        own = experiments.measure(experiment, **options).score.probabilities
    if own is not None:
        with files.atomic_path(path) as temporary, temporary.open("wb") as file:
            np.save(file, own)
    return np.load(path)


def difference(score: Score, test: Split, reference: np.ndarray, name: str) -> dict[str, float]:
    """Return how far an AUC is above the reference's, as the columns ``name, name_lo, name_hi``.

    The 95 % interval is the paired bootstrap over the images of `test`, or their groups.
    """
    found = metrics.auc_difference(score.labels, reference, score.probabilities, test.groups)
    return {name: round(found.mean, 4), f"{name}_lo": round(found.lo, 4),
            f"{name}_hi": round(found.hi, 4)}  # fmt: skip
