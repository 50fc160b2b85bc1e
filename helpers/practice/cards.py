"""The questions of the interview room: read from data/cards/, checked, and answers scored.

An item is a mapping as it stands in its JSON file; CONTRIBUTING.md lists the fields of every kind.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import random
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from helpers import files
from helpers.errors import CourseError, unknown_name

Item = Mapping[str, object]

NUMBER = (int, float)
COMMON = {"id": str, "kind": str, "topic": str, "level": int}
# The fields that every item of a kind has, beside the common ones.
KINDS: dict[str, dict[str, type | tuple]] = {
    "flashcard": {"question": str, "answer": str},
    "choice": {"question": str, "choices": list},
    "numeric": {"question": str, "value": NUMBER, "tolerance": NUMBER, "unit": str, "why": str,
                "compute": str},
    "order": {"question": str, "steps": list, "why": str},
    "predict": {"question": str, "code": str, "output": str, "why": str},
    "spoken": {"question": str, "words": int, "weak": str, "solid": str, "strong": str,
               "weak_misses": str, "follow_ups": list, "checklist": list},
    "bug": {"symptom": str, "code": str, "checks": list, "line": int, "mend": str, "assert_": str,
            "why": str},
    "answer": {"question": str, "seconds": int, "words": int, "text": str},
    "drill": {"minutes": int, "task": str, "stub": str, "checker": str, "rubric": list,
              "solution": str},
}  # fmt: skip
# What stands in a list: texts, or mappings with these fields.
LISTED = {
    "choices": {"text": str, "right": bool, "why": str},
    "steps": str,
    "follow_ups": {"question": str, "answer": str},
    "checklist": str,
    "checks": {"text": str, "cost": NUMBER, "finds": bool},
    "rubric": {"points": int, "text": str},
}
OPTIONAL = {"link": Mapping, "source": str, "numbers": Mapping, "question": str, "also": Mapping}
LEVELS = {1: "asked of everybody", 2: "usual", 3: "deep"}
ENOUGH = 2 / 3  # of a checklist: a spoken answer counts as right from here on


def load(folder: Path | None = None) -> list[dict]:
    """Return all items of a folder of cards; None: the course's own.

    Raises
    ------
    CourseError
        For the first fault, naming file, item and field: no JSON, a field that is missing, unknown
        or of another kind, two items with one id.
    """
    folder = files.resource("cards") if folder is None else folder  # no picture shows a card
    found: dict[str, dict] = {}
    for path in sorted(folder.glob("*.json")):
        for item in _listed(path) if path.stem != "answers" else ():
            if item["id"] in found:
                raise CourseError(f"{path.name}, item {item['id']}: field 'id' is another item's.")
            found[item["id"]] = item
    return list(found.values())


def answers(folder: Path | None = None) -> list[dict]:
    """Return the answers to give (answers.json), shortest first; raises `CourseError` as `load`."""
    folder = files.resource("cards") if folder is None else folder
    return sorted(_listed(folder / "answers.json"), key=lambda item: item["seconds"])


def _listed(path: Path) -> list:
    try:
        items = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise CourseError(f"{path.name} cannot be read as JSON: {error}.") from error
    if not isinstance(items, list):
        raise CourseError(f"{path.name} must hold a list of items.")
    for place, item in enumerate(items):
        if fault := _fault(item, path.stem):
            name = item.get("id", place) if isinstance(item, dict) else place
            raise CourseError(f"{path.name}, item {name}: {fault}")
    return items


def _fault(item: object, stem: str) -> str:
    """Return what is wrong with an item, naming the field; nothing where all is well."""
    if not isinstance(item, dict):
        return "it must be a mapping."
    if fault := _wrong(item, COMMON):
        return fault
    if item["kind"] not in KINDS:
        return f"field 'kind' is {item['kind']!r}; known: {', '.join(KINDS)}."
    if fault := _wrong(item, KINDS[item["kind"]]):
        return fault
    known = {*COMMON, *KINDS[item["kind"]], *OPTIONAL}
    checks = {
        "id": re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", item["id"]),
        "level": item["level"] in LEVELS,
        "topic": item["topic"] == stem,
        "link": item["kind"] in ("drill", "answer") or item.get("link") or item.get("source"),
        "choices": sum(choice["right"] for choice in item.get("choices", [{"right": 1}])) > 0,
        "rubric": sum(row["points"] for row in item.get("rubric", [{"points": 100}])) == 100,
        "line": 0 < item.get("line", 1) <= len(item.get("code", " ").splitlines()),
    } | {name: isinstance(item[name], kind) for name, kind in OPTIONAL.items() if name in item}
    checks |= {name: name in known for name in item if name not in known}
    return next((f"field '{name}' is missing, unknown or cannot be: {item.get(name)!r}."
                 for name, right in checks.items() if not right), "")  # fmt: skip


def _wrong(item: Mapping, fields: Mapping) -> str:
    """Return the first field that is missing, empty or of another kind."""
    for name, kind in fields.items():
        value = item.get(name)
        # A truth value is an int to Python, and no number to anybody else.
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            return f"field '{name}' is {'missing' if value is None else f'no {kind}: {value!r}'}."
        if value in ("", []) and name != "unit":
            return f"field '{name}' is empty."
        for entry in value if isinstance(value, list) else ():
            inner = LISTED[name]
            if isinstance(inner, Mapping) and isinstance(entry, dict):
                fault = _wrong(entry, inner)
            else:
                fault = "" if isinstance(entry, inner if inner is str else dict) else repr(entry)
            if fault:
                return f"field '{name}', an entry: {fault}"
    return ""


def pick(
    items: Iterable[Item], topic: str | None = None, level: int = 3,
    kinds: Sequence[str] = tuple(KINDS),
) -> list[Item]:  # fmt: skip
    """Return the items of a topic (None: all) up to a level, of these kinds.

    Raises
    ------
    CourseError
        When there is no such topic.
    """
    items = list(items)
    if topic is not None and topic not in (known := {item["topic"] for item in items}):
        raise unknown_name("topic", topic, known)
    return [item for item in items if topic in (None, item["topic"]) and item["level"] <= level
            and item["kind"] in kinds]  # fmt: skip


def shuffled(item: Item, seed: object = "") -> list[str]:
    """Return an item's choices, steps or checks as texts in another order, the same for a seed.

    The steps of an order never come in the right one.
    """
    field = next(name for name in ("choices", "steps", "checks") if name in item)
    texts = [entry if isinstance(entry, str) else entry["text"] for entry in item[field]]
    mixed = random.Random(f"{item['id']} {seed}").sample(texts, len(texts))
    return mixed[1:] + mixed[:1] if mixed == texts and field != "choices" else mixed


@dataclass(frozen=True)
class Outcome:
    """What is said about an answer.

    Attributes
    ----------
    right : None where only the learner can tell (flashcards). said : a sentence.
    reasons : (answer, mark or empty, why) for every choice, or the right answer and why.
    """

    right: bool | None
    said: str
    reasons: tuple[tuple[str, str, str], ...]


def score(item: Item, answer: object) -> Outcome:
    """Judge an answer.

    Parameters
    ----------
    answer : the texts of the chosen ones for a choice; the steps in the learner's order; the
        ticked points of a spoken answer's checklist; a text for the other kinds.

    Raises
    ------
    CourseError
        When a number cannot be read, or nothing was answered.
    """
    kind = item["kind"]
    if kind == "choice":
        wanted = {choice["text"] for choice in item["choices"] if choice["right"]}
        reasons = tuple((choice["text"], "✔" if choice["right"] else "✘", choice["why"])
                        for choice in item["choices"])  # fmt: skip
        if not answer:
            raise CourseError("Nothing is chosen yet. Choose an answer, then check it.")
        return _judged(set(answer) == wanted, reasons)
    if kind == "numeric":
        right = abs(number(str(answer), item["unit"]) - item["value"]) <= item["tolerance"] + 1e-12
        return _judged(right, ((value(item), "", item["why"]),))
    if kind == "order":
        share = in_order(list(answer), item["steps"])
        said = "Right." if share == 1 else "Not right."
        said += f" {share:.0%} of all pairs of steps stand in the right order."
        steps = "\n".join(f"{k}. {step}" for k, step in enumerate(item["steps"], 1))
        return Outcome(share == 1, said, ((steps, "", item["why"]),))
    if kind == "predict":
        same = str(answer).split() == item["output"].split()
        return _judged(same, ((item["output"], "", item["why"]),))
    if kind == "spoken":
        share, n = len(set(answer) & set(item["checklist"])), len(item["checklist"])
        said = f"{share} of {n} points said; from {math.ceil(ENOUGH * n)} on it counts as right."
        return Outcome(share >= ENOUGH * n, said, ())
    return Outcome(None, "Judge it yourself.", ((item["answer"], "", ""),))


def value(item: Item) -> str:
    """Return the right number of a numeric item with its unit and what it may be off."""
    off = f"(± {item['tolerance']:,})" if item["tolerance"] else ""
    return " ".join(part for part in (f"{item['value']:,}", item["unit"], off) if part)


def _judged(right: bool, reasons: tuple) -> Outcome:
    return Outcome(right, "Right." if right else "Not right.", reasons)


def in_order(found: Sequence[str], right: Sequence[str]) -> float:
    """Return the share of pairs of `right` that stand in the same order in `found`."""
    pairs = list(combinations(right, 2))
    return sum(found.index(a) < found.index(b) for a, b in pairs) / len(pairs)


def number(text: str, unit: str = "") -> float:
    """Return the number that a learner wrote: ``4,652,008``, ``.86``, ``-1e-3``, ``86 %``.

    Commas stand between thousands only; a unit behind it may be there or not, and a percent sign
    divides by 100 where the unit is another.

    Raises
    ------
    CourseError
        When it is none; a decimal comma is not guessed at.
    """
    plain = text.strip().removesuffix(unit).strip().replace("−", "-")
    percent, plain = unit != "%" and plain.endswith("%"), plain.removesuffix("%").strip()
    if re.fullmatch(r"[+-]?(\d{1,3}(,\d{3})+|\d*)(\.\d*)?([eE][+-]?\d+)?", plain):
        with contextlib.suppress(ValueError):  # no digit at all
            return float(plain.replace(",", "")) / (100 if percent else 1)
    raise CourseError(f"{text!r} cannot be read as a number. Write it like 0.86 or 4,652,008.")


def minutes_spent(item: Item, order: Sequence[str]) -> float:
    """Return how many minutes pass until checks in this order find a bug."""
    spent, checks = 0.0, {check["text"]: check for check in item["checks"]}
    for text in order:
        spent += checks[text]["cost"]
        if checks[text]["finds"]:
            break
    return spent


def mends(item: Item) -> dict[int, str]:
    """Return the lines in which a bug can be mended, each with a mend; its own line first."""
    return {item["line"]: item["mend"]} | {int(k): v for k, v in item.get("also", {}).items()}


def mended(item: Item, mend: str, at: int | None = None) -> str:
    """Return a bug's code with a line (None: its own) replaced by one line, several or none."""
    lines, at = item["code"].splitlines(), at or item["line"]
    lines[at - 1 : at] = mend.splitlines()
    return "\n".join(lines)


def execute(code: str, space: dict | None = None) -> tuple[str, str]:
    """Run code; return what it printed, and what went wrong in a sentence or nothing.

    It runs here, as a cell does, with all that whoever runs it may do.
    """
    printed, space = io.StringIO(), {} if space is None else space
    space.setdefault("__name__", "snippet")
    try:
        with contextlib.redirect_stdout(printed):
            exec(compile(code, "<your code>", "exec"), space)
    except AssertionError as error:
        return printed.getvalue(), f"The assertion fails: {error}"
    except (Exception, SystemExit) as error:  # the learner's code may fail in any way
        return printed.getvalue(), f"It raises {type(error).__name__}: {error}"
    return printed.getvalue(), ""


def still_wrong(item: Item, mend: str | None = None, at: int | None = None) -> str:
    """Return what a bug's assertion says once `mend` stands in a line; nothing: mended.

    Parameters
    ----------
    mend : None: the code runs as it stands. at : the line; None: the bug's own.
    """
    code = item["code"] if mend is None else mended(item, mend, at)
    return execute(f"{code}\n{item['assert_']}")[1]
