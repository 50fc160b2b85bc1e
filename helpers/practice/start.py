"""Checkers of notebook 00: what a network is fed, and what the AUC is."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from helpers.networks.backbones import IMAGENET_MEAN, IMAGENET_STD
from helpers.practice.checker import Slip, attempt, checker, close, judge, number


@checker
def network_input(answer: Callable[[np.ndarray], torch.Tensor]) -> str:
    """Check ``answer(image)``: uint8 ``(H, W, 3)`` to normalised float ``(1, 3, H, W)``."""
    image = np.random.default_rng(0).integers(0, 256, (6, 5, 3), dtype=np.uint8)
    image[0, 0], image[0, 1] = 0, 255
    found = attempt(answer, image.copy())
    if isinstance(found, np.ndarray):
        raise Slip("that is a numpy array: make a tensor of it, torch.from_numpy(...).float().")
    if not torch.is_tensor(found) or not found.is_floating_point():
        raise Slip("return a float tensor; the network computes with those.")
    if found.shape != (1, 3, 6, 5):
        raise Slip(f"the shape is {tuple(found.shape)}, (1, 3, 6, 5) is wanted here.")
    scaled = torch.from_numpy(image).permute(2, 0, 1).unsqueeze(0).float() / 255
    mixed = torch.from_numpy(image).reshape(1, 3, 6, 5) / 255
    mean, std = (torch.tensor(x).view(1, 3, 1, 1) for x in (IMAGENET_MEAN, IMAGENET_STD))
    slips = (
        (scaled * 255, "the values still run to 255: divide first."),
        ((scaled * 255 - 0.5) / 0.5, "the values run to 509: divide by 255 before the mean goes."),
        (scaled, "scaled to 0..1, but not normalised: subtract the mean, divide by the std."),
        (scaled - 0.5, "the mean is gone; now divide by the standard deviation, .5."),
        ((mixed - 0.5) / 0.5, "the shape fits, but reshape and view keep the order in memory and "
                              "so mix pixels and channels: permute(2, 0, 1) moves the axis."),
        ((scaled - mean) / std, "those are ImageNet's mean and std per channel; this network was "
                                "trained with .5 and .5."),
        ((scaled.flip(1) - 0.5) / 0.5, "red and blue have changed places."),
    )  # fmt: skip
    otherwise = "the values are not (x / 255 - .5) / .5 of the right pixels."
    judge(found, (scaled - 0.5) / 0.5, slips, otherwise, atol=1e-4)
    if found.dtype != torch.float32:
        return f"right, but in {found.dtype}: the network's weights are float32, so add .float()."
    return "black is -1, white is 1, channels come first: what the network expects."


@checker
def auc_by_hand(answer: Callable[[Sequence[float], Sequence[float]], float]) -> str:
    """Check ``answer(negative_scores, positive_scores)``: the share of pairs in right order."""
    cases = (([0.1, 0.4], [0.35, 0.8], 0.75), ([0.5], [0.5, 0.9], 0.75), ([0.2, 0.3], [0.9], 1.0))
    for negative, positive, right in cases:
        found = number(attempt(answer, list(negative), list(positive)))
        if close(found, 1 - right):
            raise Slip("upside down: the positive one should have the higher score.")
        if not close(found, right):
            tied = set(negative) & set(positive)
            hint = " There is a tie in it: that counts half." if tied else ""
            raise Slip(f"for {negative} and {positive} it is {right}, yours is {found:g}.{hint}")
    return "the share of pairs in the right order, which is the area under the ROC curve."
