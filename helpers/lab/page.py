"""The strategy lab in the page: it shows a `helpers.lab.Lab` and passes clicks on to it."""

from __future__ import annotations

import threading
import time

import ipywidgets as widgets

from helpers.errors import CourseError
from helpers.lab import drawings, view
from helpers.lab.engine import Lab
from helpers.lab.knobs import SetupPanel
from helpers.lab.panels import GuessPanel, Pictures, ShelfPanel, StartPanel
from helpers.lab.races import names
from helpers.lab.style import lab_style

REDRAW_SECONDS = 0.3  # while a race runs


OWN = "your own setup"


KEYS = "Keys: Tab moves on, Enter presses a button; arrows move the step and choose an answer."


class StrategyLab(widgets.VBox):
    """Race two to five strategies, alone or before a class.

    Parameters
    ----------
    lab : the state that is shown; None: a new one, with the first prepared race loaded.
    """

    def __init__(self, lab: Lab | None = None) -> None:
        self.lab = lab or Lab()
        self._drawing, self._drawn, self._quiet = threading.RLock(), 0.0, False
        self._make_switches()
        self.setup = SetupPanel(self.lab.setup, self._set_up)
        self.guess, self.start = GuessPanel(self.lab), StartPanel(self.lab)
        self.pictures, self.shelf = Pictures(self.lab), ShelfPanel(self.lab)
        self.parts = {
            **self.pictures.boxes, "setup": self.setup, "guess": self.guess, "start": self.start,
            "kept": self.shelf, "look": self.look, "step": self.step_row,
        }  # fmt: skip
        super().__init__([widgets.HTML(_style()), self._header(), self._body()])
        self.add_class("lab")
        self.lab.listen(self._changed)
        self._draw("setup")

    def __repr__(self) -> str:
        return "StrategyLab(run the notebook to use it)"  # what a page without a kernel shows

    def _make_switches(self) -> None:
        self.prepared = widgets.Dropdown(
            options=[*names(), OWN], description="race",
            layout={"width": "25em"}, style={"description_width": "3em"},
        )  # fmt: skip
        self.predict_first = widgets.Checkbox(description="guess first", indent=False)
        self.presenter = widgets.Checkbox(description="presenter", indent=False)
        self.use_stored = widgets.Checkbox(
            value=self.lab.use_stored, description="stored results answer at once", indent=False
        )
        self.fresh = widgets.Checkbox(description="train again what ran here before", indent=False)
        for box in (self.predict_first, self.presenter, self.use_stored, self.fresh):
            box.layout.width = "auto"
        self.look = widgets.ToggleButtons(options=view.LOOKS)
        self.step = widgets.SelectionSlider(
            options=view.STEPS, readout=False, layout={"width": "9em", "margin": "0 0.8em 0 0.4em"}
        )
        self.steps = widgets.HTML()
        self.step_row = widgets.VBox([
            widgets.HBox([self.step, self.steps]),
            widgets.HTML(f'<small class="lab-quiet">{KEYS}</small>'),
        ])  # fmt: skip
        self.prepared.observe(self._load, names="value")
        self.predict_first.observe(
            lambda change: self.lab.set_predict_first(change["new"]), names="value"
        )
        for switch in (self.presenter, self.look, self.step):
            switch.observe(lambda _: self._arrange(), names="value")
        for box in (self.use_stored, self.fresh):
            box.observe(self._set_sources, names="value")

    def _header(self) -> widgets.Box:
        title = widgets.HTML("<h1>Strategy lab</h1>")
        row = widgets.HBox([title, self.prepared, self.predict_first, self.presenter])
        row.layout = widgets.Layout(flex_flow="row wrap", align_items="center", grid_gap="4px 24px")
        return row

    def _body(self) -> widgets.Box:
        self.setup.children = (*self.setup.children, self.use_stored, self.fresh)
        self.setup.add_class("lab-panel")
        self.setup.layout = widgets.Layout(width="320px", flex="0 0 320px")
        order = ("step", "question", "guess", "start", "verdict", "table", "explanation", "look",
                 "curves", "network", "errors", "kept")  # fmt: skip
        self.main = widgets.VBox([self.parts[name] for name in order])
        self.main.layout = widgets.Layout(flex="1 1 560px", min_width="0")
        self.main.add_class("lab-panel")
        # Reversed: where both do not fit side by side, the race stands above the knobs.
        body = widgets.HBox([self.setup, self.main])
        body.layout = widgets.Layout(
            flex_flow="row wrap-reverse", align_items="flex-end", grid_gap="12px"
        )
        return body

    def _load(self, change: dict) -> None:
        if not self._quiet and change["new"] != OWN:
            self.lab.load_prepared(change["new"])

    def _set_up(self) -> None:
        try:
            self.lab.change(self.setup.read())
        except CourseError as error:
            self.lab.say(str(error))

    def _set_sources(self, _change: object) -> None:
        self.lab.use_stored, self.lab.fresh = self.use_stored.value, self.fresh.value

    def _changed(self, change: str) -> None:
        if change == "progress" and time.monotonic() - self._drawn < REDRAW_SECONDS:
            return
        self._draw(change)

    def _draw(self, change: str) -> None:
        # The worker and the clicks both come here: one at a time, or a box would mix two states.
        with self._drawing:
            self._drawn = time.monotonic()
            self.pictures.draw(change)
            self.start.draw()
            if change == "kept":
                self.shelf.refresh()
            if change != "progress":
                self.guess.draw()
                self._follow()
                self._arrange()

    def _follow(self) -> None:
        """Let the knobs show what is set up, whoever set it up."""
        self._quiet = True
        self.prepared.value = self.lab.prepared.name if self.lab.prepared else OWN
        self._quiet = False
        if self.lab.prepared is not None:
            self.setup.show(self.lab.setup)

    def _arrange(self) -> None:
        shown = view.visible(self.presenter.value, self.step.value, self.look.value)
        if not self.lab.predict_first:
            shown = shown - {"guess"}
        self.steps.value = view.steps_html(self.step.value)
        for name, part in self.parts.items():
            part.layout.display = "" if name in shown else "none"
        (self.add_class if self.presenter.value else self.remove_class)("lab-presenter")


def _style() -> str:
    return lab_style() + f"<style>{drawings.STYLE}{drawings.NETWORK_STYLE}</style>"
