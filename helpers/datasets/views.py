"""Augmentation by a fixed number of views of every image, e.g. its eight turns and mirrorings.

With augmentation drawn anew in every epoch the frozen part of a network has to run in every epoch.
With fixed views it runs once per image and view; every epoch then shows each image in one of its
views, drawn at random.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np

View = Callable[[np.ndarray], np.ndarray]


def dihedral(n: int = 8) -> list[View]:
    """Return the first `n` of the eight turns and mirrorings of a square, the identity first.

    Legitimate where an image means the same in any position (solar cells, cells under a
    microscope), not for X-rays of a chest. Each takes images ``(..., H, W, C)``.
    """

    return [functools.partial(_turned, k=k) for k in range(n)]


def _turned(images: np.ndarray, k: int) -> np.ndarray:
    images = np.rot90(images, k % 4, axes=(-3, -2))
    return images[..., ::-1, :] if k >= 4 else images


def nudged(n: int, pixels: int = 6, contrast: float = 0.15, seed: int = 0) -> list[View]:
    """Return `n` views: the identity, then small shifts with a change of contrast.

    Legitimate for most images, X-rays included: nothing is mirrored and nothing turned. The
    border that a shift uncovers repeats the edge. Each takes images ``(..., H, W, C)``, uint8.
    """
    rng = np.random.default_rng(seed)
    views = [functools.partial(_moved, dy=0, dx=0, factor=1.0)]
    for _ in range(n - 1):
        dy, dx = rng.integers(-pixels, pixels + 1, 2)
        factor = rng.uniform(1 - contrast, 1 + contrast)
        views.append(functools.partial(_moved, dy=dy, dx=dx, factor=factor))
    return views


def _moved(images: np.ndarray, dy: int, dx: int, factor: float) -> np.ndarray:
    height, width = images.shape[-3:-1]
    rows = np.clip(np.arange(height) + dy, 0, height - 1)
    columns = np.clip(np.arange(width) + dx, 0, width - 1)
    images = images[..., rows[:, None], columns[None, :], :]
    return np.clip((images - 128.0) * factor + 128, 0, 255).astype(np.uint8)


class Seen:
    """Images as they look in one view, computed when they are asked for.

    It stands where an array of images ``(N, H, W, C)`` stands.
    """

    def __init__(self, images: np.ndarray, view: View) -> None:
        self.images, self.view, self.dtype = images, view, images.dtype
        self.shape = (len(images), *view(images[:1]).shape[1:])

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index) -> np.ndarray:
        return np.ascontiguousarray(self.view(self.images[index]))


class Mixed:
    """Several arrays of the same images, one per view; each image is taken from one of them.

    Attributes
    ----------
    arrays : the views, ``(N, ...)`` each: images, or their stored activations.
    choice : ``(N,)``, from which view each image is taken; `choose` draws it.
    """

    def __init__(self, arrays: Sequence[np.ndarray | Seen]) -> None:
        self.arrays = list(arrays)
        self.shape = self.arrays[0].shape
        self.choice = np.zeros(self.shape[0], dtype=np.int64)

    def choose(self, *seed: int) -> None:
        """Draw a view for every image; `seed` may be several numbers, e.g. seed and epoch."""
        rng = np.random.default_rng(seed)
        self.choice = rng.integers(len(self.arrays), size=self.shape[0])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: np.ndarray) -> np.ndarray:
        rows = zip(index, self.choice[index], strict=True)
        return np.stack([self.arrays[view][row] for row, view in rows])
