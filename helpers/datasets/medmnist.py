"""The 2D MedMNIST+ sets: downloaded once, checked, then read from the disk.

Yang et al., "MedMNIST v2", Scientific Data 10:41 (2023); the files are Zenodo record 10519652.
"""

from __future__ import annotations

import zipfile
import zlib
from functools import cache as once
from pathlib import Path

import numpy as np
import pooch
from PIL import Image
from requests.exceptions import RequestException

from helpers import files
from helpers.datasets.dataset import Card, Dataset, Split
from helpers.datasets.medmnist_info import MEDMNIST, SIZES, MedMNISTInfo
from helpers.errors import CourseError, unknown_name

BASE_URL = "https://zenodo.org/records/10519652/files"


RETRIES = 3


PARTS = ("train", "val", "test")


DAMAGED = (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile, zlib.error)


def load_medmnist(name: str, *, size: int = 128, base_url: str | None = None) -> Dataset:
    """Load a 2D MedMNIST set in its own split; download it first if it is not there.

    Parameters
    ----------
    name : a key of `MEDMNIST` such as ``"pneumonia"`` (``"PneumoniaMNIST"`` works, too).
    size : up to 224. 28, 64, 128 and 224 are files of their own; any other size is made from the
        next larger file.
    base_url : a mirror's folder that holds the npz files; the default is Zenodo.

    Returns
    -------
    Dataset of memory-mapped uint8 images ``(N, size, size, C)``. On the first load one part at a
    time is unpacked in memory (PathMNIST at 224 pixels: 13.5 GB).

    Raises
    ------
    CourseError
        For an unknown set or size, when the file cannot be downloaded (the message says where to
        get it and where to put it), or when it does not hold what MedMNIST publishes.
    """
    key = name.lower().removesuffix("mnist")
    if key == "chest":
        raise CourseError(
            "ChestMNIST has up to 14 labels per image, and the course compares classifiers that "
            "choose one. Take 'pneumonia' for chest X-rays with a single label."
        )
    if key not in MEDMNIST:
        raise unknown_name("MedMNIST set", name, MEDMNIST)
    if size > SIZES[-1]:
        raise CourseError(f"MedMNIST has up to {SIZES[-1]} pixels; {size} would only be blown up.")
    info = MEDMNIST[key]
    arrays = _arrays(key, info, size, base_url or BASE_URL)
    starts = np.cumsum([0, *info.counts])
    splits = {
        part: _split(arrays[f"{part}_images"], arrays[f"{part}_labels"], start)
        for part, start in zip(PARTS, starts[:-1], strict=True)
    }
    return Dataset(_card(key, info, size), **splits)


def fetch(file_name: str, md5: str, base_url: str) -> Path:
    """Return the path of a downloaded file with the right MD5; none other stays at that path.

    Raises
    ------
    CourseError
        When the file cannot be had, with what to do by hand.
    """
    target = files.folder("downloads", file_name)
    url = f"{base_url.rstrip('/')}/{file_name}?download=1"
    store = pooch.create(
        path=target.parent,
        base_url="",
        registry={file_name: f"md5:{md5}"},
        urls={file_name: url},
        retry_if_failed=RETRIES,
    )
    try:
        return Path(store.fetch(file_name, downloader=pooch.HTTPDownloader(progressbar=True)))
    except (RequestException, ValueError) as error:
        reason = _reason(error) + _remove_damaged(target)
        raise CourseError(
            f"{file_name} could not be downloaded: {reason}. Try again later, or get {url} in a "
            f"browser and put it at {target}."
        ) from error
    except OSError as error:
        raise CourseError(
            f"{file_name} could not be written to {target.parent} ({error}). Make room there or "
            "set COURSE_CACHE to another folder."
        ) from error


def _reason(error: Exception) -> str:
    if not isinstance(error, RequestException):
        return f"{RETRIES + 1} times it arrived damaged (its MD5 is not the published one)"
    if error.response is not None:
        return f"the server answered {error.response.status_code}"
    return "there is no connection to the server, or it broke"


def _remove_damaged(target: Path) -> str:
    """Remove what lies at `target`: had it been good, there would have been no download."""
    if not target.exists():
        return ""
    target.unlink()
    return f"; the file that lay at {target} was damaged, too, and has been removed"


def _arrays(name: str, info: MedMNISTInfo, size: int, base_url: str) -> dict[str, np.ndarray]:
    """Return the six arrays of a set, unpacked once into the cache and memory-mapped."""
    published = next(file_size for file_size in SIZES if file_size >= size)
    md5 = info.md5[SIZES.index(published)]
    stem = f"{name}mnist" if published == 28 else f"{name}mnist_{published}"

    @once
    def archive() -> Path:
        return fetch(f"{stem}.npz", md5, base_url)

    folder = files.folder("images", f"{stem}-{md5[:8]}")
    keys = [f"{part}_{kind}" for part in PARTS for kind in ("images", "labels")]
    arrays = {
        key: files.array(
            folder / f"{key}.npy", lambda key=key: _read(archive(), key, info, published)
        )
        for key in keys
    }
    if size == published:
        return arrays
    smaller = {
        key: files.array(folder / f"{key}-{size}px.npy", lambda key=key: shrink(arrays[key], size))
        for key in keys
        if key.endswith("images")
    }
    return arrays | smaller


def shrink(images: np.ndarray, size: int) -> np.ndarray:
    """Return uint8 images ``(N, H, W)`` or ``(N, H, W, 3)`` at `size` x `size` pixels."""
    out = np.empty((len(images), size, size, *images.shape[3:]), dtype=np.uint8)
    for position, image in enumerate(images):
        out[position] = Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC)
    return out


def _read(archive: Path, key: str, info: MedMNISTInfo, size: int) -> np.ndarray:
    """Return one array of the npz file, checked before anything of it is cached."""
    try:
        with np.load(archive, allow_pickle=False) as file:
            value = file[key]
    except KeyError as error:
        raise _wrong(archive, f"{key} is missing") from error
    except MemoryError as error:
        raise CourseError(
            f"{key} of {archive.name} does not fit into memory. Ask for a smaller size."
        ) from error
    except DAMAGED as error:
        raise _wrong(archive, f"{key} cannot be read") from error
    part, kind = key.split("_")
    n = info.counts[PARTS.index(part)]
    pixels = (size, size, 3) if info.channels == 3 else (size, size)
    shape = (n, *pixels) if kind == "images" else (n, 1)
    if value.dtype != np.uint8 or value.shape != shape:
        raise _wrong(archive, f"{key} is {value.dtype} {value.shape}, expected uint8 {shape}")
    if kind == "labels" and value.max() >= len(info.classes):
        raise _wrong(archive, f"{key} go up to {value.max()} for {len(info.classes)} classes")
    return value


def _wrong(archive: Path, what: str) -> CourseError:
    return CourseError(
        f"{archive} does not hold what MedMNIST publishes: {what}. Delete it and load again."
    )


def _split(images: np.ndarray, labels: np.ndarray, start: int) -> Split:
    if images.ndim == 3:
        images = images[..., np.newaxis]
    return Split(images, labels[:, 0].astype(np.int64), start + np.arange(len(labels)))


def _card(name: str, info: MedMNISTInfo, size: int) -> Card:
    caveats = [info.caveat, info.grouping]
    if info.task == "ordinal-regression":
        caveats.append("The labels are ordered grades; the course ignores their order.")
    if size > 28:
        caveats.append(
            f"The {size} pixel file is published as such; results 'at 224' from before MedMNIST+ "
            "are on enlarged 28 pixel images."
        )
    return Card(
        name=name,
        title=f"{info.domain}, {name.capitalize()}MNIST",
        domain=info.domain,
        classes=info.classes,
        channels=info.channels,
        size=size,
        split_rule=info.split_rule,
        source=f"MedMNIST+, Yang et al., Sci Data 10:41 (2023), from: {info.origin}",
        terms=info.terms,
        caveat=" ".join(filter(None, caveats)),
    )
