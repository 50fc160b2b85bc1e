"""The image patches of a data set that excite a channel most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from helpers import inference
from helpers.backbones import Backbone
from helpers.datasets import Split
from helpers.errors import CourseError
from helpers.inspection.activations import geometry, part_names, walk

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


def strongest_patches(
    model: Backbone, part: str, channel: int, split: Split, n: int = 6
) -> Patches:
    """Return the `n` patches that excite a channel most, at most one per image.

    A patch is cut around the place of the strongest activation, as wide as the channel can see
    there, but no wider than half the image: the middle of a receptive field counts far more than
    its rim (Luo et al. 2016).

    Raises
    ------
    CourseError
        For a part or channel that does not exist, or fewer than one patch.
    """
    part_names(model, [part])
    if n < 1:
        raise CourseError(f"n is {n}; ask for at least one patch.")
    size = split.images.shape[1]
    row = geometry(model, size).loc[part]
    if not 0 <= channel < row["channels"]:
        raise CourseError(
            f"{part} of {model.name} has the channels 0 to {row['channels'] - 1}; there is no "
            f"channel {channel}."
        )
    scores, places = _strongest_places(model, part, channel, split)
    best = np.argsort(-scores, kind="stable")[:n]
    side = int(min(max(row["receptive_field"], SMALLEST), size // 2))
    cut = [_cut(split.images[k], places[k], int(row["stride"]), side) for k in best]
    return Patches(np.stack(cut), scores[best], best, side)


def _strongest_places(
    model: Backbone, part: str, channel: int, split: Split
) -> tuple[np.ndarray, np.ndarray]:
    """Return each image's largest activation ``(N,)`` and its row and column ``(N, 2)``."""
    scores, places = [], []
    with inference.at_rest(model) as quick, torch.inference_mode():
        for index in np.array_split(np.arange(len(split)), -(-len(split) // inference.EVAL_BATCH)):
            maps = next(walk(quick, inference.batch(split, index), [part]))[1][:, channel]
            values, positions = maps.flatten(1).max(dim=1)
            width = maps.shape[2]
            scores.append(values.numpy())
            places.append(torch.stack([positions // width, positions % width], dim=1).numpy())
    return np.concatenate(scores), np.concatenate(places)


def _cut(image: np.ndarray, place: np.ndarray, stride: int, side: int) -> np.ndarray:
    """Cut a square around a position of the map, moved inwards where it would stick out."""
    top, left = (int(p) * stride + stride // 2 - side // 2 for p in place)
    top, left = (min(max(start, 0), image.shape[0] - side) for start in (top, left))
    return image[top : top + side, left : left + side]
