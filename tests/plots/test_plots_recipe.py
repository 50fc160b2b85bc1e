"""The steps of a recipe: what was chosen can be told by its mark, and read out."""

from matplotlib.colors import to_hex

from helpers import plots
from helpers.evidence.recipe import Tried
from helpers.plots.style import GRAY, SKY
from helpers.training.metrics import Interval

STEPS = [
    Tried("start", "the last two stages", Interval(0.0, 0.0, 0.0), 0.92, 1.2, True),
    Tried("class weights", "none", Interval(-0.004, -0.01, 0.002), 0.916, 1.2, False),
]


def test_a_chosen_step_is_filled_and_the_text_names_gain_interval_and_cost():
    figure = plots.recipe_steps(STEPS, "elpv", 3)
    (axes,) = figure.axes
    fills = [to_hex(line.get_markerfacecolor()).upper() for line in axes.lines
             if line.get_marker() == "o"]  # fmt: skip
    assert fills == [SKY, "#FFFFFF"]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == [step.name for step in STEPS]
    assert "class weights: none 0.916, gain -0.004 [-0.010, +0.002], 1.2 core minutes" in figure.alt
    assert "the last two stages 0.920, gain +0.000 [+0.000, +0.000], chosen" in figure.alt


def test_the_gray_line_stands_at_what_stood_before():
    (axes,) = plots.recipe_steps(STEPS, "elpv", 3).axes
    grays = [line.get_xdata()[0] for line in axes.lines if line.get_color() == GRAY]
    assert grays == [0.92, 0.92]
