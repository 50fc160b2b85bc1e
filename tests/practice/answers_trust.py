"""Answers to the exercises of notebook 06."""

import functools
import math

import numpy as np
import torch
from sklearn.metrics import roc_curve
from sklearn.model_selection import StratifiedKFold, train_test_split
from torch.nn.functional import cross_entropy, log_softmax, nll_loss, one_hot
from torch.utils.data import DataLoader, TensorDataset

from helpers.practice import mended_epoch, split_then_repeat, threshold_for


def repeated(labels, train):
    """Repeat the rare class of train until it is as common as the other."""
    rare, n_common = train[labels[train] == 1], int((labels[train] == 0).sum())
    return np.r_[train, np.resize(rare, n_common - len(rare))]


def halves(labels, seed, test_size=0.25, stratify=True):
    positions = np.arange(len(labels))
    return train_test_split(
        positions, test_size=test_size, random_state=seed, stratify=labels if stratify else None
    )


def split(labels, seed, **how):
    train, test = halves(labels, seed, **how)
    return repeated(labels, train), test


def split_by_hand(labels, seed):
    rng, train, test = np.random.default_rng(seed), [], []
    for k in (0, 1):
        of_class = rng.permutation(np.flatnonzero(labels == k)).tolist()
        cut = len(of_class) // 4
        test += of_class[:cut]
        train += of_class[cut:]
    rare = [k for k in train if labels[k] == 1]
    extra = rng.choice(rare, size=len(train) - 2 * len(rare)).tolist()
    return train + extra, test


def split_of_folds(labels, seed):
    folds = StratifiedKFold(4, shuffle=True, random_state=seed).split(labels, labels)
    train, test = (torch.from_numpy(part) for part in next(folds))
    rare, common = (train[torch.from_numpy(labels)[train] == k] for k in (1, 0))
    times = -(-len(common) // len(rare))
    return torch.cat([common, rare.repeat(times)[: len(common)]]), test


def repeated_before(labels, seed):
    pool = repeated(labels, np.arange(len(labels)))
    return train_test_split(pool, test_size=0.25, random_state=seed, stratify=labels[pool])


def places_in_a_longer_list(labels, seed):
    longer = labels[repeated(labels, np.arange(len(labels)))]
    return halves(longer, seed)


def repeats_from_the_pool(labels, seed):
    train, test = halves(labels, seed)
    rare = np.flatnonzero(labels == 1)
    return np.r_[train, np.resize(rare, len(train) - 2 * (labels[train] == 1).sum())], test


def repeated_on_both_sides(labels, seed):
    train, test = halves(labels, seed)
    return repeated(labels, train), repeated(labels, test)


def changed(change):
    """Answer with what `change` makes of a right train and test."""
    return lambda labels, seed: change(labels, *split(labels, seed))


def thinned(labels, seed):
    train, test = halves(labels, seed)
    rare, common = (train[labels[train] == k] for k in (1, 0))
    return np.r_[rare, common[: len(rare)]], test


def drawn_with_replacement(labels, seed):
    train, test = halves(labels, seed)
    rare, common = (train[labels[train] == k] for k in (1, 0))
    return np.r_[common, np.random.default_rng(seed).choice(rare, len(common))], test


def both_classes_repeated(labels, train, test):
    return np.r_[train, train], test


def without_some(labels, train, test):
    return train[train % 10 > 0], test


def unseeded(labels, seed):
    return split(labels, None)


def whole_times(labels, seed):
    train, test = halves(labels, seed)
    rare, common = (train[labels[train] == k] for k in (1, 0))
    return np.r_[common, np.repeat(rare, len(common) // len(rare))], test


def counted(labels, scores, sensitivity):
    positive = np.sort(scores[labels == 1])[::-1]
    return next(t for t in positive if (positive >= t).mean() >= sensitivity)


def by_rank(rank, pick=1):
    """Answer with the score at ``rank(n, sensitivity)`` from the top of that class."""

    def answer(labels, scores, sensitivity):
        mine = np.sort(scores[labels == pick])[::-1]
        return mine[rank(len(mine), sensitivity)]

    return answer


def from_roc(labels, scores, sensitivity, drop=False):
    _, found, thresholds = roc_curve(labels, scores, drop_intermediate=drop)
    return thresholds[np.argmax(found >= sensitivity)]


def quantile(share=lambda s: 1 - s, pick=lambda scores, labels: scores[labels == 1], **how):
    return lambda labels, scores, s: np.quantile(pick(scores, labels), share(s), **how)


def of_negatives(scores, labels):
    return scores[labels == 0]


def strictly_above(labels, scores, sensitivity, among=None):
    positive = scores[labels == 1]
    candidates = positive if among is None else scores
    return max(t for t in candidates if (positive > t).mean() >= sensitivity)


def plain_epoch(model, optimizer, batches, val_images, val_labels):
    """The right answer, as the notebook has it."""
    model.train()
    for images, labels in batches:
        optimizer.zero_grad()
        loss = cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        return cross_entropy(model(val_images), val_labels).item()


def tidy_epoch(model, optimizer, batches, val_images, val_labels):
    """Zero after the step, log-probabilities by hand, validation in pieces, train mode at last."""
    for images, labels in batches:
        (-(log_softmax(model(images), 1) * one_hot(labels, 2)).sum(1).mean()).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=False)
    model.eval()
    with torch.inference_mode():
        losses = [nll_loss(log_softmax(model(x[None]), 1), y[None])
                  for x, y in zip(val_images, val_labels, strict=True)]  # fmt: skip
    model.train()
    return sum(losses) / len(losses)


def epoch_with_a_loader(model, optimizer, batches, val_images, val_labels):
    """A loader draws from torch's random numbers even where it does not shuffle."""
    plain_epoch(model, optimizer, batches, val_images, val_labels)
    pieces = DataLoader(TensorDataset(val_images, val_labels), batch_size=3)
    with torch.no_grad():
        return sum(cross_entropy(model(x), y, reduction="sum") for x, y in pieces).item() / 8


def epoch(model, optimizer, batches, val_images, val_labels, order=("zero", "backward", "step"),
          softmax=(), evaluate="eval", train=True, give="validation", grad=False):  # fmt: skip
    """The epoch with one line or several as learners have them."""

    def loss_of(images, labels, where):
        logits = model(images)
        return cross_entropy(logits.softmax(1) if where in softmax else logits, labels)

    if train:
        model.train()
    losses = []
    for images, labels in batches:
        losses.append(loss_of(images, labels, "train"))
        calls = {"zero": optimizer.zero_grad, "backward": losses[-1].backward,
                 "step": optimizer.step}  # fmt: skip
        for call in order:
            calls[call]()
    if evaluate == "eval":
        model.eval()
    with torch.set_grad_enabled(grad):
        loss = loss_of(val_images, val_labels, "validation")
    mean = torch.stack(losses).mean().detach()
    found = {"validation": loss, "mean": mean, "last": losses[-1].detach(), "sum": loss * 8}[give]
    return found if grad else found.item()


def with_slip(**slips):
    return functools.partial(epoch, **slips)


BROKEN = {
    "order": ("backward", "step"), "softmax": ("train", "validation"), "evaluate": "", "grad": True
}  # fmt: skip


def broken(*mended):
    """An epoch with many slips, without those that are named: they are mended one by one."""
    return with_slip(**{name: slip for name, slip in BROKEN.items() if name not in mended})


RIGHT = {
    split_then_repeat: [split, split_by_hand, split_of_folds],
    threshold_for: [
        counted,
        from_roc,
        by_rank(lambda n, s: math.ceil(round(s * n, 9)) - 1),
        lambda labels, scores, s: -np.quantile(-scores[labels == 1], s, method="inverted_cdf"),
        lambda labels, scores, s: torch.tensor(counted(labels, scores, s)),
    ],
    mended_epoch: [plain_epoch, tidy_epoch, epoch_with_a_loader, epoch],
}

WRONG = {
    split_then_repeat: [
        (repeated_before, "test images are in train, too: split first"),
        (places_in_a_longer_list, "positions in labels"),
        (repeats_from_the_pool, "test images are in train, too"),
        (repeated_on_both_sides, "test repeats images"),
        (changed(lambda labels, train, test: (test, train)), "test repeats images"),
        (halves, "train has 187 rare images and 713 common ones"),
        (whole_times, "equally many"),
        (changed(both_classes_repeated), "equally many"),
        (functools.partial(split, stratify=False), "stratify"),
        (functools.partial(split, test_size=0.2), "no quarter"),
        (changed(lambda labels, train, test: (train, test[:0])), "0 images in test are no quarter"),
        (changed(without_some), "on neither side"),
        (drawn_with_replacement, "on neither side: keep all"),
        (thinned, "common images are gone"),
        (lambda labels, seed: split(labels, 0), "other seeds give other splits"),
        (unseeded, "the same seed the same"),
        (changed(lambda labels, train, test: (labels[train], labels[test])), "those are labels"),
        (changed(lambda labels, train, test: (np.ones((len(train), 8, 8)), test)), "no images"),
        (changed(lambda labels, train, test: test), "positions in labels"),
        (changed(lambda labels, train, test: (train, np.isin(np.arange(len(labels)), test))),
         "labels or a mask"),
        (lambda labels, seed: None, "positions in labels"),
    ],
    threshold_for: [
        (quantile(pick=lambda scores, labels: scores), "all images count"),
        (quantile(lambda s: s, of_negatives), "set the specificity"),
        (quantile(lambda s: s), "1 - sensitivity is meant"),
        (quantile(), "goes between two scores"),
        (quantile(method="higher"), "falls short"),
        (quantile(method="nearest"), "falls short"),
        (quantile(method="lower"), "costs specificity"),
        (quantile(method="inverted_cdf"), "costs specificity"),
        (strictly_above, "> in place of >="),
        (functools.partial(strictly_above, among="all"), "> in place of >="),
        (by_rank(lambda n, s: n - 1 - int((1 - s) * n)), "costs specificity"),
        (by_rank(lambda n, s: int(s * n)), "costs specificity"),
        (by_rank(lambda n, s: int(s * n) - 1), "falls short"),
        (by_rank(lambda n, s: math.ceil(s * n) - 1, pick=0), "costs specificity"),
        (functools.partial(from_roc, drop=True), "costs specificity"),
        (lambda labels, scores, s: min(scores[labels == 1]), "costs specificity"),
        (lambda labels, scores, s: float("nan"), "falls short"),
        (lambda labels, scores, s: 100, "that is an index"),
        (lambda labels, scores, s: np.flatnonzero(scores == counted(labels, scores, s))[0],
         "that is an index"),
        (lambda labels, scores, s: scores >= counted(labels, scores, s), "one number"),
        (lambda labels, scores, s: None, "one number"),
    ],
    mended_epoch: [
        (with_slip(order=("backward", "step")), "zero_grad() is missing"),
        (with_slip(order=("zero", "step", "backward")), "no weight moves"),
        (with_slip(order=("backward", "zero", "step")), "no weight moves"),
        (with_slip(order=("zero", "backward")), "no weight moves"),
        (with_slip(order=("step", "zero", "backward")), "gradients of the batch before"),
        (with_slip(softmax=("train", "validation")), "yours is a second one"),
        (with_slip(softmax=("train",)), "yours is a second one"),
        (with_slip(softmax=("validation",)), "in validation, too"),
        (with_slip(evaluate=""), "validation in train mode"),
        (with_slip(train=False), "the second epoch trains in eval mode"),
        (with_slip(give="mean"), "mean loss of the training batches"),
        (with_slip(give="last"), "not those of the plain loop"),
        (with_slip(give="sum"), "not those of the plain loop"),
        (with_slip(grad=True), "holds its whole graph"),
        (broken(), "holds its whole graph"),
        (broken("grad"), "zero_grad() is missing"),
        (broken("grad", "order"), "yours is a second one"),
        (broken("grad", "order", "softmax"), "validation in train mode"),
        (lambda model, *_: 0.5, "not those of the plain loop"),
        (lambda *given: (plain_epoch(*given), 1), "one number"),
        (lambda *given: None, "one number"),
    ],
}  # fmt: skip
