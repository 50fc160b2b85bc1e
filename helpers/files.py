"""Where things lie, and how they are written so that a kill loses nothing."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import stat
import time
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import platformdirs
import pooch
from requests.exceptions import RequestException

from helpers.errors import CourseError

CHECKSUM = 4  # bytes of CRC-32 behind a stored array
RETRIES = 3  # of a download

READ: dict[str, str] = {}  # what this process read of data/: name -> `digest` of its content


def resource(name: str, room: str = "data") -> Path:
    """Return where a file or folder that comes with the course lies, e.g. ``"results"``.

    Everything under data/ (or another `room`: docs, notebooks) is found through this function and
    no other way. In the repository it lies beside the package, in an installed one inside it.
    """
    inside, beside = Path(__file__).parent / room, Path(__file__).parents[1] / room
    return (inside if inside.is_dir() else beside) / name


def noted(path: Path) -> Path:
    """Note in `READ` that a file or folder of the course's own data/ is read; return it.

    Every stored picture carries these notes, so a test finds those older than their tables.
    """
    if path.is_relative_to(root := resource("")) and path.exists():
        found = sorted(file for file in path.rglob("*") if file.is_file()) or [path]
        READ[path.relative_to(root).as_posix()] = digest(*(file.read_bytes() for file in found))
    return path


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
    encoder takes; here they become U+FFFD. So do control characters, with which a name could
    steer a terminal or turn its letters around; line feeds stay.
    """
    text = str(text).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return re.sub(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", "\ufffd", text)


@contextlib.contextmanager
def writing(target: Path) -> Iterator[None]:
    """Turn whatever goes wrong while `target` is written into one sentence.

    torch and safetensors have errors of their own for a full disk, so every kind counts.

    Raises
    ------
    CourseError
        Naming the target and the reason.
    """
    try:
        yield
    except CourseError:
        raise
    except Exception as error:
        reason = getattr(error, "strerror", None) or error
        raise CourseError(
            f"{target} cannot be written ({reason}). Give a file in a folder that is there, has "
            "room and may be written to."
        ) from error


def check_target(target: Path, *, suffixes: tuple[str, ...] = (), overwrite: bool = False) -> None:
    """Try, before any work is done, whether a file could be written to `target` afterwards.

    Parameters
    ----------
    suffixes : how its name may end; (): as it likes.
    overwrite : whether a file that is there already may be replaced.

    Raises
    ------
    CourseError
        When it has no name or another suffix, is a folder, is there already, or its folder cannot
        be written to.
    """
    if not target.name:
        raise CourseError(f"{str(target)!r} names no file. Give the name of a file to write.")
    if suffixes and target.suffix.lower() not in suffixes:
        raise CourseError(f"The file {target.name} must end in {' or '.join(suffixes)}.")
    if is_folder(target):
        raise CourseError(f"{target} is a folder. Give the name of a file in it.")
    if mode(target) and not overwrite:
        raise CourseError(
            f"{target} is there already. Give another name, or add --overwrite to replace it."
        )
    with writing(target):
        _temporary(target).unlink()


@contextlib.contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside `target`; it takes the target's place only on success.

    Readers therefore see the old file, the new file or no file, never a part of one. A link stays
    a link (the file that it leads to is replaced), and a file keeps its permissions.
    """
    target = Path(os.path.realpath(target))
    temporary = _temporary(target)
    try:
        yield temporary
        if permissions := stat.S_IMODE(mode(target)):
            temporary.chmod(permissions)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def _temporary(target: Path) -> Path:
    """Make an empty file beside `target`, and the folders above it; return its path."""
    if (found := mode(target)) and not stat.S_ISREG(found):  # /dev/null would be replaced
        raise CourseError(f"{target} is no ordinary file. Give the name of one.")
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name[:60]}.{secrets.token_hex(4)}.part")
    # Like any new file it may be read by whom the umask allows: a classroom shares a cache.
    os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    return temporary


def write_text(target: Path, text: str) -> None:
    """Write a text as UTF-8, whole or not at all; raises a `CourseError` where it cannot be."""
    with writing(target), atomic_path(target) as temporary:
        temporary.write_text(text, encoding="utf-8")


def fetch(name: str, url: str, checksum: str | None = None) -> Path:
    """Return the path of a downloaded file; it is whole, and has its checksum, or is not there.

    Parameters
    ----------
    name : of the file among the downloads. checksum : such as ``"md5:..."``; None: not known.

    Raises
    ------
    CourseError
        When the file cannot be had, with what to do by hand.
    """
    target = folder("downloads", name)
    store = pooch.create(path=target.parent, base_url="", registry={name: checksum},
                         urls={name: url}, retry_if_failed=RETRIES)  # fmt: skip
    try:
        return Path(store.fetch(name, downloader=pooch.HTTPDownloader(progressbar=True)))
    except (RequestException, ValueError) as error:
        answer = getattr(error, "response", None)
        if answer is not None:
            reason = f"the server answered {answer.status_code}"
        elif isinstance(error, RequestException):
            reason = "there is no connection to the server, or it broke"
        else:
            reason = f"{RETRIES + 1} times it arrived damaged (with another checksum)"
        if target.exists():  # had it been good, there would have been no download
            target.unlink()
            reason += f"; the file that lay at {target} was damaged, too, and has been removed"
        raise CourseError(
            f"{name} could not be downloaded: {reason}. Try again later, or get {url} in a "
            f"browser and put it at {target}."
        ) from error
    except OSError as error:
        raise CourseError(
            f"{name} could not be written to {target.parent} ({error}). Make room there or "
            "set COURSE_CACHE to another folder."
        ) from error


def digest(*things: object) -> str:
    """Return a key of 16 hex digits for `things`: SHA-256 of each one's ``repr``, or its bytes.

    An iterator is one thing in pieces, so that it need not fit into memory.
    """
    sha = hashlib.sha256()
    for thing in things:
        for piece in thing if isinstance(thing, Iterator) else (thing,):
            sha.update(piece if isinstance(piece, bytes) else repr(piece).encode())
        sha.update(b"\x00")
    return sha.hexdigest()[:16]


def array(path: Path, make: Callable[[], np.ndarray]) -> np.ndarray:
    """Return the array stored at `path`, memory-mapped; make and store it first if missing.

    A damaged file is made again, with one warning. When the cache cannot be written (read-only
    folder, full disk) the array is returned all the same.
    """
    stored = read_array(path)
    if stored is not None:
        return stored
    value = make()
    return write_array(path, lambda: [value], len(value))


def read_array(path: Path) -> np.ndarray | None:
    """Return an array that `write_array` stored, memory-mapped; None if it is missing or damaged.

    A damaged file is removed, with one warning.
    """
    try:
        with path.open("rb") as file:
            if _checksum(file, os.path.getsize(path) - CHECKSUM) != file.read():
                raise ValueError("another checksum")
        values = np.load(path, mmap_mode="r")
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return None
    except Exception:  # a damaged header raises a dozen different types
        warnings.warn(
            f"{path.name} in the cache was damaged or of an older course; it is made again.",
            stacklevel=3,
        )
        remove(path)
        return None
    touch(path)
    return values


def write_array(path: Path, blocks: Callable[[], Iterable[np.ndarray]], n: int) -> np.ndarray:
    """Store `n` rows, block by block, and return them memory-mapped; whole or not at all.

    Behind the rows stands a checksum. Where they cannot be stored they come back in memory, with
    one warning. `blocks` is called once more then.
    """
    header = None
    try:
        with atomic_path(path) as temporary, temporary.open("w+b") as file:
            for block in blocks():
                if header is None:
                    header = {"descr": np.lib.format.dtype_to_descr(block.dtype),
                              "fortran_order": False, "shape": (n, *block.shape[1:])}  # fmt: skip
                    np.lib.format.write_array_header_1_0(file, header)
                # np.save would leave the last part to C, whose error on a full disk is lost.
                file.write(np.ascontiguousarray(block))
            size = file.tell()
            file.seek(0)
            file.write(_checksum(file, size))
        return np.load(path, mmap_mode="r")
    except OSError as error:
        warnings.warn(
            f"Could not store {path.name} in {path.parent} ({error.strerror or error}); the course "
            "works, but computes it again next time. Set COURSE_CACHE to a folder with room.",
            stacklevel=3,
        )
        made = list(blocks())
        return made[0] if len(made) == 1 else np.concatenate(made)


def _checksum(file: BinaryIO, size: int) -> bytes:
    """Return the CRC-32 of the next `size` bytes: of the header, too, where one bit may turn the
    order of the bytes of every number."""
    checksum = 0
    for start in range(0, size, 2**20):
        checksum = zlib.crc32(file.read(min(2**20, size - start)), checksum)
    return checksum.to_bytes(CHECKSUM, "little")


def cache_limit() -> float:
    """Return how many bytes activations, or older images, may take: ``COURSE_CACHE_GB``, or 5 GB.

    Raises
    ------
    CourseError
        When the variable is no number of gigabytes; ``inf`` is one: no limit.
    """
    text = os.environ.get("COURSE_CACHE_GB", "5")
    with contextlib.suppress(ValueError):
        if float(text) >= 0:  # NaN is not
            return float(text) * 1e9
    raise CourseError(
        f"COURSE_CACHE_GB is {text!r}; give a number of gigabytes, such as 5, or inf for no limit."
    )


def drop_oldest(directory: Path, limit: float, keep: Path) -> None:
    """Remove the arrays used longest ago until `directory` fits `limit`, in bytes.

    What a killed process left half-written goes, too, after a day.

    Parameters
    ----------
    keep : a file that stays, whatever its size.
    """
    for path in directory.glob(".*.part"):
        with contextlib.suppress(OSError):
            if path.stat().st_mtime < time.time() - 24 * 3600:
                remove(path)
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
