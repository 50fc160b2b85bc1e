"""Answers to the exercises of notebooks/more/labels_and_classes."""

import functools

import numpy as np
import torch
from sklearn.model_selection import StratifiedKFold
from torch.nn.functional import binary_cross_entropy, binary_cross_entropy_with_logits, logsigmoid

from helpers.practice import doubtful_labels, known_label_loss


def held_out(fit_predict, features, labels, k, folds=5, rank=lambda p, y: np.abs(y - p), most=True):
    """The right answer, or one with a slip: what is ranked, and from which end."""
    p = np.zeros(len(labels))
    split = StratifiedKFold(folds, shuffle=True, random_state=0).split(features, labels)
    for train, rest in split:
        p[rest] = fit_predict(features[train], labels[train], features[rest])
    order = np.argsort(rank(p, labels), kind="stable")
    return order[-k:] if most else order[:k]


def one_at_a_time(fit_predict, features, labels, k):
    """Leave one out; the positions as a list."""
    own = []
    for i, label in enumerate(labels):
        rest = np.arange(len(labels)) != i
        p = fit_predict(features[rest], labels[rest], features[i : i + 1])[0]
        own.append(p if label else 1 - p)
    return np.argsort(own)[:k].tolist()


def on_trained(fit_predict, features, labels, k):
    p = fit_predict(features, labels, features)
    return np.argsort(-np.abs(labels - p))[:k]


def one_fold(fit_predict, features, labels, k):
    half = len(labels) // 2
    p = fit_predict(features[:half], labels[:half], features[half:])
    return half + np.argsort(-np.abs(labels[half:] - p))[:k]


def after(change):
    """Answer with what `change` makes of the right positions."""
    return lambda fit, x, y, k: change(held_out(fit, x, y, k), y)


def chosen_first(logits, targets):
    """The right answer, as the notebook has it."""
    known = ~targets.isnan()
    return binary_cross_entropy_with_logits(logits[known], targets[known])


def weighted(logits, targets):
    known = (~targets.isnan()).float()
    total = binary_cross_entropy_with_logits(
        logits, targets.nan_to_num(), weight=known, reduction="sum"
    )
    return total / known.sum()


def with_log_sigmoids(logits, targets):
    known = ~targets.isnan()
    z, y = logits[known], targets[known]
    return -(y * logsigmoid(z) + (1 - y) * logsigmoid(-z)).mean()


def chosen_after(logits, targets):
    """The number is right; 0 * NaN makes every gradient of an unknown entry NaN."""
    each = binary_cross_entropy_with_logits(logits, targets, reduction="none")
    known = ~targets.isnan()
    return torch.where(known, each, 0).sum() / known.sum()


def masked(logits, targets, reduce):
    each = binary_cross_entropy_with_logits(logits, targets.nan_to_num(), reduction="none")
    return reduce(each * ~targets.isnan())


def twice(logits, targets):
    known = ~targets.isnan()
    return binary_cross_entropy_with_logits(logits.sigmoid()[known], targets[known])


def softmaxed(logits, targets):
    return -(targets.nan_to_num() * logits.log_softmax(1)).sum(1).mean()


RIGHT = {
    doubtful_labels: [held_out, functools.partial(held_out, folds=10), one_at_a_time],
    known_label_loss: [
        chosen_first,
        weighted,
        with_log_sigmoids,
        lambda z, y: binary_cross_entropy(z.sigmoid()[~y.isnan()], y[~y.isnan()]),
    ],
}

WRONG = {
    doubtful_labels: [
        (on_trained, "120 labels are judged by a model trained on them"),
        (one_fold, "60 labels are judged by no model"),
        (lambda fit, x, y, k: np.arange(k), "120 labels are judged by no model"),
        (functools.partial(held_out, most=False), "those labels are believed"),
        (functools.partial(held_out, rank=lambda p, y: p, most=False), "that is given"),
        (functools.partial(held_out, rank=lambda p, y: p), "that is given"),
        (functools.partial(held_out, rank=lambda p, y: -np.abs(p - 0.5)), "that is given|believed"),
        (after(lambda found, y: np.isin(np.arange(len(y)), found)), "return k positions"),
        (after(lambda found, y: found[:-1]), "return k positions"),
        (after(lambda found, y: y[found].astype(float)), "return k positions"),
        (after(lambda found, y: None), "return k positions"),
    ],
    known_label_loss: [
        (binary_cross_entropy_with_logits, "the loss is NaN"),
        (lambda z, y: binary_cross_entropy_with_logits(z, y.nan_to_num()), "unknown is not 0"),
        (functools.partial(masked, reduce=torch.mean), "divide by the number of known"),
        (functools.partial(masked, reduce=torch.sum), "not the mean binary cross-entropy"),
        (twice, "yours is a second one"),
        (softmaxed, "softmax makes labels compete"),
        (lambda z, y: chosen_first(z, y).item(), "lost its gradient"),
        (lambda z, y: chosen_first(z.detach(), y), "lost its gradient"),
        (chosen_after, "its gradient is NaN"),
        (functools.partial(masked, reduce=lambda each: each), "one number"),
        (lambda z, y: None, "one number"),
    ],
}
