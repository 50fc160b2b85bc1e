"""What a checker answers, and how it calls the learner's function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Verdict:
    """What a checker found; shown as one line under the cell."""

    right: bool
    message: str

    def __repr__(self) -> str:
        return f"{'✔' if self.right else '✘'} {self.message}"


def attempt(function: Callable, *arguments) -> tuple[object, Verdict | None]:
    """Call the learner's function; turn whatever it raises into a verdict."""
    try:
        return function(*arguments), None
    except NotImplementedError:
        return None, Verdict(False, "nothing here yet: replace the line that raises.")
    except Exception as error:  # the learner's code may fail in any way
        return None, Verdict(False, f"your function raised {type(error).__name__}: {error}")
