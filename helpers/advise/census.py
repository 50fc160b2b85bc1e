"""Look over a folder of images before training: what is there, what can be read, what is odd.

It forgives where the course's loader does not: a file that is no image is skipped and counted,
and 16 bits, transparency or several pages are read somehow, for the overview only.
"""

from __future__ import annotations

import os
import stat
import warnings
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from helpers.datasets import Split
from helpers.datasets.dataset import stratified_sample
from helpers.datasets.decode import THREADS, decode_files, is_gray
from helpers.datasets.folder import SUFFIXES, Listing, cut, group_codes, list_folder
from helpers.errors import CourseError

SAMPLE = 400  # images that are opened


FRACTIONS = {"test": 0.25, "val": 0.2}  # as `helpers.datasets.load` takes them


SPLIT_SEED = 0  # as `load_folder` cuts it, whatever seed draws the sample


@dataclass(frozen=True)
class Look:
    """What one file turned out to be.

    Attributes
    ----------
    pixels : uint8 ``(size, size, 3)``, or None where it could not be read.
    width, height, mode, format : of the file; 0 and "" where it could not be read.
    remark : what the loader of the course would refuse in it; "" if nothing.
    forbidden : whether the file may not be read; its pixels are None then.
    """

    pixels: np.ndarray | None
    width: int = 0
    height: int = 0
    mode: str = ""
    format: str = ""
    remark: str = ""
    forbidden: bool = False


@dataclass(frozen=True)
class Census:
    """An overview of a folder of images.

    Attributes
    ----------
    listing : all image files by name. index : part -> positions, as training would split them.
    groups : ``(N,)``, see `helpers.datasets.folder.group_codes`.
    other_files : files beside the images that are none, by their names.
    looks : what each file of the sample turned out to be.
    images : the readable ones of the sample, gray where all are.
    """

    root: Path
    listing: Listing
    index: dict[str, np.ndarray]
    groups: np.ndarray
    other_files: int
    looks: list[Look]
    images: Split

    @property
    def n(self) -> int:
        """Number of image files, by their names."""
        return len(self.listing.files)

    @property
    def unreadable(self) -> int:
        """Files of the sample that are no images, whatever their names say."""
        return sum(look.pixels is None and not look.forbidden for look in self.looks)

    @property
    def forbidden(self) -> int:
        """Files of the sample that may not be read, whatever is in them."""
        return sum(look.forbidden for look in self.looks)

    @property
    def remarks(self) -> Counter[str]:
        """How many files of the sample have which oddity."""
        return Counter(look.remark for look in self.looks if look.remark)

    def counts(self) -> dict[str, int]:
        """Return the number of image files per class."""
        found = np.bincount(self.listing.labels, minlength=len(self.listing.classes))
        return dict(zip(self.listing.classes, found.tolist(), strict=True))


def take(root: Path, size: int, pattern: str | None = None, seed: int = 0) -> Census:
    """List a folder, split it as training would, and open a sample of its training images.

    Parameters
    ----------
    root : ``root/class/image`` or ``root/{train,val,test}/class/image``.
    size : pixels of the images returned.
    pattern : expression for the part of a file name that is the group, as for `load_folder`.

    Raises
    ------
    CourseError
        When the folder cannot be trained on, or of some class nothing can be read.
    """
    listing = list_folder(root)
    groups = group_codes(listing.files, pattern)
    index = cut(listing, groups, FRACTIONS, SPLIT_SEED)
    rows, most = index["train"], max(SAMPLE, 2 * len(listing.classes))
    if len(rows) > most:
        rows = rows[stratified_sample(listing.labels[rows], most, seed)]
    looks, images = read(listing, rows, groups, size)
    absent = np.setdiff1d(np.arange(len(listing.classes)), images.labels)
    if len(absent):
        tried = [look for look, row in zip(looks, rows, strict=True)
                 if listing.labels[row] == absent[0]]  # fmt: skip
        raise _none_readable(listing.classes[absent[0]], tried)
    return Census(root, listing, index, groups, _other_files(listing), looks, images)


def _none_readable(name: str, tried: list[Look]) -> CourseError:
    start = f"None of the files of the class {name} that were tried"
    if any(look.forbidden for look in tried):
        return CourseError(
            f"{start} could be read; {sum(look.forbidden for look in tried):,} of {len(tried):,} "
            "may not be: check their permissions."
        )
    return CourseError(f"{start} can be read as an image. Replace them or remove the class.")


def read(
    listing: Listing, rows: np.ndarray, groups: np.ndarray, size: int, channels: int | None = None
) -> tuple[list[Look], Split]:
    """Open the files at `rows`; return what each was, and the readable ones as a split.

    Parameters
    ----------
    channels : 1 or 3; None: 1 where all are gray.
    """
    # Around the threads, because filters are shared by all of them. Pillow warns of large images
    # on the way to refusing huge ones, and those are counted here.
    with warnings.catch_warnings(), ThreadPoolExecutor(THREADS) as pool:
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        looks = list(pool.map(lambda row: look_at(listing.files[row], size), rows))
    good = [k for k, look in enumerate(looks) if look.pixels is not None]
    pixels = [looks[k].pixels for k in good]
    images = np.stack(pixels) if pixels else np.empty((0, size, size, 3), np.uint8)
    if channels == 1 or (channels is None and is_gray(images)):
        images = images[..., 1:2]
    kept = rows[good]
    return looks, Split(images, listing.labels[kept], groups[kept])


def look_at(file: Path, size: int) -> Look:
    """Open one file, gently."""
    try:
        if not stat.S_ISREG(os.stat(file).st_mode):  # a named pipe would be waited on for ever
            return Look(None)
        with Image.open(file) as image:
            about = (image.width, image.height, image.mode, image.format or "")
    except PermissionError:
        return Look(None, forbidden=True)
    except Exception:  # Pillow's decoders raise almost anything on damaged bytes
        return Look(None)
    try:
        return Look(decode_files([file], size, 3)[0], *about)
    except CourseError:
        return _forgiving(file, size, about)


def _forgiving(file: Path, size: int, about: tuple[int, int, str, str]) -> Look:
    """Read what the loader refuses: the first page, white behind it, the full range as window."""
    try:
        with Image.open(file) as image:
            if image.mode.startswith(("I", "F")):
                remark, opaque = "more than 8 bits", _windowed(image)
            elif image.has_transparency_data:
                remark, opaque = "transparent pixels", _on_white(image)
            elif getattr(image, "n_frames", 1) > 1:
                remark, opaque = "several pages", image.convert("RGB")
            else:
                remark, opaque = "more than 8 bits", image.convert("RGB")
            small = _square(opaque, size)
    except Exception:  # see above; now nothing is left to try
        return Look(None)
    return Look(small, *about, remark)


def _windowed(image: Image.Image) -> Image.Image:
    values = np.nan_to_num(np.asarray(image, dtype=np.float64))
    low, high = values.min(), values.max()
    scaled = 255 * (values - low) / max(high - low, 1e-12)
    return Image.fromarray(scaled.astype(np.uint8)).convert("RGB")


def _on_white(image: Image.Image) -> Image.Image:
    rgba = image.convert("RGBA")
    white = Image.new("RGBA", rgba.size, "white")
    return Image.alpha_composite(white, rgba).convert("RGB")


def _square(image: Image.Image, size: int) -> np.ndarray:
    side = min(image.size)
    left, top = ((length - side) / 2 for length in image.size)
    box = (left, top, left + side, top + side)
    return np.asarray(image.resize((size, size), Image.Resampling.BICUBIC, box=box))


def _other_files(listing: Listing) -> int:
    """Count the files in the class folders that are no images by their names; no hidden ones."""
    folders = [top / name for top in listing.folders.values() for name in listing.classes]
    return sum(_is_other(entry) for folder in folders for entry in os.scandir(folder))


def _is_other(entry: os.DirEntry) -> bool:
    if entry.name.startswith(".") or os.path.splitext(entry.name)[1].lower() in SUFFIXES:
        return False
    try:
        return entry.is_file()
    except OSError:  # a link that leads back to itself
        return False
