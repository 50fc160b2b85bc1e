"""How alike two representations of the same images are: centred kernel alignment (CKA).

Kornblith et al. 2019 (arXiv 1905.00414) define it. Its plain estimate is biased: with fewer images
than features it is high for representations that have nothing in common. The debiased one here
puts the unbiased HSIC of Song et al. 2012 into the same ratio (as Nguyen et al. 2021, arXiv
2010.15327, do).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from helpers.datasets import Split
from helpers.errors import CourseError
from helpers.inspection.activations import flattened
from helpers.networks.backbones import Backbone

FEWEST = 4  # images; the unbiased HSIC divides by n - 3

HALVES = 200  # random halves of the images for an interval


@dataclass(frozen=True)
class CKA:
    """A debiased CKA with a 95 % interval over the images.

    Attributes
    ----------
    cka, lo, hi : 1 for the same representation up to rotation and scale, about 0 for unrelated
        ones; the estimate is not bounded and may fall a little below 0.
    biased : the plain estimate of the same images, in 0..1.
    n : images.
    """

    cka: float
    lo: float
    hi: float
    biased: float
    n: int


def linear_cka(x: np.ndarray, y: np.ndarray, *, debiased: bool = True) -> float:
    """Return the CKA with linear kernels of two representations.

    It does not change when a representation is rotated, shifted or scaled as a whole; it does when
    directions are stretched unequally. High CKA does not mean equal function.

    Parameters
    ----------
    x, y : ``(N, F1)`` and ``(N, F2)``, row i of both belongs to image i.
    debiased : use the unbiased HSIC. False gives the estimate of Kornblith et al., in 0..1.

    Raises
    ------
    CourseError
        When the two do not hold the same number of images, at least four; or when a representation
        is the same for all images.
    """
    return _ratio(*_grams(x, y), debiased)


def compare(x: np.ndarray, y: np.ndarray, seed: int = 0) -> CKA:
    """Return the debiased CKA of two representations of at least eight images, and its interval.

    Notes
    -----
    A bootstrap would repeat images, and a pair of equal images looks alike in any representation.
    So the interval comes from random halves drawn without replacement; the spread of the half's
    estimate is the standard error of the whole's (delete-half jackknife, Shao & Wu 1989).
    """
    gram_x, gram_y = _grams(x, y)
    n, rng = len(gram_x), np.random.default_rng(seed)
    grids = [np.ix_(half, half) for half in (rng.permutation(n)[: n // 2] for _ in range(HALVES))]
    spread = 1.96 * float(np.std([_ratio(gram_x[g], gram_y[g], True) for g in grids]))
    whole = _ratio(gram_x, gram_y, True)
    return CKA(whole, whole - spread, whole + spread, _ratio(gram_x, gram_y, False), n)


def cka_per_part(
    first: Backbone, second: Backbone, split: Split, wanted: Sequence[str] | None = None
) -> dict[str, CKA]:
    """Compare two networks part by part on the same images; whole activations, not pooled.

    Both must have the parts asked for; all of `first`'s when `wanted` is None.
    """
    theirs = flattened(second, split, wanted)
    return {name: compare(x, theirs[name]) for name, x in flattened(first, split, wanted).items()}


def _grams(x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
    """Return the matrices of inner products ``(N, N)`` of two centred representations."""
    if x.ndim != 2 or y.ndim != 2 or len(x) != len(y) or len(x) < FEWEST:
        raise CourseError(
            f"CKA compares two matrices (N, features), row by row the same N >= {FEWEST} images; "
            f"these are {x.shape} and {y.shape}. Pool or flatten maps first."
        )
    # Shifting changes nothing but the rounding: large means would drown small differences.
    centred = [f.astype(np.float64) - f.mean(axis=0, dtype=np.float64) for f in (x, y)]
    return [features @ features.T for features in centred]


def _ratio(gram_x: np.ndarray, gram_y: np.ndarray, debiased: bool) -> float:
    hsic = _unbiased_hsic if debiased else _biased_hsic
    own = hsic(gram_x, gram_x) * hsic(gram_y, gram_y)
    if not own > 0:
        raise CourseError(
            "One of the two representations is the same for (nearly) all images: there is nothing "
            "to align. Is it a dead layer, are all images equal, or are there NaN?"
        )
    return float(hsic(gram_x, gram_y) / np.sqrt(own))


def _biased_hsic(gram_x: np.ndarray, gram_y: np.ndarray) -> float:
    """HSIC of Gretton et al. 2005 for centred features, without the factor that cancels in CKA."""
    return float((gram_x * gram_y).sum())


def _unbiased_hsic(gram_x: np.ndarray, gram_y: np.ndarray) -> float:
    """Song et al. 2012, equation 5: the diagonals, where an image meets itself, are left out."""
    n = len(gram_x)
    x, y = gram_x - np.diag(np.diag(gram_x)), gram_y - np.diag(np.diag(gram_y))
    chance = x.sum() * y.sum() / ((n - 1) * (n - 2))
    rows = 2 * (x.sum(axis=0) @ y.sum(axis=0)) / (n - 2)
    return float(((x * y).sum() + chance - rows) / (n * (n - 3)))
