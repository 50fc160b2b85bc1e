"""Checkers of notebook 04: a policy for X-rays, a pipeline for testing, what a crop keeps."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np
import torch
from PIL import Image
from skimage.measure import label
from torch import Tensor
from torchvision.transforms.v2 import functional as F

from helpers.practice.checker import Slip, attempt, checker, close, judge, number

SIDE, DRAWS = 64, 64
LARGEST_TURN = 15  # degrees, the lesson's
BACKGROUND, BRIGHT = 60, 200


@checker
def xray_policy(answer: Callable[[Tensor], Tensor]) -> str:
    """Check ``answer(batch)``: an augmentation that a chest X-ray survives.

    It gets uint8 ``(N, C, H, W)`` and returns the same shape and type: each image changed on its
    own, nothing mirrored, turned by at most 15 degrees, nothing a quarter of the way in from the
    border lost, brightness and contrast each within 30 %.
    """
    for probe in (_copies(_letter(), 4), _copies(_letter(), 4).expand(-1, 3, -1, -1).clone()):
        before = probe.clone()
        found = attempt(answer, probe)
        if not torch.is_tensor(found) or found.shape != probe.shape:
            size = tuple(found.shape) if torch.is_tensor(found) else type(found).__name__
            raise Slip(f"a batch {tuple(before.shape)} came back as {size}.")
        if found.dtype != torch.uint8:
            raise Slip(f"uint8 went in, {found.dtype} came out: normalise in the model.")
        if not torch.equal(probe, before):
            raise Slip("the batch that went in was changed: return a new one.")
    # Spots before poses: what is left of an F after a crop may look turned.
    for check in (_check_draws, _check_spots, _check_poses, _check_exposure):
        attempt(check, answer)  # the answer may fail on some batches only
    return "each image on its own, nothing mirrored, nothing lost, exposure nearly kept."


def _copies(image: np.ndarray, n: int) -> Tensor:
    return torch.from_numpy(image).repeat(n, 1, 1, 1)


def _letter() -> np.ndarray:
    """Return a bright F, which no turn or mirroring maps to itself, uint8 ``(1, 64, 64)``."""
    image = np.full((1, SIDE, SIDE), BACKGROUND, dtype=np.uint8)
    image[:, 16:48, 20:26] = image[:, 16:22, 20:44] = image[:, 29:35, 20:36] = BRIGHT
    return image


def _check_draws(answer: Callable) -> None:
    """Each image has to get a draw of its own, from torch's random numbers."""
    probe = _copies(_letter(), 16)
    torch.manual_seed(0)
    first = answer(probe)
    if all(torch.equal(answer(probe), probe) for _ in range(5)):
        raise Slip("nothing changes: all images came back as they were.")
    if all(torch.equal(image, first[0]) for image in first):
        raise Slip(
            "sixteen copies of one image came back all alike: v2 draws once per tensor. Apply the "
            "transform image by image and stack the results."
        )
    torch.manual_seed(0)
    if not torch.equal(answer(probe), first):
        raise Slip("the same torch seed gives other images: draw with torch only.")
    # Moved as one: within a batch the F is in one place everywhere, in other batches elsewhere.
    batches = [first, *(answer(probe) for _ in range(4))]
    masks = [[_bright(image[0].numpy()) for image in batch] for batch in batches]
    alike = all(_overlap(mask, batch[0]) > 0.95 for batch in masks for mask in batch)
    if alike and any(_overlap(batch[0], masks[0][0]) < 0.95 for batch in masks):
        raise Slip(
            "sixteen copies of one image were all moved alike, only their exposure differs: draw "
            "the shift, turn or zoom for each image, too."
        )


def _overlap(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / max(1, (a | b).sum()))


def _check_poses(answer: Callable) -> None:
    """No image may be mirrored, or turned by more than `LARGEST_TURN`."""
    torch.manual_seed(1)
    for image in answer(_copies(_letter(), DRAWS)):
        found = _centred(image[0].numpy())
        mirrored, angle, _ = max(_poses(), key=lambda pose: float((pose[2] * found).sum()))
        if mirrored:
            raise Slip("an image came back mirrored: the heart would be on the wrong side.")
        if abs(angle) > LARGEST_TURN:
            raise Slip(f"an image came back turned by about {abs(angle)} degrees.")


@functools.cache
def _poses() -> list[tuple[bool, int, np.ndarray]]:
    """Return (mirrored, angle, picture) of the F in every pose, the upright one first."""
    shapes = ((False, _letter()), (True, _letter()[..., ::-1].copy()))
    angles = sorted(range(-180, 180, 5), key=abs)
    return [
        (mirrored, angle, _centred(F.rotate(torch.from_numpy(shape), float(angle))[0].numpy()))
        for mirrored, shape in shapes
        for angle in angles
    ]


def _bright(image: np.ndarray) -> np.ndarray:
    """Return where an image is bright; nowhere if hardly anything stands out."""
    background, brightest = float(np.median(image)), float(image.max())
    return (image > (brightest + background) / 2) & (brightest - background >= 20)


def _centred(image: np.ndarray) -> np.ndarray:
    """Return the bright part of an image as 0/1, shifted to the middle and scaled to length 1."""
    mask = _bright(image).astype(float)
    if not mask.any():
        return mask
    rows, columns = (np.rint(where.mean() - SIDE / 2).astype(int) for where in np.nonzero(mask))
    mask = np.roll(mask, (-rows, -columns), axis=(0, 1))
    return mask / np.linalg.norm(mask)


def _check_spots(answer: Callable) -> None:
    """Four spots a quarter of the way in have to stay apart and inside."""
    image = np.full((1, SIDE, SIDE), BACKGROUND, dtype=np.uint8)
    for row in (SIDE // 4, 3 * SIDE // 4):
        for column in (SIDE // 4, 3 * SIDE // 4):
            image[:, row - 3 : row + 3, column - 3 : column + 3] = BRIGHT
    torch.manual_seed(2)
    for changed in answer(_copies(image, DRAWS)):
        pixels = changed[0].numpy().astype(int)
        if label(pixels > (pixels.max() + np.median(pixels)) / 2).max() != 4:
            raise Slip(
                "spots a quarter of the way in from the border are cut away or smeared: there "
                "pneumonia sits. Crop less, shift less, or do without."
            )


def _check_exposure(answer: Callable) -> None:
    """Brightness and contrast have to stay within 30 % each, with a little room for borders."""
    light_level = 160
    image = np.full((1, SIDE, SIDE), BACKGROUND, dtype=np.uint8)
    image[:, :, SIDE // 2 :] = light_level
    torch.manual_seed(3)
    inner = answer(_copies(image, DRAWS))[:, 0, SIDE // 4 : -SIDE // 4, SIDE // 4 : -SIDE // 4]
    # Both halves stay in the middle under any small change of position, so levels suffice.
    dark, light = torch.quantile(inner.float().flatten(1), torch.tensor([0.1, 0.9]), dim=1)
    brightness = (dark + light) / (BACKGROUND + light_level)
    # Of what the brightness left: both may change by 30 %, one on top of the other.
    contrast = (light - dark) / (light_level - BACKGROUND) / brightness
    for name, factor in (("brightness", brightness), ("contrast", contrast)):
        worst = float(factor[(factor - 1).abs().argmax()])
        if not 0.65 <= worst <= 1.35:
            raise Slip(
                f"the {name} changes by a factor of {worst:.1f}: on an X-ray that is a finding, "
                "not an exposure."
            )


@checker
def gray_pipeline(answer: Callable[[Image.Image], Tensor]) -> str:
    """Check ``answer(image)``: PIL image, gray or colour -> what a test set needs, 96 pixels.

    Wanted: float ``(1, 96, 96)``, normalised with .449 and .226, nothing random, nothing cut off.
    """
    level = 100
    pixels = np.full((120, 160), level, dtype=np.uint8)
    pixels[:, :8] = 250  # at the left border, where a centre crop would cut
    gray, colour = Image.fromarray(pixels), Image.fromarray(np.stack([pixels] * 3, axis=-1))
    first = attempt(answer, gray.copy())
    if not torch.is_tensor(first) or not first.is_floating_point():
        raise Slip("return a float tensor: ToImage, then ToDtype(float32, scale=True).")
    for found, name in ((first, "a gray"), (attempt(answer, colour.copy()), "a colour")):
        if found.shape != (1, 96, 96):
            raise Slip(f"{name} image gives {tuple(found.shape)}, not (1, 96, 96).")
    if not all(torch.equal(attempt(answer, gray.copy()), first) for _ in range(16)):
        raise Slip("the same image gives different results: a test set is not drawn.")
    x, middle = level / 255, float(first[0, 48, 60])
    slips = (
        (level, "the values still run to 255: scale=True divides."),
        (x, "scaled to 0..1, but not normalised."),
        ((level - 0.449) / 0.226, "normalised before scaling: the values run to 255 there."),
        ((x - 0.485) / 0.229, ".485 and .229 are the red channel; gray is .449 and .226."),
        ((x - 0.5) / 0.5, "that is Lite0's normalisation; .449 and .226 were asked for."),
    )
    otherwise = "the values are not (x / 255 - .449) / .226."
    judge(middle, (x - 0.449) / 0.226, slips, otherwise, atol=0.01)
    if first[0, 48, 0] < middle + 1:
        raise Slip("the bright left border is gone: resize the whole image instead.")
    return "same image, same tensor, whole and normalised last."


@checker
def kept_share(answer: Callable[[Sequence[int], Sequence[int]], float]) -> str:
    """Check ``answer(box, crop)``: the share of the box's area that lies inside the crop.

    Both are (top, left, height, width) in pixels.
    """
    cases = (
        ((10, 10, 10, 10), (0, 0, 40, 40), 1.0, "a box inside the crop is kept whole"),
        ((0, 0, 10, 10), (5, 5, 40, 40), 0.25, "a box with one corner in the crop"),
        ((0, 0, 10, 10), (20, 20, 20, 20), 0.0, "a box outside, below and right of it"),
        ((0, 30, 10, 10), (0, 0, 20, 20), 0.0, "a box outside to the right only"),
        ((0, 0, 40, 20), (10, 5, 20, 10), 0.25, "a crop inside a larger box"),
    )
    for box, crop, right, what in cases:
        share = "return one number, the share between 0 and 1."
        found = number(attempt(answer, box, crop), share)
        if not close(found, right):
            ends = [min(box[k] + box[k + 2], crop[k + 2]) for k in (0, 1)]  # crop as corners
            lengths = [max(0, ends[k] - max(box[k], crop[k])) for k in (0, 1)]
            hint = "Lengths below 0 count as 0." if right == 0 else "Divide by the box's area."
            if not found or close(found, lengths[0] * lengths[1] / (box[2] * box[3])):
                hint = "Both are (top, left, height, width), not two corners."
            raise Slip(f"{what} keeps {right:g}, yours says {found:g}. {hint}")
    return "overlap in each direction, never below 0, over the area of the box."
