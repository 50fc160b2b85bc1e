"""Where downloads and computed arrays live, written so that a kill loses nothing."""

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
    """Return where a file or folder of the course's own data/ lies, e.g. ``"results"``."""
    return Path(__file__).parents[1] / "data" / name


def folder(*parts: str) -> Path:
    """Return the cache folder, or one inside it (``COURSE_CACHE`` or the platform's default).

    The folder is not created here: whoever writes does that, so that reading never fails on
    a read-only machine.
    """
    root = os.environ.get("COURSE_CACHE") or platformdirs.user_cache_dir("transfer-learning-course")
    return expanded(root).joinpath(*parts)


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
        # mkstemp is for secrets; a cache shared by a classroom must be readable by all of it.
        temporary.chmod(0o666 & ~_umask())
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)  # the only way to read it is to set it
    os.umask(mask)
    return mask


def digest(*things: object) -> str:
    """Return a short stable key for `things` (each by its ``repr``; bytes as they are)."""
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


def limit_bytes() -> int:
    """Return how large a folder of computed entries may grow: ``COURSE_CACHE_GB``, default 5.

    Raises
    ------
    CourseError
        When the variable is no number.
    """
    text = os.environ.get("COURSE_CACHE_GB", "5")
    try:
        return int(float(text) * 1e9)
    except ValueError:
        raise CourseError(
            f"COURSE_CACHE_GB is {text!r}; give a number of gigabytes, such as 5."
        ) from None


def drop_oldest(directory: Path, keep: Path) -> None:
    """Remove what was used longest ago until `directory` fits `limit_bytes`; never `keep`."""
    entries = []
    for path in directory.glob("*.npy"):
        with contextlib.suppress(FileNotFoundError):  # another process may be tidying too
            status = path.stat()
            entries.append((status.st_mtime, status.st_size, path))
    total = sum(size for _, size, _ in entries)
    for _, size, path in sorted(entries):
        if total <= limit_bytes():
            return
        if path != keep:
            remove(path)
            total -= size


def touch(path: Path) -> None:
    """Mark an entry as used now, where that is allowed."""
    with contextlib.suppress(OSError):
        os.utime(path)


def remove(path: Path) -> None:
    """Remove an entry, where that is allowed."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


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
