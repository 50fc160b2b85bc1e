"""Linear probes: how well a straight cut through a part's features tells the classes apart.

Alain & Bengio 2016 (arXiv 1610.01644): a linear classifier on the features of a layer measures
what is easy to read there, and nothing in front of it is trained for the task.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from helpers.datasets import Dataset
from helpers.inspection.activations import pooled
from helpers.networks.backbones import Backbone
from helpers.training import metrics
from helpers.training.metrics import Score

STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)  # scikit-learn's C: small is strongly regularised


@dataclass(frozen=True)
class Probe:
    """How a probe did on the test split.

    Attributes
    ----------
    strength : the C that was best on validation. val_auc : its AUC there.
    """

    strength: float
    val_auc: float
    score: Score


def probe(
    features: Mapping[str, np.ndarray], data: Dataset, strengths: Sequence[float] = STRENGTHS
) -> Probe:
    """Fit logistic regression on one part's features; score it on the test split, once.

    Features are standardised, so that parts of different scale are regularised alike. The
    regularisation is chosen by the AUC on validation (of equals, the stronger).

    Parameters
    ----------
    features : ``"train"``, ``"val"``, ``"test"`` -> ``(N, F)``, a row per image of the split.
    data : gives the labels and, for the interval, the groups.
    """
    train, val, test = (features[name] for name in ("train", "val", "test"))
    lines = {
        strength: make_pipeline(
            StandardScaler(),
            LogisticRegression(C=strength, class_weight="balanced", max_iter=1000, tol=1e-3),
        ).fit(train, data.train.labels)
        for strength in sorted(strengths)
    }
    auc = {c: metrics.auc(data.val.labels, line.predict_proba(val)) for c, line in lines.items()}
    best = max(auc, key=auc.get)  # of equals the first, so the strongest regularisation
    score = metrics.score(data.test.labels, lines[best].predict_proba(test), data.test.groups)
    return Probe(best, auc[best], score)


def probe_parts(
    model: Backbone, data: Dataset, wanted: Sequence[str] | None = None, *, image: bool = True
) -> pd.DataFrame:
    """Probe the pooled activations of every part; one pass through the network gives them all.

    Parameters
    ----------
    wanted : parts; None for stem to last stage.
    image : begin with the means of the image's own channels, the baseline without a network.

    Returns
    -------
    A row per part, in running order: ``part``, ``depth`` (0 is the image), ``channels``, ``auc``,
    ``auc_lo``, ``auc_hi`` (95 % bootstrap over the test images or their groups), ``strength``,
    ``n_train``, ``n_val``, ``n_test``, and ``score``, a `Score` with every prediction in it.
    """
    splits = {name: getattr(data, name) for name in ("train", "val", "test")}
    found = {name: pooled(model, split, wanted, image=image) for name, split in splits.items()}
    sizes = {f"n_{name}": len(split) for name, split in splits.items()}
    depths = {"image": 0} | {name: k for k, name in enumerate(model.part_names, start=1)}
    rows = []
    for part, train in found["train"].items():
        fitted = probe({name: found[name][part] for name in splits}, data)
        rows.append({
            "part": part, "depth": depths[part], "channels": train.shape[1],
            "auc": fitted.score.auc, "auc_lo": fitted.score.auc_lo,
            "auc_hi": fitted.score.auc_hi, "strength": fitted.strength, **sizes,
            "score": fitted.score,
        })  # fmt: skip
    return pd.DataFrame(rows)
