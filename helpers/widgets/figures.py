"""Show a matplotlib figure inside a widget, without a capturing output area."""

from __future__ import annotations

import base64
import html
import io

import ipywidgets as widgets
from matplotlib.figure import Figure


def figure_box() -> widgets.HTML:
    """Return an empty place for a figure."""
    return widgets.HTML()


def show(box: widgets.HTML, figure: Figure, alt: str) -> None:
    """Put `figure` into `box`; `alt` is read out where the picture cannot be seen."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    picture = base64.b64encode(buffer.getvalue()).decode()
    box.value = (
        f'<img alt="{html.escape(alt)}" style="max-width: 100%" '
        f'src="data:image/png;base64,{picture}">'
    )
