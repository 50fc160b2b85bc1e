"""What a data set is: its card, its three splits, and how a smaller sample is drawn from it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, train_test_split

from helpers.errors import CourseError

# A sample larger than this is not copied out of a memory-mapped array.
IN_MEMORY_BYTES = 500_000_000


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
    warnings : the sentences of the caveat that were found out when the images were loaded: what has
        to stand beside a score on them.
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
    warnings: tuple[str, ...] = ()


class Rows:
    """Some rows of a memory-mapped array, read from disk only when they are asked for.

    It stands where an array of images ``(N, H, W, C)`` stands.
    """

    def __init__(self, images: np.ndarray | Rows, index: np.ndarray) -> None:
        self.images, self.index = images, index
        self.shape, self.dtype = (len(index), *images.shape[1:]), images.dtype

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, key) -> np.ndarray:
        return self.images[self.index[key]]


def content(rows: np.ndarray | Rows, n: int = 32, between: bytes = b"") -> Iterator[bytes]:
    """Yield the bytes of an array, `n` rows at a time, for `files.digest`; `between` joins them."""
    for start in range(0, len(rows), n):
        yield between * (start > 0) + np.ascontiguousarray(rows[start : start + n]).tobytes()


@dataclass(frozen=True)
class Split:
    """One part of a data set.

    Attributes
    ----------
    images : uint8 array ``(N, H, W, C)``, values 0..255, C = 1 (gray) or 3 (RGB), in memory or
        memory-mapped. Channels come last because that is the layout in which a CPU convolves
        fastest.
    labels : int64 array ``(N,)``.
    groups : int64 array ``(N,)``: images that must not be torn apart (one patient, one module)
        share a number. All different when nothing is known.
    """

    images: np.ndarray | Rows
    labels: np.ndarray
    groups: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def subset(self, index: np.ndarray | Sequence[int]) -> Split:
        """Return the images at `index`, in that order.

        They are copied into memory; more than `IN_MEMORY_BYTES` of a memory-mapped array stay on
        the disk (`Rows`).
        """
        index = np.asarray(index, dtype=np.int64)
        n_bytes = len(index) * int(np.prod(self.images.shape[1:]))
        on_disk = isinstance(self.images, (np.memmap, Rows)) and n_bytes > IN_MEMORY_BYTES
        images = Rows(self.images, index) if on_disk else np.asarray(self.images[index])
        return Split(images, self.labels[index], self.groups[index])

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
        parts, names = {"train": self.train, "val": self.val, "test": self.test}, self.card.classes
        counts = {k: np.bincount(v.labels, minlength=len(names)) for k, v in parts.items()}
        return {part: dict(zip(names, n.tolist(), strict=True)) for part, n in counts.items()}


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
    rng = np.random.default_rng(seed)
    # A class too rare for its share takes a place of the largest one.
    for absent in np.setdiff1d(labels, labels[index]):
        names, counts = np.unique(labels[index], return_counts=True)
        largest = np.flatnonzero(labels[index] == names[counts.argmax()])
        index[largest[0]] = rng.choice(np.flatnonzero(labels == absent))
    return np.sort(index)


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
    n_groups = len(strata) if groups is None else len(np.unique(groups))
    if n_groups == len(strata):
        return _holdout_images(strata, fraction, seed)
    n_folds = max(2, round(1 / fraction))
    if n_groups < n_folds:
        raise CourseError(
            f"Only {n_groups} groups for {n_folds} folds: too many images are copies or in one "
            "group of the file-name pattern. Remove copies, make the pattern narrower or leave it "
            "out."
        )
    folds = StratifiedGroupKFold(n_splits=n_folds, shuffle=True, random_state=seed)
    pairs = list(folds.split(np.zeros(len(strata)), strata, groups))
    n_classes = len(np.unique(strata))
    whole = [pair for pair in pairs if all(len(np.unique(strata[p])) == n_classes for p in pair)]
    return (whole or pairs)[0]


def _holdout_images(
    strata: np.ndarray, fraction: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Hold out images that belong to no groups, at least one of every class."""
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
    # An image of a class too rare for its share changes places with one of the largest class held
    # out, which has two: at least as many images are held out as there are classes.
    for absent in np.setdiff1d(names, strata[held_out]):
        present, counts = np.unique(strata[held_out], return_counts=True)
        out = np.flatnonzero(strata[held_out] == present[counts.argmax()])[0]
        into = np.flatnonzero(strata[kept] == absent)[0]  # shuffled: any is as good
        kept[into], held_out[out] = held_out[out], kept[into]
    return np.sort(kept), np.sort(held_out)
