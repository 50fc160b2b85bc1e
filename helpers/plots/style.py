"""The look that all figures share: every colour, marker and name for people stands here once."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable

import matplotlib as mpl
import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex, to_rgba, to_rgba_array
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from helpers.plots import alt

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

SKY = "#56B4E9"  # the last of Okabe & Ito's colours: no strategy has it

# Shades with a contrast of 4.5 on white, WCAG's measure for text (tests/plots computes it).
DARK = {"#E69F00": "#986900", "#CC79A7": "#A16084", "#009E73": "#008762", ACCENT: "#C15500",
        SKY: "#3A7CA0"}  # fmt: skip

LIGHT = {"#E69F00", SKY}  # below the 3 that a line needs: drawn with a dark rim

GRAY = "#767676"  # lines to compare with

CALM = {"fc": "white", "ec": "none", "pad": 0}  # under words, so that no line runs through them

# What an arm's name adds to its strategy's: how many stages train, three times the epochs.
VARIANT = re.compile(r"(?:_last(\d+))?(_longer)?$")

# The arms of the measured grid, as legends list them.
ARMS = ("feature_extraction", "partial_finetune_last1", "partial_finetune", "full_finetune",
        "lp_ft", "scratch", "scratch_longer")  # fmt: skip

MARKERS = {"scratch": "s", "feature_extraction": "o", "partial_finetune": "D",
           "full_finetune": "^", "lp_ft": "v"}  # fmt: skip

HOLLOW = {"partial_finetune_last1", "scratch_longer"}  # they share a colour with a filled one

# Colour and marker of data sets: they are no strategies, so neither are their colours.
SET_LOOKS = {"elpv": (SKY, "o"), "chest_xray": (ACCENT, "s"), "flowers": ("#7B4FA3", "D"),
             "hymenoptera": ("#8C6D1F", "^")}  # fmt: skip

SET_TITLES = {"elpv": "solar cells (elpv)", "chest_xray": "chest X-rays", "flowers": "flowers",
              "hymenoptera": "ants and bees"}  # fmt: skip

# For figures and tables: what has to stand beside the numbers of a set.
SHORT_CAVEATS = {"hymenoptera": "drawn from ImageNet"}

# Colour and marker of the ways to make a stem gray.
STEM_LOOKS = {"replicate": (INK, "o"), "sum": (SKY, "D"), "mean": (ACCENT, "v"),
              "random": (GRAY, "X"), "swapped": (ACCENT, "P")}  # fmt: skip

STEM_LABELS = {"swapped": "sum, mean after training"}

BATCHNORM_LABELS = {"eval": "BatchNorm at rest", "train": "BatchNorm moves"}

RC = {
    "figure.dpi": 100, "figure.constrained_layout.use": True,
    "font.size": 12, "axes.titlesize": 13, "axes.labelsize": 12,
    "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": INK,
    "legend.frameon": False, "lines.linewidth": 2.2, "lines.markersize": 6,
}  # fmt: skip


def draws(function: Callable[..., Figure]) -> Callable[..., Figure]:
    """Give a plotting function the course's look, and its figures an alternative text.

    The text is the first line of the function's docstring, which says what kind of figure it is,
    and what `alt.told` added, or else the names and ends of the lines that are drawn.
    """
    kind = inspect.getdoc(function).split("\n")[0].removeprefix("Draw ").replace("`", "")

    @functools.wraps(function)
    def drawing(*arguments, **options) -> Figure:
        with mpl.rc_context(RC):
            figure = function(*arguments, **options)
        for line in figure.findobj(lambda artist: isinstance(artist, (Line2D, LineCollection))):
            if (color := to_hex(to_rgba_array(line.get_color())[0]).upper()) in LIGHT:
                width = np.max(line.get_linewidth()) + 1
                line.set_path_effects([withStroke(linewidth=width, foreground=dark(color))])
        seen = getattr(figure, "told", None) or alt.lines_of(figure)
        return alt.described(figure, f"{kind[:1].upper()}{kind[1:]} {seen}")

    return drawing


def ink_on(color: str | tuple) -> str:
    """Return the ink that can be read on `color`: "white" or the dark one.

    Whichever has the higher contrast (WCAG 2, its gamma taken as 2.2): 4.5 at least. A colour
    with an alpha value, as ``(color, 0.5)``, lies on a white page.
    """
    *rgb, alpha = to_rgba(color)
    red, green, blue = ((1 - alpha + alpha * part) ** 2.2 for part in rgb)
    return "black" if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.18 else "white"


def dark(color: str) -> str:
    """Return the shade of a colour that can be read as text on white; rims of lines have it."""
    return DARK.get(color.upper(), color)


def color_of(arm: str) -> str:
    """Return the colour of a strategy or of an arm that trains with it, the same everywhere."""
    return COLORS.get(VARIANT.sub("", arm), ACCENT)


def marker_of(arm: str) -> str:
    """Return the marker of a strategy or of an arm: colour never tells them apart alone."""
    return MARKERS.get(VARIANT.sub("", arm), "o")


def label_of(arm: str) -> str:
    """Return the name for people of a strategy or an arm, e.g. ``from scratch, 3 x longer``."""
    last, longer = VARIANT.search(arm).groups()
    strategy = VARIANT.sub("", arm)
    label = LABELS.get(strategy, strategy.replace("_", " "))
    return label + (f", last {last}" if last else "") + (", 3 x longer" if longer else "")


def look_of(arm: str) -> dict:
    """Return how matplotlib draws an arm's dots; colour and fill together tell the arms apart."""
    color, hollow = color_of(arm), arm in HOLLOW
    return {"marker": marker_of(arm), "color": color, "mec": color if hollow else "white",
            "mfc": "white" if hollow else color, "mew": 1 + hollow}  # fmt: skip


def set_look(name: str, k: int) -> tuple[str, str]:
    """Return colour and marker of a data set; of one that the course does not know: the k-th."""
    return SET_LOOKS.get(name, list(SET_LOOKS.values())[k % len(SET_LOOKS)])


def set_label(name: str, separator: str = " ") -> str:
    """Return a data set's title with the caveat that has to stand beside it, if there is one."""
    title = SET_TITLES.get(name, name)
    return f"{title}{separator}({SHORT_CAVEATS[name]})" if name in SHORT_CAVEATS else title
