"""The image patches of a data set that excite a channel most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from helpers.datasets import Split
from helpers.errors import CourseError
from helpers.inspection.activations import batches, check_channel, geometry, part_names, walk
from helpers.networks.backbones import Backbone
from helpers.training import predict

SMALLEST = 16  # pixels; less than that shows nothing


@dataclass(frozen=True)
class Patches:
    """The patches, strongest first.

    Attributes
    ----------
    images : uint8 ``(n, side, side, C)``. scores : ``(n,)``, the channel's activation in the middle
        of each. sources : ``(n,)``, the image each comes from.
    """

    images: np.ndarray
    scores: np.ndarray
    sources: np.ndarray


@dataclass(frozen=True)
class Places:
    """Where each channel of a part is strongest, in every image of a split.

    Attributes
    ----------
    scores : ``(N, channels)``, the largest activation. positions : ``(N, channels, 2)``, row and
        column in the map. stride, side : of the map and of a patch, in pixels.
    """

    part: str
    scores: np.ndarray
    positions: np.ndarray
    stride: int
    side: int

    def patches(self, channel: int, split: Split, n: int = 6) -> Patches:
        """Return the `n` patches that excite a channel most, at most one per image of `split`.

        Raises
        ------
        CourseError
            For a channel that does not exist, or fewer than one patch.
        """
        if n < 1:
            raise CourseError(f"n is {n}; ask for at least one patch.")
        check_channel(channel, self.scores.shape[1], self.part)
        scores = self.scores[:, channel]
        best = np.argsort(-scores, kind="stable")[:n]
        cut = []
        for image, place in zip(split.images[best], self.positions[best, channel], strict=True):
            corner = place * self.stride + self.stride // 2 - self.side // 2
            # Moved inwards where the square would stick out.
            top, left = np.clip(corner, 0, image.shape[0] - self.side)
            cut.append(image[top : top + self.side, left : left + self.side])
        return Patches(np.stack(cut), scores[best], best)


def strongest_places(model: Backbone, part: str, split: Split) -> Places:
    """Find the strongest place of every channel of a part in every image, in one pass.

    A patch is as wide as the channel can see there, but no wider than half the image: the middle
    of a receptive field counts far more than its rim (Luo et al. 2016).

    Raises
    ------
    CourseError
        For a part that does not exist.
    """
    part_names(model, [part])
    size = split.images.shape[1]
    row = geometry(model, size).loc[part]
    side = int(min(max(row["receptive_field"], SMALLEST), size // 2))
    scores, positions = [], []
    with predict.at_rest(model) as quick, torch.inference_mode():
        for x in batches(split):
            _, maps = next(walk(quick, x, [part]))
            values, places = maps.flatten(2).max(dim=2)
            width = maps.shape[3]
            scores.append(values.numpy())
            positions.append(torch.stack([places // width, places % width], dim=2).numpy())
    return Places(part, np.concatenate(scores), np.concatenate(positions), int(row["stride"]), side)


def strongest_patches(
    model: Backbone, part: str, channel: int, split: Split, n: int = 6
) -> Patches:
    """Return the `n` patches of a split that excite a channel most, at most one per image.

    Raises
    ------
    CourseError
        For a part or channel that does not exist, or fewer than one patch.
    """
    return strongest_places(model, part, split).patches(channel, split, n)
