"""Image files to uint8 arrays: shorter side to `size` pixels, centre crop, gray or colour."""

from __future__ import annotations

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


FORMAT = 1  # raise it when the decoding below changes, so that old cache files are left alone


THREADS = 4  # Pillow decodes outside Python's lock, so threads help without copies of the data


GRAY_TOLERANCE = 2  # JPEG may store gray as colour with channels a rounding error apart


WINDOW_EXAMPLE = (
    "Image.fromarray(np.uint8(255 * np.clip((a - low) / (high - low), 0, 1))).save('new.png') "
    "with a = np.asarray(Image.open('old.png'), float)"
)


def decode_parts(
    root: Path, parts: Mapping[str, Sequence[Path]], size: int, channels: Channels
) -> dict[str, np.ndarray]:
    """Decode the image files of each part, or take them from the cache, memory-mapped.

    Parameters
    ----------
    root : folder that all files lie in.
    parts : files per part; the rows of an array are in the order of its files.
    size : height and width in pixels.
    channels : 1, 3, or ``"auto"``: 1 when every image of every part is gray, else 3.

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
        return folder("images", f"{root.name}-{size}px-{key}-{part}.npy")

    return {part: array(path(part), lambda part=part: make(part)) for part in parts}


def decode_files(files: Sequence[Path], size: int, channels: Literal[1, 3]) -> np.ndarray:
    """Decode `files` into one uint8 array ``(N, size, size, channels)``, values 0..255.

    The shorter side is resized to `size` with an antialiased bicubic filter and the longer one
    cropped at both ends. EXIF orientation is applied.
    """
    images = np.empty((len(files), size, size, channels), dtype=np.uint8)
    mode = "L" if channels == 1 else "RGB"

    def fill(row: int) -> None:
        pixels = np.asarray(_read(files[row], mode, size))
        images[row] = pixels.reshape(size, size, channels)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(fill, range(len(files))))
    return images


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
    images = {part: decode_files(files, size, n_channels) for part, files in parts.items()}
    if channels == "auto" and all(is_gray(part) for part in images.values()):
        return {part: rgb[..., 1:2] for part, rgb in images.items()}
    return images


def _stamp(root: Path, file: Path) -> tuple[str, int, int]:
    try:
        found = file.stat()
    except OSError as error:
        raise _unreadable(file, error) from error
    if not stat.S_ISREG(found.st_mode):  # a named pipe would be waited on for ever
        raise _unreadable(file, OSError("not a regular file"))
    return file.relative_to(root).as_posix(), found.st_size, found.st_mtime_ns


def _read(file: Path, mode: str, size: int) -> Image.Image:
    try:
        with Image.open(file) as image:
            _refuse_what_would_lose_content(file, image)
            upright = ImageOps.exif_transpose(image)
            # A palette or a key colour may hold the transparency, and Pillow resizes neither well.
            opaque = _without_alpha(file, upright).convert(mode)
    except CourseError:
        raise
    except Exception as error:  # Pillow's decoders raise almost anything on damaged bytes
        raise _unreadable(file, error) from error
    side = min(opaque.size)
    left, top = ((length - side) / 2 for length in opaque.size)
    box = (left, top, left + side, top + side)
    return opaque.resize((size, size), Image.Resampling.BICUBIC, box=box)


def _refuse_what_would_lose_content(file: Path, image: Image.Image) -> None:
    # Pillow opens 16-bit colour as plain RGB and drops the low byte; only the raw mode tells.
    deep_colour = any(";16" in str(tile.args) for tile in image.tile)
    if deep_colour or image.mode.startswith(("I", "F")):
        raise CourseError(
            f"{file} has more than 8 bits per channel (mode {image.mode}). The course reads 8, and "
            f"which intensity window to keep is your decision; convert with {WINDOW_EXAMPLE}."
        )
    if image.format == "TIFF" and image.n_frames > 1:
        raise CourseError(
            f"{file} is a stack of {image.n_frames} pages. Save the pages you want to use as "
            "single images."
        )


def _without_alpha(file: Path, image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image
    rgba = image.convert("RGBA")
    if rgba.getchannel("A").getextrema()[0] < 255:
        raise CourseError(
            f"{file} has transparent pixels, and what lies behind them is not in the file. Put it "
            "on a background of your choice and save it without an alpha channel."
        )
    return rgba.convert("RGB")


def _unreadable(file: Path, error: Exception) -> CourseError:
    return CourseError(
        f"{file} cannot be read as an image ({type(error).__name__}: {error}). Replace the file or "
        "delete it."
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
