"""The race on the page: question, guess, Race and Stop, table, curves, explanation, errors."""

from __future__ import annotations

import ipywidgets as widgets

from helpers.errors import CourseError
from helpers.lab import Lab, view
from helpers.plots import lab as drawings
from helpers.plots import lab_network
from helpers.plots.lab import safe


class GuessPanel(widgets.VBox):
    """The possible answers, and a button that commits to one."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.choice = widgets.RadioButtons(options=lab.choices, value=None,
                                           layout={"width": "auto"})  # fmt: skip
        self.commit = widgets.Button(
            description="Commit to this guess",
            layout={"width": "auto", "align_self": "flex-start"},
        )
        self.commit.on_click(lambda _: lab.commit_guess(self.choice.value))
        super().__init__([self.choice, self.commit])

    def draw(self) -> None:
        """Show the answers to the question that is set up, and lock them once one is chosen."""
        choices, guess = self.lab.choices, self.lab.guess
        if tuple(self.choice.options) != choices:
            self.choice.options = choices
            self.choice.value = None
        if guess is None and self.choice.disabled:  # another race, another guess
            self.choice.value = None
        if guess is not None:
            self.choice.value = guess
        self.choice.disabled = self.commit.disabled = guess is not None


class StartPanel(widgets.VBox):
    """Race, Stop, what is going on, and what is wrong."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.race = widgets.Button(description="Race", button_style="primary")
        self.stop = widgets.Button(description="Stop", disabled=True)
        self.status, self.message = widgets.HTML(), widgets.HTML()
        self.race.on_click(lambda _: lab.race())
        self.stop.on_click(lambda _: lab.stop())
        row = widgets.HBox([self.race, self.stop, self.status])
        row.layout = widgets.Layout(align_items="center", grid_gap="0 12px")
        super().__init__([row, self.message])

    def draw(self) -> None:
        """Show the state."""
        self.race.disabled = bool(self.lab.why_not)
        self.stop.disabled = self.lab.phase != "running"
        self.status.value = safe(view.status(self.lab))
        self.message.value = f'<div class="lab-error">{safe(self.lab.message)}</div>'


class Pictures:
    """The parts of the page that only show: each an HTML box, by its name in `view.visible`."""

    NAMES = ("question", "table", "verdict", "explanation", "curves", "network", "errors")

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.boxes = {name: widgets.HTML() for name in self.NAMES}
        self._errors_of: object = None

    def draw(self, change: str) -> None:
        """Show the state; while training only what can have changed."""
        lab, boxes = self.lab, self.boxes
        rows = view.rows(lab)
        boxes["table"].value = drawings.table(rows) + _remark(view.legend(lab))
        boxes["curves"].value = _remark(view.curves_note(lab)) + self._curves(rows)
        if change == "progress":
            return
        boxes["question"].value = (
            f"<h2>{safe(view.question(lab))}</h2>"
            f'<p class="lab-quiet">{safe(view.facts(view.shown_setup(lab)))}</p>'
        )
        boxes["verdict"].value = f"<h2>{safe(view.verdict(lab))}</h2>" if view.verdict(lab) else ""
        said = "".join(f"<p>{safe(sentence)}</p>" for sentence in view.explanation(lab))
        if said and lab.current.look_at:
            said += f'<p class="lab-quiet">Look: {safe(lab.current.look_at)}</p>'
        boxes["explanation"].value = f"<h3>Explain this result</h3>{said}" if said else ""
        boxes["network"].value = self._network()
        self._draw_errors()

    def _curves(self, rows: list[dict]) -> str:
        if all(row["source"] == "stored" for row in rows):
            return ""
        return drawings.curves(rows, view.shown_setup(self.lab).epochs)

    def _network(self) -> str:
        try:
            return lab_network.network(view.network(self.lab))
        except CourseError:
            return ""  # the message says what is wrong

    def _draw_errors(self) -> None:
        lab = self.lab
        shown = (lab.showing, lab.phase, lab.current.number if lab.current else 0)
        if shown == self._errors_of:  # pictures are made once
            return
        self._errors_of = shown
        title = f"<p>{safe(view.errors_title(lab))}</p>"
        found = (
            view.winner(lab.current) if lab.showing == "race" and lab.phase != "running" else None
        )
        grid = ""
        if found is not None and found[1].mistakes is not None:
            result = found[1]
            wrong, score = result.mistakes, result.score
            grid = lab_network.mistakes(
                wrong.images, wrong.heat, score.labels[wrong.index],
                score.probabilities[wrong.index], result.classes,
            )  # fmt: skip
        self.boxes["errors"].value = title + grid


def _remark(sentence: str) -> str:
    return f'<p class="lab-quiet">{safe(sentence)}</p>' if sentence else ""
