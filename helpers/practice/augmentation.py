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

from helpers.practice.verdict import Verdict, attempt

SIDE, DRAWS = 64, 64


LARGEST_TURN = 15  # degrees, the lesson's


BACKGROUND, BRIGHT = 60, 200


def xray_policy(answer: Callable[[Tensor], Tensor]) -> Verdict:
    """Check ``answer(batch)``: an augmentation that a chest X-ray survives.

    It gets uint8 ``(N, C, H, W)`` and returns the same shape and type: each image changed on its
    own, nothing mirrored, turned by at most 15 degrees, nothing a quarter of the way in from the
    border lost, brightness and contrast within 30 %.
    """
    for probe in (_batch(_shape(), 4), _batch(_shape(), 4).expand(-1, 3, -1, -1).clone()):
        failed = _right_kind(answer, probe)
        if failed:
            return failed
    for judge in (_draws_differ, _nothing_mirrored, _nothing_lost, _exposure_kept):
        found, failed = attempt(judge, answer)  # it may fail on some batches only
        if failed or found:
            return failed or found
    return Verdict(
        True, "each image on its own, nothing mirrored, nothing lost, exposure nearly kept."
    )


def _batch(image: np.ndarray, n: int) -> Tensor:
    return torch.from_numpy(image).repeat(n, 1, 1, 1)


def _shape() -> np.ndarray:
    """Return a bright F, which no turn or mirroring maps to itself, uint8 ``(1, 64, 64)``."""
    image = np.full((1, SIDE, SIDE), BACKGROUND, dtype=np.uint8)
    image[:, 16:48, 20:26] = image[:, 16:22, 20:44] = image[:, 29:35, 20:36] = BRIGHT
    return image


def _right_kind(answer: Callable, probe: Tensor) -> Verdict | None:
    before = probe.clone()
    found, failed = attempt(answer, probe)
    if failed:
        return failed
    if not torch.is_tensor(found) or found.shape != probe.shape:
        size = tuple(found.shape) if torch.is_tensor(found) else type(found).__name__
        return Verdict(False, f"a batch {tuple(before.shape)} came back as {size}.")
    if found.dtype != torch.uint8:
        return Verdict(False, f"uint8 went in, {found.dtype} came out: normalise in the model.")
    if not torch.equal(probe, before):
        return Verdict(False, "the batch that went in was changed: return a new one.")
    return None


def _draws_differ(answer: Callable) -> Verdict | None:
    probe = _batch(_shape(), 16)
    torch.manual_seed(0)
    first = answer(probe)
    if all(torch.equal(answer(probe), probe) for _ in range(5)):
        return Verdict(False, "nothing changes: all images came back as they were.")
    if all(torch.equal(image, first[0]) for image in first):
        return Verdict(
            False,
            "sixteen copies of one image came back all alike: v2 draws once per tensor. Apply the "
            "transform image by image and stack the results.",
        )
    torch.manual_seed(0)
    if not torch.equal(answer(probe), first):
        return Verdict(False, "the same torch seed gives other images: draw with torch only.")
    if _moved_together([first, *(answer(probe) for _ in range(4))]):
        return Verdict(
            False,
            "sixteen copies of one image were all moved alike, only their exposure differs: draw "
            "the shift, turn or zoom for each image, too.",
        )
    return None


def _moved_together(batches: Sequence[Tensor]) -> bool:
    """Whether all images of each batch show the F in one place, another one in each batch."""
    masks = [[_bright(image[0].numpy()) for image in batch] for batch in batches]
    alike = all(_overlap(mask, batch[0]) > 0.95 for batch in masks for mask in batch)
    return alike and any(_overlap(batch[0], masks[0][0]) < 0.95 for batch in masks)


def _overlap(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / max(1, (a | b).sum()))


def _nothing_mirrored(answer: Callable) -> Verdict | None:
    torch.manual_seed(1)
    for image in answer(_batch(_shape(), DRAWS)):
        mirrored, angle = _pose(image[0].numpy())
        if mirrored:
            return Verdict(
                False, "an image came back mirrored: the heart would be on the wrong side."
            )
        if abs(angle) > LARGEST_TURN:
            return Verdict(False, f"an image came back turned by about {abs(angle)} degrees.")
    return None


def _pose(image: np.ndarray) -> tuple[bool, int]:
    """Return whether the F in `image` is mirrored, and by how many degrees it is turned."""
    found = _centred(image)
    scores = [float((template * found).sum()) for _, _, template in _templates()]
    mirrored, angle, _ = _templates()[int(np.argmax(scores))]
    return mirrored, angle


@functools.cache
def _templates() -> list[tuple[bool, int, np.ndarray]]:
    """Return (mirrored, angle, picture) of the F in every pose, the upright one first."""
    shapes = ((False, _shape()), (True, _shape()[..., ::-1].copy()))
    angles = sorted(range(-180, 180, 5), key=abs)
    return [
        (mirrored, angle, _centred(F.rotate(torch.from_numpy(shape), float(angle))[0].numpy()))
        for mirrored, shape in shapes
        for angle in angles
    ]


def _bright(image: np.ndarray) -> np.ndarray:
    background, brightest = float(np.median(image)), float(image.max())
    return (image > (brightest + background) / 2) & (brightest - background >= 20)


def _centred(image: np.ndarray) -> np.ndarray:
    """Return the bright part of an image as 0/1, its middle in the middle, of length 1.

    Where hardly anything stands out nothing is returned as bright: exposure is judged elsewhere.
    """
    mask = _bright(image).astype(float)
    if not mask.any():
        return mask
    rows, columns = (np.rint(where.mean() - SIDE / 2).astype(int) for where in np.nonzero(mask))
    mask = np.roll(mask, (-rows, -columns), axis=(0, 1))
    return mask / np.linalg.norm(mask)


def _nothing_lost(answer: Callable) -> Verdict | None:
    image = np.full((1, SIDE, SIDE), BACKGROUND, dtype=np.uint8)
    for row in (SIDE // 4, 3 * SIDE // 4):
        for column in (SIDE // 4, 3 * SIDE // 4):
            image[:, row - 3 : row + 3, column - 3 : column + 3] = BRIGHT
    torch.manual_seed(2)
    for changed in answer(_batch(image, DRAWS)):
        pixels = changed[0].numpy().astype(int)
        spots = label(pixels > (pixels.max() + np.median(pixels)) / 2).max()
        if spots != 4:
            return Verdict(
                False,
                "spots a quarter of the way in from the border are cut away or smeared: there "
                "pneumonia sits. Crop less, shift less, or do without.",
            )
    return None


def _exposure_kept(answer: Callable) -> Verdict | None:
    image = np.full((1, SIDE, SIDE), BACKGROUND, dtype=np.uint8)
    image[:, :, SIDE // 2 :] = 160
    torch.manual_seed(3)
    inner = answer(_batch(image, DRAWS))[:, 0, SIDE // 4 : -SIDE // 4, SIDE // 4 : -SIDE // 4]
    # Both halves stay in the middle under any small change of position, so levels suffice.
    dark, light = torch.quantile(inner.float().flatten(1), torch.tensor([0.1, 0.9]), dim=1)
    brightness, contrast = (dark + light) / (BACKGROUND + 160), (light - dark) / (160 - BACKGROUND)
    for name, factor in (("brightness", brightness), ("contrast", contrast)):
        worst = float(factor[(factor - 1).abs().argmax()])
        if not 0.7 <= worst <= 1.3:
            return Verdict(
                False,
                f"the {name} changes by a factor of {worst:.1f}: on an X-ray that is a finding, "
                "not an exposure.",
            )
    return None


def gray_pipeline(answer: Callable[[Image.Image], Tensor]) -> Verdict:
    """Check ``answer(image)``: PIL image, gray or colour -> what a test set needs, 96 pixels.

    Wanted: float ``(1, 96, 96)``, normalised with .449 and .226, nothing random, nothing cut off.
    """
    pixels = np.full((120, 160), 100, dtype=np.uint8)
    pixels[:, :8] = 250  # at the left border, where a centre crop would cut
    gray, colour = Image.fromarray(pixels), Image.fromarray(np.stack([pixels] * 3, axis=-1))
    first, failed = attempt(answer, gray.copy())
    if failed:
        return failed
    if not torch.is_tensor(first) or not first.is_floating_point():
        return Verdict(False, "return a float tensor: ToImage, then ToDtype(float32, scale=True).")
    in_colour, failed = attempt(answer, colour.copy())
    if failed:
        return failed
    for found, name in ((first, "a gray"), (in_colour, "a colour")):
        if found.shape != (1, 96, 96):
            return Verdict(False, f"{name} image gives {tuple(found.shape)}, not (1, 96, 96).")
    again = [answer(gray.copy()) for _ in range(16)]
    if not all(torch.equal(found, first) for found in again):
        return Verdict(False, "the same image gives different results: a test set is not drawn.")
    return _judge_values(first, int(pixels[0, -1]))


def _judge_values(found: Tensor, level: int) -> Verdict:
    x, middle = level / 255, float(found[0, 48, 60])
    for wrong, says in (
        (level, "the values still run to 255: scale=True divides."),
        (x, "scaled to 0..1, but not normalised."),
        ((level - 0.449) / 0.226, "normalised before scaling: the values run to 255 there."),
        ((x - 0.485) / 0.229, ".485 and .229 are the red channel; gray is .449 and .226."),
        ((x - 0.5) / 0.5, "that is Lite0's normalisation; .449 and .226 were asked for."),
    ):
        if abs(middle - wrong) < 0.01:
            return Verdict(False, says)
    if abs(middle - (x - 0.449) / 0.226) > 0.01:
        return Verdict(False, "the values are not (x / 255 - .449) / .226.")
    if found[0, 48, 0] < found[0, 48, 60] + 1:
        return Verdict(False, "the bright left border is gone: resize the whole image instead.")
    return Verdict(True, "same image, same tensor, whole and normalised last.")


def kept_share(answer: Callable[[Sequence[int], Sequence[int]], float]) -> Verdict:
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
        found, failed = attempt(answer, box, crop)
        if failed:
            return failed
        if isinstance(found, bool) or not isinstance(found, (int, float, np.number)):
            return Verdict(False, "return one number, the share between 0 and 1.")
        if abs(found - right) > 1e-6:
            hint = " Lengths below 0 count as 0." if right == 0 else " Divide by the box's area."
            return Verdict(False, f"{what} keeps {right:g}, yours says {found:g}.{hint}")
    return Verdict(True, "overlap in each direction, never below 0, over the area of the box.")
