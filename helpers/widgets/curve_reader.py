"""Read the curves of a run that is broken: name the cause, and hear how to check and to mend it."""

from __future__ import annotations

import ipywidgets as widgets
import pandas as pd

from helpers.evidence.trust import FAULTS
from helpers.plots import broken_run
from helpers.widgets.figures import CourseWidget, show

ANSWER = ("<p>{said} <b>{title}.</b></p><p><b>In the curves:</b> {signs}</p><p><b>The cheapest "
          "check:</b> {check}</p><p><b>The mend:</b> <code>{mend}</code></p>")  # fmt: skip


class CurveReader(CourseWidget):
    """A list of runs; the curves of one beside a healthy run's; four causes, one of them right.

    Parameters
    ----------
    runs : data/results/broken_runs.csv (`helpers.evidence.trust.BROKEN_COLUMNS`).
    """

    def __init__(self, runs: pd.DataFrame) -> None:
        self.runs = runs
        options = [(f"Run {k}", fault) for k, fault in enumerate(FAULTS, 1)]
        self.run = widgets.Dropdown(options=options, description="run")
        self.cause = widgets.RadioButtons(description="cause", layout=widgets.Layout(width="auto"))
        self.check = widgets.Button(description="Check")
        self.curves, self.answer = widgets.HTML(), widgets.HTML()
        self.run.observe(self._show, names="value")
        self.check.on_click(self._check)
        super().__init__([self.run, self.curves, self.cause, self.check, self.answer])
        self._show()

    def _show(self, _change: object = None) -> None:
        names = [self.run.value, *FAULTS[self.run.value]["alike"]]
        self.cause.options = sorted((FAULTS[name]["title"], name) for name in names)
        self.cause.value, self.answer.value = None, "Choose a cause, then press Check."
        show(self.curves, broken_run(self.runs, self.run.value), self.run.label)

    def _check(self, _button: object = None) -> None:
        fault, chosen = self.run.value, self.cause.value
        if chosen is None:
            return
        said = "✔ Right:" if chosen == fault else f"✘ Not “{FAULTS[chosen]['title']}”, but:"
        self.answer.value = ANSWER.format(said=said, **FAULTS[fault])
