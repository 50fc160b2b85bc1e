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
from operator import itemgetter
from pathlib import Path

from helpers import files
from helpers.errors import CourseError
from helpers.practice import cards
from helpers.practice.cards import Item

# Once an id is given out it stays: with another, Anki would put new decks beside the old ones.
MODEL_ID, DECK_ID = 1607392319, 2059400110
TITLE = "Transfer learning: the interview"
ORDERS = 4  # orders of steps to choose from, the right one among them
Choices = list[tuple[str, bool, str]]


def choices_of(item: Item) -> tuple[str, Choices]:
    """Return how an item is answered, and the (text, right, why) that there are to it.

    ``one`` or ``many`` of several, ``number``, ``text``, or ``free``; the steps of an order become
    orders to choose from.
    """
    kind, why = item["kind"], item.get("why", "")
    if kind == "numeric":
        return "number", [(repr(item["value"]), True, why)]
    if kind == "predict":
        return "text", [(item["output"], True, why)]
    if kind == "order":
        right = tuple(item["steps"])
        others = [order for order in itertools.permutations(right) if order != right][::5]
        return "one", [(" → ".join(order), order == right, why)
                       for order in (right, *others[: ORDERS - 1])]  # fmt: skip
    found = [(c["text"], c["right"], c["why"]) for c in item.get("choices", ())]
    return ("free" if not found else "one" if _n_right(found) == 1 else "many"), found


def _n_right(choices: Choices) -> int:
    return sum(right for _, right, _ in choices)


def asked(item: Item) -> str:
    """Return the question of an item with its code, as plain text."""
    parts = {
        "bug": ("symptom", "code"), "drill": ("task", "stub"), "predict": ("question", "code"),
    }.get(item["kind"], ("question",))  # fmt: skip
    return "\n\n".join(item[part] for part in parts)


def answered(item: Item) -> str:
    """Return the answer of an item with its reasons and where it comes from, as plain text."""
    kind, (form, choices) = item["kind"], choices_of(item)
    if form in ("one", "many"):
        parts = [f"{'✔' if right else '✘'} {text}: {why}" for text, right, why in choices]
    elif kind == "numeric":
        parts = [cards.value(item), item["why"]]
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
    form, choices = choices_of(item)
    texts = sorted(text for text, *_ in choices) if form in ("one", "many") else []
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
            model=model, fields=[_escaped(_front(item)), _escaped(answered(item))],
            guid=genanki.guid_for(TITLE, item["id"]),
            tags=[item["topic"], item["kind"], f"level-{item['level']}"],
        ))  # fmt: skip
    target = io.BytesIO()
    genanki.Package(deck).write_to_file(target)
    return target.getvalue()


MOODLE = {"one": "multichoice", "many": "multichoice", "number": "numerical",
          "text": "shortanswer", "free": "essay"}  # fmt: skip


def to_moodle(items: Sequence[Item]) -> bytes:
    """Return Moodle XML, a category per topic, a feedback per choice."""
    quiz = ET.Element("quiz")
    for topic, mine in _by_topic(items):
        category = ET.SubElement(quiz, "question", type="category")
        _text(category, "category", f"$course$/{TITLE}/{topic}")
        for item in mine:
            form, choices = choices_of(item)
            question = ET.SubElement(quiz, "question", type=MOODLE[form])
            _text(question, "name", item["id"])
            _text(question, "questiontext", _markup(asked(item)), format="html")
            _text(question, "generalfeedback", _markup(answered(item)), format="html")
            _text(ET.SubElement(question, "tags"), "tag", f"level {item['level']}")
            if MOODLE[form] == "multichoice":
                ET.SubElement(question, "single").text = str(form == "one").lower()
                ET.SubElement(question, "shuffleanswers").text = "1"
            for text, right, why in choices:
                answer = ET.SubElement(question, "answer", fraction=_share(right, choices))
                plain = MOODLE[form] != "multichoice"
                ET.SubElement(answer, "text").text = text if plain else _markup(text)
                answer.set("format", "plain_text" if plain else "html")
                _text(answer, "feedback", _markup(why), format="html")
                if form == "number":
                    ET.SubElement(answer, "tolerance").text = repr(item["tolerance"])
    ET.indent(quiz, " ")
    return ET.tostring(quiz, "utf-8", xml_declaration=True)


def _by_topic(items: Sequence[Item]) -> Iterable[tuple[str, Iterable[Item]]]:
    return itertools.groupby(sorted(items, key=itemgetter("topic")), itemgetter("topic"))


def _share(right: bool, choices: Choices) -> str:
    """Return per cent of the points for a choice; where several are right, a wrong one undoes."""
    wrong = 0 if _n_right(choices) == 1 else -100
    return f"{100 / _n_right(choices) if right else wrong:.7g}"


def _text(parent: ET.Element, name: str, text: str, **attributes: str) -> None:
    ET.SubElement(ET.SubElement(parent, name, attributes), "text").text = text


def _markup(text: str) -> str:
    """Return a plain text as HTML that keeps its lines."""
    return _escaped(text).replace("  ", "&nbsp; ").replace("\n", "<br>")


def _escaped(text: str) -> str:
    """Return a plain text as HTML: what stands between backticks is code."""
    return re.sub(r"`([^`\n]+)`", r"<code>\1</code>", html.escape(text))


def to_gift(items: Sequence[Item]) -> bytes:
    """Return GIFT, the text form of Moodle's questions."""
    parts = []
    for topic, mine in _by_topic(items):
        parts.append(f"$CATEGORY: $course$/{TITLE}/{topic}")
        for item in mine:
            form, choices = choices_of(item)
            given = []
            for text, right, why in choices:
                mark = "=" if right else "~"
                if form == "many":
                    mark = f"~%{_share(right, choices)}%"
                text = f"#{text}:{item['tolerance']!r}" if form == "number" else mark + _gift(text)
                given.append(f"{text}#{_gift(why)}\n")
            parts.append(f"::{_gift(item['id'])}::[plain]{_gift(asked(item))}{{\n{''.join(given)}"
                         f"####{_gift(answered(item))}\n}}")  # fmt: skip
    return ("\n\n".join(parts) + "\n").encode()


def _gift(text: str) -> str:
    escaped = re.sub(r"([~=#{}:\\])", r"\\\1", text)
    return escaped.replace("\n", "\\n")


def to_qti(items: Sequence[Item]) -> bytes:
    """Return a QTI 1.2 package, for Canvas and others."""
    quiz = _package("text2qti.quiz").Quiz
    lines = [f"Quiz title: {TITLE}"]
    for k, item in enumerate(items, 1):
        form, choices = choices_of(item)
        lines += ["", f"Title: {item['id']}", f"{k}. {_entities(asked(item))}",
                  f"... {_entities(answered(item))}"]  # fmt: skip
        if form == "number" and abs(item["value"]) - item["tolerance"] >= 0.001:
            lines.append(f"= {item['value']!r} +- {item['tolerance']!r}")
        elif form == "text":
            lines.append(f"* {item['output']}")
        elif form in ("free", "number"):  # text2qti would round the bounds of a small one away
            lines.append("____")
        else:
            for letter, (text, right, why) in zip("abcdefgh", choices, strict=False):
                mark = f"{'*' * right}{letter})" if form == "one" else f"[{'*' if right else ' '}]"
                lines += [f"{mark} {_entities(text)}", f"... {_entities(why)}"]
    config = _package("text2qti.config").Config()
    made = quiz("\n".join(lines), config=config, source_name="cards")
    return _package("text2qti.qti").QTI(made).zip_bytes()


def _entities(text: str) -> str:
    """Return a text in one line of Markdown in which no sign means anything."""
    kept = (c if c.isalnum() or c == " " else "<br>" if c == "\n" else f"&#{ord(c)};" for c in text)
    return "".join(kept).replace("  ", "&nbsp; ")


def to_jupyterquiz(items: Sequence[Item]) -> bytes:
    """Return the JSON of jupyterquiz; tolerances as ranges, half open as it has them."""
    types = {"one": "multiple_choice", "many": "many_choice", "number": "numeric", "text": "string"}
    rows = []
    for item in items:
        form, choices = choices_of(item)
        given = [{"answer": text, "correct": right, "feedback": why}
                 for text, right, why in choices]  # fmt: skip
        if form == "number":
            bounds = [item["value"] + sign * (item["tolerance"] or 0.5) for sign in (-1, 1)]
            given = [{"type": "range", "range": bounds, "correct": True, "feedback": item["why"]},
                     {"type": "default", "feedback": answered(item)}]  # fmt: skip
        code = {"code": item["code"]} if "code" in item else {}
        row = {"question": item["question"], "type": types[form], "answers": given}
        rows.append(row | code)
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
