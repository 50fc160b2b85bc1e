"""Fit a colour-trained stem to gray images, knowing what each choice does to the activations."""

from __future__ import annotations

import copy

from torch import nn

from helpers.errors import CourseError, unknown_name

METHODS = ("sum", "mean", "random")


def gray_stem(conv: nn.Conv2d, how: str = "sum") -> nn.Conv2d:
    """Return a one-channel copy of a three-channel convolution.

    A gray image replicated into R, G and B gives ``sum_c W_c * x``: the sum of the kernels is
    therefore exact. Their mean gives a third of that activation, which a frozen BatchNorm behind
    it does not expect. ``"random"`` starts the stem anew, for comparison.

    Parameters
    ----------
    conv : a convolution with 3 input channels; it is not changed.
    how : ``"sum"``, ``"mean"`` or ``"random"``.

    Raises
    ------
    CourseError
        For another method, or a convolution that does not take 3 channels.
    """
    if how not in METHODS:
        raise unknown_name("grayscale method", how, METHODS)
    if conv.in_channels != 3:
        raise CourseError(
            f"This stem takes {conv.in_channels} channel(s), not 3"
            + (": it is gray already." if conv.in_channels == 1 else ", so it is no RGB stem.")
        )
    gray = copy.deepcopy(conv)  # keeps the class, and with it how the borders are padded
    gray.in_channels = 1
    kernels = conv.weight.detach().sum(dim=1, keepdim=True)
    gray.weight = nn.Parameter(kernels if how == "sum" else kernels / 3)
    if how == "random":
        gray.reset_parameters()
    return gray
