"""Paths as a user gives them: what can be wrong with one, and how it is shown."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from helpers.errors import CourseError


def expanded(path: str | os.PathLike[str]) -> Path:
    """Return `path` with ``~`` and ``~user`` replaced by the home folder.

    Raises
    ------
    CourseError
        When there is no such user, or the user has no home folder.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise CourseError(
            f"{path} starts with the home folder of a user that cannot be found. Give the whole "
            "path, beginning with /."
        ) from error


def mode(path: Path) -> int:
    """Return what `os.stat` tells of `path` (see the module `stat`); 0 where nothing is.

    Path.exists() raises for a folder above that may not be entered on some versions of Python
    and calls it absent on others.

    Raises
    ------
    CourseError
        When it cannot be told: a folder above may not be entered, or a name is too long.
    """
    try:
        return os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return 0
    except (OSError, ValueError) as error:  # ValueError: a null character
        reason = getattr(error, "strerror", None) or error
        raise CourseError(
            f"{path} cannot be reached ({reason}). Check the name and the permissions of the "
            "folders above it."
        ) from error


def is_folder(path: Path) -> bool:
    """Whether `path` is a folder.

    Raises
    ------
    CourseError
        When it cannot be told, see `mode`.
    """
    return stat.S_ISDIR(mode(path))


def shown(text: object) -> str:
    """Return text that may hold names of files as text that can be printed and written.

    Bytes of a name that are not UTF-8 are kept by Python as half characters, which no encoder
    takes; they become U+FFFD.
    """
    return str(text).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
