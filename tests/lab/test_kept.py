import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from helpers import files
from helpers.errors import CourseError
from helpers.lab import drawings, panels, store
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
    assert [row["arm"] for row in first.rows] == ["feature extraction", "full fine-tune"]
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


def test_a_race_that_was_kept_before_rows_had_words_is_shown(kept):
    """Until the lab had one store, a row held the label, the strategy, the numbers, the history."""
    path = next(folder().iterdir())
    fields = json.loads(path.read_text())
    for row in fields["rows"]:
        for name in ("words", "share", "note"):
            del row[name]
    path.write_text(json.dumps(fields))
    races, damaged = store.kept()
    assert (len(races), damaged) == (2, [])


def test_a_caveat_stands_beside_every_number(kept):
    ants = Setup(TWO.arms, dataset="hymenoptera")
    assert "ImageNet" in drawings.facts(vars(ants), ants.caveat)
    assert "ImageNet" not in drawings.facts(vars(TWO), TWO.caveat)
    race = replace(store.kept()[0][1], caveat=ants.caveat)
    assert "have probably seen these images" in store.as_html([race])


def test_side_by_side_an_arm_that_only_one_race_had_leaves_the_other_s_cell_empty(kept):
    first, second = store.kept()[0]
    table = store.comparison([first, second])
    assert re.findall("<th>(.*)</th>", table) == ["arm", "first try", "second"]
    assert re.findall("<td>(f.*)</td>", table) == ["feature extraction", "full fine-tune"]
    assert len(re.findall(r"<td>\d\.\d{3} \[\d\.\d{3}, \d\.\d{3}\]</td>", table)) == 4
    (row, _) = second.rows
    table = store.comparison([first, replace(second, rows=(row | {"arm": "BN moves"},))])
    assert "<td>feature extraction, BN moves</td>" in table
    assert table.count("<td></td>") == 3


def test_the_csv_has_a_line_per_arm_with_its_settings(kept, tmp_path):
    paths = store.save(store.kept()[0], str(tmp_path))
    rows = list(csv.DictReader(io.StringIO(paths[0].read_text())))
    assert len(rows) == 4
    assert {row["seed"] for row in rows} == {"0", "1"}
    assert rows[0]["run"] == "first try"
    assert rows[0]["n"] == "16"
    assert float(rows[0]["auc_lo"]) <= float(rows[0]["auc"])
    assert rows[0]["source"] == "live"


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
