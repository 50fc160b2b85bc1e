"""Any folder of images, one sub-folder per class, as a data set with three splits."""

from __future__ import annotations

import itertools
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from helpers import files
from helpers.datasets.dataset import Card, Dataset, Split, holdout
from helpers.datasets.decode import Channels, decode_parts
from helpers.errors import CourseError

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"}
PARTS = ("train", "val", "test")
PART_OF = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
EXPECTED = "Expected is PATH/class/image.png or PATH/train/class/image.png"

# Facts for the cards of well-known folders, by their names: what `load_folder` takes as `about`.
KNOWN = json.loads(files.resource("known_folders.json").read_text("utf-8"))


def load_folder(
    path: str | os.PathLike[str],
    *,
    size: int,
    name: str | None = None,
    about: Mapping[str, str] | None = None,
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
    name : the card's name, by default ``"folder:PATH"``.
    about : facts for the card, any of ``title``, ``domain``, ``source``, ``terms``, ``caveat``,
        and a ``group_pattern`` to use where none is given.
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
    if channels not in ("auto", 1, 3):
        raise CourseError(f"channels is {channels!r}; it can be 'auto', 1 (gray) or 3 (colour).")
    for fraction in (val_fraction, test_fraction):
        if not 0 < fraction <= 0.5:
            raise CourseError(
                f"{fraction:g} is not a share to hold out; val_fraction and test_fraction must lie "
                "in (0, 0.5], e.g. 0.2."
            )
    root, about = files.expanded(path), about or {}
    pattern = group_pattern or about.get("group_pattern")
    listing = list_folder(root)
    groups = group_codes(listing.files, pattern)
    index = cut(listing, groups, {"test": test_fraction, "val": val_fraction}, seed)
    parts = {part: [listing.files[row] for row in rows] for part, rows in index.items()}
    images = decode_parts(root, parts, size, channels)
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
    splits = {k: Split(images[k], listing.labels[rows], groups[rows]) for k, rows in index.items()}
    return Dataset(card, **splits)


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
    if not files.mode(root):
        raise CourseError(f"There is no folder {root}. Check the path.")
    if not files.is_folder(root):
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


def _common_classes(folders: dict[str, Path]) -> tuple[str, ...]:
    """Return the names of the class folders, which must be the same in all parts."""
    classes = {part: [path.name for path in _subfolders(path)] for part, path in folders.items()}
    train = folders["train"]
    for part, folder in folders.items():
        if not classes[part]:
            raise CourseError(f"{folder} has no class folders. {EXPECTED}.")
        if odd := sorted(set(classes[part]) ^ set(classes["train"])):
            raise CourseError(
                f"{train} and {folder} must have the same class folders; only one of "
                f"them has {', '.join(odd)}."
            )
    if len(classes["train"]) == 1:
        (name,) = classes["train"]
        if len(folders) == 1 and (n_inner := len(_subfolders(train / name))) > 1:
            raise CourseError(
                f"{train} holds a single folder, which holds {n_inner} folders itself: "
                f"that one was probably meant. Give {train / name} as the path."
            )
        raise CourseError(
            f"{train} has a single class folder, {name}; there is nothing to tell apart. Add a "
            "folder with images of another class."
        )
    return tuple(classes["train"])


def _image_files(folder: Path) -> list[Path]:
    found = []
    for path in _visible(folder):
        if path.suffix.lower() in SUFFIXES:  # not asked what it is: a network drive takes its time
            found.append(path)
        elif os.path.isdir(path):
            raise CourseError(
                f"The class folder {folder} holds a folder, {path.name}. {EXPECTED}: put "
                "images directly into the class folder, or give the folder above those as PATH."
            )
    if not found:
        raise CourseError(
            f"The class folder {folder} holds no image ({', '.join(sorted(SUFFIXES))}). Add images "
            "or remove the folder."
        )
    return found


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
    return [folder / name for name in names if not name.startswith((".", "__MACOSX"))]


def group_codes(paths: Sequence[Path], pattern: str | None) -> np.ndarray:
    """Number the groups that `pattern` finds in the names of files: int64 ``(N,)``.

    Parameters
    ----------
    paths : N files; only the last component, the name, is searched.
    pattern : regular expression (see `load_folder`), or None: every file by itself.

    Raises
    ------
    CourseError
        When `pattern` is not a regular expression, or no name matches it.
    """
    if pattern is None:
        return np.arange(len(paths))
    try:
        regex = re.compile(pattern)
    except re.error as error:
        raise CourseError(
            f"group_pattern {pattern!r} is not a regular expression ({error}). An example that "
            r"is one: r'patient(\d+)'."
        ) from error
    found = []
    for path in paths:
        match = regex.search(path.name)
        pieces = () if match is None else match.groups() or (match.group(),)
        found.append("-".join(piece for piece in pieces if piece is not None))
    if not any(found):
        raise CourseError(
            f"group_pattern {pattern!r} matches none of the {len(paths):,} file names, e.g. "
            f"{paths[0].name!r}. Write one that does, or leave it out."
        )
    # A path has a separator, which a file name cannot have: it never equals a group's name.
    names = [group or f"/{path}" for group, path in zip(found, paths, strict=True)]
    return np.unique(names, return_inverse=True)[1].astype(np.int64)


def cut(
    listing: Listing, groups: np.ndarray, fractions: Mapping[str, float], seed: int
) -> dict[str, np.ndarray]:
    """Split a listing into train, val and test: parts that have a folder stay as they are.

    Parameters
    ----------
    groups : ``(N,)``, see `group_codes`; images of one group are not torn apart.
    fractions : share of train to hold out for each missing part, in the order in which they are
        held out: test, then val.

    Returns
    -------
    part -> positions into the listing.

    Raises
    ------
    CourseError
        When a part would be without a class.
    """
    index = {part: np.flatnonzero(listing.origin == part) for part in listing.folders}
    names = np.array(listing.classes)[listing.labels]
    for part in [part for part in fractions if part not in index]:
        rest = index["train"]
        try:
            kept, held_out = holdout(names[rest], fractions[part], seed, groups[rest])
        except ValueError as error:
            raise CourseError(
                f"There are too few images to take a {part} part without tearing groups apart. "
                "Add images, make group_pattern narrower or leave it out."
            ) from error
        index["train"], index[part] = rest[kept], rest[held_out]
    for part, rows in index.items():
        if absent := sorted(set(listing.classes) - set(names[rows])):
            raise CourseError(
                f"The {part} part would have no image of the class {absent[0]}: its images belong "
                "to too few groups. Add images of other groups, try another seed, or make "
                "group_pattern narrower."
            )
    return {part: index[part] for part in PARTS}


def _split_rule(listing: Listing, index: Mapping[str, np.ndarray], *, grouped: bool) -> str:
    """Say how each part was made, in the order in which they were taken."""
    rules = []
    pool = int((listing.origin == "train").sum())
    where = f"images in {listing.folders['train'].name}/"
    for part, word in (("test", "test"), ("val", "validation")):
        if part not in listing.folders:
            rules.append(f"{word} is {len(index[part]):,} of the {pool:,} {where}")
            pool, where = pool - len(index[part]), "others"
            continue
        name = listing.folders[part].name
        rules.append(f"{word} is {name}/ as it came")
        if part == "test" and PART_OF[name.lower()] == "val":
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
            here, there = listing.folders[one].name, listing.folders[other].name
            sentences.append(
                f"{len(shared):,} groups of file names lie in both {here}/ and {there}/, with "
                f"{np.isin(theirs, shared).sum():,} of the {len(theirs):,} images of the latter: "
                "if a group is one patient, scores on those images are too good."
            )
    return sentences
