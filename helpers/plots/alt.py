"""Alternative texts: what a figure shows, in words, for those who cannot see it."""

from __future__ import annotations

import base64
import html
import io
import re
from collections.abc import Mapping

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from helpers import files


def told(figure: Figure, text: str | Mapping[str, object]) -> Figure:
    """Say what is to be seen in a figure, for its alternative text; a mapping as a list."""
    pairs = text.items() if isinstance(text, Mapping) else ()
    figure.told = ", ".join(f"{name}: {value}" for name, value in pairs) + "." if pairs else text
    return figure


def described(figure: Figure, text: str) -> Figure:
    """Return a figure, closed, with the text that is read out where it cannot be seen.

    A closed figure is shown once, where it ends a cell, and not again by the inline backend.
    JupyterLab reads a text only from HTML; the metadata carry it into the stored notebook, where
    the tables that were read stand, too: a picture older than its table can be found.
    """
    figure.alt = re.sub(r"\s+", " ", text).strip()
    figure._repr_mimebundle_ = lambda **_: bundle(figure, "image/png")
    plt.close(figure)
    return figure


def bundle(figure: Figure, kind: str) -> tuple[dict, dict]:
    """Return what a notebook shows beside the picture of type `kind`, and notes on the latter."""
    notes = {"alt": figure.alt, "read": dict(files.READ)}
    return {"text/html": as_html(figure)}, {kind: notes}


def as_html(figure: Figure, remark: str = "") -> str:
    """Return a figure as an ``<img>`` with its alternative text; `remark` stands in front of it."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100, bbox_inches="tight")
    picture = base64.b64encode(buffer.getvalue()).decode()
    text = html.escape(f"{remark} {getattr(figure, 'alt', '')}".strip())
    return f'<img alt="{text}" style="max-width: 100%" src="data:image/png;base64,{picture}">'


def lines_of(figure: Figure) -> str:
    """Return, panel by panel, its title and where each line begins and ends."""
    panels = []
    for axes in figure.axes:
        ends = sorted((*line.get_ydata(False)[[-1, 0]], line.get_label()) for line in axes.lines
                      if line.get_label()[0] != "_" and len(line.get_ydata()) > 1)  # fmt: skip
        seen = "; ".join(f"{name} {y:.3g} to {end:.3g}" for end, y, name in ends[::-1])
        panels.append(": ".join(filter(None, [axes.get_title() or axes.get_title("left"), seen])))
    return "".join(f"{panel}. " for panel in panels if panel)
