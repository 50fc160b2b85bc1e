"""Augmentation policies as data: how far each kind of change may go, and for which images.

A policy takes uint8 batches ``(N, C, H, W)``, gray or colour, and draws anew for every image, so
it can stand where `helpers.training.loop.fit` asks for ``augment``.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

from helpers.errors import CourseError, unknown_name

STRONGEST = 2.0
SMALLEST_CROP = 0.02  # share of the area; below that a crop of 96 pixels is a few pixels wide


class QuarterTurns(v2.Transform):
    """Turn a square image by 0, 90, 180 or 270 degrees, each as likely; no pixel is resampled.

    Parameters
    ----------
    p : probability that a turn is drawn at all.
    """

    def __init__(self, p: float = 1.0) -> None:
        super().__init__()
        self.p = p

    def make_params(self, flat_inputs: list) -> dict[str, int]:
        """Draw the number of quarter turns."""
        turns = int(torch.randint(4, ())) if torch.rand(()) < self.p else 0
        return {"turns": turns}

    def transform(self, inpt: object, params: dict[str, int]) -> object:
        """Turn one input, an image or whatever v2 carries along with it."""
        return self._call_kernel(F.rotate, inpt, angle=90.0 * params["turns"])


@dataclass(frozen=True)
class Policy:
    """What may happen to an image before a training step sees it.

    Attributes
    ----------
    name : the name that `by_name` takes.
    legitimate_for : a sentence: for which images the label survives it.
    horizontal_flip, vertical_flip : probability, 0..1.
    quarter_turns : probability of a turn by a random multiple of 90 degrees.
    rotation : largest rotation to either side, in degrees; corners that it uncovers are black.
    shift : largest shift, as a share of the side.
    zoom : 0.1 means a scale between 0.9 and 1.1.
    crop_scale : smallest share of the area that a random resized crop keeps; 1: no crop.
        torchvision's RandomResizedCrop has 0.08 by default.
    jitter : 0.2 means factors of brightness, contrast (and saturation) between 0.8 and 1.2.
    strength : 0..2; multiplies all of the above, 0 leaves every image as it is.
    """

    name: str
    legitimate_for: str = field(repr=False)
    horizontal_flip: float = 0.0
    vertical_flip: float = 0.0
    quarter_turns: float = 0.0
    rotation: float = 0.0
    shift: float = 0.0
    zoom: float = 0.0
    crop_scale: float = 1.0
    jitter: float = 0.0
    strength: float = 1.0

    def transform(self, size: int | tuple[int, int]) -> v2.Compose:
        """Return the v2 transform for single images that are `size` pixels in the end."""
        return _compose(self, (size, size) if isinstance(size, int) else tuple(size))

    def __call__(self, images: Tensor) -> Tensor:
        """Return a changed copy of a uint8 batch ``(N, C, H, W)``, one draw per image.

        The draws follow torch's global seed, which `fit` sets in every epoch.

        Raises
        ------
        CourseError
            When the images are not such a batch, e.g. are normalised already.
        """
        if images.ndim != 4 or images.shape[1] not in (1, 3):
            raise CourseError(
                "A policy takes a batch (N, C, H, W) with C = 1 or 3, this is "
                f"{tuple(images.shape)}. For one image write policy(image[None])[0]."
            )
        if images.dtype != torch.uint8:
            raise CourseError(
                f"A policy takes uint8 images (0..255), these are {images.dtype}. Augment first "
                "and normalise afterwards: brightness and black borders mean nothing in other "
                "units."
            )
        height, width = images.shape[-2:]
        if self.quarter_turns and height != width:
            raise CourseError(
                f"Quarter turns need square images, these are {(height, width)}. Resize them to a "
                "square, or use a policy without quarter turns."
            )
        steps = self.transform((height, width))
        # v2 draws once per tensor: given the whole batch it would flip all images or none.
        return torch.stack([steps(image) for image in images])


@functools.lru_cache(maxsize=64)
def _compose(policy: Policy, size: tuple[int, int]) -> v2.Compose:
    """Build the transform of `Policy.transform`; cached, because every batch asks for it."""
    s, part = policy.strength, min(policy.strength, 1.0)  # more than always is not possible
    steps: list[v2.Transform] = []
    if (smallest := 1 - s * (1 - policy.crop_scale)) < 1:
        scale = (max(smallest, SMALLEST_CROP), 1.0)
        steps.append(v2.RandomResizedCrop(size, scale=scale, antialias=True))
    if s * max(policy.rotation, policy.shift, policy.zoom) > 0:
        zoom = min(s * policy.zoom, 0.9)
        steps.append(v2.RandomAffine(
            min(s * policy.rotation, 180), (min(s * policy.shift, 1),) * 2, (1 - zoom, 1 + zoom),
            interpolation=v2.InterpolationMode.BILINEAR,
        ))  # fmt: skip
    if p := part * policy.horizontal_flip:
        steps.append(v2.RandomHorizontalFlip(p))
    if p := part * policy.vertical_flip:
        steps.append(v2.RandomVerticalFlip(p))
    if p := part * policy.quarter_turns:
        steps.append(QuarterTurns(p))
    if jitter := s * policy.jitter:
        steps.append(v2.ColorJitter(jitter, jitter, jitter))  # gray has no saturation to change
    return v2.Compose(steps or [v2.Identity()])


_RECIPES = (
    Policy("none", "any image; it is what every other policy is compared with"),
    Policy(
        "radiograph",
        "X-rays and other images with a fixed position: nothing is mirrored, and what is changed "
        "(position, distance, a tilt of at most 10 degrees, exposure) varies in the clinic too",
        rotation=10, shift=0.05, zoom=0.1, jitter=0.1,
    ),
    Policy(
        "dihedral",
        "images that mean the same in any position: solar cells, cells under a microscope, "
        "satellite images; no pixel is resampled. Not X-rays, not digits, not upright photographs",
        horizontal_flip=0.5, quarter_turns=1.0,
    ),
    Policy(
        "natural",
        "photographs in which the object is large: a crop of at least half the area still shows "
        "it, left and right may be exchanged, light and colour vary anyway",
        horizontal_flip=0.5, crop_scale=0.5, jitter=0.2,
    ),
    Policy(
        "too_strong",
        "nothing in this course; it is here to be caught. The crop may keep 8 % of the area, "
        "images stand on their head, tilt by 45 degrees and lose their contrast",
        horizontal_flip=0.5, vertical_flip=0.5, rotation=45, crop_scale=0.08, jitter=0.8,
    ),
)  # fmt: skip

_SINGLE_CHANGES = (
    Policy(
        "horizontal_flip",
        "images without left and right, or where left and right do not decide the label",
        horizontal_flip=0.5,
    ),
    Policy("vertical_flip", "images without above and below", vertical_flip=0.5),
    Policy("rotation_10", "most images; X-rays are tilted by so much as it is", rotation=10),
    Policy("rotation_30", "images without an upright position", rotation=30),
    Policy("strong_jitter", "photographs, where brightness decides nothing", jitter=0.8),
    Policy("default_crop", "photographs with one large object", crop_scale=0.08),
)

POLICIES = {policy.name: policy for policy in _RECIPES}
SINGLES = {policy.name: policy for policy in _SINGLE_CHANGES}


def by_name(name: str, strength: float = 1.0) -> Policy:
    """Return the policy called `name`: one of `POLICIES`, or a single change of `SINGLES`.

    Raises
    ------
    CourseError
        For a name that does not exist (with the close ones), or a strength outside 0..2.
    """
    known = POLICIES | SINGLES
    if name not in known:
        raise unknown_name("augmentation policy", name, known)
    if not isinstance(strength, (int, float)) or not 0 <= strength <= STRONGEST:  # NaN is not
        raise CourseError(
            f"strength = {strength!r} of the policy {name!r}: give a number from 0 (no change) to "
            f"{STRONGEST:g}; 1 is the policy as it is described."
        )
    return replace(known[name], strength=strength)


def pipeline(
    policy: Policy | str, channels: int, size: int, mean: Sequence[float], std: Sequence[float]
) -> v2.Compose:
    """Return PIL image -> normalised float tensor ``(channels, size, size)``.

    The order matters: channels and size first (by PIL, which gives the same pixels on every
    machine), the policy on uint8, then float in 0..1, and normalisation last. For validation and
    test use the policy ``"none"``.

    Parameters
    ----------
    policy : a policy or its name.
    channels : 1 turns colour images gray, 3 repeats gray images.
    size : height and width in pixels; the image is resized to it whole, nothing is cut off.
    mean, std : one number per channel, in units of 0..1. Gray images of a network trained on
        ImageNet: ``[.449], [.226]``; ``[.485], [.229]`` is its red channel.

    Raises
    ------
    CourseError
        For an unknown policy, or numbers that do not fit the channels.

    Notes
    -----
    `helpers.networks.backbones` normalises inside the network. Give it what `Policy` returns, not
    this: images normalised twice are wrong, and nothing says so.
    """
    policy = by_name(policy) if isinstance(policy, str) else policy
    if channels not in (1, 3):
        raise CourseError(f"channels must be 1 (gray) or 3 (colour), not {channels!r}.")
    if len(mean) != channels or len(std) != channels:
        raise CourseError(
            f"{channels} channel(s) need as many means and standard deviations; these are "
            f"{len(mean)} and {len(std)}."
        )
    if not all(0 <= m <= 1 for m in mean) or not all(0 < s <= 1 for s in std):
        raise CourseError(
            f"mean = {list(mean)} and std = {list(std)} are in units of 0..1 here, with std > 0. "
            "Divide numbers that run to 255 by 255."
        )
    return v2.Compose([
        v2.Grayscale() if channels == 1 else v2.RGB(),
        v2.Resize((size, size)),
        v2.ToImage(),
        policy.transform(size),
        v2.ToDtype(torch.float32, scale=True),
        v2.Normalize(list(mean), list(std)),
    ])  # fmt: skip
