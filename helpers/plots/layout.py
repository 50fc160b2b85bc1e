"""What figures are put together from: panels, grids of pictures, intervals, axes and legends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from helpers.plots.style import FROZEN, dark


def panels(
    n: int, width: float, height: float, extra: float = 0.0, **shared
) -> tuple[Figure, np.ndarray]:
    """Return a figure and its `n` axes in a row, each `width` x `height` inches.

    Parameters
    ----------
    extra : inches added to the width, for a legend or long names. shared : e.g. ``sharey=True``.
    """
    figure, grid = plt.subplots(1, n, figsize=(n * width + extra, height), squeeze=False, **shared)
    return figure, grid[0]


def picture_grid(rows: int, columns: int, width: float, height: float) -> tuple[Figure, np.ndarray]:
    """Return a figure of `width` x `height` inches and its axes ``(rows, columns)``, all blank."""
    figure, grid = plt.subplots(rows, columns, figsize=(width, height), squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    return figure, grid


def show_image(axes: Axes, image: np.ndarray, **options) -> None:
    """Draw an image ``(H, W, 1 or 3)`` or ``(H, W)`` without ticks and frame.

    A gray one is drawn from black, 0, to white, 255, unless `options` of ``imshow`` say otherwise.
    """
    axes.imshow(image.squeeze(), **{"cmap": "gray", "vmin": 0, "vmax": 255} | options)
    axes.set_axis_on()
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def show_maps(row: Iterable[Axes], maps: np.ndarray, title: str, fontsize: int) -> None:
    """Draw those of the maps ``(channels, h, w)`` that vary most, each on its own scale.

    Parameters
    ----------
    title : over each; the channel's number is put behind it.
    """
    for axes, channel in zip(row, np.argsort(-maps.std(axis=(1, 2))), strict=False):
        axes.imshow(maps[channel], cmap="magma", interpolation="nearest")
        axes.set_title(f"{title} {channel}", fontsize=fontsize)


def interval(
    axes: Axes, at: float, value: float, low: float, high: float, color: str, /,
    *, upright: bool = False, lw: float = 4, alpha: float = 1.0, **dot,
) -> None:  # fmt: skip
    """Draw a value as a dot on the bar of its interval.

    Parameters
    ----------
    at : the height of a lying bar, the place on the x-axis of an upright one.
    lw, alpha : of the bar. dot : how the dot is drawn, e.g. ``marker="D"``.
    """
    bar, middle = ([low, high], [at, at]), (value, at)
    dot = {"ls": "", "lw": 1, "marker": "o", "ms": 10, "color": color, "mec": "w", "mew": 1.5} | dot
    x, y = bar[::-1] if upright else bar
    axes.plot(x, y, color=color, lw=lw, alpha=alpha, solid_capstyle="round")
    axes.plot(*(middle[::-1] if upright else middle), **dot)


def beside(k: int, n: int, step: float) -> float:
    """Return how far the `k`-th of `n` things stands from their middle, `step` apart."""
    return step * (k - (n - 1) / 2)


def end_labels(axes: Axes, ends: Mapping[str, tuple[float, float, str]]) -> None:
    """Write every line's name at its end, name -> (x, y, colour), apart where ends lie close."""
    low, high = axes.get_ylim()
    names = sorted(ends, key=lambda name: ends[name][1])
    ys, places = np.array([ends[name][1] for name in names]), []
    for y in ys:
        places.append(max(y, places[-1] + 0.075 * (high - low)) if places else y)
    for name, place in zip(names, places - np.mean(places - ys), strict=True):
        axes.annotate(name, (ends[name][0], place), xytext=(10, 0), textcoords="offset points",
                      va="center", color=dark(ends[name][2]), annotation_clip=False)  # fmt: skip


def rows_axis(axes: Axes, names: Sequence[str], above: float = 0.6) -> None:
    """Make the y-axis a list of names, the first on top with `above` rows of room over it."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -above)
    axes.grid(axis="x", color=FROZEN)


def size_axis(axes: Axes, sizes: Iterable[int], ratio: float = 1.0) -> None:
    """Make the x-axis numbers of training images on a log scale, labelled at `sizes`.

    Parameters
    ----------
    ratio : a size keeps its label when the next larger labelled one is more than so many times it.
    """
    ticks: list[int] = []
    for n in sorted(sizes, reverse=True):
        if not ticks or ticks[0] > ratio * n:
            ticks.insert(0, n)
    axes.set_xscale("log")
    axes.set_xticks(ticks, [f"{n:,}" for n in ticks])
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("training images")


def legend_outside(figure: Figure, place: str = "right center", **options) -> None:
    """Give the figure one legend beside its axes, each label once."""
    samples = {
        label: handle
        for axes in figure.axes
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(samples.values(), samples, loc=f"outside {place}", **options)
