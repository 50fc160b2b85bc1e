"""What all checkers have in common: what they answer, and how they try a learner's answer."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch


@dataclass(frozen=True)
class Checked:
    """What a checker says about an answer; shown as one line under the cell."""

    right: bool
    message: str

    def __repr__(self) -> str:
        return f"{'✔' if self.right else '✘'} {self.message}"


class Slip(Exception):
    """What is wrong with an answer, in a sentence for the learner."""


def checker(check: Callable[..., str]) -> Callable[..., Checked]:
    """Decorate a function that raises `Slip`, or returns a sentence on why the answer is right."""

    @functools.wraps(check)
    def checked(answer: object) -> Checked:
        try:
            return Checked(True, check(answer))
        except Slip as slip:
            return Checked(False, str(slip))

    return checked


def attempt(function: Callable, *arguments) -> object:
    """Call the learner's function; whatever it raises becomes a `Slip`."""
    try:
        return function(*arguments)
    except Slip:
        raise
    except NotImplementedError:
        raise Slip("nothing here yet: replace the line that raises.") from None
    except Exception as error:  # the learner's code may fail in any way
        raise Slip(f"your function raised {type(error).__name__}: {error}") from error


def number(found: object, says: str = "return one number.") -> float:
    """Return what the learner gave as a float; a `Slip` that `says` so where it is no number."""
    try:
        if isinstance(found, (bool, np.bool_, str)) or np.ndim(found) != 0:
            raise Slip(says)
        return float(found)
    except (TypeError, ValueError):
        raise Slip(says) from None


def close(found: object, right: object, atol: float = 1e-6, rtol: float = 0.0) -> bool:
    """Return whether two numbers, or two tensors everywhere, differ by less than rounding."""
    found, right = (torch.as_tensor(x, dtype=torch.float64) for x in (found, right))
    return torch.allclose(found, right, rtol=rtol, atol=atol)


def name_slip(
    found: object, slips: Iterable[tuple[object, str]], atol: float = 1e-6, rtol: float = 0.0
) -> None:
    """Raise the `Slip` of the first (wrong value, sentence) whose value was `found`."""
    for wrong, says in slips:
        if close(found, wrong, atol, rtol):
            raise Slip(says)


def judge(
    found: object, right: object, slips: Iterable[tuple[object, str]], otherwise: str, atol: float
) -> None:
    """Raise the `Slip` that `name_slip` finds, or one with `otherwise`; none for `right`."""
    name_slip(found, slips, atol)
    if not close(found, right, atol):
        raise Slip(otherwise)
