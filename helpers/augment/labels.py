"""Does a policy preserve the label? Ask a trained network which predictions it keeps."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from helpers import engine, inference
from helpers.errors import CourseError
from helpers.inference import Inputs

Z = 1.959964  # 95 %


@dataclass(frozen=True)
class Share:
    """A share of `n` cases with its 95 % interval (Wilson's, which also holds at 0 and 1).

    Attributes
    ----------
    value, lo, hi : in 0..1.
    n : independent cases.
    each : ``(n,)`` the share of every case, e.g. of the draws of one image.
    """

    value: float
    lo: float
    hi: float
    n: int
    each: np.ndarray

    def __str__(self) -> str:
        return f"{self.value:.1%} [{self.lo:.1%}, {self.hi:.1%}], n = {self.n}"


def share_of(each: np.ndarray) -> Share:
    """Return the mean of `each` ``(n,)``, values 0..1, with Wilson's interval for n cases.

    For values between 0 and 1 the interval is wider than it need be, never narrower.
    """
    n, p = len(each), float(np.mean(each))
    middle = (p + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * math.sqrt(p * (1 - p) / n + Z**2 / (4 * n**2))
    return Share(p, max(middle - half, 0.0), min(middle + half, 1.0), n, np.asarray(each))


def agreement(
    model: nn.Module,
    images: np.ndarray,
    policy: Callable[[Tensor], Tensor],
    draws: int = 4,
    seed: int = 0,
) -> Share:
    """Return the share of images whose predicted class a trained network keeps under `policy`.

    Many kept: the label survives. Few kept proves nothing yet: either the label is gone, or the
    network has never seen such an image. Then look at the images.

    Parameters
    ----------
    images : uint8 ``(N, H, W, C)``, best ones that the network was not trained on.
    policy : maps a uint8 batch ``(N, C, H, W)`` to one of the same shape.
    draws : how often each image is changed; the interval counts each image once all the same.

    Raises
    ------
    CourseError
        When there is no image or no draw.
    """
    if draws < 1 or len(images) < 1:
        raise CourseError(f"{len(images)} images and {draws} draws: at least one of each, please.")
    kept = np.zeros(len(images))
    before = classes_of(model, images)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for _ in range(draws):
            kept += classes_of(model, changed(images, policy)) == before
    return share_of(kept / draws)


def changed(images: np.ndarray, policy: Callable[[Tensor], Tensor]) -> np.ndarray:
    """Return uint8 images ``(N, H, W, C)`` as they come out of `policy`, drawn once each."""
    batch = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2)
    return np.ascontiguousarray(policy(batch).permute(0, 2, 3, 1).numpy())


def classes_of(model: nn.Module, images: np.ndarray) -> np.ndarray:
    """Return the most likely class ``(N,)`` of uint8 images ``(N, H, W, C)``."""
    inputs = Inputs(images, np.zeros(len(images), dtype=np.int64))
    return inference.predict(model, inputs, engine.start()).argmax(axis=1)
