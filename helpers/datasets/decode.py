"""Image files to uint8 arrays: shorter side to `size` pixels, centre crop, gray or colour."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageOps

from helpers.datasets.dataset import Dataset, Split
from helpers.errors import CourseError
from helpers.files import array, digest, folder

Channels = Literal["auto", 1, 3]

LOST = ("cannot be read", "may not be read")  # kinds of files of which there are no pixels

FORMAT = 1  # raise it when the decoding below changes, so that old cache files are left alone

THREADS = 4  # Pillow decodes outside Python's lock, so threads help without copies of the data

GRAY_TOLERANCE = 2  # JPEG may store gray as colour with channels a rounding error apart

WINDOW_EXAMPLE = (
    "Image.fromarray(np.uint8(255 * np.clip((a - low) / (high - low), 0, 1))).save('new.png') "
    "with a = np.asarray(Image.open('old.png'), float)"
)


def decode_parts(
    root: Path, parts: Mapping[str, Sequence[Path]], size: int, channels: Channels, name: str = ""
) -> dict[str, np.ndarray]:
    """Decode the image files of each part, or take them from the cache, memory-mapped.

    Parameters
    ----------
    root : folder that all files lie in.
    parts : files per part; the rows of an array are in the order of its files.
    size : height and width in pixels.
    channels : 1, 3, or ``"auto"``: 1 when every image of every part is gray, else 3.
    name : what the cache's files begin with; "": the folder's name.

    Returns
    -------
    uint8 arrays ``(N, size, size, C)``, values 0..255, one per part. While images are decoded
    for the first time, ``"auto"`` holds three channels of all parts in memory.

    Raises
    ------
    CourseError
        Naming the file, when one cannot be read, has 16 bits per channel, is transparent or is
        a stack of pages.
    """
    stamps = [(part, _stamp(root, file)) for part, files in parts.items() for file in files]
    key = digest(FORMAT, str(root.resolve()), size, channels, stamps)
    fresh: dict[str, np.ndarray] = {}

    def make(part: str) -> np.ndarray:
        if part not in fresh:
            fresh.update(_decode_all(parts, size, channels))
        return fresh.pop(part)

    def path(part: str) -> Path:
        return folder("images", f"{name or root.name}-{size}px-{key}-{part}.npy")

    return {part: array(path(part), lambda part=part: make(part)) for part in parts}


class Problem(CourseError):
    """Why the course refuses an image file; ``str()`` of it is the sentence to show.

    Attributes
    ----------
    file : the file.
    kind : ``"cannot be read"``, ``"may not be read"``, ``"more than 8 bits"``,
        ``"transparent pixels"`` or ``"several pages"``.
    """

    def __init__(self, file: Path, kind: str, sentence: str) -> None:
        super().__init__(f"{file} {sentence}")
        self.file, self.kind = file, kind


def decode_files(
    files: Sequence[Path], size: int, channels: Literal[1, 3], *, collect: bool = False
) -> tuple[np.ndarray, list[Problem]]:
    """Decode `files`, and tell what is wrong with those that the course refuses.

    The shorter side is resized to `size` with an antialiased bicubic filter and the longer one
    cropped at both ends. EXIF orientation is applied.

    Parameters
    ----------
    collect : go on after a problem, for an overview of the files, and read somehow what can be
        seen: more than 8 bits in the window from the image's lowest to its highest value,
        transparent pixels on white, the first of several pages.

    Returns
    -------
    images : uint8 ``(len(files), size, size, channels)``, values 0..255; rows of files that are
        `LOST` are black.
    problems : in the order of `files`; without `collect` there are none.

    Raises
    ------
    Problem
        Without `collect`: the first one.
    """
    images = np.zeros((len(files), size, size, channels), dtype=np.uint8)
    mode = "L" if channels == 1 else "RGB"

    def fill(row: int) -> Problem | None:
        try:
            image, problem = _read(files[row], mode, size, collect)
        except Problem as lost:
            if not collect:
                raise
            return lost
        images[row] = np.asarray(image).reshape(size, size, channels)
        return problem

    with ThreadPoolExecutor(THREADS) as pool:
        return images, [found for found in pool.map(fill, range(len(files))) if found]


def is_gray(images: np.ndarray) -> bool:
    """Tell whether the three channels of ``(N, H, W, 3)`` agree everywhere, up to JPEG rounding."""
    return all(_spread(row) <= GRAY_TOLERANCE for row in images)


def _spread(image: np.ndarray) -> int:
    # np.ptp along an axis of length 3 takes thirty times as long.
    red, green, blue = np.moveaxis(image, -1, 0)
    high = np.maximum(np.maximum(red, green), blue)
    low = np.minimum(np.minimum(red, green), blue)
    return int((high - low).max())


def _decode_all(
    parts: Mapping[str, Sequence[Path]], size: int, channels: Channels
) -> dict[str, np.ndarray]:
    n_channels = 3 if channels == "auto" else channels
    images = {part: decode_files(files, size, n_channels)[0] for part, files in parts.items()}
    if channels == "auto" and all(is_gray(part) for part in images.values()):
        return {part: rgb[..., 1:2] for part, rgb in images.items()}
    return images


def _stamp(root: Path, file: Path) -> tuple[str, int, int]:
    found = _status(file)
    return file.relative_to(root).as_posix(), found.st_size, found.st_mtime_ns


def _status(file: Path) -> os.stat_result:
    try:
        found = file.stat()
    except OSError as error:
        raise _unreadable(file, error) from error
    if not stat.S_ISREG(found.st_mode):  # a named pipe would be waited on for ever
        raise _unreadable(file, OSError("not a regular file"))
    return found


def _read(file: Path, mode: str, size: int, collect: bool) -> tuple[Image.Image, Problem | None]:
    """Return the centre square of an image file, and what is wrong with it where that is kept."""
    _status(file)
    try:
        with Image.open(file) as image:
            problem = _lost_content(file, image)
            if problem and not collect:
                raise problem
            # A palette or a key colour may hold the transparency, and Pillow resizes neither well.
            opaque = _opaque(ImageOps.exif_transpose(image)).convert(mode)
    except Problem:
        raise
    except Exception as error:  # Pillow's decoders raise almost anything on damaged bytes
        raise _unreadable(file, error) from error
    side = min(opaque.size)
    left, top = ((length - side) / 2 for length in opaque.size)
    box = (left, top, left + side, top + side)
    return opaque.resize((size, size), Image.Resampling.BICUBIC, box=box), problem


def _lost_content(file: Path, image: Image.Image) -> Problem | None:
    """Return what of an image eight bits, one page and no background would lose."""
    # Pillow opens 16-bit colour as plain RGB and drops the low byte; only the raw mode tells.
    deep_colour = any(";16" in str(tile.args) for tile in image.tile)
    if deep_colour or image.mode.startswith(("I", "F")):
        kind, sentence = "more than 8 bits", (
            f"has more than 8 bits per channel (mode {image.mode}). The course reads 8, and which "
            f"intensity window to keep is your decision; convert with {WINDOW_EXAMPLE}."
        )  # fmt: skip
    elif image.format == "TIFF" and image.n_frames > 1:
        kind, sentence = "several pages", (
            f"is a stack of {image.n_frames} pages. Save the pages you want to use as single "
            "images."
        )  # fmt: skip
    elif image.has_transparency_data and image.convert("RGBA").getextrema()[3][0] < 255:
        kind, sentence = "transparent pixels", (
            "has transparent pixels, and what lies behind them is not in the file. Put it on a "
            "background of your choice and save it without an alpha channel."
        )  # fmt: skip
    else:
        return None
    return Problem(file, kind, sentence)


def _opaque(image: Image.Image) -> Image.Image:
    """Return an image of 8 bits without alpha: the same pixels, if nothing would be lost."""
    if image.mode.startswith(("I", "F")):
        values = np.nan_to_num(np.asarray(image, dtype=np.float64))
        low, high = values.min(), values.max()
        return Image.fromarray((255 * (values - low) / max(high - low, 1e-12)).astype(np.uint8))
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image


def _unreadable(file: Path, error: Exception) -> Problem:
    kind = "may not be read" if isinstance(error, PermissionError) else "cannot be read"
    reason = f"{type(error).__name__}: {error}"
    return Problem(
        file, kind, f"cannot be read as an image ({reason}). Replace the file or delete it."
    )


def as_gray(data: Dataset) -> Dataset:
    """Return `data` with one channel: Pillow's luminance, .299 R + .587 G + .114 B (ITU-R 601).

    Raises
    ------
    CourseError
        When the images are gray already.
    """
    if data.card.channels == 1:
        raise CourseError(f"The images of {data.card.name} are gray already; use them as they are.")
    parts = {part: _gray_split(getattr(data, part)) for part in ("train", "val", "test")}
    return replace(data, card=replace(data.card, channels=1), **parts)


def _gray_split(split: Split) -> Split:
    rows = (split.images[i] for i in range(len(split)))
    gray = [np.asarray(Image.fromarray(image).convert("L")) for image in rows]
    return replace(split, images=np.stack(gray)[..., None])
