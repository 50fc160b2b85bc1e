"""Exported cards can be read by those for whom they are written: every one, with its reasons."""

import csv
import html
import io
import json
import re
import sqlite3
import sys
import xml.etree.ElementTree as ET
import zipfile

import pytest

from helpers.__main__ import main
from helpers.errors import CourseError
from helpers.practice import cards, export
from tests.practice.samples import EVERYTHING, written

BY_ID = {item["id"]: item for item in EVERYTHING}


@pytest.fixture
def written_to(tmp_path):
    """Export everything in a format; return the file."""

    def write(to: str):
        target = tmp_path / f"cards{export.FORMATS[to][1]}"
        said = export.export(EVERYTHING, to, target)
        assert said.startswith(f"{len(EVERYTHING) - (6 if to == 'jupyterquiz' else 0)} cards")
        return target

    return write


def test_a_table_has_a_row_a_card(written_to):
    rows = list(csv.DictReader(written_to("csv").read_text("utf-8-sig").splitlines(True)))
    assert [row["id"] for row in rows] == [item["id"] for item in EVERYTHING]
    by_id = {row["id"]: row for row in rows}
    assert by_id["predict-1"]["front"].endswith("print(1 + 1)")
    assert "- answer 3" in by_id["choice-1"]["front"]
    assert "✘ answer 3: reason 3 <b>" in by_id["choice-1"]["back"]
    assert "Points: a number; a condition; a price" in by_id["spoken-1"]["back"]


def test_anki_gets_a_deck_whose_cards_keep_their_ids(written_to, tmp_path):
    with zipfile.ZipFile(written_to("anki")) as package:
        assert package.testzip() is None
        package.extract("collection.anki2", tmp_path)
    with sqlite3.connect(tmp_path / "collection.anki2") as database:
        assert database.execute("pragma integrity_check").fetchone() == ("ok",)
        notes = database.execute("select guid, mid, flds, tags from notes").fetchall()
        (decks,) = database.execute("select decks from col").fetchone()
        count = database.execute("select count(*) from cards").fetchone()
    assert count == (len(EVERYTHING),)
    assert {mid for _, mid, *_ in notes} == {export.MODEL_ID}
    assert str(export.DECK_ID) in json.loads(decks)
    fronts = [fields.split("\x1f") for *_, fields, _ in notes]
    assert not any("<b>" in field for pair in fronts for field in pair), "escaped"
    assert html.unescape(fronts[0][1]) == "Answer 1, <code>x < 1</code>."
    again = export.to_anki(EVERYTHING[::-1])
    with zipfile.ZipFile(io.BytesIO(again)) as package:
        package.extract("collection.anki2", tmp_path / "again")
    with sqlite3.connect(tmp_path / "again" / "collection.anki2") as database:
        guids = {guid for (guid,) in database.execute("select guid from notes")}
    assert guids == {guid for guid, *_ in notes}
    assert len(guids) == len(EVERYTHING)


def test_moodle_gets_types_fractions_tolerances_and_feedback(written_to):
    quiz = ET.parse(written_to("moodle")).getroot()
    assert quiz.tag == "quiz"
    asked = [question for question in quiz if question.get("type") != "category"]
    assert sorted(q.findtext("name/text") for q in asked) == sorted(BY_ID)
    categories = [q.findtext("category/text") for q in quiz.findall("question[@type='category']")]
    assert len(categories) == len({item["topic"] for item in EVERYTHING})
    for question in asked:
        item = BY_ID[question.findtext("name/text")]
        assert question.find("questiontext").get("format") == "html"
        assert question.findtext("questiontext/text")
        answers = question.findall("answer")
        shares = [float(answer.get("fraction")) for answer in answers]
        kind = question.get("type")
        if kind == "essay":
            assert item["kind"] in ("flashcard", "spoken", "bug", "drill")
            assert not answers
            continue
        assert sum(share for share in shares if share > 0) == pytest.approx(100)
        assert all(answer.findtext("feedback/text") for answer in answers)
        if kind == "multichoice":
            single = question.findtext("single") == "true"
            assert single == (sum(share > 0 for share in shares) == 1)
        if kind == "numerical":
            assert float(answers[0].findtext("text")) == item["value"]
            assert float(answers[0].findtext("tolerance")) == item["tolerance"]
        if kind == "shortanswer":
            assert answers[0].findtext("text") == item["output"]


def gift(text: str) -> dict[str, tuple[str, str, str]]:
    """Read GIFT: name -> question, answers, general feedback; a reader by Moodle's own rules."""
    found = {}
    for part in re.split(r"\n\n+(?=::|\$CATEGORY)", text.strip()):
        if part.startswith("$CATEGORY: "):
            continue
        name, question, inside = re.fullmatch(
            r"::((?:\\.|[^:\\])+)::\[plain\]((?:\\.|[^{}\\])+)\{((?:\\.|[^{}\\])*)\}\n?",
            part, re.DOTALL,
        ).groups()  # fmt: skip
        answers, feedback = inside.split("####")
        found[name] = question, answers.strip(), feedback.strip()
    return found


def parts(answers: str) -> list[tuple[str, str, str]]:
    """Return mark, text and feedback of the answers of a GIFT question."""
    marked = re.findall(r"(?<!\\)([=~])((?:\\.|[^=~\\])+)", answers, re.DOTALL)
    return [(mark, *re.split(r"(?<!\\)#", text.strip(), maxsplit=1)) for mark, text in marked]


def test_gift_can_be_read_by_its_rules(written_to):
    found = gift(written_to("gift").read_text("utf-8"))
    assert found.keys() == BY_ID.keys()
    assert [mark for mark, *_ in parts(found["choice-1"][1])] == ["=", "~", "~", "~"]
    several = [text for _, text, _ in parts(found["choice-2"][1])]
    assert [text.split("%")[1] for text in several] == ["50", "50", "-100", "-100"]
    assert all(why.startswith("reason") for *_, why in parts(found["choice-2"][1]))
    assert found["numeric-1"][1].startswith("#4652008:0#")
    assert parts(found["predict-1"][1])[0][:2] == ("=", "2")
    assert found["spoken-1"][1] == ""
    assert found["bug-1"][0].startswith("The mean")
    assert r"n \= len(numbers)" in found["bug-1"][2]


def test_qti_is_a_package_whose_questions_can_be_read(written_to):
    with zipfile.ZipFile(written_to("qti")) as package:
        assert package.testzip() is None
        manifest = ET.fromstring(package.read("imsmanifest.xml"))
        assert manifest.tag.endswith("manifest")
        (name,) = [name for name in package.namelist()
                   if re.fullmatch(r"(\w+)/\1\.xml", name)]  # fmt: skip
        quiz = ET.fromstring(package.read(name))
    space = {"q": quiz.tag.split("}")[0].strip("{")}
    items = quiz.findall(".//q:item", space)
    assert [item.get("title") for item in items] == [item["id"] for item in EVERYTHING]
    kinds = [field.findtext("q:fieldentry", None, space)
             for item in items for field in item.findall(".//q:qtimetadatafield", space)
             if field.findtext("q:fieldlabel", None, space) == "question_type"]  # fmt: skip
    assert kinds.count("multiple_choice_question") == 3
    assert kinds.count("multiple_answers_question") == 1
    assert kinds.count("numerical_question") == 2
    assert kinds.count("short_answer_question") == 2
    assert kinds.count("essay_question") == 6
    texts = " ".join(node.text or "" for node in quiz.findall(".//q:mattext", space))
    assert "x &#60; 1" in texts or "x &lt; 1" in texts


def test_a_number_too_small_for_qti_becomes_a_free_answer():
    small = BY_ID["numeric-2"] | {"id": "small", "value": 1e-5, "tolerance": 1e-6}
    with zipfile.ZipFile(io.BytesIO(export.to_qti([small]))) as package:
        assert any(b"essay_question" in package.read(name) for name in package.namelist())


def test_jupyterquiz_gets_what_it_has_a_form_for(written_to):
    rows = json.loads(written_to("jupyterquiz").read_text("utf-8"))
    assert [row["type"] for row in rows] == [
        "multiple_choice", "many_choice", "numeric", "numeric", "multiple_choice",
        "multiple_choice", "string", "string"]  # fmt: skip
    low, high = rows[2]["answers"][0]["range"]
    assert low < 4652008 < high
    assert rows[3]["answers"][0]["range"] == pytest.approx([0.855, 0.865])
    assert all(sum(answer.get("correct", False) for answer in row["answers"]) >= 1 for row in rows)


def test_orders_of_steps_are_some_and_one_is_right():
    for name in ("order-1", "order-2"):
        form, texts = export.choices_of(BY_ID[name])
        assert form == "one"
        assert len({text for text, *_ in texts}) == len(texts) >= 2
        assert [text for text, right, _ in texts if right] == [" → ".join(BY_ID[name]["steps"])]


@pytest.mark.parametrize(("to", "package"), [("anki", "genanki"), ("qti", "text2qti.quiz")])
def test_a_missing_extra_is_one_sentence(to, package, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(CourseError, match=r'is not installed.*pip install "\.\[cards\]"'):
        export.export(EVERYTHING, to, tmp_path / f"cards{export.FORMATS[to][1]}")
    assert not list(tmp_path.iterdir())


def test_the_command_writes_a_topic_and_replaces_nothing(tmp_path, monkeypatch, capsys):
    folder, load = written(tmp_path / "cards"), cards.load
    monkeypatch.setattr(cards, "load", lambda: load(folder))
    target = tmp_path / "cnn.csv"
    command = ["cards", "export", "--to", "csv", "--topic", "cnn", str(target)]
    assert main(command) == 0
    assert "6 cards written" in capsys.readouterr().out
    assert main(command) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert main([*command, "--overwrite"]) == 0
    assert main([*command[:-2], "nothing", str(tmp_path / "other.csv")]) == 2
    assert "no topic 'nothing'" in capsys.readouterr().err
    assert main(["cards", "export", "--to", "gift", str(tmp_path / "cards.csv")]) == 2
