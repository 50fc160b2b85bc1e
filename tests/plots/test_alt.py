"""Alternative texts: every plotting function says what it shows, and notebooks carry it."""

import html
import inspect
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
from IPython.core.formatters import DisplayFormatter

from helpers import files, plots
from helpers.evidence import probes
from helpers.plots import alt, style
from tests.plots.conftest import TEXT, contrast

DRAWING = {name: f for name, f in vars(plots).items() if hasattr(f, "__wrapped__")}
CURVES = {name: [{"epoch": k, "train_loss": 1 / k, "val_auc": auc + k / 99} for k in (1, 2)]
          for name, auc in (("scratch", 0.6), ("lp_ft", 0.8))}  # fmt: skip


def shown(figure) -> tuple[dict, dict]:
    """Return data and metadata that a notebook gets, as the inline backend makes them."""
    formatter = DisplayFormatter()
    png = formatter.formatters["image/png"]
    png.enabled = True
    png.for_type(plt.Figure, lambda figure: "the picture")
    return formatter.format(figure)


@pytest.mark.parametrize("name", DRAWING)
def test_every_plotting_function_says_first_what_kind_of_figure_it_draws(name):
    first = inspect.getdoc(DRAWING[name]).split("\n")[0]
    assert re.fullmatch(r"Draw .{20,}\.", first), "it begins the alternative text"


def test_there_are_such_functions():
    assert len(DRAWING) > 25


def test_a_notebook_gets_the_text_as_html_for_today_and_as_metadata_for_the_file():
    figure = plots.learning_curves(CURVES)
    kind = "Training loss and validation AUC against the epoch, a colour per strategy."
    assert figure.alt.startswith(kind)
    assert figure.alt.endswith("validation: LP-FT 0.81 to 0.82; from scratch 0.61 to 0.62.")
    data, metadata = shown(figure)
    assert data["image/png"] == "the picture", "the inline backend's own, in its size"
    assert f'alt="{html.escape(figure.alt)}"' in data["text/html"]
    assert data["text/html"].startswith("<img ")
    assert metadata["image/png"]["alt"] == figure.alt


def test_the_text_speaks_of_the_data_that_were_drawn():
    one, other = (plots.intervals({"a": (v, 0.1, 0.9)}, "AUC") for v in (0.25, 0.75))
    assert "a 0.25 [0.10, 0.90]" in one.alt
    assert one.alt != other.alt


def test_a_jpeg_carries_the_text_too():
    figure = plots.channel_gallery({"stem": {0: np.zeros((8, 8, 3))}})
    formatter = DisplayFormatter()
    formatter.formatters["image/jpeg"].enabled = True
    data, metadata = formatter.format(plots.as_jpeg(figure))
    assert {"image/jpeg", "text/html"} < set(data)
    assert metadata["image/jpeg"]["alt"] == figure.alt
    assert "stem" in figure.alt


def test_a_figure_of_ones_own_is_shown_once_and_escaped():
    figure = plots.described(plt.figure(), 'loss "falls" <slowly>\n from 2 to 1')
    assert figure.alt == 'loss "falls" <slowly> from 2 to 1'
    assert plt.get_fignums() == []
    assert 'alt="now: loss &quot;falls&quot; &lt;slowly&gt;' in alt.as_html(figure, "now:")


def test_a_picture_carries_the_digests_of_what_was_read(monkeypatch):
    monkeypatch.setattr(files, "READ", {})
    assert shown(plots.learning_curves(CURVES))[1]["image/png"]["read"] == {}
    probes.read_cka()
    found = shown(plots.learning_curves(CURVES))[1]["image/png"]["read"]
    assert found == {"results/cka.csv": files.digest(probes.CKA.read_bytes())}


def test_colours_of_text_and_lines_can_be_seen_on_white():
    looks = [*style.SET_LOOKS.values(), *style.STEM_LOOKS.values()]
    palette = {*style.COLORS.values(), style.ACCENT, style.SKY, style.GRAY, style.INK,
               *(color for color, _ in looks)}  # fmt: skip
    for color in palette:
        assert contrast(style.dark(color)) >= TEXT
        assert (contrast(color) < 3) == (color in style.LIGHT), "then it needs a rim"
        assert contrast(style.ink_on(color), color) >= TEXT
    assert len({style.dark(color) for color in style.COLORS.values()}) == len(style.COLORS)


def test_a_light_line_has_a_dark_rim():
    figure = plots.learning_curves({"partial_finetune": CURVES["scratch"], "scratch": []})
    line, plain = figure.axes[0].lines
    (rim,) = [effect._gc["foreground"] for effect in line.get_path_effects()]
    assert rim == style.dark(plots.COLORS["partial_finetune"])
    assert not plain.get_path_effects()
