"""What a data set is: its card, its three splits, and how a smaller sample is drawn from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, train_test_split

from helpers.errors import CourseError


@dataclass(frozen=True)
class Card:
    """Everything a notebook may say about a data set without knowing which one it is.

    Attributes
    ----------
    name : the name that `helpers.datasets.load` takes.
    title : one line for figure titles, e.g. ``"solar cells, electroluminescence"``.
    domain : what kind of images, e.g. ``"electroluminescence"``; the same word in the results.
    classes : class names, index = label. For two classes, index 1 is the positive class of the AUC.
    channels : 1 for gray, 3 for colour.
    size : height and width of the stored images, in pixels.
    split_rule : one sentence: how train, validation and test were made.
    source, terms : where the images come from and what may be done with them.
    caveat : what a reader must know before believing a number on this set ("" if nothing).
    """

    name: str
    title: str
    domain: str
    classes: tuple[str, ...]
    channels: int
    size: int
    split_rule: str
    source: str
    terms: str
    caveat: str = ""


@dataclass(frozen=True)
class Split:
    """One part of a data set, in memory or memory-mapped.

    Attributes
    ----------
    images : uint8 array ``(N, H, W, C)``, values 0..255, C = 1 (gray) or 3 (RGB). Channels come
        last because that is the layout in which a CPU convolves fastest. A large part is a
        `helpers.datasets.dataset.Rows`, which reads from disk what it is asked for.
    labels : int64 array ``(N,)``.
    groups : int64 array ``(N,)``: images that must not be torn apart (one patient, one module)
        share a number. All different when nothing is known.
    """

    images: np.ndarray | Rows
    labels: np.ndarray
    groups: np.ndarray

    def __post_init__(self) -> None:
        if self.images.ndim != 4 or self.images.shape[-1] not in (1, 3):
            raise CourseError(
                f"Images must be an array (N, H, W, 1 or 3), this one is {self.images.shape}."
            )
        if self.images.dtype != np.uint8:
            raise CourseError(f"Images must be uint8 (0..255), these are {self.images.dtype}.")
        if not len(self.images) == len(self.labels) == len(self.groups):
            raise CourseError(
                f"{len(self.images)} images, {len(self.labels)} labels and {len(self.groups)} "
                "groups: there must be as many of each."
            )

    def __len__(self) -> int:
        return len(self.labels)

    def subset(self, index: np.ndarray | Sequence[int]) -> Split:
        """Return the images at `index`, in that order."""
        index = np.asarray(index, dtype=np.int64)
        return Split(take_rows(self.images, index), self.labels[index], self.groups[index])

    def sample(self, n: int, seed: int = 0) -> Split:
        """Return `n` images drawn without replacement, class shares kept as well as n allows."""
        return self.subset(stratified_sample(self.labels, n, seed))


@dataclass(frozen=True)
class Dataset:
    """A card and three splits. The test split is for one score at the end, never for a choice."""

    card: Card
    train: Split
    val: Split
    test: Split

    def take(self, n: int, seed: int = 0) -> Dataset:
        """Return the same data with only `n` training images.

        The validation split shrinks with it, to n / 4 and at least 32 images: a small-data
        experiment that picks its epoch on hundreds of spare labels would not be a small-data
        experiment. The test split stays whole.

        Raises
        ------
        CourseError
            When `n` is larger than the training split, or too small for one image per class.
        """
        n_val = min(len(self.val), max(n // 4, 32, len(self.card.classes)))
        return replace(self, train=self.train.sample(n, seed), val=self.val.sample(n_val, seed))

    def counts(self) -> dict[str, dict[str, int]]:
        """Return images per split and class, ``{"train": {"class": n, ...}, ...}``."""
        parts = {"train": self.train, "val": self.val, "test": self.test}
        return {
            part: {name: int((split.labels == k).sum()) for k, name in enumerate(self.card.classes)}
            for part, split in parts.items()
        }


def stratified_sample(labels: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Return `n` sorted positions into `labels`, drawn class by class in proportion.

    A class too rare for its share still gets one.

    Raises
    ------
    CourseError
        When there are fewer than `n` labels, or `n` is less than the number of classes.
    """
    n_classes = len(np.unique(labels))
    if n > len(labels):
        raise CourseError(
            f"Asked for {n:,} images, but this split has {len(labels):,}. "
            f"Ask for {len(labels):,} or fewer, or leave n out to take them all."
        )
    if n < n_classes:
        raise CourseError(f"n = {n} cannot hold one image of each of {n_classes} classes; raise n.")
    if n > len(labels) - n_classes or np.bincount(labels).min() < 2:
        # scikit-learn wants two images of each class, and one of each left over.
        index = np.random.default_rng(seed).permutation(len(labels))[:n]
    else:
        index, _ = train_test_split(
            np.arange(len(labels)), train_size=n, stratify=labels, random_state=seed
        )
    return np.sort(_with_every_class(labels, index, seed))


def _with_every_class(labels: np.ndarray, index: np.ndarray, seed: int) -> np.ndarray:
    """Return `index`; for each class it lacks, one of that class in place of one of the largest."""
    rng, index = np.random.default_rng(seed), index.copy()
    for name in np.setdiff1d(labels, labels[index]):
        drawn = labels[index]
        names, counts = np.unique(drawn, return_counts=True)
        index[np.flatnonzero(drawn == names[counts.argmax()])[0]] = rng.choice(
            np.flatnonzero(labels == name)
        )
    return index


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


# Parts of a data set smaller than this are copied into memory, where access is fastest.
IN_MEMORY_BYTES = 500_000_000


class Rows:
    """The rows `index` of `base`; it stands where an array of images ``(N, H, W, C)`` stands."""

    def __init__(self, base: np.ndarray, index: np.ndarray) -> None:
        self.base, self.index = base, np.asarray(index)
        self.shape, self.dtype = (len(self.index), *base.shape[1:]), base.dtype
        self.ndim = base.ndim

    def __len__(self) -> int:
        return len(self.index)

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return np.asarray(self[:], dtype=dtype)

    def __getitem__(self, key) -> np.ndarray:
        return self.base[self.index[key]]


def take_rows(images: np.ndarray | Rows, index: np.ndarray) -> np.ndarray | Rows:
    """Return the rows `index`: a copy in memory, or a `Rows` when that would be too large."""
    if isinstance(images, Rows):
        return take_rows(images.base, images.index[index])
    n_bytes = len(index) * int(np.prod(images.shape[1:])) * images.dtype.itemsize
    if isinstance(images, np.memmap) and n_bytes > IN_MEMORY_BYTES:
        return Rows(images, index)
    return np.asarray(images[index])
