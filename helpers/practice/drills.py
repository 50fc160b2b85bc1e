"""Checkers of the blank-page drills: code from memory, with a clock.

Where an exercise of a notebook asks for the same, its checker serves here, too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from helpers.practice.checker import Slip, attempt, checker, judge, name_slip
from helpers.practice.grayscale import fold_into_stem as fold_into_stem
from helpers.practice.start import auc_by_hand as auc_by_hand
from helpers.practice.strategies import PracticeNet
from helpers.practice.transfer import linear_cka as linear_cka
from helpers.practice.transfer import receptive_field as receptive_field
from helpers.practice.trust import mended_epoch as mended_epoch

ATOL = 1e-4
RATES = {"layer2": 1e-3, "fc": 1e-2}
# Gamma, beta, running mean and running variance of three channels.
STATE = ((1.5, 0.5, 2.0), (0.3, -0.2, 0.1), (2.0, 2.5, 1.0), (4.0, 9.0, 1.0))


def _tensor(found: object, shape: Sequence[int], what: str) -> Tensor:
    """Return what the learner gave where it is a tensor of that shape."""
    if not torch.is_tensor(found) or found.shape != torch.Size(shape):
        raise Slip(f"{what} must be a tensor of shape {tuple(shape)}.")
    return found.detach()


@checker
def freeze_and_groups(answer: Callable[[nn.Module], list[dict]]) -> str:
    """Check ``answer(net)``: a new two-class `fc`, `conv`, `bn` and `layer1` frozen, two groups.

    It changes a `PracticeNet` in place and returns groups for AdamW: `layer2` at 1e-3, `fc` at
    1e-2, and nothing frozen in them.
    """
    net = PracticeNet()
    optimizer = attempt(lambda: torch.optim.AdamW(answer(net)))
    if getattr(net.fc, "out_features", 0) != 2:
        raise Slip("the head must have two classes: net.fc = nn.Linear(8, 2).")
    rates = {id(p): g["lr"] for g in optimizer.param_groups for p in g["params"]}
    for name, p in net.named_parameters():
        rate, goal = rates.pop(id(p), None), RATES.get(name.split(".")[0])
        name_slip(True, (
            (p.requires_grad != bool(goal), f"{name} should {'train' if goal else 'be frozen'}."),
            (not goal and bool(rate), f"{name} is frozen and yet in a group: leave it out."),
            (bool(goal) and not rate, f"{name} is in no group: it would never train."),
            (rate != goal, f"{name} has the rate {rate}, {goal} was asked for."),
        ))  # fmt: skip
    if rates:
        raise Slip("a group holds what is not in the network: the old head? Replace it first.")
    return "what trains is in exactly one group, and what rests is in none."


@checker
def batchnorm_by_hand(answer: Callable[..., tuple[Tensor, Tensor, Tensor]]) -> str:
    """Check ``answer(x, gamma, beta, mean, var, training)``: BatchNorm, and the new statistics.

    x is ``(N, C, H, W)``, the others ``(C,)``; eps is 1e-5, momentum .1. Right is (y, mean, var):
    what `torch.nn.BatchNorm2d` gives in that mode (Ioffe and Szegedy 2015).
    """
    x = 2 * torch.randn(4, 3, 2, 2, generator=torch.Generator().manual_seed(0)) + 3
    gamma, beta, *old = (torch.tensor(row).view(1, 3, 1, 1) for row in STATE)

    def scaled(dims: tuple[int, ...], correction: int = 0) -> Tensor:
        variance, mean = torch.var_mean(x, dims, correction=correction, keepdim=True)
        return gamma * (x - mean) / (variance + 1e-5).sqrt() + beta

    for training in (True, False):
        found = attempt(answer, x.clone(), *map(torch.tensor, STATE), training)
        if not isinstance(found, (tuple, list)) or len(found) != 3:
            raise Slip("return three tensors: y, the new running mean, the new running variance.")
        rest = gamma * (x - old[0]) / (old[1] + 1e-5).sqrt() + beta
        right, turned = (scaled((0, 2, 3)), rest) if training else (rest, scaled((0, 2, 3)))
        slips = (
            (turned, "the batch's numbers normalise in training, the running ones in eval mode."),
            ((right - beta) / gamma, "gamma and beta are missing."),
            (scaled((2, 3)), "that is by image: a channel's mean is over N, H and W."),
            (scaled((0, 1, 2, 3)), "that is over all channels: each has numbers of its own."),
            (scaled((0, 2, 3), 1), "a batch is normalised by the variance with n, not n - 1."),
        )
        y, mode = _tensor(found[0], x.shape, "y"), f"is wrong with training={training}."
        judge(y, right, slips, f"y {mode}", ATOL)
        for k, new in enumerate((x.mean((0, 2, 3)), x.var((0, 2, 3)))):
            was, what = torch.tensor(STATE[2 + k]), f"the running {('mean', 'variance')[k]}"
            slips = (
                (0.1 * was + 0.9 * new, f"{what} the wrong way round: .1 is the share of the new."),
                (0.9 * was + 0.1 * new * 15 / 16, f"{what} takes the variance with n - 1."),
                (was, f"{what} does not move in training."),
            )
            goal = 0.9 * was + 0.1 * new if training else was
            got = _tensor(found[1 + k], (3,), what)
            judge(got, goal, slips if training else (), f"{what} {mode}", ATOL)
    return "both modes, the running numbers' way, and n against n - 1."


@checker
def conv2d_by_hand(answer: Callable[[Tensor, Tensor, int, int], Tensor]) -> str:
    """Check ``answer(x, weight, stride, padding)``: what `torch.conv2d` gives, without bias.

    x is ``(N, C, H, W)``, weight ``(K, C, k, k)``; zeros pad.
    """
    draw = torch.Generator().manual_seed(0)
    x, weight = torch.randn(2, 3, 7, 6, generator=draw), torch.randn(4, 3, 3, 3, generator=draw)
    for stride, padding in ((1, 0), (1, 1), (2, 0), (2, 1)):
        right, flipped, turned = (torch.conv2d(x, w, stride=stride, padding=padding)
                                  for w in (weight, weight.flip(2, 3), weight.mT))  # fmt: skip
        case = f"the map with stride {stride}, padding {padding}"
        found = attempt(answer, x.clone(), weight.clone(), stride, padding)
        slips = (
            (flipped, "the kernel is flipped: networks correlate, nothing is turned."),
            (turned, "rows and columns of the kernel have changed places."),
        )
        judge(_tensor(found, right.shape, case), right, slips, f"{case} is not right.", ATOL)
    return "a window, a product, a sum over channels and places; then one stride further."


@checker
def grad_cam_by_hand(answer: Callable[[nn.Module, nn.Module, Tensor, int], Tensor]) -> str:
    """Check ``answer(body, head, image, label)``: the Grad-CAM map ``(h, w)``, not rescaled.

    body maps ``(1, C, H, W)`` to ``(1, K, h, w)``, head that to logits. A channel's weight is the
    mean of the label's logit's gradient; the map is the ReLU of the weighted sum (Selvaraju 2017).
    """
    torch.manual_seed(0)
    body = nn.Sequential(nn.Conv2d(1, 6, 3), nn.Tanh())
    head, image = nn.Sequential(nn.Flatten(), nn.Linear(216, 3)), torch.randn(1, 1, 8, 8)
    features = body(image).detach().requires_grad_()
    logits, f = head(features), features.detach()[0]
    scores = logits[0, 1], logits.softmax(1)[0, 1], logits.max()
    slopes = [torch.autograd.grad(s, features, retain_graph=True)[0][0] for s in scores]
    right, softmax, other = ((s.mean((1, 2), True) * f).sum(0) for s in slopes)
    slips = (
        (right, "the ReLU is missing: only what speaks for the class is shown."),
        (right.relu() / right.max(), "leave the scale: it says how strong the evidence is."),
        (softmax.relu(), "take the gradient of the logit, before the softmax."),
        (other.relu(), "that is the class with the highest logit: take `label`."),
        ((slopes[0] * f).sum(0).relu(), "average the gradient first: one weight for a channel."),
        (f.sum(0).relu(), "the channels are not weighted."),
    )
    found = _tensor(attempt(answer, body, head, image.clone(), 1), f.shape[1:], "the map")
    judge(found, right.relu(), slips, "not ReLU(sum of mean gradient times activation).", 1e-6)
    return "one weight for each channel, a sum, and what speaks for the class."


@checker
def find_the_leak(answer: Callable[..., Sequence[int]]) -> str:
    """Check ``answer(images, patients, train, test)``: which test images leak.

    It gets uint8 images ``(N, H, W)``, patients ``(N,)`` and two arrays of positions. Right are the
    positions (in images), in rising order, of the test images that share their patient, or all
    their pixels, with an image in train.
    """
    images = np.random.default_rng(0).integers(0, 256, (24, 4, 4), dtype=np.uint8)
    train, test = np.array([0, 1, 2, 4, 6, 7, 8, 10, 12, 13]), np.array([23, 20, 16, 11, 9, 3, 14])
    # 23 is 6 under another name; 14 and 16 are equal, but both in test; 20 is 4 in other places
    images[23], images[14], images[20] = images[6], images[16], images[4].T
    found = attempt(answer, images.copy(), np.arange(24) // 2, train.copy(), test.copy())
    if not all(isinstance(k, (int, np.integer)) for k in np.asarray(found, dtype=object).flat):
        raise Slip("return a list of positions.")
    found = np.ravel(found).tolist()
    name_slip(True, (
        (sorted(found) == [3, 9, 11], "the same picture comes under another name, too."),
        (found == [23], "another image of the same patient leaks as well."),
        (sorted(found) == [0, 3, 4, 5], "those are places within test: return positions."),
        (not {*found}.isdisjoint(train.tolist()), "some are in train: name the test images."),
        (not {14, 16}.isdisjoint(found), "two equal images within test are no leak from train."),
        (20 in found, "equal pixels in other places are another image."),
        ({*found} == {3, 9, 11, 23} and found != [3, 9, 11, 23], "each once, in rising order."),
        (found != [3, 9, 11, 23], f"not yet: you name {len(found)}, four leak."),
    ))  # fmt: skip
    return "the patient's other image, and the copy under another name."
