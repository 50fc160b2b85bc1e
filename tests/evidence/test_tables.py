"""Tables on disk."""

from concurrent.futures import ThreadPoolExecutor

import pytest

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
    path.write_bytes(b"")
    with pytest.raises(CourseError, match="no readable CSV"):
        tables.read(path, ["a", "b"])


def test_rows_written_at_once_are_all_kept(tmp_path, private_cache):
    path, row = tmp_path / "rows.csv", dict.fromkeys(tables.COLUMNS, 0)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda seed: tables.append_row(row | {"seed": seed}, path), range(12)))
    assert sorted(tables.read_rows(path).seed) == list(range(12))
