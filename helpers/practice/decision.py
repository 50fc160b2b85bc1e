"""Checkers of notebook 05: a paired interval, the choice in a tie, LEEP counted by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from helpers.practice.checker import Slip, attempt, checker, close, judge, name_slip, number

NORMAL = 1.96

# AUCs of two strategies by seed, and Student's t for 95 % with that many seeds.
CASES = (
    ([0.84, 0.90, 0.87], [0.81, 0.88, 0.85], 4.303),
    ([0.70, 0.74, 0.69, 0.78, 0.72], [0.72, 0.75, 0.73, 0.79, 0.73], 2.776),
)


@checker
def paired_interval(answer: Callable[[Sequence[float], Sequence[float], float], tuple]) -> str:
    """Check ``answer(a, b, t)``: mean of a - b, seed by seed, and its t-interval (mean, lo, hi).

    ``t`` is the quantile of Student's distribution for 95 % and that many seeds.
    """
    for first, second, t in CASES:
        found = attempt(answer, list(first), list(second), t)
        try:
            mean, lo, hi = (float(value) for value in found)
        except (TypeError, ValueError):
            raise Slip("return three numbers: the mean difference, low and high.") from None
        a, b = np.array(first), np.array(second)
        d, n = a - b, len(a)
        if close(mean, -d.mean()):
            raise Slip("upside down: it is a minus b.")
        if not close(mean, d.mean()):
            raise Slip(f"the mean of a - b is {d.mean():.3f} here, yours is {mean:.3f}.")
        if lo > hi:
            raise Slip("low is above high: it is mean - half and mean + half.")
        half, right = (hi - lo) / 2, t * d.std(ddof=1) / np.sqrt(n)
        slips = (
            (t * np.sqrt(a.var(ddof=1) / n + b.var(ddof=1) / n), "that is for two unrelated "
             "groups: take the differences seed by seed first, then their spread."),
            (t * d.std(ddof=1), "that is how far single seeds lie; divide by sqrt(n)."),
            (t * d.std() / np.sqrt(n),
             "the spread divides by n: with few seeds use n - 1 (ddof=1)."),
            (NORMAL * right / t, "1.96 is for many runs; with so few use the t that was given."),
            (right / t, "one standard error on each side is no 95 % interval: multiply by t."),
            (d.std(ddof=1), "that is one standard deviation: divide by sqrt(n), multiply by t."),
        )  # fmt: skip
        name_slip(half, slips)
        if not close(half, right, atol=1e-4) or not close((lo + hi) / 2, mean):
            raise Slip(f"for {first} and {second} half of it is {right:.4f}, yours {half:.4f}.")
    return "what the seeds share cancels in the differences; only what is left is uncertain."


# Arms of a made-up cell: mean AUC, low end of what the best is ahead by, seconds.
TIE = {
    "full": (0.850, 0.0, 60.0),
    "partial": (0.845, -0.010, 20.0),
    "late": (0.830, -0.010, 10.0),
    "linear": (0.846, 0.001, 5.0),
    "frozen": (0.800, 0.020, 1.0),
}
SLIPS = {
    "full": "that is the best, but one that cannot be told from it costs a third.",
    "partial": "late costs less and cannot be told from the best either, however low its mean.",
    "late": "linear costs less: it is clearly behind, but by .004, less than worth.",
    "frozen": "that is the cheapest of all; it is clearly behind, and by more than worth.",
}


@checker
def cheapest_tie(answer: Callable[[Mapping, Mapping, Mapping, float], str]) -> str:
    """Check ``answer(auc, ahead_lo, seconds, worth)``: which arm to take, by name.

    ``auc``: arm -> mean; ``ahead_lo``: arm -> low end of the interval of best minus arm (0 for
    the best itself). Right is the cheapest arm, without those that are clearly behind (low end
    above 0) and by more than ``worth``.
    """
    found = attempt(answer, *_columns(TIE), 0.01)
    if found not in TIE:
        raise Slip(f"return the name of an arm, one of {', '.join(TIE)}.")
    if found in SLIPS:
        raise Slip(f"{found}? {SLIPS[found]}")
    for worth, right in ((0.0, "late"), (0.06, "frozen")):
        other = attempt(answer, *_columns(TIE), worth)
        if other != right:
            raise Slip(f"with worth = {worth:g} it is {right}, not {other}: use worth as given.")
    clear = {name: TIE[name] for name in ("full", "linear", "frozen")}
    alone = attempt(answer, *_columns(clear), 0.001)
    if alone != "full":
        raise Slip(f"where the best clearly beats all others, take it, not {alone}.")
    return "the cheapest, unless another is clearly ahead, and by enough to pay for."


def _columns(arms: Mapping[str, tuple]) -> list[dict[str, float]]:
    return [{name: row[k] for name, row in arms.items()} for k in range(3)]


@checker
def leep_by_hand(answer: Callable[[np.ndarray, np.ndarray], float]) -> str:
    """Check ``answer(source_probabilities, labels)``: LEEP, in nats per image.

    The table P(label | source class) is counted from the images; an image's likelihood is the
    mean of its label's row under its source probabilities; LEEP is the mean of the logs.
    """
    p = np.array([[0.8, 0.1, 0.1], [0.6, 0.3, 0.1], [0.5, 0.4, 0.1], [0.1, 0.7, 0.2],
                  [0.2, 0.2, 0.6], [0.3, 0.1, 0.6]])  # fmt: skip
    labels = np.array([0, 0, 0, 0, 1, 1])  # uneven: what is divided by matters
    found = number(attempt(answer, p.copy(), labels.copy()))
    joint = np.stack([p[labels == k].sum(axis=0) for k in (0, 1)])
    table = (joint / joint.sum(axis=0))[labels]  # of each image: P(its label | source class)
    turned = (joint / joint.sum(axis=1, keepdims=True))[labels]
    likely = (p * table).sum(axis=1)
    right = np.log(likely).mean()
    slips = (
        (np.log((p * turned).sum(axis=1)).mean(), "the table is normalised the wrong way: "
         "P(label | source class) sums to 1 over the labels, for each source class."),
        (np.log(table[np.arange(len(p)), p.argmax(axis=1)]).mean(), "that takes the likeliest "
         "source class only; weigh all of them by their probability."),
        ((p * np.log(table)).sum(axis=1).mean(),
         "the log comes last: first the mean over source classes, then log."),
        (likely.mean(), "these are likelihoods: take their logs before the mean."),
        (np.log(likely.mean()), "the mean comes last: log each image's likelihood first."),
        (np.log2(likely).mean(), "that is in bits: use the natural logarithm."),
        (np.log(likely).sum(), "that is the sum: LEEP is the mean over the images."),
        (-right, "upside down: log-likelihoods are negative, and higher is better."),
    )  # fmt: skip
    judge(found, right, slips, f"here it is {right:.3f}, yours is {found:.3f}.", atol=1e-4)
    same = number(attempt(answer, np.full((4, 2), 0.5), np.array([0, 1, 0, 1])))
    if not close(same, -np.log(2), atol=1e-4):
        raise Slip("a source that knows nothing gives minus the labels' entropy.")
    return "0 would be a source that tells the label; -entropy one that knows nothing."
