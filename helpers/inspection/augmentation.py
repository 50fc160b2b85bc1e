"""Does a policy preserve the label? Ask a trained network which predictions it keeps."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.transforms import v2

from helpers.errors import CourseError
from helpers.training.predict import Inputs, predict

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
    before = _classes(model, images)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        kept = [_classes(model, changed(images, policy)) == before for _ in range(draws)]
    return share_of(np.mean(kept, axis=0))


def changed(images: np.ndarray, policy: Callable[[Tensor], Tensor]) -> np.ndarray:
    """Return uint8 images ``(N, H, W, C)`` as they come out of `policy`, drawn once each."""
    batch = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2)
    return np.ascontiguousarray(policy(batch).permute(0, 2, 3, 1).numpy())


def _classes(model: nn.Module, images: np.ndarray) -> np.ndarray:
    inputs = Inputs(images, np.zeros(len(images), dtype=np.int64))
    return predict(model, inputs).argmax(axis=1)


DEFAULT_SCALE, DEFAULT_RATIO = (0.08, 1.0), (3 / 4, 4 / 3)  # torchvision's


def paste_defect(
    images: np.ndarray, side: float = 0.2, darkness: float = 0.75, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Paste a dark round spot into each image, at a place that is then known.

    It is made up: a soft-edged disc, as a cell's inactive area looks from afar. No published set
    of this course says where its defects lie.

    Parameters
    ----------
    images : uint8 ``(N, H, W, C)``.
    side : diameter of the spot as a share of the image's side.
    darkness : share of the light that is gone in its middle.

    Returns
    -------
    images : changed copies. boxes : int ``(N, 4)``: top, left, height, width of each spot.
    """
    n, height, width = images.shape[:3]
    if not 0 < side <= 1:
        raise CourseError(f"side = {side}: a share of the image's side between 0 and 1 is wanted.")
    diameter = max(2, round(side * min(height, width)))
    rng = np.random.default_rng(seed)
    top = rng.integers(0, height - diameter + 1, n)
    left = rng.integers(0, width - diameter + 1, n)
    axis = (np.arange(diameter) + 0.5) / diameter * 2 - 1
    distance = np.hypot(axis[:, None], axis[None, :])
    light = 1 - darkness * np.clip((1 - distance) * 4, 0, 1)
    out = images.copy()
    for image, y, x in zip(out, top, left, strict=True):
        spot = image[y : y + diameter, x : x + diameter]
        spot[:] = np.rint(spot * light[:, :, None])
    sides = np.full(n, diameter)
    return out, np.stack([top, left, sides, sides], axis=1)


def random_crops(
    n: int,
    size: int,
    scale: tuple[float, float] = DEFAULT_SCALE,
    ratio: tuple[float, float] = DEFAULT_RATIO,
    seed: int = 0,
) -> np.ndarray:
    """Draw the crops that RandomResizedCrop would take of `n` square images.

    Parameters
    ----------
    size : height and width of the images in pixels.
    scale : smallest and largest share of the area. ratio : of width to height.

    Returns
    -------
    int ``(n, 4)``: top, left, height, width in pixels.

    Raises
    ------
    CourseError
        When `scale` is not a pair of shares in rising order.
    """
    if not 0 < scale[0] <= scale[1] <= 1:
        raise CourseError(
            f"scale = {scale}: two shares of the area are wanted, 0 < low <= high <= 1."
        )
    transform = v2.RandomResizedCrop(size, scale=scale, ratio=ratio)
    image = torch.empty(1, size, size)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        drawn = [transform.make_params([image]) for _ in range(n)]
    return np.array([[d["top"], d["left"], d["height"], d["width"]] for d in drawn])


def kept_share(boxes: np.ndarray, crops: np.ndarray) -> np.ndarray:
    """Return ``(N,)``: the share of each box's area that lies inside its crop.

    Parameters
    ----------
    boxes, crops : ``(N, 4)``: top, left, height, width in pixels.
    """
    ends = np.minimum(boxes[:, :2] + boxes[:, 2:], crops[:, :2] + crops[:, 2:])
    inside = np.clip(ends - np.maximum(boxes[:, :2], crops[:, :2]), 0, None)
    return inside.prod(axis=1) / boxes[:, 2:].prod(axis=1)


def defect_cut_away(
    boxes: np.ndarray,
    size: int,
    scale: tuple[float, float] = DEFAULT_SCALE,
    ratio: tuple[float, float] = DEFAULT_RATIO,
    lost: float = 0.5,
    seed: int = 0,
) -> Share:
    """Return the share of known defects of which RandomResizedCrop cuts away `lost` or more.

    Parameters
    ----------
    boxes : int ``(N, 4)``: top, left, height, width in pixels; one crop is drawn for each.
    size, scale, ratio, seed : as in `random_crops`.
    lost : share of the defect's area, in (0, 1]; 1 counts only those of which nothing is left.
    """
    kept = kept_share(np.asarray(boxes), random_crops(len(boxes), size, scale, ratio, seed))
    return share_of((1 - kept >= lost).astype(float))
