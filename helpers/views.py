"""Fixed views of every image: augmentation whose frozen activations can be kept.

Augmentation drawn anew in every epoch rules out computing the frozen front once. A fixed number
of views does not: the front runs once per image and view, and every epoch shows each image in one
of its views, drawn at random.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

View = Callable[[np.ndarray], np.ndarray]


def dihedral(n: int = 8) -> list[View]:
    """Return the first `n` of the eight turns and mirrorings of a square, the identity first.

    Legitimate where an image means the same in any position (solar cells, cells under a
    microscope), not for X-rays of a chest. Each takes images ``(..., H, W, C)``.
    """

    def turned(k: int) -> View:
        def view(images: np.ndarray) -> np.ndarray:
            images = np.rot90(images, k % 4, axes=(-3, -2))
            return images[..., ::-1, :] if k >= 4 else images

        return view

    return [turned(k) for k in range(n)]


class Seen:
    """Images as they look in one view, computed when they are asked for.

    It stands where an array of images ``(N, H, W, C)`` stands.
    """

    def __init__(self, images: np.ndarray, view: View) -> None:
        self.images, self.view = images, view
        self.shape, self.dtype = self.view(images[:1]).shape[1:], images.dtype
        self.shape = (len(images), *self.shape)

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
        """Draw a view for every image."""
        rng = np.random.default_rng(seed)
        self.choice = rng.integers(len(self.arrays), size=self.shape[0])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: np.ndarray) -> np.ndarray:
        picked = [
            self.arrays[view][row] for row, view in zip(index, self.choice[index], strict=True)
        ]
        return np.stack(picked)
