"""The image patches of a data set that excite a channel most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from helpers.datasets import Split
from helpers.errors import CourseError
from helpers.inspection.activations import check_channel, geometry, part_names, walk
from helpers.networks.backbones import Backbone
from helpers.training import predict

SMALLEST = 16  # pixels; less than that shows nothing


@dataclass(frozen=True)
class Patches:
    """The patches, strongest first.

    Attributes
    ----------
    images : uint8 ``(n, side, side, C)``. scores : ``(n,)``, the channel's activation in the middle
        of each. sources : ``(n,)``, the image each comes from. side : in pixels.
    """

    images: np.ndarray
    scores: np.ndarray
    sources: np.ndarray
    side: int


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
        scores, positions = self.scores[:, channel], self.positions[:, channel]
        best = np.argsort(-scores, kind="stable")[:n]
        cut = [_cut(split.images[k], positions[k], self.stride, self.side) for k in best]
        return Patches(np.stack(cut), scores[best], best, self.side)


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
        for index in np.array_split(np.arange(len(split)), -(-len(split) // predict.EVAL_BATCH)):
            maps = next(walk(quick, predict.batch(split, index), [part]))[1]
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


def _cut(image: np.ndarray, place: np.ndarray, stride: int, side: int) -> np.ndarray:
    """Cut a square around a position of the map, moved inwards where it would stick out."""
    top, left = (int(p) * stride + stride // 2 - side // 2 for p in place)
    top, left = (min(max(start, 0), image.shape[0] - side) for start in (top, left))
    return image[top : top + side, left : left + side]
