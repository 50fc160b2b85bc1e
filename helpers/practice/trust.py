"""Checkers of notebook 06: a split that does not leak, a threshold, a mended training epoch."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import combinations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from helpers.practice.checker import Slip, attempt, checker, close, judge, name_slip, number

# So many images that what ignores the classes, or draws with replacement, shows in eight seeds.
POOL, N_RARE = np.arange(1201), 250


@checker
def split_then_repeat(answer: Callable[[np.ndarray, int], tuple[np.ndarray, np.ndarray]]) -> str:
    """Check ``answer(labels, seed)``: split first, then repeat the rare class in train only.

    It gets int labels ``(N,)``, 1 for the rare class, and returns ``(train, test)``: positions in
    ``labels``. Test is a quarter of the images, each once, with a quarter of the rare ones (both
    to within two images). Train is all the others: the common ones once, the rare ones repeated
    until both classes are equally many. The seed alone draws the split.
    """
    labels, tests = np.random.default_rng(0).permutation(POOL < N_RARE).astype(int), set()
    for seed in (0, *range(8)):
        try:
            train, test = (POOL.take(part) for part in attempt(answer, labels.copy(), seed))
        except (IndexError, TypeError, ValueError):
            raise Slip("return (train, test): positions in labels, no images or copies.") from None
        rare, common = (train[labels[train] == k].tolist() for k in (1, 0))
        both, n_rare = len(np.intersect1d(train, test)), labels[test].sum()
        lost = labels[np.setdiff1d(POOL, [*train, *test])]
        tests.add(tuple(np.sort(test)))
        name_slip(True, (
            (set(test) == {0, 1}, "those are labels or a mask: return positions."),
            (both > 0, f"{both} test images are in train, too: split first, then repeat there."),
            (len(set(test)) < len(test), "test repeats images: each is there once."),
            (abs(len(test) - len(POOL) / 4) > 2, f"{len(test)} images in test are no quarter."),
            (abs(n_rare - N_RARE / 4) > 2, f"{n_rare} of {N_RARE} rare ones in test: stratify."),
            (len(lost) > 0 == lost.sum(), "common images are gone: repeat the rare ones instead."),
            (len(lost) > 0, f"{len(lost)} images are on neither side: keep all, then add repeats."),
            (not len(rare) == len(common) == len(set(common)), f"train has {len(rare)} rare images "
             f"and {len(common)} common ones: repeat the rare until they are equally many."),
            (len(tests) != seed + 1, "other seeds give other splits, and the same seed the same."),
        ))  # fmt: skip
    return "no test image is trained on, and the rare class is as rare in test as in the pool."


# Wrong rules for the threshold, from the positives' scores, the negatives' and the sensitivity.
RULES = (
    (lambda p, n, s: np.quantile([*p, *n], 1 - s), "all images count there: take positives only."),
    (lambda p, n, s: np.quantile(n, s), "negatives set the specificity, positives this."),
    (lambda p, n, s: np.quantile(p, s), "1 - sensitivity is meant: that share lies below."),
    (lambda p, n, s: np.quantile(p, 1 - s), "np.quantile goes between two scores: it falls short."),
    (lambda p, n, s: max(t for t in p if (p > t).mean() >= s), "> in place of >=: a tie counts."),
)  # fmt: skip


@checker
def threshold_for(answer: Callable[[np.ndarray, np.ndarray, float], float]) -> str:
    """Check ``answer(labels, scores, sensitivity)``: the threshold that keeps a sensitivity.

    It gets labels ``(N,)``, 1 for positive, any real scores ``(N,)``, ties among them, and the
    wanted share of positives with ``score >= threshold``. Right is the highest threshold that
    reaches it. It is chosen on validation, and test is then judged with it.
    """
    draw, labels = np.random.default_rng(0).normal, np.repeat([1, 0], [10, 30])
    # Sensitivity and decimals of the scores: with none there are ties.
    wanted = ((0.69, 3), (0.71, 3), (0.5, 0), (0.9, 3))
    cases = [(draw(6, 1, 10).round(k), draw(0, 1, 30).round(k), s) for s, k in wanted]
    found = [number(attempt(answer, labels.copy(), np.r_[p, n], s)) for p, n, s in cases]
    right = [max(t for t in p if (p >= t).mean() >= s) for p, _, s in cases]
    slips = [([rule(*case) for case in cases], says) for rule, says in RULES]
    slips.append((np.round(found), "that is an index: return the score that stands there."))
    low = "enough are found, but a higher threshold finds them, too: that costs specificity."
    short = "the sensitivity falls short: too few positives reach your threshold."
    judge(found, right, slips, low if np.less_equal(found, right).all() else short, 1e-6)
    return "a score of a positive, the highest that still finds enough of them."


# What an epoch may have wrong. In the first three, letters stand for zero_grad, backward and step.
FLAWS = {
    "bs": "zero_grad() is missing: the gradients of all batches add up.",
    "zsb": "no weight moves, step() finds no gradients: the order is zero_grad, backward, step.",
    "szb": "step() comes before backward(): it takes the gradients of the batch before.",
    "softmax": "cross_entropy takes logits, softmax is inside: yours is a second one.",
    "softmax in validation": "cross_entropy takes logits in validation, too: no softmax.",
    "eval": "validation in train mode draws dropout and moves the statistics: model.eval() first.",
    "train": "the second epoch trains in eval mode: call model.train() before the batches.",
    "mean": "that is the mean loss of the training batches: return the validation loss.",
}


@checker
def mended_epoch(answer: Callable[..., float]) -> str:
    """Check ``answer(model, optimizer, batches, val_images, val_labels)``: one epoch of training.

    The model maps images ``(N, C, H, W)`` to logits ``(N, 2)``. The epoch takes one step for each
    (images, labels) of the list ``batches``, in its order, in train mode, with cross-entropy. It
    returns the cross-entropy on the validation images, in nats: a float, computed in eval mode
    without gradients. It is called twice in a row and may leave the model in either mode.
    """
    found = _end(answer)
    for flaws in (some for k in range(5) for some in combinations(FLAWS, k)):
        if close(found, _end(partial(_epoch, flaws)), 1e-4):
            if flaws:
                raise Slip(FLAWS[flaws[0]])
            return "fresh gradients, logits, each mode at its time: two epochs end as they should."
    raise Slip("after two epochs weights, statistics or losses are not those of the plain loop.")


def _end(epoch: Callable) -> Tensor:
    """Return where two epochs end, in one row: weights, running statistics, the two losses."""
    torch.manual_seed(0)
    # One channel needs no second thread; and as nothing learns below the last layer, backward()
    # bears a step that comes before it.
    norm = nn.BatchNorm2d(1, affine=False)
    net = nn.Sequential(norm, nn.Flatten(), nn.Dropout(), nn.Linear(64, 2))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.5)
    *batches, val = zip(torch.rand(3, 8, 1, 8, 8), torch.randint(2, (3, 8)), strict=True)
    # The map seeds before each call: a loader for validation, say, draws random numbers, too.
    losses = [attempt(epoch, net, optimizer, batches, *val) for _ in map(torch.manual_seed, (1, 2))]
    if any(torch.is_tensor(loss) and loss.requires_grad for loss in losses):
        raise Slip("the loss that comes back holds its whole graph: no_grad() and .item().")
    state = [value.flatten() for value in net.state_dict().values()]
    return torch.cat([*state, torch.tensor([number(loss) for loss in losses])])


def _epoch(flaws: tuple[str, ...], model: nn.Module, optimizer, batches: list, x, y) -> float:
    """Train an epoch in plain torch, with those flaws; return the validation loss."""
    model.train("train" not in flaws or model.training)
    order, losses = next((flaw for flaw in flaws if set(flaw) <= set("zbs")), "zbs"), []
    for images, labels in batches:
        logits = model(images).softmax(dim=1) if "softmax" in flaws else model(images)
        losses.append(cross_entropy(logits, labels))
        calls = {"z": optimizer.zero_grad, "b": losses[-1].backward, "s": optimizer.step}
        for call in order:
            calls[call]()
    model.train("eval" in flaws and model.training)
    with torch.no_grad():
        logits = model(x).softmax(dim=1) if "softmax in validation" in flaws else model(x)
    return (sum(losses) / len(losses) if "mean" in flaws else cross_entropy(logits, y)).item()
