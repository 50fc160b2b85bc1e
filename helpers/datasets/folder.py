"""Any folder of images, one sub-folder per class, as a data set with three splits."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from helpers import files
from helpers.datasets import leaks
from helpers.datasets.dataset import Card, Dataset, Split, holdout, stratified_sample
from helpers.datasets.decode import (
    LOST,
    Channels,
    Fit,
    Problem,
    cut_away,
    decode_files,
    decode_parts,
    is_gray,
)  # fmt: skip
from helpers.datasets.listing import PART_OF, PARTS, Listing, list_folder
from helpers.errors import CourseError

CUT = 0.2  # mean share of an image that a crop may cut away without a word

# Facts for the cards of well-known folders, by their names: what `load_folder` takes as `about`.
KNOWN = json.loads(files.resource("known_folders.json").read_text("utf-8"))


def load_folder(
    path: str | os.PathLike[str],
    *,
    size: int,
    name: str | None = None,
    about: Mapping[str, str] | None = None,
    group_pattern: str | None = None,
    class_pattern: str | None = None,
    channels: Channels = "auto",
    fit: Fit = "crop",
    val_fraction: float = 0.2,
    test_fraction: float = 0.25,
    seed: int = 0,
) -> Dataset:
    """Load an image folder: ``PATH/class/image`` or ``PATH/{train,val,test}/class/image``.

    Parts that are there are kept. A missing validation part is taken out of train, a missing
    test part too; with train and val alone, val becomes the test part (scored once) and a new
    validation part is taken out of train. PNG, JPEG, BMP, TIFF, WebP and gray DICOM (see
    `helpers.datasets.dicom`) are read; other files are counted in the card's warnings, hidden ones
    ignored. Decoded images are cached until a file changes.

    Images with the same pixels stay on one side of a split made here, as if they were a group. In
    parts that are there they are named in the card's warnings.

    Parameters
    ----------
    path : the folder.
    size : height and width in pixels.
    name : the card's name, by default ``"folder:PATH"``.
    about : facts for the card, any of ``title``, ``domain``, ``source``, ``terms``, ``caveat``,
        a ``group_pattern`` and ``class_pattern`` to use where none is given, the ``classes`` that
        a folder must have for these facts to be about it, and whether it was ``measured`` with
        copies left apart.
    group_pattern : regular expression searched in the file name. Files with the same match (its
        groups joined, if it has any) belong together, e.g. to one patient, and are never torn
        apart by a split made here. A name without a match is a group of its own.
    class_pattern : regular expression searched in the file name: what it finds is the class, in
        place of the folder; files in which it finds nothing are left out. A second task on the
        same images.
    channels : 1, 3, or ``"auto"``: 1 when every image is gray, else 3.
    fit : ``"crop"``: the shorter side is resized (bicubic), what is left over of the longer one is
        cut away at both ends, and the card's warnings say how much, if it is more than `CUT`.
        ``"pad"``: the longer side is resized, and black is added at both ends of the shorter one.
    val_fraction, test_fraction : share to take for a missing part, in (0, 0.5].
    seed : which of the possible splits.

    Raises
    ------
    CourseError
        When the folder, its classes, an image, the pattern or an option cannot be used.
    """
    fractions = {"test": test_fraction, "val": val_fraction}
    _check_options(channels, fit, fractions)
    root, about = files.expanded(path), about or {}
    listing, warnings = list_folder(root), []
    if class_pattern := class_pattern or about.get("class_pattern"):
        listing = by_name(listing, class_pattern)
    if list(listing.classes) != list(about.get("classes", listing.classes)):
        about, warnings = {}, [f"{root.name} has other classes than the known set of that name."]
    pattern = about.get("group_pattern") if group_pattern is None else group_pattern
    groups = group_codes(listing.files, pattern)

    def decode(index: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        parts = {part: [listing.files[row] for row in rows] for part, rows in index.items()}
        return decode_parts(root, parts, size, channels, fit=fit)

    first = cut(listing, groups, fractions, seed)
    images = decode(first)
    if fit == "crop" and (shares := cut_away(root, listing.files)).mean() > CUT:
        warnings.append(
            f"The crop to a square cuts away {shares.mean():.0%} of an image on average, "
            f"{shares.max():.0%} at most; fit='pad' (--fit pad) keeps all of it."
        )
    copies = leaks.same_pixels(images, first)
    warnings += leaks.warnings_of(listing, groups, copies)
    if about.get("measured"):  # data/results was measured on this very split, copies and all
        copies = np.arange(len(copies))
    together = leaks.joined(groups, copies)
    index = keep_together(listing, first, together, fractions, seed)
    if index is not first:
        images = decode(index)
    n_copies = int(leaks.with_copies(copies)[listing.origin == "train"].sum())
    usual = {"title": files.shown(root.resolve().name), "domain": "own images",
             "source": "your folder", "terms": "yours to check"}  # fmt: skip
    card = Card(
        name=name or files.shown(f"folder:{root}"),
        classes=listing.classes,
        channels=images["train"].shape[-1],
        size=size,
        split_rule=_split_rule(listing, index, n_copies, grouped=pattern is not None),
        caveat=" ".join([about.get("caveat", ""), *warnings]).strip(),
        warnings=tuple(warnings),
        **{fact: about.get(fact, said) for fact, said in usual.items()},
    )
    parts = {k: Split(images[k], listing.labels[r], together[r]) for k, r in index.items()}
    return Dataset(card, **parts)


def _check_options(channels: object, fit: object, fractions: Mapping[str, float]) -> None:
    if channels not in ("auto", 1, 3):
        raise CourseError(f"channels is {channels!r}; it can be 'auto', 1 (gray) or 3 (colour).")
    if fit not in ("crop", "pad"):
        raise CourseError(f"fit is {fit!r}; it can be 'crop' or 'pad'.")
    for part, fraction in fractions.items():
        if not 0 < fraction <= 0.5:
            raise CourseError(
                f"{part}_fraction is {fraction:g}; a share to hold out must lie in (0, 0.5]."
            )


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
    found = _matches("group_pattern", pattern, paths)
    # A path has a separator, which a file name cannot have: it never equals a group's name.
    names = [group or f"/{path}" for group, path in zip(found, paths, strict=True)]
    return np.unique(names, return_inverse=True)[1].astype(np.int64)


def _matches(option: str, pattern: str, paths: Sequence[Path]) -> list[str]:
    """Return what `pattern` finds in each file name, its groups joined; "" where nothing."""
    try:
        regex = re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:  # a{99999999999}, ten thousand (
        raise CourseError(
            f"{option} {pattern!r} is not a regular expression ({error}). An example that "
            r"is one: r'patient(\d+)'."
        ) from error
    found = []
    for path in paths:
        match = regex.search(path.name)
        pieces = () if match is None else match.groups() or (match.group(),)
        found.append("-".join(piece for piece in pieces if piece is not None))
    if not any(found):
        raise CourseError(
            f"{option} {pattern!r} matches none of the {len(paths):,} file names, e.g. "
            f"{paths[0].name!r}. Write one that does, or leave it out."
        )
    return found


def by_name(listing: Listing, pattern: str) -> Listing:
    """Return the files in whose names `pattern` finds something: that is their class now.

    Raises
    ------
    CourseError
        When `pattern` is not a regular expression, or finds fewer than two classes.
    """
    found = np.array(_matches("class_pattern", pattern, listing.files))
    rows, classes = np.flatnonzero(found != ""), tuple(np.unique(found[found != ""]).tolist())
    if len(classes) < 2:
        raise CourseError(
            f"class_pattern {pattern!r} finds only {classes[0]!r} in the file names. Write one "
            "that finds two classes or more."
        )
    return replace(
        listing, classes=classes, files=[listing.files[row] for row in rows],
        labels=np.searchsorted(classes, found[rows]), origin=listing.origin[rows],
    )  # fmt: skip


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
    part -> positions into the listing, ascending.

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
                "to too few groups, or too many are copies. Add other images, try another seed, or "
                "make group_pattern narrower."
            )
    return {part: index[part] for part in PARTS}


def keep_together(
    listing: Listing, first: dict[str, np.ndarray], together: np.ndarray,
    fractions: Mapping[str, float], seed: int,
) -> dict[str, np.ndarray]:  # fmt: skip
    """Mend a split that has torn copies apart: each group goes where its first image is.

    All else stays: a handful of copies makes no other split of a large set. Only where a part
    would lose a class that way, the groups are cut themselves.

    Parameters
    ----------
    first, fractions, seed : what `cut` returned, and was given.
    together : ``(N,)``, see `leaks.joined`.

    Returns
    -------
    part -> positions into the listing; `first` itself where nothing is torn.
    """
    part_of = np.empty(len(together), dtype="<U5")
    for part, rows in first.items():
        part_of[rows] = part
    pool = np.flatnonzero(listing.origin == "train")
    _, start, which = np.unique(together[pool], return_index=True, return_inverse=True)
    goal = part_of[pool[start[which]]]
    if (goal == part_of[pool]).all():
        return first
    part_of[pool] = goal
    index = {part: np.flatnonzero(part_of == part) for part in first}
    whole = all(len(np.unique(listing.labels[i])) == len(listing.classes) for i in index.values())
    return index if whole else cut(listing, together, fractions, seed)


def _split_rule(
    listing: Listing, index: Mapping[str, np.ndarray], n_copies: int, *, grouped: bool
) -> str:
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
        if n_copies:
            together += f", the {n_copies:,} images that have a copy stay with it"
        rules.append(f"drawn at random with about equal class shares{together}")
    return "; ".join(rules)


def sample_rows(listing: Listing, rows: np.ndarray, most: int, seed: int) -> np.ndarray:
    """Return at most `most` of the positions `rows` in a listing, each class among them."""
    most = max(most, 2 * len(listing.classes))
    return rows if len(rows) <= most else rows[stratified_sample(listing.labels[rows], most, seed)]


def read_rows(
    listing: Listing, groups: np.ndarray, rows: np.ndarray, size: int, channels: int | None = None
) -> tuple[np.ndarray, Split, list[Problem]]:
    """Return which of `rows` could be read, their images, and what training would refuse.

    `channels` is 1 or 3; None: 1 where all are gray.
    """
    paths = [listing.files[row] for row in rows]
    images, problems = decode_files(paths, size, 3, collect=True)
    lost = {problem.file for problem in problems if problem.kind in LOST}
    good = np.array([path not in lost for path in paths])
    rows, images = rows[good], images[good]
    if channels == 1 or (channels is None and is_gray(images)):
        images = images[..., 1:2]
    return rows, Split(images, listing.labels[rows], groups[rows]), problems
