"""Scores that guess how well features transfer, before anything is trained.

Two questions, two families. How far apart are two sets of images? (`proxy_a_distance`,
`frechet_distance`, `mean_distance`: no labels.) How well do features fit given labels? (`logme`,
`leep`.) All take arrays; none of them knows a network.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from helpers.errors import CourseError
from helpers.evidence import tables

TRANSFERABILITY = tables.FOLDER / "transferability.csv"

TRANSFERABILITY_COLUMNS = (
    "dataset", "n_train", "seed", "backbone", "image_size", "part", "logme", "leep", "probe_auc",
    "versions",
)  # fmt: skip

FOLDS = 5


def read_transferability(path: Path = TRANSFERABILITY) -> pd.DataFrame:
    """Return data/results/transferability.csv; a row per data set, n, seed and part."""
    return tables.read(path, TRANSFERABILITY_COLUMNS)


def proxy_a_distance(features_a: ArrayLike, features_b: ArrayLike, seed: int = 0) -> float:
    """Return how well a linear classifier tells two sets apart: 0 not at all, 2 without a mistake.

    ``2 (1 - 2 err)`` with the cross-validated error of a logistic regression, both sets weighing
    the same (Ben-David et al., *Analysis of representations for domain adaptation*, 2007).

    Parameters
    ----------
    features_a, features_b : ``(N_a, F)`` and ``(N_b, F)``, at least 5 rows each.
    seed : of the folds.

    Notes
    -----
    It ignores labels, and it saturates: with many good features nearly any two sets can be told
    apart, by a camera, a JPEG setting or a missing colour as well as by what they show. Below
    chance by bad luck counts as 0.
    """
    features = np.concatenate([features_a, features_b]).astype(np.float64)
    origin = np.repeat([0, 1], [len(features_a), len(features_b)])
    classifier = make_pipeline(
        StandardScaler(), LogisticRegression(C=0.1, max_iter=1000, class_weight="balanced")
    )
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    guess = cross_val_predict(classifier, features, origin, cv=folds)
    error = np.mean([(guess[origin == k] != k).mean() for k in (0, 1)])
    return max(0.0, float(2 * (1 - 2 * error)))


def frechet_distance(features_a: ArrayLike, features_b: ArrayLike) -> float:
    """Return the squared Fréchet distance between Gaussians fitted to two sets of features.

    ``|m_a - m_b|^2 + tr(S_a + S_b - 2 (S_a S_b)^(1/2))`` (Dowson & Landau 1982; with Inception
    features this is the FID of Heusel et al. 2017). Units: those of the features, squared.

    Parameters
    ----------
    features_a, features_b : ``(N_a, F)`` and ``(N_b, F)``, at least 2 rows each.

    Notes
    -----
    Biased upwards when there are few rows: compare only values made from equally many.
    """
    a, b = (np.asarray(x, dtype=np.float64) for x in (features_a, features_b))
    shift = a.mean(axis=0) - b.mean(axis=0)
    a, b = ((x - x.mean(axis=0)) / np.sqrt(len(x) - 1) for x in (a, b))
    # The eigenvalues of S_a S_b are the squared singular values of a b^T, a small matrix.
    overlap = np.linalg.svd(a @ b.T, compute_uv=False).sum()
    return max(0.0, float(shift @ shift + (a**2).sum() + (b**2).sum() - 2 * overlap))


def mean_distance(features: ArrayLike, reference: ArrayLike) -> float:
    """Return how far the mean of `features` lies from that of `reference`, in reference spreads.

    ``|m - m_ref| / sqrt(tr S_ref)``, with the expected contribution of sampling noise taken off,
    so that small and large samples can be compared (the unbiased linear-kernel MMD of Gretton et
    al. 2012, scaled). 0: same mean; 1: as far away as a typical image of the reference.

    Parameters
    ----------
    features, reference : ``(N, F)`` and ``(N_ref, F)``, at least 2 rows each.
    """
    a, b = (np.asarray(x, dtype=np.float64) for x in (features, reference))
    shift = a.mean(axis=0) - b.mean(axis=0)
    spread_a, spread_b = (float(x.var(axis=0, ddof=1).sum()) for x in (a, b))
    squared = float(shift @ shift) - spread_a / len(a) - spread_b / len(b)
    return float(np.sqrt(max(0.0, squared) / spread_b))


def logme(features: ArrayLike, labels: ArrayLike) -> float:
    """Return LogME: the log evidence per image of labels under a Bayesian linear model.

    For each class against the rest, ``y = F w + noise`` with Gaussian `w` and noise; their two
    precisions are set to what makes the labels most probable, and the log evidence is averaged
    over images and classes (You et al., *LogME: practical assessment of pre-trained models for
    transfer learning*, ICML 2021). Higher is better.

    Parameters
    ----------
    features : ``(N, F)``. labels : ``(N,)`` integers, at least two classes.

    Notes
    -----
    Made to rank feature extractors on *one* target. Values of different targets (other labels,
    other class shares, other N) cannot be compared. It judges frozen features under a linear
    head: what fine-tuning would make of them it cannot know.
    """
    features, labels = np.asarray(features, dtype=np.float64), np.asarray(labels)
    left, singular, _ = np.linalg.svd(features, full_matrices=False)
    squared = singular**2
    targets = [(labels == k).astype(np.float64) for k in np.unique(labels)]
    return float(np.mean([_evidence(left, squared, y) for y in targets]) / len(labels))


def _evidence(left: np.ndarray, squared: np.ndarray, y: np.ndarray) -> float:
    """Maximise the log evidence of ``y`` over both precisions by MacKay's fixed-point iteration."""
    n = len(y)
    projected = (left.T @ y) ** 2
    outside = max(0.0, float(y @ y - projected.sum()))  # what no weights could ever fit
    ratio = 1.0  # precision of the weights over precision of the noise
    for _ in range(500):
        effective = (squared / (squared + ratio)).sum()
        weights = (squared * projected / (squared + ratio) ** 2).sum()
        residual = (projected * (ratio / (squared + ratio)) ** 2).sum() + outside
        alpha = effective / max(weights, 1e-12)
        beta = max(n - effective, 1e-12) / max(residual, 1e-12)
        before, ratio = ratio, float(np.clip(alpha / beta, 1e-12, 1e12))
        if abs(np.log(ratio / before)) < 1e-6:
            break
    # Weights along directions without any feature keep their prior and cancel out.
    return 0.5 * float(
        n * np.log(beta / (2 * np.pi)) - np.log1p(squared * beta / alpha).sum()
        - beta * residual - alpha * weights
    )  # fmt: skip


def leep(source_probabilities: ArrayLike, labels: ArrayLike) -> float:
    """Return LEEP: the mean log-likelihood of labels guessed by way of the source classes.

    From the source head's probabilities the table P(label | source class) is counted; a label's
    likelihood is its mean under the image's source classes (Nguyen et al., *LEEP: a new measure
    to evaluate transferability of learned representations*, ICML 2020). At most 0, which is
    reached when every image has one source class and that class tells the label; source classes
    that say nothing give minus the entropy of the labels (nats).

    Parameters
    ----------
    source_probabilities : ``(N, Z)``, rows summing to 1: the source network, with its own head,
        on the target images. labels : ``(N,)`` integers, at least two classes.

    Notes
    -----
    Needs the source head, so it says nothing of self-supervised networks. With few images and
    many source classes the counted table is noise that looks like knowledge: LEEP is then too
    high. As with LogME, compare sources on one target, not targets.
    """
    p = np.asarray(source_probabilities, dtype=np.float64)
    if p.ndim != 2 or (p < 0).any() or not np.allclose(p.sum(axis=1), 1, atol=1e-3):
        raise CourseError(
            "The rows of source_probabilities must be probabilities that sum to 1; give "
            "logits.softmax(dim=1), not logits."
        )
    labels, n = np.asarray(labels), len(p)
    if labels.shape != (n,):
        raise CourseError(f"{n} images need {n} labels in one row, these are {labels.shape}.")
    names, labels = np.unique(labels, return_inverse=True)
    if len(names) < 2:
        raise CourseError("All labels are the same; a score of labels needs at least two classes.")
    one_hot = np.eye(len(names))[labels]
    joint = one_hot.T @ p
    given_source = joint / np.maximum(joint.sum(axis=0), 1e-300)
    return float(np.log((p * given_source[labels]).sum(axis=1)).mean())
