"""Checkers of notebook 03: the gray stem, the folded normalisation, the red channel."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from helpers.practice.checker import Slip, attempt, checker, close, judge, name_slip, number

LUMINANCE = (0.299, 0.587, 0.114)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
ATOL = 1e-4
VIEW = "Give it its channel axis: view(1, 3, 1, 1)."


@checker
def exact_gray_stem(answer: Callable[[Tensor], Tensor]) -> str:
    """Check ``answer(weight)``: RGB kernels ``(K, 3, k, k)`` to gray ones ``(K, 1, k, k)``."""
    weight = _kernels()
    given = weight.clone()
    found = attempt(answer, given)
    _require_shape(found, (5, 1, 3, 3), "kernels")
    if not torch.equal(given, weight):
        raise Slip("the colour kernels themselves have changed: work on a copy.")
    right = weight.sum(dim=1, keepdim=True)
    luminance = (weight * torch.tensor(LUMINANCE).view(1, 3, 1, 1)).sum(1, keepdim=True)
    slips = (
        (right / 3, "that is the mean: a third of the activation of the replicated image."),
        (right * 3, "three times too much: each channel counts once."),
        (weight[:, :1], "that is the red kernel alone; green and blue see the image too."),
        (luminance, "luminance weights belong to the image (RGB to gray), not to the kernels: the "
                    "replicated image has the same value in all channels, each counts fully."),
    )  # fmt: skip
    question = "W_r * x + W_g * x + W_b * x: which single kernel gives the same?"
    judge(found, right, slips, question, ATOL)
    return "the sum over the channels: the replicated image's activation, exactly."


@checker
def fold_into_stem(answer: Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]) -> str:
    """Check ``answer(weight, mean, std)``: gray kernels and the bias that normalise on their own.

    Wanted: ``(K, 1, k, k)`` and ``(K,)`` such that a convolution of x in 0..1 gives what the RGB
    kernels give for the replicated x, normalised per channel.
    """
    weight, mean, std = _kernels(), torch.tensor(MEAN), torch.tensor(STD)
    found = attempt(answer, weight.clone(), mean, std)
    if not isinstance(found, (tuple, list)) or len(found) != 2:
        raise Slip("return two tensors: the kernels and the bias.")
    kernels, bias = found
    _require_shape(kernels, (5, 1, 3, 3), "kernels")
    _require_shape(bias, (5,), "bias")
    across, turned = (weight / std).sum(dim=1, keepdim=True), weight * mean / std
    mean, std = (numbers.view(1, 3, 1, 1) for numbers in (mean, std))
    plain, right = (w.sum(dim=1, keepdim=True) for w in (weight, weight / std))
    slips = (
        (plain, "the kernels are not divided by the deviations yet."),
        (across, f"weight / std divides the last axis, the kernel's columns. {VIEW}"),
        ((weight * std).sum(dim=1, keepdim=True), "divide the kernels by the deviations."),
        (plain / std.mean(), "one deviation for all three: divide each channel's kernel by its "
                             "own, then sum."),
        (right / 3, "the kernels are a third of what they should be: sum, not mean."),
    )  # fmt: skip
    judge(kernels, right, slips, "the kernels are not sum_c W_c / s_c.", ATOL)
    good = -(weight * mean / std).sum(dim=(1, 2, 3))
    slips = (
        (torch.zeros(5), "the bias is 0: the means are still to be subtracted."),
        (-good, "the bias has the wrong sign: the mean is subtracted from x."),
        (-turned.sum(dim=(1, 2, 3)), f"the kernels are right; the bias takes mean and std along "
                                     f"the kernel's columns. {VIEW}"),
        (-(weight * mean).sum(dim=(1, 2, 3)), "divide the means in the bias by the deviations."),
        (good / 9, "the bias sums over the kernel's positions; yours averages over them."),
        (-mean.mean() * right.sum(dim=(1, 2, 3)), "one mean for all three channels in the bias: "
                                                  "take each channel's own."),
    )  # fmt: skip
    judge(bias, good, slips, "the kernels are right; the bias is not -sum W_c m_c / s_c.", ATOL)
    return "raw 0..1 in, the normalised replicated image's activation out."


@checker
def red_channel_offset(answer: float) -> str:
    """Check what ``Normalize([.485], [.229])`` makes of .449, the mean of a gray ImageNet pixel."""
    found = number(answer, "one number is wanted.")
    if found == 0:
        raise Slip("nothing here yet, or so it should be: 0 is what .449/.226 gives.")
    right = (0.449 - MEAN[0]) / STD[0]
    slips = (
        (-right, "the sign: .449 is darker than .485."),
        (0.449 - MEAN[0], "the mean is subtracted; now divide by the deviation."),
        ((0.449 - MEAN[0]) / 0.226, "that divides by the gray deviation; the question has .229."),
        ((0.449 - MEAN[0]) * STD[0], "divide by the deviation, do not multiply."),
    )
    name_slip(found, slips, atol=6e-4)
    if not close(found, right, atol=3e-3):  # -.16 is right, too
        raise Slip("not yet: (x - mean) / deviation, with x = .449.")
    return "-.157 deviations for every pixel: the whole image is a shade too dark."


def _kernels() -> Tensor:
    return torch.randn(5, 3, 3, 3, generator=torch.Generator().manual_seed(0))


def _require_shape(found: object, shape: tuple[int, ...], what: str) -> None:
    if not torch.is_tensor(found):
        raise Slip(f"the {what} must be a tensor of shape {shape}.")
    if found.shape != shape:
        hint = {
            (5, 3, 3): " Keep the channel: sum(dim=1, keepdim=True).",
            (5, 3, 3, 3): " Those are still three channels.",
        }.get(tuple(found.shape), "")
        if shape == (5,):
            hint = " Sum over channels and positions: sum(dim=(1, 2, 3))."
        raise Slip(f"the shape of the {what} is {tuple(found.shape)}, {shape} is wanted.{hint}")
