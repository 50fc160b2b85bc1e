"""Any folder of images, one sub-folder per class, as a data set with three splits."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from helpers import paths
from helpers.datasets.card import Card, Dataset, Split
from helpers.datasets.decode import Channels, decode_parts
from helpers.datasets.known import About
from helpers.datasets.listing import PART_NAMES, Listing, list_folder
from helpers.datasets.splits import holdout
from helpers.errors import CourseError

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
    root = paths.expanded(path)
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
