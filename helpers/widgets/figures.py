"""Show a matplotlib figure inside a widget, without a capturing output area."""

from __future__ import annotations

import io

import ipywidgets as widgets
import matplotlib.pyplot as plt
from matplotlib.figure import Figure


def figure_image(alt: str) -> widgets.Image:
    """Return an empty image widget; `alt` is read out where the picture cannot be seen."""
    return widgets.Image(format="png", layout=widgets.Layout(max_width="100%"), tooltip=alt)


def show(image: widgets.Image, figure: Figure) -> None:
    """Put `figure` into `image` and close it."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    plt.close(figure)
    image.value = buffer.getvalue()
