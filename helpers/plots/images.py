"""Images, activations and what a network says about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from helpers.plots.style import COLORS, draws


def show_image(axes: Axes, image: np.ndarray) -> None:
    """Draw one uint8 image ``(H, W, 1 or 3)`` or ``(H, W)`` without axes; gray stays 0..255."""
    axes.imshow(image.squeeze(), cmap="gray", vmin=0, vmax=255)
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set_visible(False)


@draws
def class_examples(
    images: np.ndarray, labels: np.ndarray, classes: Sequence[str], n: int = 7, seed: int = 0
) -> Figure:
    """Draw `n` images of each class, a row per class.

    Parameters
    ----------
    images : uint8 ``(N, H, W, C)``. labels : ``(N,)``.
    """
    rng = np.random.default_rng(seed)
    figure, grid = plt.subplots(
        len(classes), n, figsize=(1.6 * n, 1.75 * len(classes)), squeeze=False
    )
    for k, row in enumerate(grid):
        members = np.flatnonzero(labels == k)
        chosen = rng.permutation(members)[:n]
        for axes, position in zip(row, chosen, strict=False):
            show_image(axes, images[position])
        for axes in row[len(chosen) :]:
            axes.axis("off")
        row[0].set_title(f"{classes[k]} ({len(members)} images)", loc="left", fontsize=12)
    return figure


@draws
def top_classes(image: np.ndarray, names: Sequence[str], probabilities: Sequence[float]) -> Figure:
    """Draw a photograph beside the classes a network finds most likely."""
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(9, 3.4), gridspec_kw={"width_ratios": [1, 1.5]}
    )
    show_image(left, image)
    order = range(len(names))
    right.barh(order, probabilities, color=COLORS["feature_extraction"])
    right.set_yticks(order, names)
    right.invert_yaxis()
    right.set(xlim=(0, 1), xlabel="probability")
    for y, p in enumerate(probabilities):
        right.text(p + 0.01, y, f"{p:.0%}", va="center")
    return figure


@draws
def feature_maps(
    rows: Mapping[str, tuple[np.ndarray, Mapping[str, np.ndarray]]], n_maps: int = 1
) -> Figure:
    """Draw images and, for each, the strongest activation maps of some parts of a network.

    Parameters
    ----------
    rows : title -> (image ``(H, W, C)``, part name -> activation ``(channels, h, w)``).
    n_maps : maps per part, those with the largest spread over the image.
    """
    parts = list(next(iter(rows.values()))[1])
    width = 1 + len(parts) * n_maps
    figure, grid = plt.subplots(
        len(rows), width, figsize=(1.85 * width, 2.2 * len(rows)), squeeze=False
    )
    for line, (title, (image, activations)) in zip(grid, rows.items(), strict=True):
        show_image(line[0], image)
        line[0].set_title(title, fontsize=11)
        for k, part in enumerate(parts):
            maps = activations[part]
            for m, channel in enumerate(np.argsort(-maps.std(axis=(1, 2)))[:n_maps]):
                axes = line[1 + k * n_maps + m]
                axes.imshow(maps[channel], cmap="magma", interpolation="nearest")
                axes.set(xticks=[], yticks=[])
                size = f"{maps.shape[1]} x {maps.shape[2]}"
                axes.set_title(f"{part}\n{size}, ch. {channel}", fontsize=10)
    return figure
