"""Answers to the exercise of the notebook on BatchNorm and batches."""

import functools

import torch
from torch.nn.functional import batch_norm

from helpers.practice import batchnorm_by_hand


def torch_s_own(x, gamma, beta, mean, var, training, momentum, eps):
    """It moves the running statistics in place."""
    y = batch_norm(x, mean, var, gamma, beta, training, momentum, eps)
    return y, mean, var


def forward(x, gamma, beta, mean, var, training, momentum, eps, dims=(0, 2, 3), own=True,
            rests=True, correction=0, running=1, root="right", affine=True, moves=(True, False),
            swap=False):  # fmt: skip
    """The forward pass with one line or several as learners have them."""
    batch = x.mean(dims, keepdim=True), x.var(dims, correction=correction, keepdim=True)
    stored = mean.view(-1, 1, 1), var.view(-1, 1, 1)
    centre, spread = batch if (own if training else not rests) else stored
    roots = {"right": (spread + eps).sqrt(), "outside": spread.sqrt() + eps, "none": spread + eps}
    y = (x - centre) / roots[root]
    if affine:
        y = gamma.view(-1, 1, 1) * y + beta.view(-1, 1, 1)
    if moves[not training]:
        old, share = (1 - momentum, momentum) if not swap else (momentum, 1 - momentum)
        mean = old * mean + share * x.mean((0, 2, 3))
        var = old * var + share * x.var((0, 2, 3), correction=running)
    return y, mean, var


def by_sums(x, gamma, beta, mean, var, training, momentum, eps):
    """E[x^2] - E[x]^2, and scale and shift in one."""
    if training:
        n = x.numel() // x.shape[1]
        batch_mean = x.sum((0, 2, 3)) / n
        batch_var = (x**2).sum((0, 2, 3)) / n - batch_mean**2
        new = (mean + momentum * (batch_mean - mean),
               var + momentum * (batch_var * n / (n - 1) - var))  # fmt: skip
    else:
        batch_mean, batch_var, new = mean, var, (mean, var)
    scale = gamma / torch.sqrt(batch_var + eps)
    return x * scale[:, None, None] + (beta - batch_mean * scale)[:, None, None], *new


def with_slip(**slips):
    return functools.partial(forward, **slips)


RIGHT = {batchnorm_by_hand: [torch_s_own, forward, by_sums]}

WRONG = {
    batchnorm_by_hand: [
        (with_slip(own=False), "in train mode the batch's own"),
        (with_slip(dims=(0,)), "height and width belong to the mean"),
        (with_slip(dims=(2, 3)), "each image has its own mean"),
        (with_slip(correction=1), "divides by n: correction=0"),
        (with_slip(root="outside"), "eps stands under the root"),
        (with_slip(root="none"), "not by the variance"),
        (with_slip(affine=False), "gamma and beta are missing"),
        (with_slip(dims=(1, 2, 3)), "the output in train mode is not torch's"),
        (with_slip(moves=(False, False)), "in train mode the running statistics move"),
        (with_slip(swap=True), "momentum is the weight of the batch"),
        (with_slip(running=0), "the unbiased one, by n - 1"),
        (with_slip(rests=False), "in eval mode the running statistics normalise"),
        (with_slip(moves=(True, True)), "in eval mode the running statistics stay"),
        (with_slip(affine=False, swap=True), "gamma and beta are missing"),
        (with_slip(swap=True, rests=False), "momentum is the weight of the batch"),
        (lambda *given: torch_s_own(*given)[0], "return (y, mean, var)"),
        (lambda *given: (*torch_s_own(*given)[:2], None), "return (y, mean, var)"),
        (lambda x, *given: (x, x.mean(0), x.var(0)), "return (y, mean, var)"),
    ],
}  # fmt: skip
