"""Choose the stem surgery and the BatchNorm mode: activations and predictions at once."""

from __future__ import annotations

from collections.abc import Mapping

import ipywidgets as widgets
import numpy as np

from helpers import plots
from helpers.inspection.gray_stems import REFERENCE, Look
from helpers.plots.style import BATCHNORM_LABELS
from helpers.widgets.figures import CourseWidget, show


class GrayExplorer(CourseWidget):
    """Two rows of buttons, the histograms and the predictions beside the replicated image's.

    Parameters
    ----------
    looks : (method, BatchNorm mode) -> `helpers.inspection.gray_stems.Look`; made by its `looks`,
        with every mode of every method.
    labels : ``(N,)``, the true class of every image.
    """

    def __init__(self, looks: Mapping[tuple[str, str], Look], labels: np.ndarray) -> None:
        self.looks, self.labels = looks, labels
        self.method = widgets.ToggleButtons(
            options=list(dict.fromkeys(method for method, _ in looks)), description="stem"
        )
        self.batchnorm = widgets.ToggleButtons(
            options=[(label, mode) for mode, label in BATCHNORM_LABELS.items()],
            description="BatchNorm",
            style=widgets.ToggleButtonsStyle(button_width="160px"),
        )
        self.figure, self.text = widgets.HTML(), widgets.HTML()
        for choice in (self.method, self.batchnorm):
            choice.observe(self._show, names="value")
        super().__init__([self.method, self.batchnorm, self.figure, self.text])
        self._show()

    def _show(self, _change: object = None) -> None:
        method, mode = self.method.value, self.batchnorm.value
        chosen, reference = self.looks[method, mode], self.looks[REFERENCE, "eval"]
        figure = plots.gray_look(
            chosen.drawn(self.labels), reference.drawn(self.labels), method, BATCHNORM_LABELS[mode]
        )
        show(self.figure, figure, f"activations and predictions: {method}, {mode}")
        self.text.value = (
            f"<b>{method}, {BATCHNORM_LABELS[mode]}</b>: the first convolution spreads "
            f"{chosen.stem.std() / reference.stem.std():.2f} times as far as for the replicated "
            f"image; {chosen.agreement(reference):.0%} of the predicted classes are the same."
        )
