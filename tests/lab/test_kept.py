import csv
import io
import json
import re
from dataclasses import replace

import pytest

from helpers.errors import CourseError
from helpers.lab import store, view
from helpers.lab.engine import Lab
from helpers.lab.panels import ShelfPanel
from helpers.lab.setup import Setup
from helpers.lab.store import Shelf
from tests.lab.conftest import TWO, run


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
    runs = Shelf().all()
    assert [run.name for run in runs] == ["first try", "second"]
    first = Shelf().get("first try")
    assert first.setup["seed"] == 0
    assert [row["arm"] for row in first.rows] == ["feature extraction", "full fine-tune"]
    assert len(first.rows[0]["history"]) == 2
    assert first.explanation


@pytest.mark.parametrize("name", ["", "   ", "x" * 61, "---"])
def test_a_bad_name_is_a_sentence(bench, name):
    run(bench)
    assert not bench.keep(name)
    assert "name of 1 to 60" in bench.message


def test_a_name_stays_inside_the_folder(bench, private_cache):
    run(bench)
    assert bench.keep("../../etc/a name: with/odd* characters é")
    (path,) = bench.shelf.folder.iterdir()
    assert re.fullmatch(r"[A-Za-z0-9_]+-[0-9a-f]{8}\.json", path.name)
    assert bench.shelf.get("../../etc/a name: with/odd* characters é")


def test_a_name_is_taken_once(kept):
    assert not kept.keep("second")
    assert "already kept" in kept.message
    kept.shelf.remove("second")
    assert kept.keep("second")


def test_nothing_to_keep_before_a_race(bench):
    assert not bench.keep("early")
    assert "Press Race first" in bench.message


def test_a_folder_that_cannot_be_written_is_a_sentence(bench, tmp_path):
    run(bench)
    (tmp_path / "file").write_text("")
    bench.shelf = Shelf(tmp_path / "file" / "kept")
    assert not bench.keep("name")
    assert "cannot be written" in bench.message


def test_damaged_files_are_left_out_and_named(kept):
    panel = ShelfPanel(kept)
    assert panel.damaged.value == ""
    (kept.shelf.folder / "odd-00000000.json").write_text("{")
    (kept.shelf.folder / "odder-00000000.json").write_text("[1]")
    assert len(kept.shelf.all()) == 2
    panel.refresh()
    assert "cannot be read: odd-00000000.json, odder-00000000.json in" in panel.damaged.value
    with pytest.raises(CourseError, match="No run is kept"):
        kept.shelf.get("third")


def test_a_caveat_stands_beside_every_number(kept):
    ants = Setup(TWO.arms, dataset="hymenoptera")
    assert "ImageNet" in view.facts(ants)
    assert "ImageNet" not in view.facts(TWO)
    run = replace(kept.shelf.get("second"), caveat=ants.caveat)
    assert "have probably seen these images" in store.as_html([run])


def test_side_by_side(kept):
    table = store.comparison(kept.shelf.all())
    assert list(table.columns) == ["arm", "first try", "second"]
    assert re.fullmatch(r"\d\.\d{3} \[\d\.\d{3}, \d\.\d{3}\]", table["second"][0])


def test_the_csv_has_a_line_per_arm_with_its_settings(kept, tmp_path):
    paths = store.save(kept.shelf.all(), str(tmp_path))
    rows = list(csv.DictReader(io.StringIO(paths[0].read_text())))
    assert len(rows) == 4
    assert {row["seed"] for row in rows} == {"0", "1"}
    assert rows[0]["run"] == "first try"
    assert float(rows[0]["auc_lo"]) <= float(rows[0]["auc"])
    assert rows[0]["source"] == "live"


def test_the_page_needs_nothing_else(kept, tmp_path):
    _, page = store.save(kept.shelf.all(), str(tmp_path))
    text = page.read_text()
    assert text.startswith("<!doctype html>")
    assert not re.search(r"(src|href)=|https?://(?!www\.w3\.org)|<script|@import|url\(", text)
    for words in ("first try", "second", "feature extraction", "validation AUC"):
        assert words in text


def test_names_cannot_put_markup_into_the_page(bench, tmp_path):
    run(bench)
    assert bench.keep("<script>alert(1)</script>")
    _, page = store.save(bench.shelf.all(), str(tmp_path))
    assert "<script>" not in page.read_text()


def test_an_export_that_cannot_be_is_a_sentence(kept, tmp_path):
    with pytest.raises(CourseError, match="Choose one or more"):
        store.save([], "")
    with pytest.raises(CourseError, match="There is no folder"):
        store.save(kept.shelf.all(), str(tmp_path / "nowhere"))


def test_a_read_only_folder_is_a_sentence_and_leaves_no_part(kept, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("helpers.files.os.replace", full)
    with pytest.raises(CourseError, match="No space left"):
        store.save(kept.shelf.all(), str(tmp_path))
    assert not [path for path in tmp_path.iterdir() if "strategy_lab" in path.name]


def test_what_is_kept_is_plain_json(kept):
    for path in kept.shelf.folder.glob("*.json"):
        assert set(json.loads(path.read_text())) == {
            "name", "when", "setup", "rows", "explanation", "guess", "caveat"
        }  # fmt: skip
