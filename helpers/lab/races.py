"""Prepared races: a question, the arms that answer it, and what to look at afterwards.

They stand in data/prepared_races.json: the knobs that differ from the defaults of `Setup` and
`Arm`, and the texts. They run on the images that the course runs on, where they name no others.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from helpers import files
from helpers.lab.setup import Arm, Setup

QUESTION = "Which arm has the clearly best test AUC?"


@dataclass(frozen=True)
class Prepared:
    """A race that loads by its name and is the same each time.

    Attributes
    ----------
    question : asked before the race; the answers are the arms, or none of them clearly.
    look_at : where to look once it is run.
    """

    name: str
    question: str
    setup: Setup
    look_at: str


def _read(name: str, question: str, arms: list[dict], setup: dict, look_at: str) -> Prepared:
    return Prepared(name, question, Setup(tuple(Arm(**arm) for arm in arms), **setup), look_at)


_TABLE = json.loads(files.resource("prepared_races.json").read_text("utf-8"))
PREPARED = tuple(_read(**race) for race in _TABLE)
