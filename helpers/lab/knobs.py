"""The knobs of the lab: data, network, arms. It reads and shows a `helpers.lab.Setup`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import ipywidgets as widgets

from helpers import datasets
from helpers.datasets import augment
from helpers.lab import setup as setups
from helpers.lab.setup import Arm, Setup
from helpers.networks import backbones
from helpers.plots import style

FOLDER = "a folder"


DOWNLOAD = ", a download"


USUAL = ""  # a list cannot show None as chosen: to it that means that nothing is


def wide() -> dict:
    """Return the look of a knob; each needs a layout of its own, or hiding one would hide all."""
    return {"layout": {"width": "auto"}, "style": {"description_width": "6.2em"}}


class ArmKnobs(widgets.VBox):
    """The knobs of one arm.

    Parameters
    ----------
    changed : called after a click; not when `show` sets the knobs.
    """

    def __init__(self, arm: Arm, changed: Callable[[], None]) -> None:
        self._changed, self._quiet = changed, False
        names = [(name, key) for key, name in style.LABELS.items()]
        self.strategy = widgets.Dropdown(options=names, description="strategy", **wide())
        self.last = widgets.BoundedIntText(min=1, max=9, description="last stages", **wide())
        self.batchnorm = widgets.Dropdown(
            options=[("as usual", USUAL), ("statistics rest", "eval"),
                     ("move where it trains", "follow"), ("move everywhere", "train")],
            description="BatchNorm", **wide(),
        )  # fmt: skip
        self.gray = widgets.Dropdown(options=setups.GRAYS, description="gray stem", **wide())
        self.augment = widgets.Dropdown(
            options=list(augment.POLICIES), description="augment", **wide()
        )
        self.head_lr, self.backbone_lr, self.decay = (
            widgets.Text(
                description=name, placeholder="as usual", continuous_update=False, **wide()
            )
            for name in ("head rate", "stage rate", "rate decay")
        )
        knobs = [self.strategy, self.last, self.head_lr, self.backbone_lr, self.decay,
                 self.batchnorm, self.gray, self.augment]  # fmt: skip
        super().__init__(knobs)
        self.show(arm)
        for knob in knobs:
            knob.observe(self._on_change, names="value")

    def _on_change(self, _change: object) -> None:
        self._fit()
        if not self._quiet:
            self._changed()

    def _fit(self) -> None:
        """Show only what this strategy has."""
        partial = self.strategy.value == "partial_finetune"
        self.last.layout.display = "" if partial else "none"
        tunes = self.strategy.value != "feature_extraction"
        for knob in (self.backbone_lr, self.decay):
            knob.layout.display = "" if tunes else "none"

    def show(self, arm: Arm) -> None:
        """Set the knobs without telling anybody."""
        self._quiet = True
        try:
            for name in ("strategy", "last", "gray", "augment"):
                getattr(self, name).value = getattr(arm, name)
            self.batchnorm.value = arm.batchnorm or USUAL
            for name in ("head_lr", "backbone_lr", "decay"):
                value = getattr(arm, name)
                getattr(self, name).value = "" if value is None else f"{value:g}"
        finally:
            self._quiet = False
        self._fit()

    def read(self) -> Arm:
        """Return the arm; raises CourseError when a rate is no number."""
        rates = {
            k: setups.rate(getattr(self, k).value) for k in ("head_lr", "backbone_lr", "decay")
        }
        return Arm(
            self.strategy.value, last=self.last.value, batchnorm=self.batchnorm.value or None,
            gray=self.gray.value, augment=self.augment.value, **rates,
        )  # fmt: skip


class SetupPanel(widgets.VBox):
    """All knobs of a race.

    Parameters
    ----------
    changed : called with nothing after a click.
    """

    def __init__(self, setup: Setup, changed: Callable[[], None]) -> None:
        self._changed, self._quiet = changed, True
        self.dataset = widgets.Dropdown(
            options=[*datasets.names(), FOLDER], description="images", **wide()
        )
        self.folder = widgets.Text(
            description="path", placeholder="one sub-folder per class", continuous_update=False,
            **wide(),
        )  # fmt: skip
        self.n = widgets.IntText(description="how many", **wide())
        self.all_images = widgets.HTML('<span class="lab-quiet">0 takes all of them</span>')
        self.size = widgets.Dropdown(options=setups.SIZES, description="pixels", **wide())
        places = [(f"{name}{DOWNLOAD if 'download' in where else ''}", name)
                  for name, where in backbones.available().items()]  # fmt: skip
        self.backbone = widgets.Dropdown(options=places, description="network", **wide())
        self.epochs = widgets.IntText(description="epochs", **wide())
        self.seed = widgets.IntText(description="seed", **wide())
        self.arms = widgets.Tab()
        self.add = widgets.Button(description="Add an arm", layout={"width": "auto"})
        self.remove = widgets.Button(description="Remove this arm", layout={"width": "auto"})
        self.add.on_click(lambda _: self._replace(self._setup.with_another_arm()))
        self.remove.on_click(lambda _: self._replace(self._setup.without_arm(self._chosen)))
        self._knobs = [self.dataset, self.folder, self.n, self.size, self.backbone, self.epochs,
                       self.seed]  # fmt: skip
        for knob in self._knobs:
            knob.observe(self._on_change, names="value")
        super().__init__([
            widgets.HTML("<h2>Set up a race</h2>"), self.dataset, self.folder, self.n,
            self.all_images, self.size, self.backbone, self.epochs, self.seed,
            widgets.HTML("<h3>Arms</h3>"), self.arms, widgets.HBox([self.add, self.remove]),
        ])  # fmt: skip
        self.show(setup)

    @property
    def _chosen(self) -> int:
        return self.arms.selected_index or 0

    def _replace(self, setup: Setup) -> None:
        self.show(setup)
        self._changed()

    def _on_change(self, _change: object) -> None:
        self.folder.layout.display = "" if self.dataset.value == FOLDER else "none"
        if not self._quiet:
            self._changed()

    def show(self, setup: Setup) -> None:
        """Set the knobs without telling anybody."""
        self._quiet, self._setup = True, setup
        try:
            own = setup.dataset.startswith("folder:")
            known = setup.dataset in self.dataset.options
            self.dataset.value = FOLDER if own or not known else setup.dataset
            self.folder.value = setup.dataset.removeprefix("folder:") if own else ""
            if setup.image_size not in self.size.options:
                self.size.options = sorted({*self.size.options, setup.image_size})
            self.n.value, self.size.value = setup.n or 0, setup.image_size
            self.backbone.value = setup.backbone
            self.epochs.value, self.seed.value = setup.epochs, setup.seed
            self._show_arms(setup)
        finally:
            self._quiet = False
        self._on_change_of_folder()

    def _on_change_of_folder(self) -> None:
        self.folder.layout.display = "" if self.dataset.value == FOLDER else "none"

    def _show_arms(self, setup: Setup) -> None:
        children = list(self.arms.children[: len(setup.arms)])
        for knobs, arm in zip(children, setup.arms, strict=False):
            knobs.show(arm)
        children += [ArmKnobs(arm, self._arm_changed) for arm in setup.arms[len(children) :]]
        chosen = min(self._chosen, len(children) - 1)
        self.arms.children = children
        self.arms.titles = [str(k) for k in range(1, len(children) + 1)]
        self.arms.selected_index = chosen
        self.add.disabled = len(children) >= setups.MOST_ARMS
        self.remove.disabled = len(children) <= setups.FEWEST_ARMS

    def _arm_changed(self) -> None:
        if not self._quiet:
            self._changed()

    def read(self) -> Setup:
        """Return the setup; raises CourseError when something typed cannot be read."""
        own = self.dataset.value == FOLDER
        name = f"folder:{self.folder.value.strip()}" if own else self.dataset.value
        self._setup = replace(
            self._setup, dataset=name, n=self.n.value or None, image_size=self.size.value,
            backbone=self.backbone.value, epochs=self.epochs.value, seed=self.seed.value,
            arms=tuple(knobs.read() for knobs in self.arms.children),
        )  # fmt: skip
        return self._setup
