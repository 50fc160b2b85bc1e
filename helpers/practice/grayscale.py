"""Checkers of notebook 03: the gray stem, the folded normalisation, the red channel."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from helpers.practice.verdict import Verdict, attempt

LUMINANCE = (0.299, 0.587, 0.114)


MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def exact_gray_stem(answer: Callable[[Tensor], Tensor]) -> Verdict:
    """Check ``answer(weight)``: RGB kernels ``(K, 3, k, k)`` to gray ones ``(K, 1, k, k)``."""
    weight = _kernels()
    given = weight.clone()
    found, failed = attempt(answer, given)
    failed = failed or _shape_of(found, (5, 1, 3, 3), "kernels")
    if failed:
        return failed
    if not torch.equal(given, weight):
        return Verdict(False, "the colour kernels themselves have changed: work on a copy.")
    luminance = (weight * torch.tensor(LUMINANCE).view(1, 3, 1, 1)).sum(1, keepdim=True)
    right = weight.sum(dim=1, keepdim=True)
    for wrong, says in (
        (right / 3, "that is the mean: a third of the activation of the replicated image."),
        (right * 3, "three times too much: each channel counts once."),
        (weight[:, :1], "that is the red kernel alone; green and blue see the image too."),
        (luminance, "luminance weights belong to the image (RGB to gray), not to the kernels: the "
                    "replicated image has the same value in all channels, each counts fully."),
    ):  # fmt: skip
        if torch.allclose(found.float(), wrong, atol=1e-5):
            return Verdict(False, says)
    if not torch.allclose(found.float(), right, atol=1e-5):
        return Verdict(False, "W_r * x + W_g * x + W_b * x: which single kernel gives the same?")
    return Verdict(True, "the sum over the channels: the replicated image's activation, exactly.")


def fold_into_stem(answer: Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]) -> Verdict:
    """Check ``answer(weight, mean, std)``: gray kernels and the bias that normalise on their own.

    Wanted: ``(K, 1, k, k)`` and ``(K,)`` such that a convolution of x in 0..1 gives what the RGB
    kernels give for the replicated x, normalised per channel.
    """
    weight, mean, std = _kernels(), torch.tensor(MEAN), torch.tensor(STD)
    found, failed = attempt(answer, weight.clone(), mean, std)
    if failed:
        return failed
    if not isinstance(found, (tuple, list)) or len(found) != 2:
        return Verdict(False, "return two tensors: the kernels and the bias.")
    kernels, bias = found
    failed = _shape_of(kernels, (5, 1, 3, 3), "kernels") or _shape_of(bias, (5,), "bias")
    return failed or _judge_fold(weight, mean.view(1, 3, 1, 1), std.view(1, 3, 1, 1), kernels, bias)


def _judge_fold(
    weight: Tensor, mean: Tensor, std: Tensor, kernels: Tensor, bias: Tensor
) -> Verdict:
    right = (weight / std).sum(dim=1, keepdim=True)
    for wrong, says in (
        (weight.sum(dim=1, keepdim=True), "the kernels are not divided by the deviations yet."),
        ((weight * std).sum(dim=1, keepdim=True), "divide the kernels by the deviations."),
        (weight.sum(dim=1, keepdim=True) / std.mean(), "one deviation for all three: divide each "
         "channel's kernel by its own, then sum."),
        (right / 3, "the kernels are a third of what they should be: sum, not mean."),
    ):  # fmt: skip
        if torch.allclose(kernels.float(), wrong, atol=1e-4):
            return Verdict(False, says)
    if not torch.allclose(kernels.float(), right, atol=1e-4):
        return Verdict(False, "the kernels are not sum_c W_c / s_c.")
    good = -(weight * mean / std).sum(dim=(1, 2, 3))
    for wrong, says in (
        (torch.zeros(5), "the bias is 0: the means are still to be subtracted."),
        (-good, "the bias has the wrong sign: the mean is subtracted from x."),
        (-(weight * mean).sum(dim=(1, 2, 3)), "divide the means in the bias by the deviations."),
        (good / 9, "the bias sums over the kernel's positions; yours averages over them."),
        (-mean.mean() * right.sum(dim=(1, 2, 3)), "one mean for all three channels in the bias: "
         "take each channel's own."),
    ):  # fmt: skip
        if torch.allclose(bias.float(), wrong, atol=1e-4):
            return Verdict(False, says)
    if not torch.allclose(bias.float(), good, atol=1e-4):
        return Verdict(False, "the kernels are right; the bias is not -sum W_c m_c / s_c.")
    return Verdict(True, "raw 0..1 in, the normalised replicated image's activation out.")


def red_channel_offset(answer: float) -> Verdict:
    """Check what ``Normalize([.485], [.229])`` makes of .449, the mean of a gray ImageNet pixel."""
    if isinstance(answer, bool) or not isinstance(answer, (int, float)):
        return Verdict(False, "one number is wanted.")
    if answer == 0:
        return Verdict(False, "nothing here yet, or so it should be: 0 is what .449/.226 gives.")
    right = (0.449 - MEAN[0]) / STD[0]
    for wrong, says in (
        (-right, "the sign: .449 is darker than .485."),
        (0.449 - MEAN[0], "the mean is subtracted; now divide by the deviation."),
        ((0.449 - MEAN[0]) / 0.226, "that divides by the gray deviation; the question has .229."),
        ((0.449 - MEAN[0]) * STD[0], "divide by the deviation, do not multiply."),
    ):
        if abs(answer - wrong) < 6e-4:
            return Verdict(False, says)
    if abs(answer - right) > 1e-3:
        return Verdict(False, "not yet: (x - mean) / deviation, with x = .449.")
    return Verdict(True, "-.16 deviations for every pixel: the whole image is a shade too dark.")


def _kernels() -> Tensor:
    return torch.randn(5, 3, 3, 3, generator=torch.Generator().manual_seed(0))


def _shape_of(found: object, shape: tuple[int, ...], what: str) -> Verdict | None:
    if not torch.is_tensor(found):
        return Verdict(False, f"the {what} must be a tensor of shape {shape}.")
    if found.shape == torch.Size(shape):
        return None
    hint = " Keep the channel: sum(dim=1, keepdim=True)." if found.shape == (5, 3, 3) else ""
    hint = " Those are still three channels." if found.shape == (5, 3, 3, 3) else hint
    return Verdict(False, f"the {what} are {tuple(found.shape)}, {shape} is wanted.{hint}")
