"""Slide through a network: the strongest feature maps of some images at every part."""

from __future__ import annotations

from collections.abc import Mapping

import ipywidgets as widgets
import numpy as np
import pandas as pd

from helpers import plots
from helpers.errors import unknown_name
from helpers.widgets.figures import CourseWidget, show


class FeatureMaps(CourseWidget):
    """A slider over the parts of a network, and what the images are there.

    Parameters
    ----------
    rows : title -> (image ``(H, W, C)``, part -> activation ``(channels, h, w)``), of
        `helpers.inspection.feature_maps`; all with the same parts.
    table : of `helpers.inspection.geometry`, for images of this size.
    start : the part shown first; None: the first.

    Raises
    ------
    CourseError
        When no part is called `start`.
    """

    def __init__(
        self,
        rows: Mapping[str, tuple[np.ndarray, Mapping[str, np.ndarray]]],
        table: pd.DataFrame,
        start: str | None = None,
    ) -> None:
        names = list(next(iter(rows.values()))[1])
        if start is not None and start not in names:
            raise unknown_name("part", start, names)
        self.rows, self.table = rows, table
        self.part = widgets.SelectionSlider(
            options=names, value=start or names[0], description="after",
            continuous_update=False, layout={"width": "480px"},
        )  # fmt: skip
        self.text, self.picture = widgets.HTML(), widgets.HTML()
        self.part.observe(self._show, names="value")
        super().__init__([self.part, self.text, self.picture])
        self._show()

    def _show(self, _change: object = None) -> None:
        part = self.part.value
        shown = {title: (image, maps[part]) for title, (image, maps) in self.rows.items()}
        show(self.picture, plots.channel_maps(shown, part), f"feature maps after {part}")
        row = self.table.loc[part]
        self.text.value = (
            f"A number for every <b>{row.stride} x {row.stride}</b> pixels of the image; each can "
            f"see up to {row.receptive_field} x {row.receptive_field} pixels. "
            f"{row.channels} channels x {row.height} x {row.width} = "
            f"<b>{row.channels * row.height * row.width:,}</b> numbers for one image."
        )
