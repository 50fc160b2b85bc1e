"""What channels look for: pictures per depth, and one channel beside the patches it answers to."""

from __future__ import annotations

import io
from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Image
from matplotlib.figure import Figure

from helpers.plots.images import show_image
from helpers.plots.style import draws


@draws
def channel_gallery(gallery: Mapping[str, Mapping[int, np.ndarray]]) -> Figure:
    """Draw the pictures that excite channels most, a row per depth.

    Parameters
    ----------
    gallery : part -> channel -> picture ``(H, W, 3)``, uint8 or float 0..1.
    """
    columns = max(len(pictures) for pictures in gallery.values())
    figure, grid = plt.subplots(
        len(gallery), columns, figsize=(1.7 * columns + 0.8, 1.85 * len(gallery)), squeeze=False
    )
    for axes in grid.ravel():
        axes.axis("off")
    for row, (part, pictures) in zip(grid, gallery.items(), strict=True):
        for axes, (channel, picture) in zip(row, pictures.items(), strict=False):
            axes.imshow(picture)
            axes.set_title(f"channel {channel}", fontsize=10)
        row[0].text(
            -0.12, 0.5, part, transform=row[0].transAxes, ha="right", va="center", weight="bold"
        )
    return figure


@draws
def channel_study(
    picture: np.ndarray, patches: np.ndarray, scores: np.ndarray, title: str
) -> Figure:
    """Draw the picture that excites a channel most beside the strongest patches of the data.

    Parameters
    ----------
    picture : ``(H, W, 3)``, uint8 or float 0..1.
    patches : uint8 ``(n, side, side, C)``, strongest first. scores : ``(n,)``, their activations.
    """
    n = len(patches)
    columns = -(-n // 2)
    figure = plt.figure(figsize=(3.6 + 1.7 * columns, 3.8))
    left, right = figure.subfigures(1, 2, width_ratios=[3.4, 1.7 * columns])
    axes = left.subplots()
    axes.imshow(picture)
    axes.set_axis_off()
    left.suptitle(title)
    grid = right.subplots(2, columns, squeeze=False)
    for axes in grid.ravel()[n:]:
        axes.axis("off")
    for axes, patch, score in zip(grid.ravel(), patches, scores, strict=False):
        show_image(axes, patch)
        axes.set_title(f"{score:.1f}", fontsize=11)
    right.suptitle("strongest patches (activation)")
    return figure


def as_jpeg(figure: Figure, dpi: int = 100) -> Image:
    """Return a figure full of pictures as a JPEG: a notebook stores a third of what PNG takes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="jpeg", dpi=dpi, pil_kwargs={"quality": 85})
    return Image(buffer.getvalue(), format="jpeg")
