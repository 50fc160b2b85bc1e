"""What the widgets share: a matplotlib figure inside a widget, and how one looks at rest."""

from __future__ import annotations

import ipywidgets as widgets
from matplotlib.figure import Figure

from helpers.plots.alt import as_html


class CourseWidget(widgets.VBox):
    """Controls and what they change, one above the other."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(run the notebook to use it)"  # shown where no kernel runs


def show(box: widgets.HTML, figure: Figure, alt: str) -> None:
    """Put `figure` into `box`; `alt` and its own text are read out where it cannot be seen.

    No output area, which would capture what others print.
    """
    box.value = as_html(figure, f"{alt}.")
