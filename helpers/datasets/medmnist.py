"""The 2D MedMNIST+ sets: downloaded once, checked, then read from the disk.

Yang et al., "MedMNIST v2", Scientific Data 10:41 (2023); the files are Zenodo record 10519652.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from helpers import files
from helpers.datasets.dataset import Card, Dataset, Split
from helpers.errors import CourseError, unknown_name

PARTS = ("train", "val", "test")


# The sets as published; only those that have one label per image are in the table. Of each:
#   domain: what kind of images, for the card; origin: the collection that they were taken from;
#   task: "binary-class", "multi-class" or "ordinal-regression"; classes: names, index = label;
#   channels: 1 or 3; counts: images in train, validation and test;
#   md5: checksum of the file of each size in `SIZES`;
#   split_rule, terms, caveat, grouping: for the card; the last says what belongs together.
_TABLE = json.loads(files.resource("medmnist.json").read_text("utf-8"))
BASE_URL, SIZES, MEDMNIST = _TABLE["url"], _TABLE["sizes"], _TABLE["sets"]


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
        For an unknown set or size, or when the file cannot be downloaded (the message says where
        to get it and where to put it).
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
    return Dataset(_card(key, info, size), **_splits(key, info, size, base_url or BASE_URL))


def _splits(name: str, info: Mapping, size: int, base_url: str) -> dict[str, Split]:
    """Return the three parts, unpacked once into the cache and memory-mapped.

    What is in a file is not checked: its MD5 was, so it is what MedMNIST publishes.
    """
    published = next(file_size for file_size in SIZES if file_size >= size)
    md5 = info["md5"][SIZES.index(published)]
    stem = f"{name}mnist" if published == 28 else f"{name}mnist_{published}"
    folder = files.folder("images", f"{stem}-{md5[:8]}")

    @functools.cache
    def archive() -> Path:
        url = f"{base_url.rstrip('/')}/{stem}.npz?download=1"
        return files.fetch(f"{stem}.npz", url, f"md5:{md5}")

    def unpack(key: str) -> np.ndarray:
        try:
            with np.load(archive(), allow_pickle=False) as content:
                return content[key]
        except MemoryError as error:
            raise CourseError(
                f"{key} of {stem}.npz does not fit into memory. Ask for a smaller size."
            ) from error

    splits = {}
    for part, start in zip(PARTS, np.cumsum([0, *info["counts"][:2]]), strict=True):
        images, labels = (
            files.array(folder / f"{key}.npy", functools.partial(unpack, key))
            for key in (f"{part}_images", f"{part}_labels")
        )
        if size < published:
            smaller = folder / f"{part}_images-{size}px.npy"
            images = files.array(smaller, functools.partial(shrink, images, size))
        images = images if info["channels"] == 3 else images[..., np.newaxis]
        labels = labels[:, 0].astype(np.int64)
        splits[part] = Split(images, labels, start + np.arange(len(labels)))
    return splits


def shrink(images: np.ndarray, size: int) -> np.ndarray:
    """Return uint8 images ``(N, H, W)`` or ``(N, H, W, 3)`` at `size` x `size` pixels."""
    out = np.empty((len(images), size, size, *images.shape[3:]), dtype=np.uint8)
    for position, image in enumerate(images):
        out[position] = Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC)
    return out


def _card(name: str, info: Mapping, size: int) -> Card:
    caveats = [info["caveat"], info["grouping"]]
    if info["task"] == "ordinal-regression":
        caveats.append("The labels are ordered grades; the course ignores their order.")
    if size > 28:
        caveats.append(
            f"The {size} pixel file is published as such; results 'at 224' from before MedMNIST+ "
            "are on enlarged 28 pixel images."
        )
    return Card(
        name=name,
        title=f"{info['domain']}, {name.capitalize()}MNIST",
        domain=info["domain"],
        classes=tuple(info["classes"]),
        channels=info["channels"],
        size=size,
        split_rule=info["split_rule"],
        source=f"MedMNIST+, Yang et al., Sci Data 10:41 (2023), from: {info['origin']}",
        terms=info["terms"],
        caveat=" ".join(filter(None, caveats)),
    )
