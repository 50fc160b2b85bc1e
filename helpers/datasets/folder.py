"""Any folder of images, one sub-folder per class, as a data set with three splits."""

from __future__ import annotations

import itertools
import os
import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import numpy as np

from helpers import files
from helpers.datasets.dataset import Card, Dataset, Split, holdout
from helpers.datasets.decode import Channels, decode_parts
from helpers.errors import CourseError
from helpers.files import expanded

PARTS = ("train", "val", "test")


def load_folder(
    path: str | os.PathLike[str],
    *,
    size: int,
    name: str | None = None,
    about: About | None = None,
    group_pattern: str | None = None,
    channels: Channels = "auto",
    val_fraction: float = 0.2,
    test_fraction: float = 0.25,
    seed: int = 0,
) -> Dataset:
    """Load an image folder: ``PATH/class/image`` or ``PATH/{train,val,test}/class/image``.

    Parts that are there are kept. A missing validation part is taken out of train, a missing
    test part too; with train and val alone, val becomes the test part (scored once) and a new
    validation part is taken out of train. PNG, JPEG, BMP, TIFF and WebP are read; other files
    and hidden ones are ignored. Decoded images are cached until a file changes.

    Parameters
    ----------
    path : the folder.
    size : height and width in pixels: shorter side resized (bicubic), then centre-cropped.
    name, about : the card's name (default ``"folder:PATH"``) and its facts.
    group_pattern : regular expression searched in the file name. Files with the same match (its
        groups joined, if it has any) belong together, e.g. to one patient, and are never torn
        apart by a split made here. A name without a match is a group of its own.
    channels : 1, 3, or ``"auto"``: 1 when every image is gray, else 3.
    val_fraction, test_fraction : share to take for a missing part, in (0, 0.5].
    seed : which of the possible splits.

    Raises
    ------
    CourseError
        When the folder, its classes, an image, the pattern or an option cannot be used.
    """
    root = expanded(path)
    _check_options(size, channels, (val_fraction, test_fraction))
    about = about or {}
    pattern = group_pattern or about.get("group_pattern")
    listing = list_folder(root)
    groups = group_codes(listing.files, pattern)
    index = cut(listing, groups, {"test": test_fraction, "val": val_fraction}, seed)
    files = {part: [listing.files[row] for row in rows] for part, rows in index.items()}
    images = decode_parts(root, files, size, channels)
    parts = {k: Split(images[k], listing.labels[rows], groups[rows]) for k, rows in index.items()}
    card = Card(
        name=name or f"folder:{root}",
        title=about.get("title", root.resolve().name),
        domain=about.get("domain", "own images"),
        classes=listing.classes,
        channels=images["train"].shape[-1],
        size=size,
        split_rule=_split_rule(listing, index, grouped=pattern is not None),
        source=about.get("source", "your folder"),
        terms=about.get("terms", "yours to check"),
        caveat=" ".join([about.get("caveat", ""), *overlaps(listing, groups)]).strip(),
    )
    return Dataset(card, **parts)


def group_codes(files: Sequence[Path], pattern: str | None) -> np.ndarray:
    """Number the groups that `pattern` finds in the names of `files`.

    Parameters
    ----------
    files : N paths; only the last component, the name, is searched.
    pattern : regular expression (see `load_folder`), or None: every file by itself.

    Returns
    -------
    int64 array ``(N,)``.

    Raises
    ------
    CourseError
        When `pattern` is not a regular expression, or no name matches it.
    """
    if pattern is None:
        return np.arange(len(files))
    try:
        regex = re.compile(pattern)
    except re.error as error:
        raise CourseError(
            f"group_pattern {pattern!r} is not a regular expression ({error}). An example that "
            r"is one: r'patient(\d+)'."
        ) from error
    found = [_group_name(regex, file.name) for file in files]
    if not any(found):
        raise CourseError(
            f"group_pattern {pattern!r} matches none of the {len(files):,} file names, e.g. "
            f"{files[0].name!r}. Write one that does, or leave it out."
        )
    # A path has a separator, which a file name cannot have: it never equals a group's name.
    names = [group or f"/{file}" for group, file in zip(found, files, strict=True)]
    return np.unique(names, return_inverse=True)[1].astype(np.int64)


def _group_name(regex: re.Pattern[str], name: str) -> str:
    match = regex.search(name)
    if match is None:
        return ""
    if not regex.groups:
        return match.group()
    return "-".join(group for group in match.groups() if group is not None)


def cut(
    listing: Listing, groups: np.ndarray, fractions: Mapping[str, float], seed: int
) -> dict[str, np.ndarray]:
    """Return positions into the listing per part, the missing parts taken out of train.

    Parameters
    ----------
    groups : ``(N,)`` of `group_codes`. fractions : share to hold out for each part, in the order
        in which they are taken where they are missing: test, then val.

    Raises
    ------
    CourseError
        When a part would be without a class.
    """
    index = {part: np.flatnonzero(listing.origin == part) for part in listing.folders}
    names = np.array(listing.classes)[listing.labels]
    for part, fraction in fractions.items():
        if part in index:
            continue
        rest = index["train"]
        try:
            kept, held_out = holdout(names[rest], fraction, seed, groups[rest])
        except ValueError as error:
            raise CourseError(
                f"There are too few images to take a {part} part without tearing groups apart. "
                "Add images, make group_pattern narrower or leave it out."
            ) from error
        index["train"], index[part] = rest[kept], rest[held_out]
    for part, rows in index.items():
        absent = np.setdiff1d(np.arange(len(listing.classes)), listing.labels[rows])
        if len(absent):
            raise _too_few(part, listing.classes[absent[0]])
    return {part: index[part] for part in PARTS}


def _too_few(part: str, name: str) -> CourseError:
    return CourseError(
        f"The {part} part would have no image of the class {name}: its images belong to too few "
        "groups. Add images of other groups, try another seed, or make group_pattern narrower."
    )


def _split_rule(listing: Listing, index: Mapping[str, np.ndarray], *, grouped: bool) -> str:
    rules = []
    pool, where = int((listing.origin == "train").sum()), f"images in {_shown(listing, 'train')}"
    for part, word in (("test", "test"), ("val", "validation")):
        if part not in listing.folders:
            rules.append(f"{word} is {len(index[part]):,} of the {pool:,} {where}")
            pool, where = pool - len(index[part]), "others"
            continue
        rules.append(f"{word} is {_shown(listing, part)} as it came")
        if part == "test" and PART_NAMES[listing.folders[part].name.lower()] == "val":
            rules[-1] += ", because there is no test folder and the course scores a test part once"
    if len(listing.folders) < len(PARTS):
        together = ", images whose names show one group stay on one side" if grouped else ""
        rules.append(f"drawn at random with about equal class shares{together}")
    return "; ".join(rules)


def overlaps(listing: Listing, groups: np.ndarray) -> list[str]:
    """Say which groups lie in two folders: such parts are kept as they came."""
    sentences = []
    for one, other in itertools.combinations(listing.folders, 2):
        mine, theirs = groups[listing.origin == one], groups[listing.origin == other]
        shared = np.intersect1d(mine, theirs)
        if len(shared):
            sentences.append(
                f"{len(shared):,} groups of file names lie in both {_shown(listing, one)} and "
                f"{_shown(listing, other)}, with {np.isin(theirs, shared).sum():,} of the "
                f"{len(theirs):,} images of the latter: if a group is one patient, scores on those "
                "images are too good."
            )
    return sentences


def _shown(listing: Listing, part: str) -> str:
    return f"{listing.folders[part].name}/"


def _check_options(size: int, channels: object, fractions: tuple[float, float]) -> None:
    if size < 1:
        raise CourseError(f"size is {size}; it is the height and width in pixels, e.g. 128.")
    if channels not in ("auto", 1, 3):
        raise CourseError(f"channels is {channels!r}; it can be 'auto', 1 (gray) or 3 (colour).")
    for fraction in fractions:
        if not 0 < fraction <= 0.5:
            raise CourseError(
                f"{fraction:g} is not a share to hold out; val_fraction and test_fraction must lie "
                "in (0, 0.5], e.g. 0.2."
            )


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
    mode = files.mode(root)
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
    found, labels, origin = zip(*rows, strict=True)
    listing = Listing(folders, classes, list(found), np.array(labels), np.array(origin))
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


class About(TypedDict, total=False):
    """Facts for the card of an image folder; what is left out gets a neutral default."""

    title: str
    domain: str
    source: str
    terms: str
    caveat: str
    group_pattern: str


KNOWN: dict[str, About] = {
    "chest_xray": {
        "title": "chest X-rays, children",
        "domain": "chest X-rays",
        "source": "Kermany et al., Cell 172 (2018), children's chest X-rays from Guangzhou",
        "terms": "CC BY 4.0",
        "caveat": (
            "The numbers in the file names are taken for patients, which nobody has confirmed. "
            "They seem to restart for bacterial and viral pneumonia: with that word included, no "
            "number lies in both train/ and test/."
        ),
        "group_pattern": r"person\d+|(?:NORMAL2-)?IM-\d+",
    },
    "flowers": {
        "title": "flowers, photographs",
        "domain": "photographs",
        "source": "photographs of five kinds of flowers from public photo sites",
        "terms": "the photographers'; for measuring only",
    },
    "hymenoptera": {
        "title": "ants and bees, photographs",
        "domain": "photographs",
        "source": "the set of PyTorch's transfer-learning tutorial, drawn from ImageNet",
        "terms": "the photographers'; for measuring only",
        "caveat": (
            "Drawn from ImageNet itself, so ImageNet weights have probably seen these images, "
            "test images included."
        ),
    },
}
