"""Cut a set of images into train, validation and test without tearing a group apart."""

from __future__ import annotations

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, train_test_split

from helpers.errors import CourseError


def holdout(
    strata: np.ndarray, fraction: float, seed: int, groups: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Split positions 0..N-1 into a kept and a held-out part.

    Parameters
    ----------
    strata : ``(N,)`` labels whose shares should be the same on both sides.
    fraction : share of the images to hold out, between 0 and 0.5.
    seed : which of the possible splits.
    groups : ``(N,)``; images of one group stay on one side. The share is then approximate,
        because groups cannot be cut.

    Returns
    -------
    kept, held_out : sorted positions.

    Without groups every class is on both sides. With groups, a class that lies in too few of them
    may be missing from one side: the caller looks.

    Raises
    ------
    CourseError
        When a class has one image, or there are fewer groups than parts.
    ValueError
        scikit-learn's, when every class has fewer images than there are parts.
    """
    if groups is None or len(np.unique(groups)) == len(groups):
        return _holdout_images(strata, fraction, seed)
    n_folds = max(2, round(1 / fraction))
    if len(np.unique(groups)) < n_folds:
        raise CourseError(
            f"Only {len(np.unique(groups))} groups for {n_folds} folds: the file-name pattern "
            "puts too many images into one group. Make the pattern narrower or leave it out."
        )
    folds = StratifiedGroupKFold(n_splits=n_folds, shuffle=True, random_state=seed)
    candidates = list(folds.split(np.zeros(len(strata)), strata, groups))
    whole = [c for c in candidates if all(_all_classes(strata, side) for side in c)]
    kept, held_out = (whole or candidates)[0]
    return np.sort(kept), np.sort(held_out)


def _all_classes(strata: np.ndarray, part: np.ndarray) -> bool:
    return len(np.unique(strata[part])) == len(np.unique(strata))


def _holdout_images(strata: np.ndarray, fraction: float, seed: int):
    names, counts = np.unique(strata, return_counts=True)
    if counts.min() < 2:
        rare = names[counts.argmin()]
        raise CourseError(
            f"Class {rare} has a single image; at least 2 are needed to train on one and check "
            "on the other. Add images or remove the class."
        )
    n_held_out = max(round(fraction * len(strata)), len(names))
    kept, held_out = train_test_split(
        np.arange(len(strata)), test_size=n_held_out, stratify=strata, random_state=seed
    )
    for name in np.setdiff1d(names, strata[held_out]):
        _swap_in(strata, name, kept, held_out)
    return np.sort(kept), np.sort(held_out)


def _swap_in(strata: np.ndarray, name: object, kept: np.ndarray, held_out: np.ndarray) -> None:
    """Exchange, in place, an image of a class too rare for its share for one of the largest.

    At least as many images are held out as there are classes, so the largest class has two.
    """
    present, counts = np.unique(strata[held_out], return_counts=True)
    out = np.flatnonzero(strata[held_out] == present[counts.argmax()])[0]
    into = np.flatnonzero(strata[kept] == name)[0]  # both parts are shuffled: any is as good
    kept[into], held_out[out] = held_out[out], kept[into]
