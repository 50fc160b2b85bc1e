"""Real images as three splits of uint8 arrays, whatever they come from.

>>> from helpers import datasets
>>> data = datasets.load("elpv", size=128)
>>> data.card.classes
('intact', 'defective')
"""

from __future__ import annotations

import contextlib
import inspect
import os
from collections.abc import Callable
from dataclasses import replace
from numbers import Integral
from pathlib import Path

from helpers import files
from helpers.datasets.dataset import Card, Dataset, Split
from helpers.datasets.elpv import load_elpv
from helpers.datasets.folder import KNOWN, load_folder
from helpers.datasets.medmnist import MEDMNIST, load_medmnist
from helpers.errors import CourseError, unknown_name

LARGEST = 1024  # pixels a side: 3 MB for each image in colour

__all__ = ["Card", "Dataset", "Split", "default_name", "load", "names"]


def default_name() -> str:
    """Return the data set the course runs on: ``COURSE_DATASET``, or ``"elpv"``."""
    return os.environ.get("COURSE_DATASET") or "elpv"


def names() -> list[str]:
    """Return every bare name that `load` can find right now."""
    return ["elpv", *MEDMNIST, *_local_folders()]


def load(name: str | None = None, *, size: int = 128, **options) -> Dataset:
    """Load a data set by name.

    Parameters
    ----------
    name : ``"elpv"``; a 2D MedMNIST set such as ``"pneumonia"`` (downloaded once);
        ``"folder:PATH"`` for your own images; or the bare name of a folder inside
        ``COURSE_DATA_DIR``. None means `default_name`.
    size : height and width in pixels of the images returned, from 8 to `LARGEST`.
    options : passed to the loader, e.g. ``threshold`` for ELPV or ``group_pattern`` for a folder
        (see `load_elpv`, `load_folder`, `load_medmnist`). ``COURSE_GROUP_PATTERN`` gives folders
        a group pattern where none is passed.

    Raises
    ------
    CourseError
        When there is no such data set, or something is wrong with it: the message says what to do.
    """
    name = default_name() if name is None else name
    if not isinstance(size, Integral) or not 8 <= size <= LARGEST:
        raise CourseError(
            f"size is {size} pixels; ask for at least 8 and at most {LARGEST:,}, a whole number "
            "(64 to 224 make sense here)."
        )
    if name == "elpv":
        return _beside_a_folder(name, _call(load_elpv, name, size=size, **options))
    if name in MEDMNIST or name == "chest":  # load_medmnist says why chest is left out
        return _beside_a_folder(name, _call(load_medmnist, name, name, size=size, **options))
    if pattern := os.environ.get("COURSE_GROUP_PATTERN"):
        options = {"group_pattern": pattern, **options}
    if name.startswith("folder:"):
        given = name.removeprefix("folder:")
        if not given.strip():  # Path("") would be the current folder
            raise CourseError("'folder:' has no path; give 'folder:PATH', e.g. 'folder:images'.")
        path = files.expanded(given).absolute()
        return _call(load_folder, name, path, size=size, **options)
    local = _local_folders()
    if name in local:
        options |= {"name": name, "about": KNOWN.get(name)}
        return _call(load_folder, name, local[name], size=size, **options)
    root = os.environ.get("COURSE_DATA_DIR")
    state = f"now {root}" if root else "now not set"
    if root and not files.expanded(root).is_dir():
        state += ", which is not a folder"
    hint = (
        "For your own images use 'folder:PATH', with one sub-folder per class; a bare name is also "
        f"looked up in the folder that COURSE_DATA_DIR names ({state})."
    )
    raise unknown_name("data set", name, names(), hint)


def _call(loader: Callable[..., Dataset], name: str, /, *arguments, **options) -> Dataset:
    """Call the loader of the data set `name`; an option that it does not have is said."""
    known = [key for key in inspect.signature(loader).parameters if key not in ("path", "name")]
    odd = sorted(set(options) - set(known) - {"name"})
    if odd:
        raise CourseError(
            f"The data set {name!r} has no option {odd[0]!r}; it takes {', '.join(known)}."
        )
    return loader(*arguments, **options)


def _beside_a_folder(name: str, data: Dataset) -> Dataset:
    """Say so in the card where the user has a folder of the same name, which is not read."""
    with contextlib.suppress(CourseError):  # this set needs no COURSE_DATA_DIR
        if path := _local_folders().get(name):
            said = f"This is the course's own {name}; for {path} write folder:{path}."
            caveat = f"{data.card.caveat} {said}".strip()
            return replace(data, card=replace(data.card, caveat=caveat, warnings=(said,)))
    return data


def _local_folders() -> dict[str, Path]:
    """Return the folders inside ``COURSE_DATA_DIR`` by name; none where it is no folder."""
    root = os.environ.get("COURSE_DATA_DIR")
    try:
        if not root or not files.is_folder(files.expanded(root)):
            return {}
        found = sorted(files.expanded(root).iterdir())
    except (OSError, CourseError) as error:
        raise CourseError(
            f"COURSE_DATA_DIR is {root}, which cannot be listed: {error} Set it to a folder that "
            "may be read, or unset it."
        ) from error
    local = {path.name: path for path in found if os.path.isdir(path)}
    # A second task on the images of a folder that is there.
    tasks = {name: local.get(about.get("folder")) for name, about in KNOWN.items()}
    return local | {name: path for name, path in tasks.items() if path and name not in local}
