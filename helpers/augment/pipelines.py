"""The whole way from an image file to a network's input, for a DataLoader of your own."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torchvision.transforms import v2

from helpers.augment.policies import Policy, by_name
from helpers.errors import CourseError


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
    `helpers.backbones` normalises inside the network. Give it what `Policy` returns, not this:
    images normalised twice are wrong, and nothing says so.
    """
    policy = by_name(policy) if isinstance(policy, str) else policy
    _check_numbers(channels, mean, std)
    return v2.Compose([
        v2.Grayscale() if channels == 1 else v2.RGB(),
        v2.Resize((size, size)),
        v2.ToImage(),
        policy.transform(size),
        v2.ToDtype(torch.float32, scale=True),
        v2.Normalize(list(mean), list(std)),
    ])  # fmt: skip


def _check_numbers(channels: int, mean: Sequence[float], std: Sequence[float]) -> None:
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
