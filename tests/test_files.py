"""What is written stays whole, what is read is what was written."""

import errno
import os
import time
import warnings

import numpy as np
import pytest
from safetensors import SafetensorError

from helpers import files
from helpers.errors import CourseError

ROWS = np.arange(600, dtype=np.float16).reshape(100, 6)


def test_a_name_is_shown_without_what_could_steer_a_terminal_or_stop_an_encoder():
    assert files.shown("H\udcfcte \x1b[31mred\x1b[0m\r\n肺炎\x9b\u202egpj") == (
        "H\ufffdte \ufffd[31mred\ufffd[0m\ufffd\n肺炎\ufffd\ufffdgpj"
    )


def test_a_link_stays_a_link_and_a_file_keeps_its_permissions(tmp_path):
    real, link = tmp_path / "real.txt", tmp_path / "link.txt"
    real.write_text("old")
    real.chmod(0o600)
    link.symlink_to(real)
    files.write_text(link, "new")
    assert link.is_symlink()
    assert real.read_text() == "new"
    assert real.stat().st_mode & 0o777 == 0o600


def test_a_new_file_may_be_read_by_whom_the_umask_allows(tmp_path):
    before = os.umask(0o027)
    try:
        files.write_text(tmp_path / "new.txt", "text")
    finally:
        os.umask(before)
    assert (tmp_path / "new.txt").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    "error",
    [OSError(errno.ENOSPC, "No space left on device"), RuntimeError("No space left on device"),
     SafetensorError("No space left on device")],
)  # fmt: skip
def test_whatever_a_library_raises_while_it_writes_is_one_sentence(tmp_path, error):
    target = tmp_path / "net.safetensors"
    target.write_text("old")
    with (
        pytest.raises(CourseError, match=r"net\.safetensors cannot be written \(No space left"),
        files.writing(target),
        files.atomic_path(target),
    ):
        raise error
    assert [path.name for path in tmp_path.iterdir()] == ["net.safetensors"]
    assert target.read_text() == "old"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("", "names no file"),
        ("folder.md", "is a folder"),
        ("old.md", "is there already.*--overwrite"),
        ("photo.png", r"must end in \.md"),
        ("old.md/below.md", "cannot be"),
    ],
)
def test_a_target_that_cannot_be_written_is_said_before_the_work(tmp_path, name, says):
    (tmp_path / "folder.md").mkdir()
    (tmp_path / "old.md").write_text("mine")
    before = sorted(tmp_path.iterdir())
    target = tmp_path / name if name else files.Path("")
    with pytest.raises(CourseError, match=says):
        files.check_target(target, suffixes=(".md",))
    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "old.md").read_text() == "mine"


def test_a_good_target_leaves_nothing_behind(tmp_path):
    files.check_target(tmp_path / "new.md", suffixes=(".md",))
    (tmp_path / "old.md").write_text("mine")
    files.check_target(tmp_path / "old.md", overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["old.md"]
    assert (tmp_path / "old.md").read_text() == "mine"


def stored(tmp_path):
    """Return the stored rows, and how often they had to be made."""
    made = []

    def make():
        made.append(1)
        return ROWS

    return files.array(tmp_path / "cache" / "rows.npy", make), len(made)


def test_an_array_is_made_once(tmp_path):
    for expected in (1, 0):
        found, made = stored(tmp_path)
        assert np.array_equal(found, ROWS)
        assert made == expected


@pytest.mark.parametrize("where", [0, 4, 9, 60, 300, -6, -1, "byte order"])
def test_an_array_with_a_flipped_bit_is_made_again(tmp_path, where):
    stored(tmp_path)
    path = tmp_path / "cache" / "rows.npy"
    content = bytearray(path.read_bytes())
    if where == "byte order":  # "<f2" and ">f2" differ in one bit, and in every number
        content[content.index(b"<")] ^= 2
    else:
        content[where] ^= 4
    path.write_bytes(content)
    with pytest.warns(UserWarning, match=r"rows\.npy in the cache was damaged.*; it is made again"):
        found, made = stored(tmp_path)
    assert made == 1
    assert np.array_equal(found, ROWS)
    assert stored(tmp_path)[1] == 0


@pytest.mark.parametrize("keep", [0, 3, 40, 128, 500, -5, -1])
def test_a_cut_array_is_made_again(tmp_path, keep):
    stored(tmp_path)
    path = tmp_path / "cache" / "rows.npy"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.warns(UserWarning, match="made again"):
        assert stored(tmp_path)[1] == 1


def test_an_array_of_zeros_is_made_again(tmp_path):
    stored(tmp_path)
    path = tmp_path / "cache" / "rows.npy"
    path.write_bytes(bytes(path.stat().st_size))
    with pytest.warns(UserWarning, match="made again"):
        assert stored(tmp_path)[1] == 1


class Full:
    """A file on a disk that takes so many bytes and no more."""

    def __init__(self, file, room: int) -> None:
        self.file, self.room = file, room

    def write(self, content) -> int:
        size = memoryview(content).nbytes
        if size > self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.room -= size
        return self.file.write(content)

    def __getattr__(self, name):
        return getattr(self.file, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()


@pytest.mark.parametrize("room", [0, 100, 700, 1329])
def test_on_a_full_disk_the_array_is_used_all_the_same(tmp_path, monkeypatch, room):
    path = tmp_path / "cache" / "rows.npy"
    opened = files.Path.open
    monkeypatch.setattr(files.Path, "open", lambda self, mode: Full(opened(self, mode), room))
    with pytest.warns(UserWarning, match=r"Could not store rows\.npy .*No space left"):
        found = files.write_array(path, lambda: (ROWS[i : i + 30] for i in range(0, 100, 30)), 100)
    assert np.array_equal(found, ROWS)
    assert list(path.parent.iterdir()) == []


def test_what_a_killed_process_left_is_tidied_after_a_day(tmp_path):
    old, young = tmp_path / ".a.npy.1.part", tmp_path / ".b.npy.2.part"
    for path, age in ((old, 90_000), (young, 60)):
        path.write_bytes(b"half")
        os.utime(path, (time.time() - age,) * 2)
    files.write_array(tmp_path / "rows.npy", lambda: [ROWS], len(ROWS))
    files.drop_oldest(tmp_path, 1e9, keep=tmp_path / "rows.npy")
    assert sorted(path.name for path in tmp_path.iterdir()) == [young.name, "rows.npy"]


@pytest.mark.parametrize(
    ("text", "limit"), [("5", 5e9), ("0", 0), ("0.5", 5e8), ("inf", np.inf), ("1e300", np.inf)]
)
def test_the_size_of_the_cache(monkeypatch, text, limit):
    monkeypatch.setenv("COURSE_CACHE_GB", text)
    assert files.cache_limit() == limit


@pytest.mark.parametrize("text", ["five", "", "nan", "-1", "-inf"])
def test_a_size_that_is_none_is_said(monkeypatch, text):
    monkeypatch.setenv("COURSE_CACHE_GB", text)
    with pytest.raises(CourseError, match="COURSE_CACHE_GB is"):
        files.cache_limit()


def test_an_undamaged_array_is_read_without_a_word(tmp_path):
    stored(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        stored(tmp_path)


def test_a_device_is_not_replaced_by_a_file(tmp_path):
    pipe = tmp_path / "pipe.md"
    os.mkfifo(pipe)
    for write in (
        lambda: files.check_target(pipe, overwrite=True),
        lambda: files.write_text(pipe, "text"),
    ):
        with pytest.raises(CourseError, match=r"pipe\.md is no ordinary file"):
            write()
    assert not pipe.is_file()


def test_an_array_is_digested_piece_by_piece_as_at_once():
    at_once = files.digest("a", ROWS.tobytes(), 1)
    assert files.digest("a", (ROWS[k : k + 7].tobytes() for k in range(0, 100, 7)), 1) == at_once
    assert files.digest("a", iter([ROWS[7:].tobytes()]), 1) != at_once


def test_what_is_read_of_the_courses_own_data_is_noted(monkeypatch, tmp_path):
    monkeypatch.setattr(files, "READ", {})
    own = tmp_path / "own.csv"
    own.write_text("a\n")
    for path in (files.resource("medmnist.json"), files.resource("gallery"),
                 files.resource("nothing.csv"), own):  # fmt: skip
        assert files.noted(path) == path
    assert set(files.READ) == {"medmnist.json", "gallery"}, (
        "a user's own files are nobody's business"
    )
    assert files.READ["medmnist.json"] == files.digest(files.resource("medmnist.json").read_bytes())


def test_a_download_without_a_known_checksum_is_kept_as_it_came(mirror, private_cache):
    mirror.serve(b"content")
    for _ in range(2):
        path = files.fetch("net.pt", f"{mirror.url}/net.pt")
    assert path == private_cache / "downloads" / "net.pt"
    assert path.read_bytes() == b"content"
    assert mirror.paths == ["/net.pt"]


def test_a_disk_that_fills_up_during_a_download_leaves_a_sentence_and_no_half_file(
    mirror, private_cache
):
    resource = pytest.importorskip("resource", reason="this system cannot limit a file's size")
    mirror.serve(b"much" * 500_000)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, before[1]))
    try:
        with pytest.raises(CourseError, match=r"net\.pt could not be written to .*Make room"):
            files.fetch("net.pt", f"{mirror.url}/net.pt")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list((private_cache / "downloads").iterdir()) == []
