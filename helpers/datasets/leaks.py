"""What makes a score look better than it is, as far as the files show it.

Copies of an image and groups that lie on two sides, labels that contradict each other, and a
format, mode or size of the files that tells the class without a look at the image.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import itertools
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from helpers import files
from helpers.datasets.decode import seen
from helpers.datasets.listing import Listing, tally

# Two images whose 32 x 32 gray versions correlate more than this look the same. None of the 3.4
# million pairs of ELPV cells does, which are much alike (.998 at most), and nearly all copies do
# that were saved as JPEG of quality 50 or at half the size. A difference hash (dHash) of 8 x 8,
# the usual way, takes 23 of 320,000 pairs of cells for equal.
ALIKE, ALIKE_SIDE = 0.9985, 32

TELLS = 0.3  # of the way from chance to always right, for what should not tell the class


def same_pixels(images: Mapping[str, np.ndarray], index: Mapping[str, np.ndarray]) -> np.ndarray:
    """Number images by their pixels as they were loaded: int64 ``(N,)``, one number for copies.

    Pixels, because a copy may be another file: saved as BMP, or without its EXIF data. They are
    there already, while reading 5,000 files of 1 MB again would take a minute. What is found is
    kept beside the images in the cache, so that a second load does not read all of those.

    Parameters
    ----------
    images, index : part -> images ``(n, H, W, C)``, and their positions in 0..N-1.
    """
    prints = np.zeros(sum(map(len, index.values())), np.uint64)
    for part, rows in index.items():
        make = functools.partial(_prints, images[part])
        stored = getattr(images[part], "filename", None)  # None: the cache cannot be written
        beside = stored and Path(stored).with_suffix(".prints.npy")
        prints[rows] = files.array(beside, make) if beside else make()
    return np.unique(prints, return_inverse=True)[1]


def _prints(images: np.ndarray) -> np.ndarray:
    hashes = (hashlib.blake2b(np.ascontiguousarray(row), digest_size=8) for row in images)
    return np.array([int.from_bytes(found.digest(), "big") for found in hashes], np.uint64)


def same_files(paths: Sequence[Path]) -> np.ndarray:
    """Number files by their bytes: int64 ``(N,)``, one number for copies. No image is decoded.

    Only files of equal size are read. Empty ones and those that cannot be read count as different.
    """
    sizes = [os.path.getsize(path) if os.path.isfile(path) else 0 for path in paths]
    times, seen, numbers = Counter(sizes), {}, np.arange(len(paths))
    for row, path in enumerate(paths):
        if sizes[row] and times[sizes[row]] > 1:
            with contextlib.suppress(OSError):
                numbers[row] = seen.setdefault(hashlib.sha256(path.read_bytes()).digest(), row)
    return numbers


def joined(groups: np.ndarray, copies: np.ndarray) -> np.ndarray:
    """Join groups that share a copy; the number of the first image's group stays. ``(N,)`` each."""
    _, group = np.unique(groups, return_inverse=True)
    _, copy = np.unique(copies, return_inverse=True)
    n_groups, n = group.max() + 1, group.max() + copy.max() + 2
    links = coo_array((np.ones(len(group)), (group, n_groups + copy)), shape=(n, n))
    component = connected_components(links, directed=False)[1][group]
    _, first, which = np.unique(component, return_index=True, return_inverse=True)
    return groups[first[which]]


def with_copies(copies: np.ndarray) -> np.ndarray:
    """Tell which images ``(N,)`` have a copy."""
    _, which, counts = np.unique(copies, return_inverse=True, return_counts=True)
    return counts[which] > 1


def warnings_of(listing: Listing, groups: np.ndarray, copies: np.ndarray) -> list[str]:
    """Return what has to stand beside a score on these files, a sentence each.

    Parameters
    ----------
    groups : ``(N,)``, of the file names, see `folder.group_codes`.
    copies : ``(N,)``, from `same_pixels` or `same_files`.
    """
    sentences, name = [], [short(file) for file in listing.files]
    for one, other in itertools.combinations(listing.folders, 2):
        here, there = listing.folders[one].name, listing.folders[other].name
        mine, theirs = (np.flatnonzero(listing.origin == part) for part in (one, other))
        again = theirs[np.isin(groups[theirs], groups[mine])]
        if len(again):
            sentences.append(
                f"{len(np.unique(groups[again])):,} groups of file names lie in both {here}/ and "
                f"{there}/, with {len(again):,} of the {len(theirs):,} images of the latter: if a "
                "group is one patient, scores on those images are too good."
            )
        again = theirs[np.isin(copies[theirs], copies[mine])]
        if len(again):
            twin = mine[copies[mine] == copies[again[0]]][0]
            sentences.append(
                f"{len(again):,} of the {len(theirs):,} images in {there}/ are in {here}/ too, "
                f"such as {name[again[0]]} (there {name[twin]}): scores on {there}/ are too good."
            )
    _, first, which = np.unique(copies, return_index=True, return_inverse=True)
    odd = np.flatnonzero(listing.labels != listing.labels[first[which]])
    if len(odd):
        sentences.append(
            f"{np.isin(copies, copies[odd]).sum():,} images have a copy in another class, such as "
            f"{name[first[which[odd[0]]]]} and {name[odd[0]]}: one of the labels must be wrong."
        )
    if listing.skipped:
        kinds = tally(listing.skipped)
        sentences.append(f"Skipped files, by their names no images in a class folder: {kinds}.")
    return sentences


def short(path: Path) -> str:
    """Return the class folder and the name of a file, for a sentence."""
    return files.shown(f"{path.parent.name}/{path.name}")


def headers(paths: Sequence[Path]) -> pd.DataFrame:
    """Return ``format``, ``mode`` and ``size`` (width, height; pixels) of images that can be read.

    ``side`` is the shorter side to the nearest half octave: a class of larger images shows in it
    even where no two have the same size.
    """
    rows = []
    for path in paths:
        form, mode, size = seen(path)
        side = 2 ** (round(2 * np.log2(min(size))) / 2)
        rows.append((form, mode, size, f"about {side:.0f}"))
    return pd.DataFrame(rows, columns=["format", "mode", "size", "side"])


def telling(headers: pd.DataFrame, names: np.ndarray) -> dict[str, tuple[float, pd.DataFrame]]:
    """Return the columns of `headers` that tell the class, how often, and a table of counts.

    Every image is given the class that most of the *other* images with its value have, counted as
    shares of their classes. How often that is right, 0..1, is the mean over the classes; chance is
    one over their number. With few images chance reaches far, so more is asked of them.

    Parameters
    ----------
    names : ``(N,)``, the class of each row.
    """
    found, own = {}, np.unique(names)[None] == names[:, None]
    n, n_classes = own.shape
    for column, values in headers.astype(str).items():
        table = pd.crosstab(values, names)
        votes = (table.loc[values].to_numpy() - own) / np.maximum(own.sum(0) - own, 1)
        best = votes == votes.max(1, keepdims=True)
        right = (own & best).sum(1) / best.sum(1)
        share = float((right @ own / own.sum(0)).mean())
        if share - 1 / n_classes > max(TELLS, 3 / n**0.5) * (1 - 1 / n_classes):
            found[column] = share, table.reset_index()
    return found


def alike(images: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Return pairs of rows ``(P, 2)`` that look the same (see `ALIKE`) but are of two groups.

    Parameters
    ----------
    images : ``(N, S, S, C)``, S a multiple of 32.
    groups : ``(N,)``.
    """
    n, size = images.shape[:2]
    gray = images.mean(3, dtype=np.float32)
    blocks = gray.reshape(n, ALIKE_SIDE, size // ALIKE_SIDE, ALIKE_SIDE, -1).mean((2, 4))
    flat = blocks.reshape(n, -1) - blocks.mean((1, 2))[:, None]
    flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-3)
    same = (flat @ flat.T > ALIKE) & (groups[:, None] != groups)
    return np.argwhere(np.triu(same, 1))
