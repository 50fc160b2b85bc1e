"""Tables on disk."""

import errno
import io
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from filelock import FileLock

from helpers.errors import CourseError
from helpers.evidence import tables


def test_tables_grow_by_whole_rows_and_refuse_other_columns(tmp_path, private_cache):
    path = tmp_path / "results" / "table.csv"
    assert tables.read(path, ["a", "b"]).empty
    tables.append([{"a": 1, "b": 2}], path, ["a", "b"])
    tables.append([{"b": 4, "a": 3}, {"a": 5, "b": 6}], path, ["a", "b"])
    assert tables.read(path, ["a", "b"]).to_numpy().tolist() == [[1, 2], [3, 4], [5, 6]]
    before = path.read_bytes()
    for refused in (tables.read, lambda *to: tables.append([{"a": 1}], *to)):
        with pytest.raises(CourseError, match="other columns than expected: a, c"):
            refused(path, ["a", "c"])
    assert path.read_bytes() == before


def table(tmp_path, text: str | bytes):
    path = tmp_path / "rows.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


HEADER = "dataset,n\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("dataset;n\nelpv;4\n", "other columns than expected"),
        (HEADER + "elpv,4,good run\n", "Row 2 of .* has 3 fields, 2 are expected"),
        (HEADER + "elpv,4\nelpv\n", "Row 3 of .* has 1 fields"),
        (HEADER + "elpv,four\n", "no readable table"),
        (HEADER + 'elpv,"4\n', "no readable table"),
        (HEADER + "elpv,\x004\n", "no readable table"),
        (HEADER.encode() + b"H\xfcte,4\n", "no readable table"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "no readable table"),
    ],
)
def test_a_foreign_or_damaged_table_is_refused_and_stays_as_it_is(tmp_path, text, says):
    path = table(tmp_path, text)
    before = path.read_bytes()
    for refused in (tables.check, tables.read, lambda *to: tables.append([{"n": 1}], *to)):
        with pytest.raises(CourseError, match=says):
            refused(path, ("dataset", "n"))
    assert path.read_bytes() == before


def test_rows_are_appended_and_what_is_there_is_read_as_the_text_it_is(tmp_path):
    text = HEADER + "007,40\nNA,1.50\nnull,"  # no line feed at the end: an editor left it out
    path = table(tmp_path, text)
    tables.append([{"dataset": "=1+1\x1b[31m, \udcfc", "n": float("nan")}], path, ("dataset", "n"))
    assert path.read_text() == text + '\n"=1+1\ufffd[31m, \ufffd",\n'
    found = tables.read(path, ("dataset", "n"))
    assert found["dataset"].tolist() == ["007", "NA", "null", "=1+1\ufffd[31m, \ufffd"]
    assert found["n"].tolist()[:2] == [40, 1.5]
    assert found["n"].isna().tolist() == [False, False, True, True]


def test_an_empty_file_becomes_a_table_and_keeps_its_permissions(tmp_path):
    path = table(tmp_path, "")
    path.chmod(0o600)
    tables.append([{"dataset": "elpv", "n": 4}], path, ("dataset", "n"))
    assert path.read_text() == HEADER + "elpv,4\n"
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("written", [0, 3, None], ids=["nothing", "a part", "all but the flush"])
def test_where_a_row_does_not_fit_the_disk_the_table_stays_as_it_was(
    tmp_path, monkeypatch, written
):
    path, opened = table(tmp_path, HEADER + "elpv,4\n"), Path.open

    class Full(io.FileIO):
        def write(self, content):
            return super().write(content[:written])

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if written is None:
        monkeypatch.setattr(os, "fsync", full)
    else:
        monkeypatch.setattr(
            Path, "open",
            lambda self, mode="r", **how: Full(self, "a+") if "a" in mode
            else opened(self, mode, **how),
        )  # fmt: skip
    with pytest.raises(CourseError, match=r"rows\.csv cannot be written \(No space left"):
        tables.append([{"dataset": "elpv", "n": 5}], path, ("dataset", "n"))
    assert path.read_text() == HEADER + "elpv,4\n"


def test_excels_mark_in_front_is_no_other_column(tmp_path):
    path = table(tmp_path, b"\xef\xbb\xbf" + HEADER.encode() + b"elpv,4\r\n")
    tables.append([{"dataset": "elpv", "n": 5}], path, ("dataset", "n"))
    assert tables.read(path, ("dataset", "n"))["n"].tolist() == [4, 5]


@pytest.mark.parametrize("which", ["rows.csv", ".rows.csv.lock"])
def test_what_may_not_be_written_is_said_before_the_work(tmp_path, monkeypatch, which):
    path, opened, os_opened = table(tmp_path, HEADER), Path.open, os.open

    def denied(self, mode="r", **how):
        if self.name == which and "a" in mode:
            raise PermissionError(errno.EACCES, "Permission denied")
        return opened(self, mode, **how)

    def os_denied(name, *how, **more):
        if str(name).endswith(which) and which.endswith("lock"):
            raise PermissionError(errno.EACCES, "Permission denied")
        return os_opened(name, *how, **more)

    monkeypatch.setattr(Path, "open", denied)
    monkeypatch.setattr(os, "open", os_denied)
    with pytest.raises(CourseError, match=rf"{which} cannot be written \(Permission denied"):
        tables.check(path, ("dataset", "n"))


def test_a_name_as_long_as_a_name_may_be(tmp_path):
    path = tmp_path / ("x" * 246 + ".csv")
    tables.check(path, ("dataset", "n"))
    tables.append([{"dataset": "elpv", "n": 5}], path, ("dataset", "n"))
    assert len(tables.read(path, ("dataset", "n"))) == 1


def test_a_held_lock_is_waited_for_and_then_named(tmp_path, monkeypatch):
    path = table(tmp_path, HEADER)
    monkeypatch.setattr(tables, "WAIT", 0.05)
    with (
        FileLock(tmp_path / ".rows.csv.lock"),
        pytest.raises(CourseError, match=r"Another process .* delete .*\.rows\.csv\.lock"),
    ):
        tables.append([{"dataset": "elpv", "n": 5}], path, ("dataset", "n"))
    tables.append([{"dataset": "elpv", "n": 5}], path, ("dataset", "n"))
    assert len(tables.read(path, ("dataset", "n"))) == 1


def test_processes_with_caches_of_their_own_lose_no_row(tmp_path):
    path = tmp_path / "rows.csv"
    script = (
        "import sys; from pathlib import Path; from helpers.evidence import tables\n"
        "for n in range(5): tables.append([{'dataset': sys.argv[2], 'n': n}], Path(sys.argv[1]), "
        "('dataset', 'n'))"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(path), str(k)],
            env=os.environ | {"COURSE_CACHE": str(tmp_path / f"cache{k}")},
        )
        for k in range(3)
    ]
    assert [process.wait(120) for process in started] == [0, 0, 0]
    assert len(tables.read(path, ("dataset", "n")).drop_duplicates()) == 15


def test_rows_written_at_once_are_all_kept(tmp_path, private_cache):
    path, row = tmp_path / "rows.csv", dict.fromkeys(tables.COLUMNS, 0)
    with ThreadPoolExecutor(4) as pool:
        list(
            pool.map(
                lambda seed: tables.append([row | {"seed": seed}], path, tables.COLUMNS), range(12)
            )
        )
    assert sorted(tables.read_rows(path).seed) == list(range(12))
