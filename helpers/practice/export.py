"""The cards for other programs: Anki, CSV, Moodle XML, GIFT, QTI, and jupyterquiz.

What a format has no form for becomes a question with a free answer and the right one as its
feedback; jupyterquiz has none, so flashcards, spoken questions, bugs and drills stay out there.
"""

from __future__ import annotations

import csv
import html
import io
import itertools
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from helpers import files
from helpers.errors import CourseError
from helpers.practice.cards import Item

# Once an id is given out it stays: with another, Anki would put new decks beside the old ones.
MODEL_ID, DECK_ID = 1607392319, 2059400110
TITLE = "Transfer learning: the interview"
ORDERS = 4  # orders of steps to choose from, the right one among them
Choices = list[tuple[str, bool, str]]


def choices_of(item: Item) -> Choices:
    """Return (text, right, why) of a choice; the steps of an order as orders to choose from."""
    if item["kind"] == "choice":
        return [(choice["text"], choice["right"], choice["why"]) for choice in item["choices"]]
    if item["kind"] != "order":
        return []
    orders = itertools.islice(itertools.permutations(item["steps"]), 0, None, 5)
    some = [*itertools.islice((o for o in orders if list(o) != item["steps"]), ORDERS - 1)]
    return [(" → ".join(order), list(order) == item["steps"], item["why"])
            for order in (item["steps"], *some)]  # fmt: skip


def asked(item: Item) -> str:
    """Return the question of an item with its code, as plain text."""
    parts = {
        "bug": ("symptom", "code"), "drill": ("task", "stub"), "predict": ("question", "code"),
    }.get(item["kind"], ("question",))  # fmt: skip
    return "\n\n".join(item[part] for part in parts)


def answered(item: Item) -> str:
    """Return the answer of an item with its reasons and where it comes from, as plain text."""
    kind, parts = item["kind"], []
    if kind in ("choice", "order"):
        parts = [f"{'✔' if right else '✘'} {text}: {why}" for text, right, why in choices_of(item)]
    elif kind == "numeric":
        parts = [f"{item['value']:,} {item['unit']} (± {item['tolerance']:,})", item["why"]]
    elif kind == "spoken":
        asks = [f"{row['question']} {row['answer']}" for row in item["follow_ups"]]
        parts = [item["strong"], f"Points: {'; '.join(item['checklist'])}", *asks]
    elif kind == "bug":
        parts = [f"Line {item['line']}: {item['mend']}", item["why"]]
    else:
        fields = ("answer", "output", "why", "solution")
        parts = [item[name] for name in fields if name in item]
    parts += [f"Source: {item['source']}"] if item.get("source") else []
    return "\n".join(parts)


def to_csv(items: Sequence[Item]) -> bytes:
    """Return a table with a header, for spreadsheets, Anki and Quizlet: id, front, back, and so on.

    Lists of choices stand on the front.
    """
    target = io.StringIO(newline="")
    writer = csv.writer(target)
    writer.writerow(["id", "topic", "level", "kind", "front", "back"])
    writer.writerows([item["id"], item["topic"], item["level"], item["kind"], _front(item),
                      answered(item)] for item in items)  # fmt: skip
    return target.getvalue().encode("utf-8-sig")  # or spreadsheets guess another alphabet


def _front(item: Item) -> str:
    texts = sorted(text for text, *_ in choices_of(item))
    return "\n".join([asked(item), *(f"- {text}" for text in texts)])


def to_anki(items: Sequence[Item]) -> bytes:
    """Return an Anki package; each card keeps its own id, so a newer deck updates an older one."""
    genanki = _package("genanki")
    model = genanki.Model(
        MODEL_ID, TITLE, fields=[{"name": "front"}, {"name": "back"}],
        templates=[{"name": "card", "qfmt": "{{front}}",
                    "afmt": "{{FrontSide}}<hr id=answer>{{back}}"}],
        css=".card { font: 18px sans-serif; white-space: pre-wrap; }",
    )  # fmt: skip
    deck = genanki.Deck(DECK_ID, TITLE)
    for item in items:
        deck.add_note(genanki.Note(
            model=model, fields=[html.escape(_front(item)), html.escape(answered(item))],
            guid=genanki.guid_for(TITLE, item["id"]),
            tags=[item["topic"], item["kind"], f"level-{item['level']}"],
        ))  # fmt: skip
    target = io.BytesIO()
    genanki.Package(deck).write_to_file(target)
    return target.getvalue()


def to_moodle(items: Sequence[Item]) -> bytes:
    """Return Moodle XML, a category per topic, a feedback per choice."""
    quiz, topic = ET.Element("quiz"), None
    for item in sorted(items, key=lambda item: item["topic"]):
        if item["topic"] != topic:
            topic = item["topic"]
            category = ET.SubElement(quiz, "question", type="category")
            _text(category, "category", f"$course$/{TITLE}/{topic}")
        kinds = {"choice": "multichoice", "order": "multichoice", "numeric": "numerical",
                 "predict": "shortanswer"}  # fmt: skip
        question = ET.SubElement(quiz, "question", type=kinds.get(item["kind"], "essay"))
        _text(question, "name", item["id"])
        _text(question, "questiontext", _markup(asked(item)), format="html")
        _text(question, "generalfeedback", _markup(answered(item)), format="html")
        choices = choices_of(item)
        n_right = sum(right for _, right, _ in choices)
        if choices:
            ET.SubElement(question, "single").text = str(n_right == 1).lower()
            ET.SubElement(question, "shuffleanswers").text = "1"
        if item["kind"] == "numeric":
            choices = [(f"{item['value']!r}", True, item["why"])]
        elif item["kind"] == "predict":
            choices = [(item["output"], True, item["why"])]
        for text, right, why in choices:
            share = 100 / max(n_right, 1) if right else 0 if n_right == 1 else -100
            is_html = {"format": "html"} if n_right else {}
            answer = ET.SubElement(question, "answer", fraction=f"{share:.7g}", **is_html)
            ET.SubElement(answer, "text").text = _markup(text) if n_right else text
            _text(answer, "feedback", _markup(why), format="html")
            if item["kind"] == "numeric":
                ET.SubElement(answer, "tolerance").text = f"{item['tolerance']!r}"
        tags = ET.SubElement(question, "tags")
        _text(tags, "tag", f"level {item['level']}")
    ET.indent(quiz, " ")
    return ET.tostring(quiz, "utf-8", xml_declaration=True)


def _text(parent: ET.Element, name: str, text: str, **attributes: str) -> None:
    ET.SubElement(ET.SubElement(parent, name, attributes), "text").text = text


def _markup(text: str) -> str:
    """Return a plain text as HTML that keeps its lines."""
    return html.escape(text).replace("  ", "&nbsp; ").replace("\n", "<br>")


def to_gift(items: Sequence[Item]) -> bytes:
    """Return GIFT, the text form of Moodle's questions."""
    parts, topic = [], None
    for item in sorted(items, key=lambda item: item["topic"]):
        if item["topic"] != topic:
            topic = item["topic"]
            parts.append(f"$CATEGORY: $course$/{TITLE}/{topic}")
        choices = choices_of(item)
        n_right = sum(right for _, right, _ in choices)
        if item["kind"] == "numeric":
            given = f"#{item['value']!r}:{item['tolerance']!r}#{_gift(item['why'])}"
        elif item["kind"] == "predict":
            given = f"={_gift(item['output'])}#{_gift(item['why'])}"
        elif n_right == 1:
            given = "\n".join(f"{'=' if right else '~'}{_gift(text)}#{_gift(why)}"
                              for text, right, why in choices)  # fmt: skip
        else:
            given = "\n".join(f"~%{100 / n_right if right else -100:.5g}%{_gift(text)}#{_gift(why)}"
                              for text, right, why in choices)  # fmt: skip
        parts.append(f"::{_gift(item['id'])}::[plain]{_gift(asked(item))}{{\n{given}\n"
                     f"####{_gift(answered(item))}\n}}")  # fmt: skip
    return ("\n\n".join(parts) + "\n").encode()


def _gift(text: str) -> str:
    escaped = re.sub(r"([~=#{}:\\])", r"\\\1", text)
    return escaped.replace("\n", "\\n")


def to_qti(items: Sequence[Item]) -> bytes:
    """Return a QTI 1.2 package, for Canvas and others."""
    quiz = _package("text2qti.quiz").Quiz
    lines = [f"Quiz title: {TITLE}", ""]
    for k, item in enumerate(items, 1):
        choices = choices_of(item)
        n_right = sum(right for _, right, _ in choices)
        lines += [f"Title: {item['id']}", f"{k}. {_entities(asked(item))}",
                  f"... {_entities(answered(item))}"]  # fmt: skip
        value, tolerance = item.get("value", 0), item.get("tolerance", 0)
        for letter, (text, right, why) in zip("abcdefgh", choices, strict=False):
            mark = f"{'*' * right}{letter})" if n_right == 1 else f"[{'*' if right else ' '}]"
            lines += [f"{mark} {_entities(text)}", f"... {_entities(why)}"]
        if item["kind"] == "predict":
            lines.append(f"* {item['output']}")
        elif abs(value) - tolerance >= 0.001:  # below, text2qti would round the bounds away
            lines.append(f"= {value!r} +- {tolerance!r}")
        elif not choices:
            lines.append("____")
        lines.append("")
    config = _package("text2qti.config").Config()
    made = quiz("\n".join(lines), config=config, source_name="cards")
    return _package("text2qti.qti").QTI(made).zip_bytes()


def _entities(text: str) -> str:
    """Return a text in one line of Markdown in which no sign means anything."""
    kept = (c if c.isalnum() or c == " " else "<br>" if c == "\n" else f"&#{ord(c)};" for c in text)
    return "".join(kept).replace("  ", "&nbsp; ")


def to_jupyterquiz(items: Sequence[Item]) -> bytes:
    """Return the JSON of jupyterquiz; tolerances as ranges, half open as it has them."""
    rows = []
    for item in items:
        if item["kind"] == "numeric":
            low, high = (item["value"] + sign * (item["tolerance"] or 0.5) for sign in (-1, 1))
            given = [{"type": "range", "range": [low, high], "correct": True,
                      "feedback": item["why"]},
                     {"type": "default", "feedback": answered(item)}]  # fmt: skip
            rows.append({"question": asked(item), "type": "numeric", "answers": given})
        elif item["kind"] == "predict":
            given = [{"answer": item["output"], "correct": True, "feedback": item["why"]}]
            rows.append({"question": item["question"], "code": item["code"], "type": "string",
                         "answers": given})  # fmt: skip
        elif choices := choices_of(item):
            many = sum(right for _, right, _ in choices) > 1
            given = [{"answer": text, "correct": right, "feedback": why}
                     for text, right, why in choices]  # fmt: skip
            rows.append({"question": asked(item), "answers": given,
                         "type": "many_choice" if many else "multiple_choice"})  # fmt: skip
    return (json.dumps(rows, indent=1, ensure_ascii=False) + "\n").encode()


def _package(name: str):
    """Import what is installed with an extra."""
    try:
        return __import__(name, fromlist=["*"])
    except ImportError as error:
        raise CourseError(
            f"{name.split('.')[0]} is not installed. In the course's folder: "
            'pip install ".[cards]"'
        ) from error


# Name -> how it is written, how its file ends, and the kinds that it leaves out.
FORMATS: dict[str, tuple[Callable[[Sequence[Item]], bytes], str, tuple[str, ...]]] = {
    "anki": (to_anki, ".apkg", ()),
    "csv": (to_csv, ".csv", ()),
    "moodle": (to_moodle, ".xml", ()),
    "gift": (to_gift, ".txt", ()),
    "qti": (to_qti, ".zip", ()),
    "jupyterquiz": (to_jupyterquiz, ".json", ("flashcard", "spoken", "bug", "drill")),
}


def export(items: Iterable[Item], to: str, target: Path, *, overwrite: bool = False) -> str:
    """Write the cards as a file for another program; return a sentence on what was written.

    Raises
    ------
    CourseError
        When the file is there already or cannot be written, its name ends otherwise, or an extra
        is not installed.
    """
    write, suffix, without = FORMATS[to]
    files.check_target(target, suffixes=(suffix,), overwrite=overwrite)
    items = list(items)
    taken = [item for item in items if item["kind"] not in without]
    content = write(taken)
    with files.writing(target), files.atomic_path(target) as temporary:
        temporary.write_bytes(content)
    left = f"; {len(items) - len(taken)} have no form there" if len(taken) < len(items) else ""
    return f"{len(taken)} cards written to {target}{left}."
