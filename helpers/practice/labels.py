"""Checkers of notebooks/more/labels_and_classes: doubtful labels, and labels that are missing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits as with_logits

from helpers.practice.checker import Slip, attempt, checker, judge, name_slip, number

N, K = 120, 8  # labels, and how many of them are wrong


@checker
def doubtful_labels(answer: Callable[[Callable, np.ndarray, np.ndarray, int], np.ndarray]) -> str:
    """Check ``answer(fit_predict, features, labels, k)``: the k labels that are believed least.

    It gets features ``(N, F)``, labels ``(N,)`` of 0 and 1, some of them wrong, and
    ``fit_predict(train_features, train_labels, features) -> (n,)``, which trains a model and
    returns its probability of class 1. It returns k positions, in any order. A label may be judged
    only by a model that was not trained on it (Northcutt et al. 2021, confident learning).
    """
    truth, asked, learned = np.random.default_rng(0).permutation(N) % 2, set(), set()
    # Two groups, far apart, and every image at a place of its own, by which it is known again.
    place, wrong = np.arange(N) + 1000.0 * truth, np.arange(5, N, N // K)
    labels = np.where(np.isin(np.arange(N), wrong), 1 - truth, truth)

    def fit_predict(train: np.ndarray, targets: np.ndarray, x: np.ndarray) -> np.ndarray:
        asked.update(np.ravel(x))
        learned.update({*np.ravel(train)} & {*np.ravel(x)})
        near = np.abs(x.reshape(-1, 1) - train.ravel()).argsort(1, kind="stable")[:, :15]
        return 0.05 + 0.9 * targets[near].mean(1)

    found = np.asarray(attempt(answer, fit_predict, place[:, None].copy(), labels.copy(), K))
    hit = np.isin(wrong, found).sum()
    name_slip(True, (
        (bool(learned), f"{len(learned)} labels are judged by a model trained on them: hold out."),
        (len(asked) < N, f"{N - len(asked)} labels are judged by no model: every fold has a turn."),
        (found.dtype.kind not in "iu" or found.shape != (K,), "return k positions in labels."),
        (hit == 0, "those labels are believed: take the smallest probabilities."),
        (hit < K, f"{hit} of {K} wrong ones: judge by the probability of the label that is given."),
    ))  # fmt: skip
    return "each label was judged by a model that had not seen it, and all wrong ones are found."


@checker
def known_label_loss(answer: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> str:
    """Check ``answer(logits, targets)``: the loss of a multi-label head, unknown labels left out.

    It gets logits ``(N, L)`` and targets ``(N, L)`` of 0, 1 and NaN (nobody said), and returns
    the mean binary cross-entropy, in nats, over all entries that are known: a scalar tensor
    whose gradient is finite everywhere.
    """
    torch.manual_seed(0)
    logits, targets = torch.randn(6, 4, requires_grad=True), torch.randint(2, (6, 4)).float()
    targets[0, 1:] = targets[1:4, 2] = torch.nan
    known, y, z = ~targets.isnan(), targets.nan_to_num(), logits.detach()
    each, twice = (with_logits(x, y, reduction="none") for x in (z, z.sigmoid()))
    told, compete = each * known, -y * z.log_softmax(1)
    loss = attempt(answer, logits, targets.clone())
    found = np.nan_to_num(number(loss.detach() if torch.is_tensor(loss) else loss), nan=-1)
    judge(found, told.sum() / known.sum(), (
        (-1, "the loss is NaN: choose the known entries first."),
        (each.mean(), "unknown is not 0: those entries must not count."),
        (told.mean(), "divide by the number of known entries."),
        (twice[known].mean(), "the sigmoid is in the loss: yours is a second one."),
        (compete.sum(1).mean(), "softmax makes labels compete: take a sigmoid for each."),
    ), "that is not the mean binary cross-entropy of the known entries.", 1e-5)  # fmt: skip
    if not getattr(loss, "requires_grad", False):
        raise Slip("right, but it has lost its gradient: no .item(), no new tensor.")
    if not torch.autograd.grad(loss, logits)[0].isfinite().all():
        raise Slip("right, but its gradient is NaN: choose before the loss, not after it.")
    return "unknown labels neither count nor push, and no label competes with another."
