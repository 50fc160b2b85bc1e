"""Errors a learner can act on: one sentence that says what was wrong and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class CourseError(Exception):
    """Something the user can put right; its message is one or two plain sentences."""


def unknown_name(kind: str, name: str, known: Iterable[str], hint: str = "") -> CourseError:
    """Build the error for a name that does not exist, with the close ones first.

    Parameters
    ----------
    kind : what was asked for, e.g. ``"backbone"``.
    name : the name as given.
    known : every name that would have worked.
    hint : a further sentence, if there is another way to ask.
    """
    options = sorted(known)
    close = difflib.get_close_matches(str(name), options, n=3, cutoff=0.5)
    guess = f" Did you mean {' or '.join(repr(c) for c in close)}?" if close else ""
    message = f"There is no {kind} {name!r}.{guess} Known: {', '.join(options)}."
    return CourseError(f"{message} {hint}".strip())
