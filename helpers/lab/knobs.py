"""The knobs of the lab: data, network, arms. It reads and shows a `helpers.lab.Setup`."""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets as widgets

from helpers import datasets
from helpers.datasets import augment
from helpers.errors import CourseError
from helpers.lab import setup as setups
from helpers.lab.setup import Arm, Setup
from helpers.networks import backbones
from helpers.plots import style

FOLDER = "a folder"

RATES = ("head_lr", "backbone_lr", "decay")

USUAL = ""  # a list cannot show None as chosen: to it that means that nothing is


def wide() -> dict:
    """Return the look of a knob; each needs a layout of its own, or hiding one would hide all."""
    return {"layout": {"width": "auto"}, "style": {"description_width": "6.2em"}}


def rate(text: str) -> float | None:
    """Read a learning rate that was typed; None for an empty field: the strategy's own.

    Raises
    ------
    CourseError
        When it is no number.
    """
    try:
        return float(text) if text.strip() else None
    except ValueError:
        raise CourseError(
            f"{text.strip()!r} is no number; type a rate such as 0.003 or 3e-3, or leave the field "
            "empty."
        ) from None


class ArmKnobs(widgets.VBox):
    """The knobs of one arm, each an attribute by the name of its field of `Arm`.

    Parameters
    ----------
    changed : called after a click; not when `show` sets the knobs.
    """

    def __init__(self, arm: Arm, changed: Callable[[], None]) -> None:
        self._changed, self._quiet = changed, False
        strategies = [(name, key) for key, name in style.LABELS.items()]
        rests = [("as usual", USUAL), ("statistics rest", "eval"),
                 ("move where it trains", "follow"), ("move everywhere", "train")]  # fmt: skip
        self.strategy, self.batchnorm, self.gray, self.augment = (
            widgets.Dropdown(options=options, description=name, **wide())
            for name, options in (("strategy", strategies), ("BatchNorm", rests),
                                  ("gray stem", setups.GRAYS), ("augment", list(augment.POLICIES)))
        )  # fmt: skip
        self.last = widgets.BoundedIntText(min=1, max=9, description="last stages", **wide())
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
        self._show_what_it_has()
        if not self._quiet:
            self._changed()

    def _show_what_it_has(self) -> None:
        strategy = self.strategy.value
        self.last.layout.display = "" if strategy == "partial_finetune" else "none"
        for knob in (self.backbone_lr, self.decay):
            knob.layout.display = "none" if strategy == "feature_extraction" else ""

    def show(self, arm: Arm) -> None:
        """Set the knobs without telling anybody."""
        self._quiet = True
        try:
            for name, value in vars(arm).items():
                text = USUAL if value is None else f"{value:g}" if name in RATES else value
                getattr(self, name).value = text
        finally:
            self._quiet = False
        self._show_what_it_has()

    def read(self) -> Arm:
        """Return the arm; raises CourseError when a rate is no number."""
        values = {name: getattr(self, name).value for name in Arm.__dataclass_fields__}
        values |= {name: rate(values[name]) for name in RATES}
        return Arm(**values | {"batchnorm": values["batchnorm"] or None})


PLAIN = ("image_size", "backbone", "epochs", "seed")  # knobs that hold a field as it is


class SetupPanel(widgets.VBox):
    """All knobs of a race.

    Parameters
    ----------
    changed : called with nothing after a click.
    """

    def __init__(self, setup: Setup, changed: Callable[[], None]) -> None:
        self._changed, self._quiet = changed, True
        networks = [(f"{name}, a download" if "download" in where else name, name)
                    for name, where in backbones.available().items()]  # fmt: skip
        self.dataset, self.image_size, self.backbone = (
            widgets.Dropdown(options=options, description=name, **wide())
            for name, options in (("images", [*datasets.names(), FOLDER]),
                                  ("pixels", setups.SIZES), ("network", networks))
        )  # fmt: skip
        self.folder = widgets.Text(
            description="path", placeholder="one sub-folder per class", continuous_update=False,
            **wide(),
        )  # fmt: skip
        self.n, self.epochs, self.seed = (
            widgets.IntText(description=name, **wide()) for name in ("how many", "epochs", "seed")
        )
        self.arms = widgets.Tab()
        self.add, self.remove = (
            widgets.Button(description=words, layout={"width": "auto"})
            for words in ("Add an arm", "Remove this arm")
        )
        self.add.on_click(lambda _: self._replace(self._setup.with_another_arm()))
        self.remove.on_click(lambda _: self._replace(self._setup.without_arm(self._chosen)))
        above = [self.dataset, self.folder, self.n]
        below = [self.image_size, self.backbone, self.epochs, self.seed]
        for knob in above + below:
            knob.observe(lambda _: self._on_change(), names="value")
        super().__init__([
            widgets.HTML("<h2>Set up a race</h2>"), *above,
            widgets.HTML('<span class="lab-quiet">0 takes all of them</span>'), *below,
            widgets.HTML("<h3>Arms</h3>"), self.arms, widgets.HBox([self.add, self.remove]),
        ])  # fmt: skip
        self.show(setup)

    @property
    def _chosen(self) -> int:
        return self.arms.selected_index or 0

    def _replace(self, setup: Setup) -> None:
        self.show(setup)
        self._changed()

    def _on_change(self) -> None:
        self.folder.layout.display = "" if self.dataset.value == FOLDER else "none"
        if not self._quiet:
            self._changed()

    def show(self, setup: Setup) -> None:
        """Set the knobs without telling anybody."""
        self._quiet, self._setup = True, setup
        try:
            known = setup.dataset in self.dataset.options
            self.dataset.value = setup.dataset if known else FOLDER
            own = setup.dataset.startswith("folder:")
            self.folder.value = setup.dataset.removeprefix("folder:") if own else ""
            self.n.value = setup.n or 0
            if setup.image_size not in self.image_size.options:
                self.image_size.options = sorted({*setups.SIZES, setup.image_size})
            for name in PLAIN:
                getattr(self, name).value = getattr(setup, name)
            self._show_arms(setup.arms)
            self._on_change()
        finally:
            self._quiet = False

    def _show_arms(self, arms: tuple[Arm, ...]) -> None:
        children = list(self.arms.children[: len(arms)])
        for knobs, arm in zip(children, arms, strict=False):
            knobs.show(arm)
        children += [ArmKnobs(arm, self._on_change) for arm in arms[len(children) :]]
        chosen = min(self._chosen, len(children) - 1)
        self.arms.children = children
        self.arms.titles = [str(k) for k in range(1, len(children) + 1)]
        self.arms.selected_index = chosen
        self.add.disabled = len(children) >= setups.MOST_ARMS
        self.remove.disabled = len(children) <= setups.FEWEST_ARMS

    def read(self) -> Setup:
        """Return the setup; raises CourseError when something typed cannot be read."""
        own = self.dataset.value == FOLDER
        name = f"folder:{self.folder.value.strip()}" if own else self.dataset.value
        plain = {name: getattr(self, name).value for name in PLAIN}
        arms = tuple(knobs.read() for knobs in self.arms.children)
        self._setup = Setup(arms, dataset=name, n=self.n.value or None, **plain)
        return self._setup
