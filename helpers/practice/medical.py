"""Checkers of notebook 07: the range that a network expects, and DICOM's steps in order."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from helpers.practice.checker import Slip, attempt, checker, judge

FULL = 1024.0  # torchxrayvision's networks take -FULL..FULL


@checker
def xray_range(answer: Callable[[Tensor], Tensor]) -> str:
    """Check ``answer(images)``: gray images as torchxrayvision's networks expect them.

    It gets uint8 images ``(N, 1, H, W)`` and returns float32 of the same shape: 0 becomes -1024,
    255 becomes 1024, and what lies between lies between in proportion.
    """
    images = torch.arange(40, 240, 25, dtype=torch.uint8).reshape(2, 1, 2, 2)
    found, x = attempt(answer, images.clone()), images.double()
    if not torch.is_tensor(found) or not found.is_floating_point():
        raise Slip("return a tensor of floats: 8 bits cannot hold -1024.")
    if found.shape != images.shape:
        raise Slip(
            f"the shape is {tuple(found.shape)}; one channel in, one channel out: (N, 1, H, W)."
        )
    low, high = x.amin((1, 2, 3), keepdim=True), x.amax((1, 2, 3), keepdim=True)
    slips = (
        (x / 255, "that is [0, 1]: nothing fails with it, and the features are others."),
        (2 * x / 255 - 1, "that is [-1, 1]: times 1024 is missing."),
        (x / 255 * FULL, "that begins at 0: black is -1024."),
        (x / 255 * 2 * FULL, "that is [0, 2048]: take 1024 off."),
        ((x - low) / (high - low) * 2 * FULL - FULL, "that stretches every image from its own "
         "lowest to its own highest value: 0 and 255 are the ends, whatever an image holds."),
        ((x - 128) * 8, "-1024 and 1016: the white end is 255, not 256."),
        (x / 256 * 2 * FULL - FULL, "-1024 and 1016: the white end is 255, not 256."),
        (FULL - x / 255 * 2 * FULL, "black and white have changed places."),
    )  # fmt: skip
    judge(found, x / 255 * 2 * FULL - FULL, slips, "0 is -1024, 255 is 1024, in proportion.", 0.5)
    return "black is -1024 and white 1024, in every image alike."


@checker
def film(answer: Callable[..., np.ndarray]) -> str:
    """Check ``answer(stored, slope, intercept, center, width, inverted)``: DICOM's steps in order.

    It gets stored values ``(H, W)``, the rescale slope and intercept, the window in rescaled units,
    and whether large values are dark (MONOCHROME1). It returns the image in 0..1, 1 is white, to
    within .005.
    """
    for slope, inverted in ((0.5, True), (2.0, False)):
        stored = np.arange(400, 2000, 25, dtype=np.uint16).reshape(8, 8)
        center, width, intercept = 1200 * slope + 100, 800 * slope, 100.0
        found = attempt(answer, stored.copy(), slope, intercept, center, width, inverted)
        x = stored.astype(float)

        def window(x: np.ndarray, c: float = center, w: float = width) -> np.ndarray:
            return np.clip((x - c) / w + 0.5, 0, 1)

        def turned(x: np.ndarray, turn: bool = inverted) -> np.ndarray:
            return 1 - x if turn else x

        y = slope * x + intercept
        turn = "MONOCHROME1: large values are dark, so turn the image, last of all."
        slips = (
            (turned(window(x)), "the window is for rescaled values: slope and intercept first."),
            (turned((y - y.min()) / np.ptp(y)), "that stretches from lowest to highest: two images "
             "could not be compared. The ends of the window are fixed."),
            (turned(window(slope * (x + intercept))), "slope * stored + intercept, in that order."),
            (turned(window(y, w=2 * width)), "the window reaches width / 2 to both sides."),
            (turned((y - center) / width + 0.5), "outside of the window is black or white: clip."),
            (turned(window(y), not inverted), turn if inverted else "MONOCHROME1 alone is turned."),
        )  # fmt: skip
        if np.shape(found) != stored.shape:
            raise Slip("return the image, (H, W).")
        if np.max(found) > 99:
            raise Slip("0..1 is asked for, not 0..255.")
        otherwise = "the order is: rescale, window, 0..1, and MONOCHROME1 is turned last."
        judge(found, turned(window(y)), slips, otherwise, 0.005)
    return "rescaled, windowed, between fixed ends, and turned last where it has to be."
