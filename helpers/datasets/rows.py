"""Some rows of a large array on disk, without reading them before they are asked for."""

from __future__ import annotations

import numpy as np

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
