"""The steps of a recipe: what was chosen can be told by its mark, and read out."""

from matplotlib.colors import to_hex

from helpers import plots
from helpers.plots.style import SKY

STEPS = [
    plots.Step("start", (0.0, 0.0, 0.0), 0.92, 1.2, True),
    plots.Step("class weights: none", (-0.004, -0.01, 0.002), 0.916, 1.2, False),
]


def test_a_chosen_step_is_filled_and_the_text_names_gain_interval_and_cost():
    figure = plots.recipe_steps(STEPS, "elpv", 3)
    (axes,) = figure.axes
    fills = [to_hex(line.get_markerfacecolor()).upper() for line in axes.lines
             if line.get_marker() == "o"]  # fmt: skip
    assert fills == [SKY, "#FFFFFF"]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == [step.name for step in STEPS]
    assert "class weights: none -0.004 [-0.010, 0.002], 1.2 core minutes" in figure.alt
    assert "start +0.000 [0.000, 0.000], chosen" in figure.alt
