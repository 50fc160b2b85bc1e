"""Checkers of the notebook on layers and shapes: a layer's counts, a dense layer as convolution."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from helpers.practice.checker import Slip, attempt, checker, judge

# Input size n, channels c and o, kernel, stride, padding, groups, and 1 where there is a bias; m is
# the size of the output, w the number of weights.
LAYERS = [dict(zip("ncokspgbmw", layer, strict=True)) for layer in (
    (16, 3, 32, 3, 2, 0, 1, 0, 7, 864), (10, 8, 8, 5, 1, 2, 8, 1, 10, 200),
    (14, 12, 24, 3, 2, 1, 4, 1, 7, 648))]  # fmt: skip

# For each count the right rule, and what learners take for it.
RULES = {
    "size": ((lambda m, **_: m, ""),
             (lambda n, k, s, p, **_: (n + 2 * p - k) // s, "the + 1 is missing."),
             (lambda n, k, s, p, **_: (n + p - k) // s + 1, "padding stands on both sides."),
             (lambda n, k, s, p, **_: -((k - n - 2 * p) // s) + 1, "round down, not up.")),
    "parameters": ((lambda w, b, o, **_: w + b * o, ""),
                   (lambda c, o, k, b, **_: o * c * k**2 + b * o, "each sees c_in / groups."),
                   (lambda w, **_: w, "one bias for each output channel is missing.")),
    "multiplications": ((lambda w, m, **_: w * m**2, ""),
                        (lambda w, **_: w, "a weight multiplies at each place of the output."),
                        (lambda w, n, **_: w * n**2, "the output's places count."),
                        (lambda w, m, **_: 2 * w * m**2, "with additions, those are FLOPs.")),
}  # fmt: skip


@checker
def layer_counts(answer: Callable[..., tuple[int, int, int]]) -> str:
    """Check ``answer(size, c_in, c_out, kernel, stride, padding, groups, bias)``.

    It returns, for a square input of `size` pixels, the size of the output in pixels, the number
    of parameters, and that of multiplications for one image.
    """
    given = [[*x.values()][:8] for x in LAYERS]
    found = [attempt(answer, *layer[:7], bool(layer[7])) for layer in given]
    if any(np.shape(row) != (3,) for row in found):
        raise Slip("return three numbers: size, parameters, multiplications.")
    for (name, rules), mine in zip(RULES.items(), np.transpose(found), strict=True):
        right, *wrong = [([rule(**x) for x in LAYERS], f"{name}: {says}") for rule, says in rules]
        judge(mine, right[0], wrong, f"{name}: {right[0]} for {given}, yours is {mine}.", 1e-6)
    return "weights are shared: they are kept once, and used at every place of the output."


@checker
def dense_as_convolution(answer: Callable[[nn.Linear, tuple[int, int, int]], nn.Conv2d]) -> str:
    """Check ``answer(dense, (C, H, W))``: the `nn.Conv2d` that does what `dense` does.

    `dense` takes maps ``(N, C, H, W)`` flattened. The convolution gives the same on such maps, as
    ``(N, O, 1, 1)``, and on larger ones a value for every window of H x W.
    """
    dense, maps = nn.Linear(24, 6).requires_grad_(False), torch.randn(5, 2, 3, 4)
    made = attempt(answer, dense, (2, 3, 4))
    if not isinstance(made, nn.Conv2d) or made.weight.shape != (6, 2, 3, 4):
        raise Slip("return an nn.Conv2d from C to O channels with a kernel as large as the map.")
    if (made.padding, made.stride) != ((0, 0), (1, 1)):
        raise Slip("no padding, stride 1: the dense layer saw no zeros, and no window is skipped.")
    by_place = torch.conv2d(maps, dense.weight.view(6, 3, 4, 2).permute(0, 3, 1, 2), dense.bias)
    judge(made(maps).detach(), dense(maps.flatten(1)).view(5, 6, 1, 1),
          [(by_place, "flatten keeps the order (C, H, W): view the weights so, permute nothing.")],
          "other answers than the dense layer's: copy its weights and its bias.", 1e-5)  # fmt: skip
    return "the same numbers; over a larger map it slides, and gives a map of answers."
