"""Made-up cards, two of every kind, for tests that must not depend on the course's own."""

import json
from pathlib import Path

LINK = {"to": "notebooks/02_three_strategies.ipynb"}


def _item(kind: str, k: int, topic: str, **fields) -> dict:
    return {"id": f"{kind}-{k}", "kind": kind, "topic": topic, "level": k,
            "question": f"Question {k} of kind {kind}?", "link": LINK, **fields}  # fmt: skip


def _choice(k: int, right: int) -> dict:
    choices = [{"text": f"answer {n}", "right": n < right, "why": f"reason {n} <b>"}
               for n in range(4)]  # fmt: skip
    return _item("choice", k, "cnn", choices=choices)


def _spoken(k: int) -> dict:
    follow = [{"question": f"And {n}?", "answer": f"So {n}."} for n in (1, 2)]
    return _item("spoken", k, "transfer", words=75, weak="It helps.", solid="It saves labels.",
                 strong="At 400 images .86 against .75.", weak_misses="A number is missing.",
                 follow_ups=follow, checklist=["a number", "a condition", "a price"])  # fmt: skip


BUG = {
    "id": "bug-1", "kind": "bug", "topic": "bugs", "level": 1, "question": "A sum that is off",
    "link": LINK, "symptom": "The mean is 2.0 where 1.5 is right.",
    "code": "numbers = [0, 1, 2, 3]\nn = len(numbers) - 1\nmean = sum(numbers) / n",
    "checks": [{"text": "print n", "cost": 1, "finds": True},
               {"text": "read the code", "cost": 5, "finds": True},
               {"text": "train again", "cost": 60, "finds": False}],
    "line": 2, "mend": "n = len(numbers)", "also": {"3": "mean = sum(numbers) / len(numbers)"},
    "assert_": "assert mean == 1.5, mean",
    "why": "All four numbers count.",
}  # fmt: skip
DRILL = {
    "id": "drill-1", "kind": "drill", "topic": "drills", "level": 1, "minutes": 10,
    "task": "Write `double`.", "stub": "def double(x):\n    raise NotImplementedError",
    "checker": "double", "solution": "def double(x):\n    return 2 * x",
    "rubric": [{"points": 60, "text": "it runs"}, {"points": 40, "text": "no loop"}],
}  # fmt: skip

ITEMS = [
    *(_item("flashcard", k, "transfer", answer=f"Answer {k}, `x < 1`.") for k in (1, 2)),
    _choice(1, right=1), _choice(2, right=2),
    _item("numeric", 1, "cnn", value=4652008, tolerance=0, unit="parameters", why="Counted.",
          compute="4652008"),
    _item("numeric", 2, "cnn", value=0.86, tolerance=0.005, unit="AUC", why="Measured.",
          compute="0.86"),
    *(_item("order", k, "training", steps=["first", "second", "third", "fourth"][: 3 + k - 1],
            why="One needs the other.") for k in (1, 2)),
    *(_item("predict", k, "cnn", code=f"print({k} + 1)", output=str(k + 1), why="A sum.")
      for k in (1, 2)),
    _spoken(1), _spoken(2),
]  # fmt: skip
ANSWER = {
    "id": "answer-30",
    "kind": "answer",
    "topic": "answers",
    "level": 1,
    "seconds": 30,
    "words": 75,
    "question": "What is transfer learning?",
    "text": "Old weights, new task.",
}

EVERYTHING = [*ITEMS, BUG, DRILL]


def written(folder: Path, items=EVERYTHING) -> Path:
    """Write the items as a folder of cards, one file a topic; return it."""
    folder.mkdir(parents=True, exist_ok=True)
    for topic in {item["topic"] for item in items}:
        mine = [item for item in items if item["topic"] == topic]
        (folder / f"{topic}.json").write_text(json.dumps(mine, indent=1), encoding="utf-8")
    return folder
