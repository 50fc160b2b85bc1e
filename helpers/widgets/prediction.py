"""Commit to a guess before running a cell; see it beside the answer afterwards."""

from __future__ import annotations

import html
from collections.abc import Sequence

import ipywidgets as widgets

from helpers.errors import CourseError
from helpers.widgets.figures import CourseWidget


class Prediction(CourseWidget):
    """A question, a choice, and later the answer.

    >>> guess = Prediction("Which wins at 400 images?", ["freeze all", "train all"])
    >>> guess                     # the learner clicks
    >>> guess.reveal("freeze all", "0.86 against 0.83")

    Parameters
    ----------
    question : one sentence.
    options : the possible answers.
    """

    def __init__(self, question: str, options: Sequence[str]) -> None:
        self.choice = widgets.RadioButtons(
            options=list(options), value=None, layout=widgets.Layout(width="auto")
        )
        self.answer = widgets.HTML()
        title = widgets.HTML(f"<b>Your guess first.</b> {html.escape(question)}")
        super().__init__([title, self.choice, self.answer])

    def reveal(self, right: str, because: str = "") -> None:
        """Show the measured answer beside the guess, and lock the guess.

        Raises
        ------
        CourseError
            When `right` is not one of the options.
        """
        if right not in self.choice.options:
            options = ", ".join(self.choice.options)
            raise CourseError(f"{right!r} is not one of the options: {options}.")
        guess = self.choice.value
        if guess is None:
            verdict = "You made no guess."
        elif guess == right:
            verdict = f"You said <b>{html.escape(guess)}</b>, and so it was."
        else:
            verdict = f"You said <b>{html.escape(guess)}</b>."
        self.choice.disabled = True
        self.answer.value = (
            f"{verdict} Measured: <b>{html.escape(right)}</b>. {html.escape(because)}"
        )
