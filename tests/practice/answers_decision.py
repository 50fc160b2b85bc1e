"""Answers to the exercises of notebook 05."""

import numpy as np
from scipy import stats

from helpers.evidence import transferability
from helpers.practice import cheapest_tie, leep_by_hand, paired_interval


def with_half(half):
    """Answer with the right mean and `half` of that width on either side."""

    def answer(a, b, t):
        a, b = np.array(a), np.array(b)
        mean = (a - b).mean()
        return mean, mean - half(a, b, t), mean + half(a, b, t)

    return answer


interval = with_half(lambda a, b, t: t * (a - b).std(ddof=1) / np.sqrt(len(a)))


def from_scipy(a, b, _t):
    d = np.subtract(a, b)
    return d.mean(), *stats.t.interval(0.95, len(d) - 1, d.mean(), stats.sem(d))


def tie(auc, ahead_lo, seconds, worth):
    best = max(auc.values())
    fair = [arm for arm in auc if ahead_lo[arm] <= 0 or best - auc[arm] <= worth]
    return min(fair, key=seconds.get)


def table(p, labels, axis=0):
    joint = np.stack([p[labels == k].sum(axis=0) for k in np.unique(labels)])
    return joint / joint.sum(axis=axis, keepdims=True)


def likely(p, labels, axis=0):
    return (p * table(p, labels, axis)[labels]).sum(axis=1)


def leep(p, labels):
    return float(np.log(likely(p, labels)).mean())


RIGHT = {
    paired_interval: [interval, from_scipy],
    cheapest_tie: [tie],
    leep_by_hand: [leep, transferability.leep],
}

WRONG = {
    paired_interval: [
        (lambda a, b, t: 0.02, "three numbers"),
        (lambda a, b, t: interval(b, a, t), "upside down"),
        (lambda a, b, t: (0.5, 0.4, 0.6), "the mean of a - b is 0.023"),
        (lambda a, b, t: interval(a, b, -t), "low is above high"),
        (with_half(lambda a, b, t: t * np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / len(a))),
         "seed by seed"),
        (with_half(lambda a, b, t: t * (a - b).std(ddof=1)), "divide by sqrt"),
        (with_half(lambda a, b, t: t * (a - b).std() / np.sqrt(len(a))), "ddof=1"),
        (lambda a, b, t: interval(a, b, 1.96), "1.96 is for many"),
        (lambda a, b, t: interval(a, b, 4.303), "half of it is"),
        (lambda a, b, t: interval(a, b, 1), "multiply by t"),
        (with_half(lambda a, b, t: (a - b).std(ddof=1)), "one standard deviation"),
    ],
    cheapest_tie: [
        (lambda auc, *_: 0.85, "return the name of an arm"),
        (lambda auc, *_: max(auc, key=auc.get), "costs a third"),
        (lambda auc, lo, seconds, worth: min(seconds, key=seconds.get), "cheapest of all"),
        (lambda auc, lo, seconds, worth: min((arm for arm in auc if lo[arm] <= 0),
                                             key=seconds.get), "less than worth"),
        (lambda auc, lo, seconds, worth: min((arm for arm in auc if lo[arm] <= 0 and
         max(auc.values()) - auc[arm] <= worth), key=seconds.get), "however low its mean"),
        (lambda auc, lo, seconds, worth: max((arm for arm in auc if lo[arm] <= 0), key=auc.get),
         "costs a third"),
        (lambda *a: tie(*a[:3], 0.01), "use worth as given"),
        (lambda auc, *a: tie(auc, *a) if len(auc) == 5 else "frozen", "take it, not frozen"),
        (lambda auc, *a: tie(auc, *a) if len(auc) == 5 else min([]), "raised ValueError"),
    ],
    leep_by_hand: [
        (lambda p, y: np.log(likely(p, y)), "one number"),
        (lambda p, y: float(np.log(likely(p, y, axis=1)).mean()), "normalised the wrong way"),
        (lambda p, y: float(np.log(table(p, y)[y, p.argmax(axis=1)]).mean()), "likeliest source"),
        (lambda p, y: float((p * np.log(table(p, y)[y])).sum(axis=1).mean()), "log comes last"),
        (lambda p, y: float(likely(p, y).mean()), "take their logs"),
        (lambda p, y: float(np.log(likely(p, y).mean())), "mean comes last"),
        (lambda p, y: float(np.log2(likely(p, y)).mean()), "in bits"),
        (lambda p, y: float(np.log(likely(p, y)).sum()), "the sum"),
        (lambda p, y: -leep(p, y), "upside down"),
        (lambda p, y: 0.0, "here it is"),
        (lambda p, y: leep(p, y) if len(y) == 6 else 0.0, "knows nothing"),
    ],
}  # fmt: skip
