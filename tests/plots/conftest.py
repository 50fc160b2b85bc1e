"""Whatever the tests of this folder draw has a text for the blind and can be seen by the others."""

from collections.abc import Iterator

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba, to_rgba_array
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text

from helpers.plots import alt, style

DRAWN: dict[str, str] = {}  # the first words of every alternative text of this run, and the text
LINE, TEXT = 3, 4.5  # WCAG 2, level AA


def contrast(one, other=(1, 1, 1, 1)) -> float:
    """Return the contrast of two colours by WCAG 2, each on a white page: 1 to 21."""
    found = []
    for color in (one, other):
        *rgb, alpha = to_rgba(color)
        rgb = 1 - alpha + alpha * np.array(rgb)
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        found.append(0.05 + linear @ (0.2126, 0.7152, 0.0722))
    return max(found) / min(found)


def behind(text: Text) -> tuple:
    """Return the colour of the patch that a text stands on; white where there is none."""
    axes, ground = text.axes, (1, 1, 1, 1)
    point = text.get_transform().transform(text.get_unitless_position())
    for patch in axes.patches if axes else ():
        if patch.contains_point(point) and to_rgba(patch.get_facecolor())[3]:
            ground = patch.get_facecolor()
    return ground


def unreadable(figure: Figure) -> Iterator[str]:
    """Yield a sentence for every text and line of a figure that is too pale."""
    figure.canvas.draw()
    for text in figure.findobj(Text):
        if text.get_visible() and text.get_text().strip():
            found = contrast(text.get_color(), behind(text))
            if found < TEXT:
                yield f"text {text.get_text()!r} has {found:.2f}"
    for line in figure.findobj(lambda artist: isinstance(artist, (Line2D, LineCollection))):
        color = to_rgba_array(line.get_color(), line.get_alpha())[0]
        rims = [effect._gc["foreground"] for effect in line.get_path_effects() or ()]
        decoration = contrast(color) < 1.5 or line.axes is None or is_grid(line)
        if not decoration and max(contrast(c) for c in (color, *rims)) < LINE:
            yield f"line {line.get_label()} in {color} has {contrast(color):.2f}"


def is_grid(line) -> bool:
    grids = [*line.axes.get_xgridlines(), *line.axes.get_ygridlines()]
    return line in grids


@pytest.fixture(autouse=True)
def _described_and_readable(monkeypatch):
    """Check every figure that a test of this folder lets the course draw."""
    figures, described = [], alt.described

    def recorded(figure, text):
        figures.append(figure)
        return described(figure, text)

    monkeypatch.setattr(style.alt, "described", recorded)
    yield
    for figure in figures:
        DRAWN[figure.alt.split()[0]] = figure.alt
        assert 40 < len(figure.alt) < 1500, figure.alt
        assert not {"`", "_repr", "nan", "Axes("} & set(figure.alt.split()), figure.alt
        pale = list(unreadable(figure))
        assert not pale, pale
