"""What lies in a folder of images: its parts, its classes, its files, and what is no image."""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from helpers import files
from helpers.datasets.dicom import is_dicom
from helpers.datasets.problems import DICOM_SUFFIXES
from helpers.errors import CourseError

SUFFIXES = {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".tif", ".tiff", ".webp"}
SUFFIXES |= DICOM_SUFFIXES
PARTS = ("train", "val", "test")
PART_OF = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
EXPECTED = "Expected is PATH/class/image.png or PATH/train/class/image.png"
# Not worth a word: hidden on the system that wrote it.
HIDDEN = re.compile(r"\.|__MACOSX|(thumbs\.db|desktop\.ini|dicomdir)$", re.IGNORECASE)


@dataclass(frozen=True)
class Listing:
    """Image files as they lie on the disk, sorted by part, class and name.

    Attributes
    ----------
    folders : part (``"train"``, ``"val"``, ``"test"``) to the folder it is read from. A part
        without a folder has to be taken out of train.
    classes : class names, sorted; index = label. They are what can be printed: composed (NFC),
        however the disk spells an accent, and with U+FFFD for what is not UTF-8.
    files : N image files.
    labels : int64 array ``(N,)``.
    origin : array ``(N,)`` of part names: where each file lies.
    skipped : files that are not read, counted by their suffix.
    """

    folders: dict[str, Path]
    classes: tuple[str, ...]
    files: list[Path]
    labels: np.ndarray
    origin: np.ndarray
    skipped: Counter[str] = field(default_factory=Counter)


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
    if not files.mode(root):
        raise CourseError(f"There is no folder {root}. Check the path.")
    if not files.is_folder(root):
        raise CourseError(f"{root} is a file; give the folder that holds the class folders.")
    folders = _find_parts(root)
    skipped: Counter[str] = Counter()
    by_class = _class_folders(folders, skipped)
    rows = [
        (file, label, part)
        for part, classes in by_class.items()
        for label, name in enumerate(sorted(classes))
        for folder in classes[name]
        for file in _image_files(folder, skipped)
    ]
    found, labels, origin = zip(*rows, strict=True)
    classes = tuple(files.shown(name) for name in sorted(by_class["train"]))
    if len(set(classes)) < len(classes):
        raise CourseError(
            f"Two class folders in {folders['train']} differ in bytes that cannot be shown, among "
            f"{', '.join(classes)}. Rename one."
        )
    listing = Listing(folders, classes, list(found), np.array(labels), np.array(origin), skipped)
    needed = [part for part in PARTS if part == "train" or part not in folders]
    counts = np.bincount(listing.labels[listing.origin == "train"])
    for name, count in zip(classes, counts.tolist(), strict=True):
        if count < len(needed):
            raise CourseError(
                f"The class {name} has {count} image{'s' * (count > 1)} in {folders['train']}; at "
                f"least {len(needed)} are needed, one each for {', '.join(needed)}. Add images or "
                "remove the class."
            )
    return listing


def _find_parts(root: Path) -> dict[str, Path]:
    """Return the folders of the parts; of a folder without parts, all of it as train."""
    subfolders = _subfolders(root)
    parts = [PART_OF.get(folder.name.lower()) for folder in subfolders]
    train = [folder for folder, part in zip(subfolders, parts, strict=True) if part == "train"]
    # A class may be called "train", too: among other classes it then holds images, not folders.
    if not (subfolders and all(parts)) and not any(_subfolders(folder) for folder in train):
        return {"train": root}
    if not all(parts) or len(set(parts)) < len(parts) or not train:
        names = ", ".join(folder.name for folder in subfolders)
        raise CourseError(
            f"{root} holds {names}: there must be one train folder, at most one val and one test "
            "folder, and no other. Move or rename what does not belong."
        )
    found = dict(zip(parts, subfolders, strict=True))
    if "test" not in found and "val" in found:
        found["test"] = found.pop("val")
    return {part: found[part] for part in PARTS if part in found}


def _class_folders(
    folders: dict[str, Path], skipped: Counter[str]
) -> dict[str, dict[str, list[Path]]]:
    """Return part -> class -> its folders; the classes must be the same in all parts.

    macOS writes an accent as a letter of its own (NFD), other systems do not (NFC): a set that
    was copied around may have a class in both spellings.
    """
    found: dict[str, dict[str, list[Path]]] = {part: {} for part in folders}
    for part, folder in folders.items():
        for path in _visible(folder):
            if not os.path.isdir(path):
                if path.suffix.lower() in SUFFIXES:  # an image without a class
                    skipped[f"{path.suffix.lower()} beside the class folders"] += 1
                continue
            found[part].setdefault(unicodedata.normalize("NFC", path.name), []).append(path)
        if not found[part]:
            raise CourseError(f"{folder} has no class folders. {EXPECTED}.")
        if odd := sorted(found[part].keys() ^ found["train"].keys()):
            raise CourseError(
                f"{folders['train']} and {folder} must have the same class folders; only one of "
                f"them has {', '.join(odd)}."
            )
    train = folders["train"]
    if len(found["train"]) == 1:
        (name,), ((only, *_),) = found["train"].keys(), found["train"].values()
        if len(folders) == 1 and (n_inner := len(_subfolders(only))) > 1:
            raise CourseError(
                f"{train} holds a single folder, which holds {n_inner} folders itself: "
                f"that one was probably meant. Give {only} as the path."
            )
        raise CourseError(
            f"{train} has a single class folder, {name}; there is nothing to tell apart. Add a "
            "folder with images of another class."
        )
    return found


def _image_files(folder: Path, skipped: Counter[str]) -> list[Path]:
    """Return the images of a class by their suffix, and count other files in `skipped`.

    DICOM files are often called IM000001 or 1.2.840.113619: of a name without a suffix, or with a
    number for one, the first bytes are read.
    """
    found, others = [], Counter()
    for path in _visible(folder):
        if path.suffix.lower() in SUFFIXES:  # not asked what it is: a network drive takes its time
            found.append(path)
        elif os.path.isdir(path):
            raise CourseError(
                f"The class folder {folder} holds a folder, {path.name}. {EXPECTED}: put "
                "images directly into the class folder, or give the folder above those as PATH."
            )
        elif not path.suffix.strip(".0123456789") and os.path.isfile(path) and is_dicom(path):
            found.append(path)
        else:
            others[path.suffix.lower() or "no suffix"] += 1
    if not found:
        there = f", but {tally(others)}" if others else ""
        raise CourseError(
            f"The class folder {folder} holds no image ({', '.join(sorted(SUFFIXES))}){there}. Add "
            "images, convert what is there, or remove the folder."
        )
    skipped.update(others)
    return found


def tally(counts: Counter[str]) -> str:
    """Return counts in words, the largest first: ``".gif (12), .txt (1)"``."""
    return ", ".join(f"{files.shown(name)} ({n:,})" for name, n in counts.most_common())


def _subfolders(folder: Path) -> list[Path]:
    # os.path.isdir, not Path.is_dir: some versions of Python raise on a link back to itself.
    return [path for path in _visible(folder) if os.path.isdir(path)]


def _visible(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries)
    except OSError as error:
        raise CourseError(
            f"The folder {folder} cannot be listed ({error.strerror}). Make it readable."
        ) from error
    return [folder / name for name in names if not HIDDEN.match(name)]
