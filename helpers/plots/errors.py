"""What a network gets wrong, and where it looked."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from helpers.plots.images import show_image
from helpers.plots.inspection import notice
from helpers.plots.style import ACCENT, draws

COLUMNS = 6
STRONGEST = 0.75  # how opaque the hottest place is drawn
LINE = 18  # characters of a caption that fit over one image


def confident_errors(labels: np.ndarray, probabilities: np.ndarray, n: int = COLUMNS) -> np.ndarray:
    """Return the indices of the `n` wrong predictions made with the highest probability.

    Parameters
    ----------
    labels : ``(N,)``. probabilities : ``(N, n_classes)``.
    """
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    wrong = np.flatnonzero(predicted != labels)
    return wrong[np.argsort(-confidence[wrong], kind="stable")][:n]


@draws
def errors_grid(
    images: np.ndarray,
    maps: np.ndarray,
    labels: np.ndarray,
    probabilities: np.ndarray,
    classes: Sequence[str],
    n_tested: int,
) -> Figure:
    """Draw errors: the image, below it the same with what spoke for the wrong class laid over.

    Parameters
    ----------
    images : uint8 ``(N, H, W, C)``, as chosen by `confident_errors`; none: a sentence is drawn.
    maps : ``(N, H, W)`` in 0..1, of `helpers.inspection.gradcam` for the predicted class.
    labels : ``(N,)``, the true classes. probabilities : ``(N, n_classes)``.
    classes : their names.
    n_tested : number of images in which the errors were looked for.
    """
    if not len(images):
        return notice(f"No error to show: all {n_tested} test images were classified correctly.")
    columns = min(COLUMNS, max(3, len(images)))
    blocks = math.ceil(len(images) / columns)
    figure, grid = plt.subplots(
        2 * blocks, columns, figsize=(2.05 * columns, 5.0 * blocks + 0.4), squeeze=False
    )
    for k, (image, heat) in enumerate(zip(images, maps, strict=True)):
        block, column = divmod(k, columns)
        plain, warm = grid[2 * block : 2 * block + 2, column]
        named = int(probabilities[k].argmax())
        plain.set_title(
            _wrapped(f"is {classes[labels[k]]}"), loc="left", fontsize=14, parse_math=False
        )
        said = _wrapped(f"“{classes[named]}”, {_percent(probabilities[k, named])}")
        warm.set_title(said, loc="left", fontsize=14, color=ACCENT, weight="bold", parse_math=False)
        show_image(plain, image)
        show_image(warm, image)
        _lay_over(warm, heat)
    for axes in grid.ravel():
        if not axes.images:
            axes.axis("off")
    figure.supxlabel(
        "Above: what it is. Below: what the network said, and in orange what spoke for that, "
        "each image by its own strongest place.",
        fontsize=12,
    )
    return figure


def _wrapped(caption: str) -> str:
    return textwrap.fill(caption, LINE)


def _percent(probability: float) -> str:
    """Return a percentage that never claims certainty."""
    return ">99 %" if probability > 0.99 else f"{100 * probability:.0f} %"


def _lay_over(axes: Axes, heat: np.ndarray) -> None:
    layer = np.empty((*heat.shape, 4))
    layer[..., :3] = to_rgb(ACCENT)
    layer[..., 3] = STRONGEST * heat**2  # the warm places, not a veil over everything
    axes.imshow(layer)
