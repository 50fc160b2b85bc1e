"""Choose a channel: see the picture that excites it most, beside the strongest patches."""

from __future__ import annotations

import threading
from collections.abc import Mapping

import ipywidgets as widgets
import numpy as np

from helpers import inspection, plots
from helpers.datasets import Split
from helpers.errors import CourseError
from helpers.inspection.maximise import SIZES
from helpers.networks.backbones import Backbone
from helpers.widgets.figures import CourseWidget, show

STEPS, LARGEST = 60, 96  # of a picture computed live: a few seconds on two cores


class ChannelExplorer(CourseWidget):
    """A part, a channel number, and two buttons; pictures of the gallery need no computing.

    Parameters
    ----------
    model : a colour network.
    split : images to cut the patches from; gray ones are shown to it three times.
    gallery : part -> channel -> picture, computed ahead.

    Raises
    ------
    CourseError
        For a network for gray images.
    """

    def __init__(
        self, model: Backbone, split: Split, gallery: Mapping[str, Mapping[int, np.ndarray]]
    ) -> None:
        if model.stem_conv.in_channels != 3:
            raise CourseError("The pictures are in colour: use backbones.load(..., channels=3).")
        self.model, self.split, self.gallery = model, split, gallery
        part = next(iter(gallery))
        self.part = widgets.Dropdown(
            options=list(model.part_names[:-1]), value=part, description="after"
        )
        self.channel = widgets.IntText(value=next(iter(gallery[part])), description="channel")
        self.show_button = widgets.Button(description="Show", button_style="primary")
        self.stop_button = widgets.Button(description="Stop", disabled=True)
        self.progress = widgets.IntProgress(max=STEPS, layout={"width": "160px"})
        self.text, self.picture = widgets.HTML(), widgets.HTML()
        self.places: dict[str, inspection.Places] = {}  # by part, found once each
        self.worker: threading.Thread | None = None
        self._stop = threading.Event()
        self.show_button.on_click(self._start)
        self.stop_button.on_click(lambda _: self._stop.set())
        controls = [self.part, self.channel, self.show_button, self.stop_button, self.progress]
        super().__init__([widgets.HBox(controls), self.text, self.picture])
        first = self.channel.value
        figure = plots.channel_gallery({part: {first: gallery[part][first]}})
        show(self.picture, figure, f"what channel {first} of {part} looks for")
        self.text.value = "Press Show for the patches of the images that excite it most."

    def _start(self, _button: object) -> None:
        self._stop.clear()
        self.show_button.disabled, self.stop_button.disabled = True, False
        # In a thread of its own, so that Stop and the rest of the page go on answering.
        self.worker = threading.Thread(
            target=self._work, args=(self.part.value, self.channel.value)
        )
        self.worker.start()

    def _work(self, part: str, channel: int) -> None:
        try:
            self._draw(part, channel)
        except CourseError as error:
            self.text.value = str(error)
        finally:
            self.show_button.disabled, self.stop_button.disabled = False, True

    def _draw(self, part: str, channel: int) -> None:
        self.progress.value = 0
        picture, note = self.gallery.get(part, {}).get(channel), "Picture from the gallery."
        if picture is None:
            self.text.value = "climbing ..."
            picture = inspection.maximise(
                self.model, part, [channel], size=min(SIZES.get(part, LARGEST), LARGEST),
                steps=STEPS, on_step=self._step, should_stop=self._stop.is_set,
            )[0]  # fmt: skip
            stopped = f"Stopped after {self.progress.value} of {STEPS} steps."
            note = stopped if self._stop.is_set() else "Picture computed just now."
        if part not in self.places:
            self.text.value = f"looking through {len(self.split)} images ..."
            self.places[part] = inspection.strongest_places(self.model, part, self.split)
        patches = self.places[part].patches(channel, self.split)
        figure = plots.channel_study(
            picture, patches.images, patches.scores, f"{part}, channel {channel}"
        )
        show(self.picture, figure, f"what channel {channel} of {part} looks for")
        self.text.value = note

    def _step(self, done: int) -> None:
        self.progress.value = done
