"""The grid of errors: which are chosen, what is written, what is laid over."""

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.text import Text

from helpers import plots
from helpers.plots.style import ACCENT, DARK
from tests.conftest import make_split, texts

CLASSES = ("intact", "defective")
PROBABILITIES = np.array([[0.9, 0.1], [0.2, 0.8], [0.005, 0.995], [0.6, 0.4], [0.3, 0.7]])
LABELS = np.array([0, 0, 0, 1, 1])


def grid(labels=LABELS, n=6, classes=CLASSES):
    split = make_split(len(labels))
    index = plots.confident_errors(labels, PROBABILITIES[: len(labels)], n)
    maps = np.zeros((len(labels), 32, 32))
    maps[:, 4, 7] = 1
    return index, plots.errors_grid(
        split.images[index], maps[index], labels[index], PROBABILITIES[index], classes, 656
    )


def titles(figure) -> list[str]:
    return [axes.get_title(loc="left").strip() for axes in figure.axes if axes.images]


def test_the_most_confident_errors_come_first_and_nothing_else():
    assert plots.confident_errors(LABELS, PROBABILITIES).tolist() == [2, 1, 3]
    assert plots.confident_errors(LABELS, PROBABILITIES, n=1).tolist() == [2]
    assert plots.confident_errors(np.array([0, 1]), PROBABILITIES[:2]).tolist() == []


def test_each_error_says_what_it_is_and_what_was_said():
    _, figure = grid()
    assert titles(figure) == [
        "is intact", "is intact", "is defective",
        "“defective”, >99 %", "“defective”, 80 %", "“intact”, 60 %",
    ]  # fmt: skip
    said = next(text for text in figure.axes[3].findobj(Text) if "defective" in text.get_text())
    assert to_hex(said.get_color()).upper() == DARK[ACCENT]
    assert said.get_fontsize() >= 14
    assert "orange" in figure.get_supxlabel()


def test_the_map_lies_over_the_same_image():
    index, figure = grid()
    plain, warm = figure.axes[0], figure.axes[3]
    image = make_split(len(LABELS)).images[index[0]].squeeze()
    assert np.array_equal(plain.images[0].get_array(), image)
    assert np.array_equal(warm.images[0].get_array(), image)
    opacity = warm.images[1].get_array()[..., 3]
    assert np.argwhere(opacity).tolist() == [[4, 7]]
    assert len(plain.images) == 1


@pytest.mark.parametrize("n_errors", [1, 6, 7])
def test_no_place_of_the_grid_is_left_with_axes(n_errors):
    split = make_split(n_errors)
    probabilities = np.eye(2)[1 - split.labels]
    figure = plots.errors_grid(
        split.images, np.zeros((n_errors, 32, 32)), split.labels, probabilities, CLASSES, 10
    )
    assert sum(bool(axes.images) for axes in figure.axes) == 2 * n_errors
    assert sum(axes.axison for axes in figure.axes) == 2 * n_errors
    assert not any(len(axes.get_xticks()) for axes in figure.axes if axes.axison)


def test_long_names_are_wrapped():
    _, figure = grid(classes=("a class with quite a long name", "$50, longer $still"))
    assert max(len(line) for text in titles(figure) for line in text.splitlines()) <= 18


def test_without_an_error_there_is_a_sentence():
    index, figure = grid(labels=np.array([0, 1]))
    assert len(index) == 0
    assert texts(figure) == ["No error to show: all 656 test images were classified correctly."]
