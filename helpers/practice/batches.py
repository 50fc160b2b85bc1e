"""The checker of the notebook on BatchNorm and batches: the layer's forward pass in both modes."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from helpers.practice.checker import Slip, attempt, checker, judge


@checker
def batchnorm_by_hand(answer: Callable[..., tuple[Tensor, Tensor, Tensor]]) -> str:
    """Check ``answer(x, gamma, beta, mean, var, training, momentum, eps)``: BatchNorm's forward.

    It gets activations ``(N, C, H, W)``, four vectors ``(C,)`` (the last two: running mean and
    running variance), the mode, and two numbers. It returns the output, of x's shape, and the
    running mean and variance after the call, as torch's ``BatchNorm2d`` has them (Ioffe & Szegedy
    2015).
    """
    torch.manual_seed(0)
    # Channels last, so that vectors broadcast; a large eps, so that its place shows.
    x, (gamma, beta, mean, var), m, eps = torch.rand(4, 2, 2, 3), torch.rand(4, 3) + 0.5, 0.2, 0.1
    back = []
    for training in (True, False):
        given = [vector.clone() for vector in (x.movedim(3, 1), gamma, beta, mean, var)]
        parts = attempt(answer, *given, training, m, eps)
        shapes = [getattr(p, "shape", 0) for p in parts] if isinstance(parts, tuple) else 0
        if shapes != [given[0].shape, mean.shape, var.shape]:
            raise Slip("return (y, mean, var): y of x's shape, the others one number a channel.")
        back += parts
    y, *new, y_rest, mean_rest, var_rest = back

    def out(centre: Tensor, root: Tensor, scale: Tensor = gamma, shift: Tensor = beta) -> Tensor:
        return ((x - centre) / root * scale + shift).movedim(3, 1)

    def over(*d: int) -> Tensor:
        return out(x.mean(d, keepdim=True), (x.var(d, correction=0, keepdim=True) + eps).sqrt())

    own, biased, unbiased = x.mean((0, 1, 2)), x.var((0, 1, 2), correction=0), x.var((0, 1, 2))
    right, rests = over(0, 1, 2), out(mean, (var + eps).sqrt())
    judge(y, right, (
        (rests, "in train mode the batch's own mean and variance normalise."),
        (over(0), "height and width belong to the mean, too: dim=(0, 2, 3)."),
        (over(1, 2), "each image has its own mean there: the batch belongs to it, too."),
        (out(own, (unbiased + eps).sqrt()), "the batch's variance divides by n: correction=0."),
        (out(own, biased.sqrt() + eps), "eps stands under the root: (var + eps).sqrt()."),
        (out(own, biased + eps), "divide by the standard deviation, not by the variance."),
        (out(own, (biased + eps).sqrt(), 1, 0), "gamma and beta are missing."),
    ), "the output in train mode is not torch's.", 1e-5)  # fmt: skip
    for found, old, batch in zip(new, (mean, var), (own, unbiased), strict=True):
        judge(found, old.lerp(batch, m), (
            (old, "in train mode the running statistics move."),
            (old.lerp(batch, 1 - m), "momentum is the weight of the batch, not of the old value."),
            (old.lerp(biased, m), "the running variance takes the unbiased one, by n - 1."),
        ), "the running statistics are not torch's after train mode.", 1e-5)  # fmt: skip
    judge(y_rest, rests, ((right, "in eval mode the running statistics normalise."),),
          "the output in eval mode is not torch's.", 1e-5)  # fmt: skip
    judge(torch.stack((mean_rest, var_rest)), torch.stack((mean, var)), (),
          "in eval mode the running statistics stay as they are.", 1e-5)  # fmt: skip
    return "output and running statistics are torch's in both modes."
