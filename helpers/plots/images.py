"""Images, activations and what a network says about them."""

from __future__ import annotations

import math
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from helpers.plots import alt, layout
from helpers.plots.style import ACCENT, COLORS, dark, draws


@draws
def class_examples(
    images: np.ndarray, labels: np.ndarray, classes: Sequence[str], n: int = 7, seed: int = 0
) -> Figure:
    """Draw a few images of each class, a row per class.

    Parameters
    ----------
    images : uint8 ``(N, H, W, C)``. labels : ``(N,)``.
    """
    rng = np.random.default_rng(seed)
    figure, grid = layout.picture_grid(len(classes), n, 1.6 * n, 1.75 * len(classes))
    for k, row in enumerate(grid):
        members = np.flatnonzero(labels == k)
        for axes, position in zip(row, rng.permutation(members)[:n], strict=False):
            layout.show_image(axes, images[position])
        row[0].set_title(f"{classes[k]} ({len(members)} images)", loc="left", fontsize=12)
    return alt.told(figure, {name: (labels == k).sum() for k, name in enumerate(classes)})


@draws
def top_classes(image: np.ndarray, names: Sequence[str], probabilities: Sequence[float]) -> Figure:
    """Draw a photograph beside the classes a network finds most likely."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), width_ratios=[1, 1.5])
    layout.show_image(left, image)
    bars = right.barh(names, probabilities, color=COLORS["feature_extraction"])
    right.bar_label(bars, [f"{p:.0%}" for p in probabilities], padding=3)
    right.invert_yaxis()
    right.set(xlim=(0, 1), xlabel="probability")
    return alt.told(figure, {k: f"{p:.0%}" for k, p in zip(names, probabilities, strict=True)})


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
    columns = 1 + n_maps * len(next(iter(rows.values()))[1])
    figure, grid = layout.picture_grid(len(rows), columns, 1.85 * columns, 2.2 * len(rows))
    for line, (title, (image, activations)) in zip(grid, rows.items(), strict=True):
        layout.show_image(line[0], image)
        line[0].set_title(title, fontsize=11)
        places = line[1:].reshape(-1, n_maps)
        for row, (part, maps) in zip(places, activations.items(), strict=True):
            title = f"{part}\n{maps.shape[1]} x {maps.shape[2]}, ch."
            layout.show_maps(row, maps, title, fontsize=10)
    figure.supxlabel("bright: a strong answer; every map has its own scale", fontsize=12)
    return alt.told(figure, f"Rows: {', '.join(rows)}. Columns: {', '.join(activations)}.")


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
    figure, grid = layout.picture_grid(2 * blocks, columns, 2.05 * columns, 5.0 * blocks + 0.4)
    look = {"loc": "left", "fontsize": 14, "parse_math": False}
    for k, (image, heat) in enumerate(zip(images, maps, strict=True)):
        block, column = divmod(k, columns)
        plain, warm = grid[2 * block : 2 * block + 2, column]
        named = int(probabilities[k].argmax())
        sure = probabilities[k, named]
        percent = ">99 %" if sure > 0.99 else f"{100 * sure:.0f} %"  # never claims certainty
        plain.set_title(textwrap.fill(f"is {classes[labels[k]]}", LINE), **look)
        said = textwrap.fill(f"“{classes[named]}”, {percent}", LINE)
        warm.set_title(said, color=dark(ACCENT), weight="bold", **look)
        layout.show_image(plain, image)
        layout.show_image(warm, image)
        layer = np.empty((*heat.shape, 4))
        layer[..., :3] = to_rgb(ACCENT)
        layer[..., 3] = STRONGEST * heat**2  # the warm places, not a veil over everything
        warm.imshow(layer)
    figure.supxlabel(
        "Above: what it is. Below: what the network said, and in orange what spoke for that, "
        "each image on its own scale.",
        fontsize=12,
    )
    pairs = zip(labels, probabilities.argmax(axis=1), strict=True)
    return alt.told(figure, Counter(f"{classes[a]} taken for {classes[b]}" for a, b in pairs))


@draws
def notice(text: str) -> Figure:
    """Draw a sentence in the place of a picture that cannot be drawn here."""
    figure, axes = plt.subplots(figsize=(10, 0.7))
    axes.axis("off")
    axes.text(0, 0.5, text, va="center", wrap=True)
    return alt.told(figure, text)
