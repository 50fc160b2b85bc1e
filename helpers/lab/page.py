"""The strategy lab in the page: it shows a `helpers.lab.Lab` and passes clicks on to it."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from urllib.parse import parse_qsl, urlencode

import ipywidgets as widgets

from helpers.errors import CourseError
from helpers.lab import drawings
from helpers.lab.engine import Lab
from helpers.lab.knobs import SetupPanel
from helpers.lab.panels import GuessPanel, KeptPanel, Pictures, StartPanel
from helpers.lab.races import PREPARED

REDRAW_SECONDS = 0.3  # while a race runs

OWN = "your own setup"

KEYS = "Large type. In make app PageDown, PageUp: the step; 1 to 6: a hand, with Shift one less."

# The parts of the page, from the top.
ORDER = ("step", "question", "guess", "start", "outcome", "table", "explanation", "look", "curves",
         "network", "errors", "kept")  # fmt: skip

# What a presenter shows in each step, and everybody else in any look and in each of them.
STEPS = {
    "1 question": {"question", "guess", "start"},
    "2 network": {"question", "network"},
    "3 race": {"start", "table", "curves"},
    "4 explanation": {"outcome", "table", "explanation"},
    "5 errors": {"start", "errors"},
}
ALWAYS = {"setup", "question", "guess", "start", "table", "outcome", "explanation", "look"}
LOOKS = {"curves": "curves", "network": "network", "winner's errors": "errors",
         "kept runs": "kept"}  # fmt: skip


class StrategyLab(widgets.VBox):
    """Race two to five strategies, alone or before a class.

    Parameters
    ----------
    lab : the state that is shown; None: a new one, with the first prepared race loaded.
    """

    def __init__(self, lab: Lab | None = None) -> None:
        self.lab = lab or Lab()
        self.lab.predict_first |= lab is None
        self._drawing, self._drawn = threading.RLock(), 0.0
        self._make_switches()
        self.setup = SetupPanel(self.lab.setup, self._set_up)
        self.guess, self.start = GuessPanel(self.lab), StartPanel(self.lab, self._follow)
        self.pictures, self.kept = Pictures(self.lab), KeptPanel(self.lab)
        self.address = widgets.HTML()
        self.parts = {
            **self.pictures.boxes, "setup": self.setup, "guess": self.guess, "start": self.start,
            "kept": self.kept, "look": self.look,
            "step": self.step,
        }  # fmt: skip
        header = widgets.HBox([
            widgets.HTML("<h1>Strategy lab</h1>"), self.prepared, self.predict_first, self.presenter
        ])  # fmt: skip
        header.layout = widgets.Layout(
            flex_flow="row wrap", align_items="center", grid_gap="4px 24px"
        )
        self.setup.layout = widgets.Layout(width="320px", flex="0 0 320px")
        main = widgets.VBox([self.parts[name] for name in ORDER])
        main.layout = widgets.Layout(flex="1 1 560px", min_width="0")
        for panel in (self.setup, main):
            panel.add_class("lab-panel")
        # Reversed: where both do not fit side by side, the race stands above the knobs.
        body = widgets.HBox([self.setup, main])
        body.layout = widgets.Layout(
            flex_flow="row wrap-reverse", align_items="flex-end", grid_gap="12px"
        )
        style = widgets.HTML(f"<style>{drawings.STYLE}</style>")
        super().__init__([style, header, body, self.address])
        self.add_class("lab")
        self.lab.listen(self._changed)
        self.lab.message = self.lab.message or self.setup.trouble
        self._draw("setup")
        self.restore(os.environ.get("QUERY_STRING", ""))  # voila's, of the page's address

    def __repr__(self) -> str:
        return "StrategyLab(run the notebook to use it)"  # what a page without a kernel shows

    def restore(self, query: str) -> None:
        """Go where an address leads that `where` gave: the race, the guess, the step."""
        asked = dict(parse_qsl(query))
        if asked.get("race"):
            self.lab.load_prepared(asked["race"])
        # An address holds no knobs: what was said of the user's own setup is true of no other.
        known = self.lab.prepared is not None and self.lab.prepared.name == asked.get("race")
        if known and asked.get("guess") in self.lab.choices:
            self.lab.commit_guess(asked["guess"])
        if known:
            counts = zip(self.lab.choices, asked.get("hands", "").split("."), strict=False)
            self.lab.put(hands=Counter({k: int(n) for k, n in counts if n.isdecimal()}))
        self.presenter.value = asked.get("presenter") == "1"
        self.step.value = {name[0]: name for name in STEPS}.get(asked.get("step"), self.step.value)
        if known and asked.get("raced"):
            self.predict_first.value &= self.lab.guess is not None  # without one it was off
            self.lab.race()

    @property
    def where(self) -> str:
        """What the page's address holds, so that a reload comes back here."""
        lab, race = self.lab, self.lab.prepared
        now = {
            "race": race and race.name, "presenter": int(self.presenter.value),
            "step": self.step.value[0], "guess": race and lab.guess,
            "hands": race and lab.hands and ".".join(str(lab.hands[k]) for k in lab.choices),
            "raced": int(bool(race) and lab.showing == "race" and lab.current.setup == lab.setup),
        }  # fmt: skip
        return urlencode({name: value for name, value in now.items() if value})

    def _make_switches(self) -> None:
        self.prepared = widgets.Dropdown(
            options=[*(race.name for race in PREPARED), OWN], description="race",
            layout={"width": "25em"}, style={"description_width": "3em"},
        )  # fmt: skip
        self.predict_first, self.presenter = (
            widgets.Checkbox(description=words, indent=False, layout={"width": "auto"})
            for words in ("guess first", "presenter")
        )
        self.predict_first.value, self.presenter.tooltip = self.lab.predict_first, KEYS
        self.look = widgets.ToggleButtons(options=tuple(LOOKS))
        self.step = widgets.ToggleButtons(options=tuple(STEPS))
        self.step.add_class("lab-steps")
        self.prepared.observe(self._load, names="value")
        self.predict_first.observe(
            lambda change: self.lab.put(predict_first=change["new"]), names="value"
        )
        for switch in (self.presenter, self.look, self.step):
            switch.observe(lambda _: self._arrange(), names="value")

    def _load(self, change: dict) -> None:
        shown = self.lab.prepared.name if self.lab.prepared else OWN
        if change["new"] not in (OWN, shown):
            self.lab.load_prepared(change["new"])

    def _follow(self) -> None:
        """Lead from the question to the race that has just been started."""
        if self.step.value == next(iter(STEPS)) and self.presenter.value:
            self.step.value = "3 race"

    def _set_up(self) -> None:
        try:
            self.lab.change(self.setup.read())
        except CourseError as error:
            self.lab.put(barred=str(error))

    def _changed(self, change: str) -> None:
        if change != "progress" or time.monotonic() - self._drawn >= REDRAW_SECONDS:
            self._draw(change)

    def _draw(self, change: str) -> None:
        # The race and the clicks both come here: one at a time, or a box would mix two states.
        with self._drawing:
            self._drawn = time.monotonic()
            self.pictures.draw(change)
            self.start.draw()
            if change == "kept":
                self.kept.refresh()
            if change == "progress":
                return
            self.guess.draw()
            # The knobs show what is set up, whoever set it up.
            prepared = self.lab.prepared
            self.prepared.value = prepared.name if prepared else OWN
            if prepared is not None and not self.lab.barred:
                self.setup.show(self.lab.setup)
            self._arrange()

    def _arrange(self) -> None:
        self.lab.on_stage = self.presenter.value
        if self.presenter.value:
            shown = {"step", *STEPS[self.step.value]}
            self.add_class("lab-presenter")
        else:
            shown = {*ALWAYS, LOOKS[self.look.value]}
            self.remove_class("lab-presenter")
        if not self.lab.predict_first:
            shown.discard("guess")
        elif self.presenter.value and self.lab.guess is None and "start" in shown:
            shown = shown - {"curves"} | {"guess"}  # what Race waits for; nothing is drawn yet
        self.address.value = f'<i class="lab-address" data-query="{drawings.safe(self.where)}"></i>'
        for name, part in self.parts.items():
            part.layout.display = "" if name in shown else "none"
