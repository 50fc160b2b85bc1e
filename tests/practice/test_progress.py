"""Progress is one file: nothing is lost, whoever writes beside, and whatever lies there."""

import json
import threading
from datetime import UTC, date, datetime

import pytest

from helpers.errors import CourseError
from helpers.practice import progress
from helpers.practice.progress import Progress, Review, Store

DAY = date(2030, 5, 1)


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "kept" / "progress.json")


def review(k: int = 1, **fields) -> Review:
    known = {"id": str(k), "item": f"card-{k}", "at": "2026-11-28T10:00:00.000000+00:00",
             "after": "", "rating": 3, "sure": 75, "right": True}  # fmt: skip
    return Review(**known | fields)


def test_what_was_answered_is_there_the_next_time(store):
    assert store.read() == Progress()
    store.add("card-1", 3, 75, True)
    store.enter(DAY)
    store.add("card-2", 1, None, False)
    found = Store(store.path).read()
    assert [(r.item, r.rating, r.sure, r.right) for r in found.reviews] == [
        ("card-1", 3, 75, True), ("card-2", 1, None, False)]  # fmt: skip
    assert found.interview == DAY
    assert json.loads(store.path.read_text("utf-8"))["schema"] == progress.SCHEMA


def test_the_file_lies_where_the_variable_says_or_among_the_user_s_data(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_PROGRESS", str(tmp_path / "mine.json"))
    assert Store().path == tmp_path / "mine.json"
    monkeypatch.delenv("COURSE_PROGRESS")
    monkeypatch.setattr(progress.platformdirs, "user_data_dir", lambda name: str(tmp_path / name))
    assert Store().path == tmp_path / "transfer-learning-course" / "progress.json"


BROKEN = {
    "cut off": lambda text: text[: len(text) // 2],
    "no JSON": lambda text: "hello",
    "not UTF-8": lambda text: "\udcff\udcfe",
    "another program's": lambda text: '{"cards": []}',
    "a list": lambda text: "[]",
    "of a newer course": lambda text: text.replace('"schema": 1', '"schema": 2'),
    "a rating of 7": lambda text: text.replace('"rating": 3', '"rating": 7'),
    "a time without a zone": lambda text: text.replace("+00:00", ""),
    "a field too many": lambda text: text.replace('"rating": 3', '"rating": 3, "mood": 1'),
    "a field too few": lambda text: text.replace('"sure": 75,', ""),
    "no day": lambda text: text.replace('"interview": null', '"interview": "soon"'),
    "empty": lambda text: "",
}


@pytest.mark.parametrize("way", BROKEN)
def test_a_file_that_cannot_be_used_is_kept_aside_and_said_so(way, store):
    store.add("card-1", 3, 75, True)
    broken = BROKEN[way](store.path.read_text("utf-8"))
    assert broken != store.path.read_text("utf-8")
    for _ in range(2):  # a second one does not take the first one's place
        store.path.write_text(broken, encoding="utf-8", errors="surrogateescape")
        assert store.read() == Progress()
        assert "It is kept as" in store.notice
        store.add("card-2", 3, None, True)
        assert [r.item for r in store.read().reviews] == ["card-2"]
    aside = list(store.path.parent.glob("*.aside"))
    assert len(aside) == 2
    for path in aside:
        assert path.read_text("utf-8", "surrogateescape") == broken
        assert str(path) in store.notice or path != max(aside)


def test_two_windows_at_once_lose_nothing(store):
    def answer(name: str) -> None:
        own = Store(store.path)
        for k in range(10):
            own.add(f"{name}-{k}", 3, 50, True)

    threads = [threading.Thread(target=answer, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = store.read().reviews
    assert len(found) == len({r.id for r in found}) == 20


def test_an_export_taken_in_elsewhere_joins_and_twice_is_once(store, tmp_path):
    store.add("card-1", 3, 75, True)
    other = Store(tmp_path / "other.json")
    other.add("card-2", 1, 25, False)
    other.enter(DAY)
    exported = other.read().text().encode()
    assert store.take_in(exported) == 1
    assert store.take_in(exported) == 0
    assert [r.item for r in store.read().reviews] == ["card-1", "card-2"]
    assert store.read().interview == DAY


def test_the_day_that_was_entered_last_counts(store):
    store.enter(DAY)
    old = Progress((review(),), date(2029, 1, 1), "2020-01-01T00:00:00.000000+00:00")
    store.take_in(old.text().encode())
    assert store.read().interview == DAY
    newer = Progress((), None, "2999-01-01T00:00:00.000000+00:00")
    store.take_in(newer.text().encode())
    assert store.read().interview is None


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xfe", b'{"what": "something else"}'])
def test_an_import_of_something_else_changes_nothing(content, store):
    store.add("card-1", 3, 75, True)
    before = store.path.read_bytes()
    with pytest.raises(CourseError, match="holds no progress"):
        store.take_in(content)
    assert store.path.read_bytes() == before


def test_erased_is_gone_in_another_window_too(store):
    other = Store(store.path)
    store.add("card-1", 3, 75, True)
    store.erase()
    assert not store.path.exists()
    other.add("card-2", 3, 75, True)
    assert [r.item for r in other.read().reviews] == ["card-2"]
    store.erase()
    store.erase()


def test_a_clock_that_was_set_back_is_noted_and_nothing_is_lost(store):
    ahead = Progress((review(at="2999-01-01T00:00:00.000000+00:00"),))
    store.take_in(ahead.text().encode())
    added = store.add("card-2", 3, 50, True)
    assert added.after == "2999-01-01T00:00:00.000000+00:00"
    assert abs(datetime.fromisoformat(added.at) - datetime.now(UTC)).total_seconds() < 3600
    assert len(store.read().reviews) == 2


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("in the way")
    store = Store(tmp_path / "file" / "progress.json")
    with pytest.raises(CourseError, match=r"progress\.json cannot be"):
        store.add("card-1", 3, 75, True)


def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path):
    (tmp_path / "progress.json").mkdir()
    with pytest.raises(CourseError, match="COURSE_PROGRESS"):
        Store(tmp_path / "progress.json").read()
