"""Checkers of notebook 08: an answer of sixty seconds, and the order in which to look for a bug."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import permutations

from helpers.practice.checker import Slip, attempt, checker

# What a strong spoken answer has, besides its length; the words are signs, not proofs.
PARTS = (
    (r"\d.*?\d", "it has no two numbers: say what was measured, and against what."),
    (r"interval|seed|images|\bn =|sample", "numbers need conditions: how many images, which "
     "interval, how many seeds?"),
    (r"\bbut\b|cost|price|instead|against|trade|slower|cheaper", "no trade-off: what does it cost, "
     "and what is the other way?"),
    (r"\bif\b|unless|would change|depends", "say what would change your mind: if ... I would ..."),
)  # fmt: skip


@checker
def sixty_seconds(answer: str) -> str:
    """Check a spoken answer in words: 100 to 165 of them, numbers, conditions, a price, an if."""
    if not isinstance(answer, str) or not answer.strip(" ."):
        raise Slip("nothing here yet: write what you would say, as one text in quotes.")
    if not 100 <= (n := len(answer.split())) <= 165:
        raise Slip(f"{n} words: 60 seconds hold about 150, and fewer than 100 leave parts out.")
    for pattern, says in PARTS:
        if not re.search(pattern, answer, re.IGNORECASE | re.DOTALL):
            raise Slip(says)
    return f"{n} words with numbers, conditions, a price and an if. Now say it aloud, once."


def _minutes(order: Sequence[int], minutes: Sequence[float], chances: Sequence[float]) -> float:
    """Return the minutes that pass on average until the one fault is found."""
    return sum(chances[k] * sum(minutes[j] for j in order[: i + 1]) for i, k in enumerate(order))


CASES = (((1, 10, 2), (0.1, 0.8, 0.1)), ((5, 1, 20, 2), (0.5, 0.04, 0.4, 0.06)),
         ((3, 4, 60), (0.02, 0.03, 0.95)))  # fmt: skip
# Wrong rules, from a check's minutes and its chance.
ORDERS = {
    "that is by minutes alone: a cheap check that hardly ever finds it waits.": lambda m, c: m,
    "that is by chance alone: an hour for the likeliest cause is an hour.": lambda m, c: -c,
    "that begins with the worst: turn it around.": lambda m, c: -m / c,
}


@checker
def cheapest_search(answer: Callable[[Sequence[float], Sequence[float]], Sequence[int]]) -> str:
    """Check ``answer(minutes, chances)``: the checks in the order that finds a fault soonest.

    Exactly one check finds it. ``minutes`` is what each costs, ``chances`` how likely each is the
    one (they add up to 1). Right is a list of positions with the least expected minutes
    (Smith 1956: by minutes / chance).
    """
    for minutes, chances in CASES:
        found = attempt(answer, list(minutes), list(chances))
        places = range(len(minutes))
        try:
            order = [int(k) for k in found]
        except (TypeError, ValueError):
            raise Slip("return the positions, in the order in which you would check.") from None
        if sorted(order) != list(places):
            raise Slip("return every position once, the first check first.")
        best = min(_minutes(order, minutes, chances) for order in permutations(places))
        if _minutes(order, minutes, chances) > best + 1e-9:
            for says, key in ORDERS.items():
                if order == sorted(places, key=[*map(key, minutes, chances)].__getitem__):
                    raise Slip(says)
            raise Slip("another order finds it sooner on average: compare two neighbours.")
    return "minutes per chance, the smallest first; with equal chances that is the cheapest first."
