"""The strategy lab in the page: it shows a `helpers.lab.Lab` and passes clicks on to it."""

from __future__ import annotations

import threading
import time

import ipywidgets as widgets

from helpers import lab as labs
from helpers.lab import view
from helpers.plots import lab as drawings
from helpers.widgets.lab_style import lab_style

REDRAW_SECONDS = 0.3  # while a race runs


class StrategyLab(widgets.VBox):
    """Prepared races, Race, Stop, and what comes of it.

    Parameters
    ----------
    lab : the state that is shown; None: a new one.
    """

    def __init__(self, lab: labs.Lab | None = None) -> None:
        self.lab = lab or labs.Lab()
        self._drawing, self._drawn = threading.RLock(), 0.0
        self.prepared = widgets.Dropdown(
            options=labs.names(), description="prepared race", layout={"width": "30em"},
            style={"description_width": "7em"},
        )  # fmt: skip
        self.race_button = widgets.Button(description="Race", button_style="primary")
        self.stop_button = widgets.Button(description="Stop", disabled=True)
        self.question, self.status, self.message = (widgets.HTML() for _ in range(3))
        self.table, self.curves = widgets.HTML(), widgets.HTML()
        self.prepared.observe(self._load, names="value")
        self.race_button.on_click(lambda _: self.lab.race())
        self.stop_button.on_click(lambda _: self.lab.stop())
        self.lab.listen(self._changed)
        buttons = widgets.HBox([self.race_button, self.stop_button, self.status])
        super().__init__([
            widgets.HTML(lab_style() + f"<style>{drawings.STYLE}</style>"), self.prepared, self.question, buttons, self.message, self.table,
            self.curves,
        ])  # fmt: skip
        self.add_class("lab")
        self._draw()

    def __repr__(self) -> str:
        return "StrategyLab(run the notebook to use it)"  # what a page without a kernel shows

    def _load(self, change: dict) -> None:
        self.lab.load_prepared(change["new"])

    def _changed(self, change: str) -> None:
        if change == "progress" and time.monotonic() - self._drawn < REDRAW_SECONDS:
            return
        self._draw()

    def _draw(self) -> None:
        with self._drawing:
            lab = self.lab
            self._drawn = time.monotonic()
            running = lab.phase == "running"
            self.race_button.disabled, self.stop_button.disabled = running, not running
            self.question.value = f"<h3>{drawings.safe(lab.question)}</h3>"
            self.status.value = drawings.safe(view.status(lab))
            self.message.value = f'<div class="lab-error">{drawings.safe(lab.message)}</div>'
            rows = view.rows(lab.lanes) if lab.current else view.preview(lab)
            self.table.value = drawings.table(rows)
            epochs = lab.current.setup.epochs if lab.current else lab.setup.epochs
            self.curves.value = drawings.curves(rows, epochs)
