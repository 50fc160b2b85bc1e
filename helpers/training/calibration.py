"""Does a probability mean what it says: temperature scaling, reliability, calibration error.

All for two classes, with the log odds ``logits`` of class 1. Guo et al. 2017, "On calibration of
modern neural networks".
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar
from scipy.special import expit

from helpers.training.metrics import wilson

BINS = 10


def temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """Return the temperature by which to divide `logits` so that the log loss is smallest.

    Notebook 06 writes this by hand. Fit on validation; the order of the images, and so the AUC,
    stays as it is.

    Parameters
    ----------
    logits : ``(N,)`` log odds of class 1. labels : ``(N,)`` of 0 and 1.
    """

    def log_loss(log_t: float) -> float:
        scaled = logits / np.exp(log_t)
        return float(np.mean(np.logaddexp(0, scaled) - labels * scaled))

    return float(np.exp(minimize_scalar(log_loss, bounds=(-3, 3), method="bounded").x))


def reliability(labels: np.ndarray, probabilities: np.ndarray, bins: int = BINS) -> pd.DataFrame:
    """Return what was said and what came true, in bins of equally many images.

    Parameters
    ----------
    labels : ``(N,)`` of 0 and 1. probabilities : ``(N,)`` of class 1, 0..1.

    Returns
    -------
    A row per bin: ``said`` (mean probability), ``true`` (share of class 1) with Wilson's 95 %
    interval ``lo, hi``, and ``n``.
    """
    rows = []
    for index in np.array_split(np.argsort(probabilities, kind="stable"), bins):
        said, true, n = probabilities[index].mean(), labels[index].mean(), len(index)
        rows.append((said, true, *wilson(true, n), n))
    return pd.DataFrame(rows, columns=["said", "true", "lo", "hi", "n"])


def calibration_error(labels: np.ndarray, probabilities: np.ndarray, bins: int = BINS) -> float:
    """Return the expected calibration error: the mean gap between said and true over the bins."""
    found = reliability(labels, probabilities, bins)
    return float(np.average((found["said"] - found["true"]).abs(), weights=found["n"]))


def error_by_chance(
    probabilities: np.ndarray, bins: int = BINS, draws: int = 200, seed: int = 0
) -> tuple[float, float]:
    """Return the calibration error that perfect probabilities would show on so few images.

    The estimate is biased: no bin's share hits its probability exactly. Labels are drawn from the
    probabilities themselves, and scored; the mean and the 97.5th percentile of `draws`.
    """
    rng = np.random.default_rng(seed)
    order = np.argsort(probabilities, kind="stable")
    labels = rng.random((draws, len(order))) < probabilities[order]
    gaps = [
        np.abs(drawn.mean(axis=1) - said.mean()) * len(said)
        for drawn, said in zip(np.array_split(labels, bins, axis=1),
                               np.array_split(probabilities[order], bins), strict=True)
    ]  # fmt: skip
    errors = np.sum(gaps, axis=0) / len(order)
    return float(errors.mean()), float(np.percentile(errors, 97.5))


def probability(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Return the probabilities of class 1, ``(N,)``."""
    return expit(logits / temperature)
