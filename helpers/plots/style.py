"""The look that all figures share: one colour per strategy, readable from the last row."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

# Okabe & Ito's palette, which readers with any colour vision can tell apart.
COLORS = {
    "scratch": "#666666",
    "feature_extraction": "#0072B2",
    "partial_finetune": "#E69F00",
    "full_finetune": "#009E73",
    "lp_ft": "#CC79A7",
}


LABELS = {
    "scratch": "from scratch",
    "feature_extraction": "feature extraction",
    "partial_finetune": "partial fine-tune",
    "full_finetune": "full fine-tune",
    "lp_ft": "LP-FT",
}


FROZEN = "#DDE3EA"


INK = "#222222"


ACCENT = "#D55E00"


RC = {
    "figure.dpi": 100,
    "figure.constrained_layout.use": True,
    "font.size": 12,
    "axes.titlesize": 13,
    "axes.labelsize": 12,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "legend.frameon": False,
    "lines.linewidth": 2.2,
    "lines.markersize": 6,
}


def draws(function: Callable[..., Figure]) -> Callable[..., Figure]:
    """Give a plotting function the course's look, and close the figure it returns.

    A closed figure is shown once, where it ends a cell, and not again by the inline backend.
    """

    @functools.wraps(function)
    def drawing(*arguments, **options) -> Figure:
        with mpl.rc_context(RC):
            figure = function(*arguments, **options)
        plt.close(figure)
        return figure

    return drawing


def ink_on(color: str | tuple) -> str:
    """Return the ink that can be read on `color`: "white" or the dark one.

    Whichever has the higher contrast (WCAG 2, its gamma taken as 2.2). A colour with an alpha
    value, as ``(color, 0.5)``, lies on a white page.
    """
    *rgb, alpha = to_rgba(color)
    red, green, blue = ((1 - alpha + alpha * part) ** 2.2 for part in rgb)
    return INK if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.21 else "white"


def base_name(strategy: str) -> str:
    """Return a strategy's family: ``partial_finetune_last1`` -> ``partial_finetune``."""
    return re.sub(r"_last\d+$", "", strategy)


def color_of(strategy: str) -> str:
    """Return the colour of a strategy, the same in every figure of the course."""
    return COLORS.get(base_name(strategy), ACCENT)


def label_of(strategy: str) -> str:
    """Return a strategy's name for people."""
    depth = re.search(r"_last(\d+)$", strategy)
    label = LABELS.get(base_name(strategy), strategy.replace("_", " "))
    return f"{label}, last {depth[1]}" if depth else label


# For figures and tables: what has to stand beside the numbers of a set.
SHORT_CAVEATS = {"hymenoptera": "drawn from ImageNet"}
