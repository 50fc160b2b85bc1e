"""Find the image files of a folder, its parts and its classes, and say what is wrong with it."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from helpers import paths
from helpers.errors import CourseError

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"}
PART_NAMES = {
    "train": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
}
EXPECTED = "Expected is PATH/class/image.png or PATH/train/class/image.png"


@dataclass(frozen=True)
class Listing:
    """Image files as they lie on the disk, sorted by part, class and name.

    Attributes
    ----------
    folders : part (``"train"``, ``"val"``, ``"test"``) to the folder it is read from. A part
        without a folder has to be taken out of train.
    classes : class names, sorted; index = label.
    files : N image files.
    labels : int64 array ``(N,)``.
    origin : array ``(N,)`` of part names: where each file lies.
    """

    folders: dict[str, Path]
    classes: tuple[str, ...]
    files: list[Path]
    labels: np.ndarray
    origin: np.ndarray


def list_folder(root: Path) -> Listing:
    """List ``root/class/image`` or ``root/{train,val,test}/class/image``.

    With train and val but no test folder, val is listed as the test part: the course scores
    the test part once, at the end, and chooses on another one.

    Raises
    ------
    CourseError
        When there is no such folder, it may not be looked into, or its parts or classes cannot
        be used.
    """
    mode = paths.mode(root)
    if not mode:
        raise CourseError(f"There is no folder {root}. Check the path.")
    if not stat.S_ISDIR(mode):
        raise CourseError(f"{root} is a file; give the folder that holds the class folders.")
    folders = _find_parts(root)
    classes = _common_classes(folders)
    rows = [
        (file, label, part)
        for part, folder in folders.items()
        for label, name in enumerate(classes)
        for file in _image_files(folder / name)
    ]
    files, labels, origin = zip(*rows, strict=True)
    listing = Listing(folders, classes, list(files), np.array(labels), np.array(origin))
    _check_counts(listing)
    return listing


def _find_parts(root: Path) -> dict[str, Path]:
    subfolders = _subfolders(root)
    parts = [PART_NAMES.get(folder.name.lower()) for folder in subfolders]
    train = [folder for folder, part in zip(subfolders, parts, strict=True) if part == "train"]
    # A class may be called "train", too: among other classes it then holds images, not folders.
    if not (subfolders and all(parts)) and not any(_subfolders(folder) for folder in train):
        return {"train": root}
    names = ", ".join(folder.name for folder in subfolders)
    if not all(parts) or len(set(parts)) < len(parts) or not train:
        raise CourseError(
            f"{root} holds {names}: there must be one train folder, at most one val and one test "
            "folder, and no other. Move or rename what does not belong."
        )
    found = dict(zip(parts, subfolders, strict=True))
    if "test" not in found and "val" in found:
        found["test"] = found.pop("val")
    return {part: found[part] for part in ("train", "val", "test") if part in found}


def _common_classes(folders: dict[str, Path]) -> tuple[str, ...]:
    classes = {part: [path.name for path in _subfolders(path)] for part, path in folders.items()}
    for part, folder in folders.items():
        if not classes[part]:
            raise CourseError(f"{folder} has no class folders. {EXPECTED}.")
        if classes[part] != classes["train"]:
            odd = sorted(set(classes[part]) ^ set(classes["train"]))
            raise CourseError(
                f"{folders['train']} and {folder} must have the same class folders; only one of "
                f"them has {', '.join(odd)}."
            )
    if len(classes["train"]) < 2:
        inner = folders["train"] / classes["train"][0]
        if len(folders) == 1 and (n_inner := len(_subfolders(inner))) > 1:
            raise CourseError(
                f"{folders['train']} holds a single folder, which holds {n_inner} folders itself: "
                f"that one was probably meant. Give {inner} as the path."
            )
        raise CourseError(
            f"{folders['train']} has a single class folder, {classes['train'][0]}; there is "
            "nothing to tell apart. Add a folder with images of another class."
        )
    return tuple(classes["train"])


def _image_files(folder: Path) -> list[Path]:
    entries = _visible(folder)
    inner = [entry for entry in entries if _is_folder(entry)]
    if inner:
        raise CourseError(
            f"The class folder {folder} holds a folder, {inner[0].name}. {EXPECTED}: put "
            "images directly into the class folder, or give the folder above those as PATH."
        )
    names = [entry.name for entry in entries]
    files = [folder / name for name in names if os.path.splitext(name)[1].lower() in SUFFIXES]
    if not files:
        raise CourseError(
            f"The class folder {folder} holds no image ({', '.join(sorted(SUFFIXES))}). Add images "
            "or remove the folder."
        )
    return files


def _check_counts(listing: Listing) -> None:
    missing = [part for part in ("val", "test") if part not in listing.folders]
    counts = np.bincount(listing.labels[listing.origin == "train"])
    for name, count in zip(listing.classes, counts.tolist(), strict=True):
        if count < 1 + len(missing):
            raise CourseError(
                f"The class {name} has {count} image{'s' * (count > 1)} in "
                f"{listing.folders['train']}; at least {1 + len(missing)} are needed, one each for "
                f"{', '.join(['train', *missing])}. Add images or remove the class."
            )


def _subfolders(folder: Path) -> list[Path]:
    return [folder / entry.name for entry in _visible(folder) if _is_folder(entry)]


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads back to itself, or to where one may not look
        return False


def _visible(folder: Path) -> list[os.DirEntry]:
    """List a folder by name; entries know what they are without asking the disk again."""
    hidden = (".", "__MACOSX")
    try:
        with os.scandir(folder) as entries:
            found = [entry for entry in entries if not entry.name.startswith(hidden)]
    except OSError as error:
        raise CourseError(
            f"The folder {folder} cannot be listed ({error.strerror}). Make it readable."
        ) from error
    return sorted(found, key=lambda entry: entry.name)
