"""Where things lie, and how they are written so that a kill loses nothing."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import platformdirs

from helpers.errors import CourseError


def resource(name: str) -> Path:
    """Return where a file or folder of the course's own data/ lies, e.g. ``"results"``.

    Everything under data/ is found through this function and no other way.
    """
    return Path(__file__).parents[1] / "data" / name


def folder(*parts: str) -> Path:
    """Return the cache folder, or one inside it (``COURSE_CACHE`` or the platform's default).

    The folder is not created here: whoever writes does that, so that reading never fails on
    a read-only machine.
    """
    root = os.environ.get("COURSE_CACHE") or platformdirs.user_cache_dir("transfer-learning-course")
    return expanded(root).joinpath(*parts)


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
    """Return ``os.stat(path).st_mode``, the kind and permissions of a file; 0 where none is.

    ``Path.exists()`` is no replacement: for a file in a folder that may not be entered, some
    versions of Python raise and others say that it does not exist.

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
    """Return whether `path` is a folder; raises a `CourseError` where `mode` does."""
    return stat.S_ISDIR(mode(path))


def shown(text: object) -> str:
    """Return text that may hold names of files as text that can be printed and written.

    Python keeps those bytes of a file name that are not UTF-8 as lone surrogates, which no
    encoder takes; here they become U+FFFD.
    """
    return str(text).encode("utf-8", "surrogateescape").decode("utf-8", "replace")


@contextlib.contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside `target`; it takes the target's place only on success.

    Readers therefore see the old file, the new file or no file, never a part of one.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        umask = os.umask(0)  # the only way to read it is to set it
        os.umask(umask)
        # mkstemp is for secrets; a cache shared by a classroom must be readable by all of it.
        temporary.chmod(0o666 & ~umask)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def digest(*things: object) -> str:
    """Return a key of 16 hex digits for `things`: SHA-256 of each one's ``repr``, or its bytes."""
    sha = hashlib.sha256()
    for thing in things:
        sha.update(thing if isinstance(thing, bytes) else repr(thing).encode())
        sha.update(b"\x00")
    return sha.hexdigest()[:16]


def array(path: Path, make: Callable[[], np.ndarray]) -> np.ndarray:
    """Return the array stored at `path`, memory-mapped; make and store it first if missing.

    A damaged file is made again. When the cache cannot be written (read-only folder, full
    disk) the array is returned all the same, with one warning: it will be made again next time.
    """
    with contextlib.suppress(OSError, ValueError, EOFError):
        return np.load(path, mmap_mode="r")
    value = make()
    try:
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.save(file, value)
    except OSError as error:
        warnings.warn(
            f"Could not store {path.name} in {path.parent} ({error.strerror}); the course works, "
            "but computes it again next time. Set COURSE_CACHE to a folder with room.",
            stacklevel=2,
        )
        return value
    return np.load(path, mmap_mode="r")


def drop_oldest(directory: Path, keep: Path) -> None:
    """Remove the arrays used longest ago until `directory` fits ``COURSE_CACHE_GB`` (default 5).

    Parameters
    ----------
    keep : a file that stays, whatever its size.

    Raises
    ------
    CourseError
        When the variable is no number.
    """
    text = os.environ.get("COURSE_CACHE_GB", "5")
    try:
        limit = int(float(text) * 1e9)
    except (ValueError, OverflowError):
        raise CourseError(
            f"COURSE_CACHE_GB is {text!r}; give a number of gigabytes, such as 5."
        ) from None
    entries = []
    for path in directory.glob("*.npy"):
        with contextlib.suppress(FileNotFoundError):  # another process may be tidying too
            status = path.stat()
            entries.append((status.st_mtime, status.st_size, path))
    total = sum(size for _, size, _ in entries)
    for _, size, path in sorted(entries):
        if total > limit and path != keep:
            remove(path)
            total -= size


def touch(path: Path) -> None:
    """Mark a cached file as used now, where that is allowed."""
    with contextlib.suppress(OSError):
        os.utime(path)


def remove(path: Path) -> None:
    """Remove a file, where that is allowed."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
