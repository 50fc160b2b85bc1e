"""What the widgets share: a matplotlib figure inside a widget, and how one looks at rest."""

from __future__ import annotations

import base64
import html
import io

import ipywidgets as widgets
from matplotlib.figure import Figure


class CourseWidget(widgets.VBox):
    """Controls and what they change, one above the other."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(run the notebook to use it)"  # shown where no kernel runs


def show(box: widgets.HTML, figure: Figure, alt: str) -> None:
    """Put `figure` into `box`; `alt` is read out where the picture cannot be seen.

    No output area, which would capture what others print.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    picture = base64.b64encode(buffer.getvalue()).decode()
    box.value = (
        f'<img alt="{html.escape(alt)}" style="max-width: 100%" '
        f'src="data:image/png;base64,{picture}">'
    )
