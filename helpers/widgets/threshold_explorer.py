"""Move the threshold, say how rare it is and what a miss costs; see what becomes of the images."""

from __future__ import annotations

import ipywidgets as widgets
import numpy as np

from helpers import plots
from helpers.training import threshold
from helpers.widgets.figures import CourseWidget, show

WIDE = dict(layout={"width": "46em"}, style={"description_width": "16em"}, continuous_update=False)

SHARE = "{:.1%} [{:.1%}, {:.1%}]"


class ThresholdExplorer(CourseWidget):
    """Three sliders; below them what becomes of 1,000 images, and what that means and costs.

    Parameters
    ----------
    labels : ``(N,)`` 0 or 1; 1 is what is looked for. scores : ``(N,)`` probabilities of 1.
    """

    def __init__(self, labels: np.ndarray, scores: np.ndarray) -> None:
        self.labels, self.scores = labels, scores
        self.threshold = widgets.FloatSlider(0.5, max=1, step=0.01, description="threshold", **WIDE)
        self.prevalence = widgets.FloatLogSlider(0.01, min=-3, max=-0.301, readout_format=".1%",
            description="prevalence of class 1", **WIDE)  # fmt: skip
        self.miss = widgets.IntSlider(10, 1, 100, description="false alarms a miss costs", **WIDE)
        self.figure, self.text = widgets.HTML(), widgets.HTML()
        for knob in (knobs := [self.threshold, self.prevalence, self.miss]):
            knob.observe(self._show, names="value")
        super().__init__([*knobs, self.figure, self.text])
        self._show()

    def _show(self, _change: object = None) -> None:
        prevalence, miss = self.prevalence.value, self.miss.value
        called = threshold.counts(self.labels, self.scores, self.threshold.value)
        shares = called.sensitivity.mean, called.specificity.mean, prevalence
        positive, negative = threshold.predictive_values(*shares)
        numbers = _, missed, alarms, _ = threshold.per_thousand(*shares)
        best, least = threshold.cheapest(self.labels, self.scores, prevalence, miss)
        self.text.value = (
            f"<p>Sensitivity <b>{SHARE.format(*called.sensitivity)}</b> of {called.tp + called.fn} "
            f"images of class 1, specificity <b>{SHARE.format(*called.specificity)}</b> of "
            f"{called.fp + called.tn} of class 0; 95 % intervals.</p><p>Positive predictive value "
            f"(of those called) <b>{positive:.1%}</b>, negative (of those let go) <b>{negative:.2%}"
            f"</b>.</p><p>1,000 images cost <b>{miss * missed + alarms:,.1f}</b> false alarms; at "
            f"best {least:,.1f}, {f'threshold {best:.3f}' if best <= 1 else 'when calling nobody'}."
        ).replace("nan%", "does not exist")
        show(self.figure, plots.of_a_thousand(*numbers), f"threshold {self.threshold.value:.2f}")
