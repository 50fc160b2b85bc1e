"""Ask the evidence: so many images, so much like photographs; which strategy, and how sure?"""

from __future__ import annotations

import html
from collections.abc import Mapping

import ipywidgets as widgets

from helpers import plots
from helpers.errors import CourseError
from helpers.evidence import recommend, verdicts
from helpers.evidence.recommend import Recommendation
from helpers.evidence.verdicts import Evidence
from helpers.widgets.figures import CourseWidget, show

BY_SIMILARITY = "by similarity"

WIDE = {"layout": widgets.Layout(width="46rem"), "style": {"description_width": "14rem"}}


class Advisor(CourseWidget):
    """Sliders for n and similarity, or a data set's name; the advice and its curves below.

    Parameters
    ----------
    found, similar : the evidence and `helpers.evidence.recommend.similarities`; None: those in
        data/results.
    """

    def __init__(
        self, found: Evidence | None = None, similar: Mapping[str, float] | None = None
    ) -> None:
        self.found = verdicts.evidence() if found is None else found
        self.similar = recommend.similarities() if similar is None else similar
        self.data = widgets.Dropdown(
            options=[BY_SIMILARITY, *sorted(set(self.found.cells["dataset"]))],
            description="images like those of", **WIDE,
        )  # fmt: skip
        self.n = widgets.FloatLogSlider(
            value=400, base=10, min=1.3, max=6, step=0.05, readout_format=",.0f",
            description="training images", continuous_update=False, **WIDE,
        )  # fmt: skip
        self.similarity = widgets.FloatSlider(
            value=0.55, min=0.3, max=1, step=0.01, description="similarity to photographs",
            continuous_update=False, **WIDE,
        )  # fmt: skip
        self.worth = widgets.FloatSlider(
            value=verdicts.WORTH, min=0, max=0.05, step=0.005, readout_format=".3f",
            description="AUC worth paying for", continuous_update=False, **WIDE,
        )  # fmt: skip
        self.text, self.curves = widgets.HTML(), widgets.HTML()
        self.advice: Recommendation | None = None
        knobs = [self.data, self.n, self.similarity, self.worth]
        for knob in knobs:
            knob.observe(self._show, names="value")
        super().__init__([*knobs, self._scale(), self.text, self.curves])
        self._show()

    def _scale(self) -> widgets.HTML:
        """Say where the measured data sets lie on the scale of similarity."""
        ordered = sorted(self.similar.items(), key=lambda item: item[1])
        marks = ", ".join(f"{html.escape(name)} {value:.2f}" for name, value in ordered)
        return widgets.HTML(f"<small>measured similarity: {marks}</small>")

    def _show(self, _change: object = None) -> None:
        by_similarity = self.data.value == BY_SIMILARITY
        self.similarity.disabled = not by_similarity
        place = {"similarity": self.similarity.value} if by_similarity else {
            "dataset": self.data.value}  # fmt: skip
        try:
            self.advice = recommend.recommend(
                round(self.n.value), worth=self.worth.value, found=self.found,
                similar=self.similar, **place,
            )  # fmt: skip
        except CourseError as error:
            self.advice = None
            self.text.value, self.curves.value = f"<p>{html.escape(str(error))}</p>", ""
            return
        text, points = recommend.sentences(self.advice)
        items = "".join(f"<li>{html.escape(point)}</li>" for point in points)
        self.text.value = (
            f"<h2>Recommendation</h2>{''.join(f'<p>{html.escape(line)}</p>' for line in text)}"
            f"<ul>{items}</ul>"
        )
        names = self.advice.evidence["dataset"]
        arms = self.found.arms[self.found.arms["dataset"].isin(set(names))]
        alt = "test AUC of every strategy against the number of training images"
        show(self.curves, plots.arm_curves(arms, self.advice.n), alt)
