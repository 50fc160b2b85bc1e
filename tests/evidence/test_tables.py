"""Tables on disk."""

import pytest

from helpers.errors import CourseError
from helpers.evidence import tables


def test_tables_grow_by_whole_rows_and_refuse_other_columns(tmp_path, private_cache):
    path = tmp_path / "results" / "table.csv"
    assert tables.read(path, ["a", "b"]).empty
    tables.append([{"a": 1, "b": 2}], path, ["a", "b"])
    tables.append([{"b": 4, "a": 3}, {"a": 5, "b": 6}], path, ["a", "b"])
    assert tables.read(path, ["a", "b"]).to_numpy().tolist() == [[1, 2], [3, 4], [5, 6]]
    with pytest.raises(CourseError, match="other columns than expected: a, c"):
        tables.read(path, ["a", "c"])
    path.write_bytes(b"")
    with pytest.raises(CourseError, match="no readable CSV"):
        tables.read(path, ["a", "b"])
