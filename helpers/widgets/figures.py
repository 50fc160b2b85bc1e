"""Show a matplotlib figure inside a widget, without a capturing output area."""

from __future__ import annotations

import io

import ipywidgets as widgets
from matplotlib.figure import Figure


def figure_image(alt: str) -> widgets.Image:
    """Return an empty image widget; `alt` is read out where the picture cannot be seen."""
    return widgets.Image(format="png", layout=widgets.Layout(max_width="100%"), tooltip=alt)


def show(image: widgets.Image, figure: Figure) -> None:
    """Put `figure` into `image`."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    image.value = buffer.getvalue()
