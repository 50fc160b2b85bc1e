"""Choose a policy and its strength: the same images before and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import ipywidgets as widgets
import numpy as np
import torch

from helpers import inspection, plots
from helpers.datasets import augment
from helpers.errors import CourseError
from helpers.widgets.figures import CourseWidget, show


class AugmentationGallery(CourseWidget):
    """A list of policies, a slider for the strength, and a row of draws per image.

    Parameters
    ----------
    images : title -> uint8 image ``(H, W, 1 or 3)``.
    policies : names to choose from; all that `helpers.datasets.augment` knows by default.
    draws : how many changed versions of each image to show.
    """

    def __init__(
        self, images: Mapping[str, np.ndarray], policies: Sequence[str] = (), draws: int = 5
    ) -> None:
        if not images:
            raise CourseError("A gallery needs at least one image, e.g. {'cell': images[0]}.")
        self.images, self.n_draws, self.seed = dict(images), draws, 0
        names = list(policies) or [*augment.POLICIES, *augment.SINGLES]
        self.policy = widgets.Dropdown(options=names, description="policy")
        self.strength = widgets.FloatSlider(
            value=1.0, min=0.0, max=2.0, step=0.25, description="strength",
            continuous_update=False,
        )  # fmt: skip
        self.again = widgets.Button(description="draw again", icon="refresh")
        self.text, self.figure = widgets.HTML(), widgets.HTML()
        self.policy.observe(self._show, names="value")
        self.strength.observe(self._show, names="value")
        self.again.on_click(self._draw_again)
        controls = widgets.HBox([self.policy, self.strength, self.again])
        super().__init__([controls, self.text, self.figure])
        self._show()

    def _draw_again(self, _button: object = None) -> None:
        self.seed += 1
        self._show()

    def _show(self, _change: object = None) -> None:
        policy = augment.by_name(self.policy.value, self.strength.value)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            rows = {
                title: (image, inspection.changed(np.stack([image] * self.n_draws), policy))
                for title, image in self.images.items()
            }
        said = f"<b>{policy.name}</b> is meant for {policy.legitimate_for}."
        if policy.strength != 1:  # the sentence is about 1
            tilt = policy.strength * policy.rotation
            turn = f", a tilt of up to {tilt:g} degrees" if tilt else ""
            said += f" That is strength 1; here it is {policy.strength:g}{turn}."
        self.text.value = said
        show(self.figure, plots.before_after(rows), f"images changed by {policy.name}")
