import csv
import io
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from helpers import files
from helpers.errors import CourseError
from helpers.lab import panels, store
from helpers.lab.engine import Lab
from helpers.lab.setup import Setup
from tests.lab.conftest import TWO, run


def folder() -> Path:
    return files.folder("lab", "kept")


@pytest.fixture
def kept(bench) -> Lab:
    """A lab with two kept races, of another seed each."""
    run(bench)
    assert bench.keep("  first   try ")
    bench.change(replace(TWO, seed=1))
    run(bench)
    assert bench.keep("second")
    return bench


def test_races_are_kept_by_name_and_found_by_the_next_session(kept):
    races, damaged = store.kept()
    assert [race.name for race in races] == ["first try", "second"]
    assert not damaged
    first = races[0]
    assert first.setup["seed"] == 0
    assert [row["arm"] for row in first.rows] == [
        "feature extraction", "full fine-tune", "always 'class 0'"]  # fmt: skip
    assert len(first.rows[0]["history"]) == 2
    assert first.explanation


@pytest.mark.parametrize("name", ["", "   ", "x" * 61, "---"])
def test_a_bad_name_or_no_race_at_all_is_a_sentence(bench, name):
    assert not bench.keep("early")
    assert "Press Race first" in bench.message
    run(bench)
    assert not bench.keep(name)
    assert "name of 1 to 60" in bench.message


def test_a_name_stays_inside_the_folder_and_out_of_the_markup(bench, tmp_path):
    name = "../../etc/<script>alert(1)</script> with/odd* characters é"
    run(bench)
    assert bench.keep(name)
    (path,) = folder().iterdir()
    assert re.fullmatch(r"[A-Za-z0-9_]+-[0-9a-f]{8}\.json", path.name)
    assert store.kept()[0][0].name == name
    _, page = store.save(store.kept()[0], str(tmp_path))
    assert "<script>" not in page.read_text()


def test_a_folder_that_cannot_be_written_is_a_sentence(bench, tmp_path, monkeypatch):
    run(bench)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "file"))
    assert not bench.keep("name")
    assert "cannot be written" in bench.message


def test_damaged_files_are_left_out_and_named(kept):
    panel = panels.KeptPanel(kept)
    assert panel.damaged.value == ""
    whole = json.loads(next(folder().iterdir()).read_text())
    for name, text in {
        "a": "{", "b": "[1]", "c": "", "d": json.dumps(whole | {"rows": [{}]}),
        "e": json.dumps(whole | {"rows": [whole["rows"][0] | {"auc": "high"}]}),
        "f": json.dumps({k: v for k, v in whole.items() if k != "setup"}),
    }.items():  # fmt: skip
        (folder() / f"{name}-0.json").write_text(text)
    assert len(store.kept()[0]) == 2
    panel.refresh()
    assert "cannot be read: a-0.json, b-0.json, c-0.json, d-0.json, e-0.json" in panel.damaged.value
    assert panel.choice.options == ("first try", "second")


def nested(depth: int) -> list:
    value = []
    for _ in range(depth):
        value = [value]
    return value


# Of every field something that JSON can say and the lab cannot show.
UNSHOWABLE = {
    "name": [None, 5, [], {}, nested(3), "\ud800", "\udcff"], "when": [None, 5, {}, "\ud800"],
    "setup": [None, [], {}], "rows": [None, 5, [None], [{}]], "explanation": [None, 5, ["\ud800"]],
}  # fmt: skip


@pytest.mark.parametrize(
    ("field", "value"), [(k, value) for k, values in UNSHOWABLE.items() for value in values]
)
def test_a_file_with_an_odd_field_is_named_and_the_lab_opens(kept, field, value):
    path = store._path("second")
    path.write_text(json.dumps(json.loads(path.read_text()) | {field: value}))
    panel = panels.KeptPanel(kept)
    assert path.name in panel.damaged.value
    assert panel.choice.options == ("first try",)
    assert kept.message == ""


@pytest.mark.parametrize(
    "change", [{"arm": None}, {"auc": None}, {"strategy": []}, {"auc_lo": "a"}]
)
def test_a_row_that_cannot_be_compared_is_damage_too(kept, change):
    path = store._path("second")
    fields = json.loads(path.read_text())
    fields["rows"][1] |= change
    path.write_text(json.dumps(fields))
    assert store.kept()[1] == [path]


@pytest.mark.parametrize("text", ["[" * 100_000, '{"when":' + "[" * 900 + "]" * 900 + "}"])
def test_deep_brackets_are_damage(kept, text):
    (folder() / "deep.json").write_text(text)
    assert [path.name for path in panels.store.kept()[1]] == ["deep.json"]


def test_a_copy_is_not_listed_twice(kept):
    shutil.copy(store._path("second"), folder() / "copy of second.json")
    races, damaged = store.kept()
    assert [race.name for race in races] == ["first try", "second"]
    assert [path.name for path in damaged] == ["copy of second.json"]


def test_a_race_that_was_kept_before_rows_had_words_is_shown(kept):
    """Until the lab had one store, a row held the label, the strategy, the numbers, the history."""
    path = next(folder().iterdir())
    fields = json.loads(path.read_text())
    for row in fields["rows"]:
        for name in ("words", "share", "note"):
            row.pop(name, None)
    path.write_text(json.dumps(fields))
    races, damaged = store.kept()
    assert (len(races), damaged) == (2, [])


def test_a_caveat_stands_beside_every_number(kept):
    ants = Setup(TWO.arms, dataset="hymenoptera")
    race = replace(store.kept()[0][1], caveat=ants.caveat)
    assert "have probably seen these images" in store.as_html([race])


def test_side_by_side_an_arm_that_only_one_race_had_leaves_the_other_s_cell_empty(kept):
    first, second = store.kept()[0]
    table = store.comparison([first, second])
    assert re.findall("<th>(.*?)</th>", table) == ["arm", "first try", "second"]
    assert re.findall("<td>(f.*?)</td>", table) == ["feature extraction", "full fine-tune"]
    assert len(re.findall(r"<td>\d\.\d{3} \[\d\.\d{3}, \d\.\d{3}\]</td>", table)) == 6
    row = second.rows[0]
    table = store.comparison([first, replace(second, rows=(row | {"arm": "BN moves"},))])
    assert "<td>feature extraction, BN moves</td>" in table
    assert table.count("<td></td>") == 4


def test_the_csv_has_a_line_per_arm_with_its_settings(kept, tmp_path):
    paths = store.save(store.kept()[0], str(tmp_path))
    rows = list(csv.DictReader(io.StringIO(paths[0].read_text())))
    assert len(rows) == 6  # two arms and the commonest class, twice
    assert {row["seed"] for row in rows} == {"0", "1"}
    assert rows[0]["run"] == "first try"
    assert rows[0]["n"] == "16"
    assert float(rows[0]["auc_lo"]) <= float(rows[0]["auc"])
    assert rows[0]["source"] == "live"


def test_an_export_replaces_no_file_and_says_where_it_went(kept, tmp_path, monkeypatch):
    mine = tmp_path / "strategy_lab.html"
    mine.write_text("mine")
    (tmp_path / "strategy_lab-2.csv").symlink_to("nowhere")
    monkeypatch.chdir(tmp_path)
    board = panels.KeptPanel(kept)
    board.choice.value, board.folder.value = ("second",), "."
    for number in (3, 4):
        board.export.click()
        path = tmp_path / f"strategy_lab-{number}.csv"
        assert path.is_file()
        assert f"Written: {path} and strategy_lab-{number}.html" in board.text.value
    assert mine.read_text() == "mine"
    assert (tmp_path / "strategy_lab-2.csv").is_symlink()
    assert not (tmp_path / "strategy_lab.csv").exists()


def test_without_a_folder_the_export_lies_at_a_whole_path(kept, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COURSE_CACHE", "cache")
    assert all(path.is_absolute() and path.is_file() for path in store.save(store.kept()[0] or [
        store.Kept("name", "now", vars(TWO), ())], ""))  # fmt: skip


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1 is text", "@SUM(A1)", '=HYPERLINK("x","y")'])
def test_no_cell_of_the_csv_is_a_formula(bench, name):
    bench.change(replace(TWO, seed=4))
    run(bench)
    assert bench.keep(name)
    race = store.kept()[0][0]
    race.setup["dataset"], race.rows[0]["auc"] = "=cmd", -0.5
    first, second, _ = csv.DictReader(io.StringIO(store.as_csv([race])))
    assert first["run"] == f"'{name}"
    assert first["dataset"] == "'=cmd"
    assert first["auc"] == "-0.5"
    assert second["arm"] == "full fine-tune"


def test_a_race_named_like_a_column_keeps_it(kept):
    race = replace(store.kept()[0][0], name="arm")
    table = store.comparison([race, store.kept()[0][1]])
    assert re.findall("<td>(f.*?)</td>", table) == ["feature extraction", "full fine-tune"]


def test_names_are_no_markup(kept):
    evil = "<img src=x onerror=alert(1)>\"'&"
    first, second = store.kept()[0]
    rows = tuple(row | {"arm": evil, "source": evil, "words": evil} for row in first.rows)
    setup = first.setup | {"dataset": evil, "backbone": evil}
    race = replace(first, name=evil, rows=rows, setup=setup, caveat=evil, guess=evil,
                   explanation=(evil,), when=evil)  # fmt: skip
    shown = store.as_html([race, second])
    assert "<img" not in shown
    assert shown.count("&lt;img src=x onerror=alert(1)&gt;&quot;&#x27;&amp;") > 8


def test_a_race_that_may_not_be_removed_is_said_and_stays(kept, monkeypatch):
    def denied(*_, **__):
        raise PermissionError(13, "Permission denied")

    panel = panels.KeptPanel(kept)
    panel.choice.value = ("second",)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", denied)
        panel.remove.click()
    assert "Permission denied" in kept.message
    assert len(store.kept()[0]) == 2


def test_the_page_needs_nothing_else(kept, tmp_path):
    _, page = store.save(store.kept()[0], str(tmp_path))
    text = page.read_text()
    assert text.startswith("<!doctype html>")
    assert not re.search(r"(src|href)=|https?://(?!www\.w3\.org)|<script|@import|url\(", text)
    for words in ("first try", "second", "feature extraction", "validation AUC"):
        assert words in text


def test_an_export_that_cannot_be_is_a_sentence_and_leaves_no_part(kept, tmp_path, monkeypatch):
    with pytest.raises(CourseError, match="Choose one or more"):
        store.save([], "")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("helpers.files.os.replace", full)
    with pytest.raises(CourseError, match="No space left"):
        store.save(store.kept()[0], str(tmp_path))
    assert not [path for path in tmp_path.iterdir() if "strategy_lab" in path.name]
