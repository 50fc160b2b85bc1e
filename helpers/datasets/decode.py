"""Image files to uint8 arrays of `size` pixels, cropped or padded, gray or colour."""

from __future__ import annotations

import contextlib
import functools
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageOps

from helpers.datasets import dicom
from helpers.datasets.dataset import Dataset
from helpers.datasets.problems import LOST, Problem, lost_content, open_image, together, unreadable
from helpers.errors import CourseError
from helpers.files import (
    array,
    cache_limit,
    digest,
    drop_oldest,
    folder,
    read_array,
    remove,
    write_array,
)  # fmt: skip

Channels = Literal["auto", 1, 3]
Fit = Literal["crop", "pad"]
Parts = Mapping[str, Sequence[Path]]

FORMAT = 2  # raise it when the decoding below changes, so that old cache files are left alone

BLOCK = 128  # images that are decoded at once: 6 MB of 128 pixels in colour, 400 MB of 1,024

THREADS = 4  # Pillow decodes outside Python's lock, so threads help without copies of the data

GRAY_TOLERANCE = 2  # JPEG may store gray as colour with channels a rounding error apart


def decode_parts(
    root: Path, parts: Parts, size: int, channels: Channels, name: str = "", fit: Fit = "crop"
) -> dict[str, np.ndarray]:
    """Decode the image files of each part, or take them from the cache, memory-mapped.

    Parameters
    ----------
    root : folder that all files lie in.
    parts : files per part; the rows of an array are in the order of its files.
    size : height and width in pixels.
    channels : 1, 3, or ``"auto"``: 1 when every image of every part is gray, else 3.
    name : what the cache's files begin with; "": the folder's name.
    fit : see `decode_files`.

    Returns
    -------
    uint8 arrays ``(N, size, size, C)``, values 0..255, one per part. Images are decoded and stored
    `BLOCK` by `BLOCK`, so that there may be more of them than memory has room for. ``"auto"``
    stores gray images until the first one of colour, and then begins again.

    Raises
    ------
    CourseError
        Naming all files that cannot be read, hold more than 8 bits or channels than are read,
        are transparent or have several pages.
    """
    key = digest(FORMAT, size, channels, fit, *_stamps(root, parts))
    name = f"{name or root.name}-{size}px-{key}"
    paths = {part: folder("images", f"{name}-{part}.npy") for part in parts}
    stored = {part: read_array(path) for part, path in paths.items()}
    if all(images is not None for images in stored.values()):
        return stored
    stored.clear()  # Windows replaces no file that is still mapped
    # Older sets go now. Once stored, all parts of this one stay, or every run would decode it.
    drop_oldest(folder("images"), cache_limit(), keep=folder("images"))

    def store(gray: bool) -> dict[str, np.ndarray]:
        blocks = functools.partial(_blocks, parts, size=size, channels=channels, fit=fit, gray=gray)
        return {
            part: write_array(path, functools.partial(blocks, part), len(parts[part]))
            for part, path in paths.items()
        }

    try:
        with contextlib.suppress(_Coloured):
            return store(gray=channels == "auto")
        return store(gray=False)
    except CourseError:
        for path in paths.values():
            remove(path)
        raise


def cut_away(root: Path, files: Sequence[Path]) -> np.ndarray:
    """Return which share of each image ``fit="crop"`` cuts away: float64 ``(N,)`` in [0, 1).

    The sizes of the images are read once and then cached, so that it can be said of images from
    the cache, too. Call it after `decode_parts`, which names files that cannot be read.
    """

    def share(file: Path) -> float:
        size = seen(file)[2]
        return 1 - min(size) / max(size)

    path = folder("images", f"{root.name}-{digest(*_stamps(root, {'all': files}))}-cut.npy")
    return array(path, lambda: np.array([share(file) for file in files]))


def decode_files(
    files: Sequence[Path], size: int, channels: int, *, collect: bool = False, fit: Fit = "crop"
) -> tuple[np.ndarray, list[Problem]]:
    """Decode `files`, and tell what is wrong with those that the course refuses.

    EXIF orientation is applied, DICOM read as `helpers.datasets.dicom` says, and resizing is
    antialiased and bicubic.

    Parameters
    ----------
    channels : 1 or 3.
    collect : do not raise, for an overview of the files, and read somehow what can be seen: more
        than 8 bits in the window from the image's lowest to its highest value, transparent
        pixels on white, the first of several pages.
    fit : ``"crop"``: the shorter side is resized to `size` and the longer one cropped at both
        ends. ``"pad"``: the longer side is resized to `size`, and black is added at both ends of
        the shorter one. Black is the same for every image; a colour taken from the image would
        repeat a part of its content. The width of the bars shows the shape of the image.

    Returns
    -------
    images : uint8 ``(len(files), size, size, channels)``, values 0..255; rows of files that are
        `LOST` are black.
    problems : in the order of `files`; without `collect` there are none.

    Raises
    ------
    CourseError
        Without `collect`: naming all that is wrong; a `Problem` when that is a single file.
    """
    images = np.zeros((len(files), size, size, channels), dtype=np.uint8)
    mode = "L" if channels == 1 else "RGB"

    def fill(row: int, file: Path) -> Problem | None:
        try:
            _status(file)
            with contextlib.ExitStack() as opened:
                if dicom.is_dicom(file):
                    image, problem = dicom.read(file)
                else:
                    image = opened.enter_context(open_image(file))
                    problem = lost_content(file, image)
                if problem and (problem.kind in LOST or not collect):
                    return problem
                # A palette or a key colour may hold the transparency; Pillow resizes neither well.
                opaque = _opaque(ImageOps.exif_transpose(image), problem).convert(mode)
            images[row] = np.asarray(_square(opaque, size, fit)).reshape(images.shape[1:])
        except Exception as error:  # Pillow's decoders raise almost anything on damaged bytes
            return unreadable(file, error)
        return problem

    with ThreadPoolExecutor(THREADS) as pool:
        problems = [found for found in pool.map(fill, range(len(files)), files) if found]
    if problems and not collect:
        raise together(problems)
    return images, problems


def seen(file: Path) -> tuple[str, str, tuple[int, int]]:
    """Return format, mode and size (width, height; pixels) of a file that could be decoded.

    The format of a DICOM file tells MONOCHROME1, in which large values are dark, from MONOCHROME2.
    """
    if dicom.is_dicom(file):
        header = dicom.header(file, pixels=False)
        name = f"DICOM {header.PhotometricInterpretation}"
        return name, "L", (header.Columns, header.Rows)
    with open_image(file) as image:
        return image.format, image.mode, image.size


def is_gray(images: np.ndarray) -> bool:
    """Tell whether the three channels of ``(N, H, W, 3)`` agree everywhere, up to JPEG rounding."""
    return all(_spread(row) <= GRAY_TOLERANCE for row in images)


def _spread(image: np.ndarray) -> int:
    # np.ptp along an axis of length 3 takes thirty times as long.
    red, green, blue = np.moveaxis(image, -1, 0)
    high = np.maximum(np.maximum(red, green), blue)
    low = np.minimum(np.minimum(red, green), blue)
    return int((high - low).max())


class _Coloured(Exception):
    """An image has colour where all others were gray so far."""


def _blocks(
    parts: Parts, part: str, *, size: int, channels: Channels, fit: Fit, gray: bool
) -> Iterator[np.ndarray]:
    """Yield the images of a part, `BLOCK` at a time; `gray`: one channel, if none has colour.

    After the first file that cannot be used all others are tried, too, and those like it named.
    """
    for start in range(0, len(parts[part]), BLOCK):
        block = parts[part][start : start + BLOCK]
        try:
            images, _ = decode_files(block, size, 1 if channels == 1 else 3, fit=fit)
        except CourseError:
            files = [file for files in parts.values() for file in files]
            rest = range(files.index(block[0]), len(files), BLOCK)
            tried = (decode_files(files[k : k + BLOCK], size, 1, collect=True)[1] for k in rest)
            raise together([problem for problems in tried for problem in problems]) from None
        if gray and not is_gray(images):
            raise _Coloured
        yield images[..., 1:2] if gray else images


def _stamps(root: Path, parts: Parts) -> list[object]:
    """Return what tells that a file is not the one that was decoded.

    Size and time of the last change of the content can be kept by whoever replaces a file, but
    st_ctime_ns cannot be set. It also moves when a file is only renamed or its permissions
    change: then it is decoded once more. On Windows it is the time of creation, so a file
    written over by one of equal size and time is not noticed there; reading every file at every
    start would be the price.
    """
    stamps: list[object] = [str(root.resolve())]
    for part, files in parts.items():
        for file in files:
            stamps.append((part, file.relative_to(root).as_posix()))
            with contextlib.suppress(OSError):  # `decode_files` names it with the others
                found = _status(file)
                stamps.append((found.st_size, found.st_mtime_ns, found.st_ctime_ns))
    return stamps


def _status(file: Path) -> os.stat_result:
    found = file.stat()
    if not stat.S_ISREG(found.st_mode):  # a named pipe would be waited on for ever
        raise OSError("not a regular file")
    return found


def _square(image: Image.Image, size: int, fit: Fit) -> Image.Image:
    if fit == "crop":
        return ImageOps.fit(image, (size, size), Image.Resampling.BICUBIC)
    longer = max(image.size)
    sides = (max(1, round(size * length / longer)) for length in image.size)
    inner = image.resize(tuple(sides), Image.Resampling.BICUBIC)
    square = Image.new(inner.mode, (size, size))
    square.paste(inner, tuple((size - length) // 2 for length in inner.size))
    return square


def _opaque(image: Image.Image, problem: Problem | None) -> Image.Image:
    """Return an image of 8 bits without alpha: the same pixels, if nothing would be lost."""
    if image.has_transparency_data and not image.mode.startswith("I"):
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        image = Image.alpha_composite(white, rgba).convert("RGB")
    if problem and problem.kind == "more than 8 bits":
        # Of 16-bit colour this window is among the high bytes; for an overview that will do.
        values = np.nan_to_num(np.asarray(image, dtype=np.float64))
        low, high = values.min(), values.max()
        return Image.fromarray((255 * (values - low) / max(high - low, 1e-12)).astype(np.uint8))
    return image


def as_gray(data: Dataset) -> Dataset:
    """Return `data` with one channel: Pillow's luminance, .299 R + .587 G + .114 B (ITU-R 601).

    Raises
    ------
    CourseError
        When the images are gray already.
    """
    if data.card.channels == 1:
        raise CourseError(f"The images of {data.card.name} are gray already; use them as they are.")
    parts = {}
    for part in ("train", "val", "test"):
        split = getattr(data, part)
        rows = (Image.fromarray(split.images[i]) for i in range(len(split)))
        gray = np.stack([np.asarray(image.convert("L")) for image in rows])
        parts[part] = replace(split, images=gray[..., None])
    return replace(data, card=replace(data.card, channels=1), **parts)
