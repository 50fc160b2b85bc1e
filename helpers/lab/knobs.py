"""The knobs of the lab: data, network, arms. It reads and shows a `helpers.lab.Setup`."""

from __future__ import annotations

import math
from collections.abc import Callable

import ipywidgets as widgets

from helpers.datasets import augment
from helpers.errors import CourseError
from helpers.lab import setup as setups
from helpers.lab.setup import Arm, Setup
from helpers.networks import backbones
from helpers.plots import style

FOLDER = "a folder"

USUAL = ""  # a list cannot show None as chosen: to it that means that nothing is


def wide() -> dict:
    """Return the look of a knob; each needs a layout of its own, or hiding one would hide all."""
    return {"layout": {"width": "auto"}, "style": {"description_width": "6.2em"}}


def number(text: str, kind: type[float], where: str) -> float | None:
    """Read a number that was typed.

    Parameters
    ----------
    kind : ``int``, or ``float`` for a rate, which may be left empty: None, the strategy's own.
    where : the name of the field.

    Raises
    ------
    CourseError
        When it is no such number. A comma is not taken for a point: it may part thousands.
    """
    try:
        value = kind(text) if text.strip() or kind is int else None
        if kind is float and value is not None and not 0 <= value < math.inf:
            raise ValueError
        return value
    except ValueError:
        fit = {"how many": 400, "epochs": 12, "seed": 0}.get(where, 2)
        ask = {int: f"a whole number, e.g. {fit}", float: "a rate such as 0.003, or leave it empty"}
        raise CourseError(
            f"{text.strip()!r:.40} cannot be read as {where}; type {ask[kind]}."
        ) from None


TYPED = {"last": int, "head_lr": float, "backbone_lr": float, "decay": float}


def field(name: str, hint: str = "") -> widgets.Text:
    """Return a field to type into; it is read when it is left.

    Numbers too are typed as text: a browser's own field for numbers may show ``1e3`` and send 1.
    """
    return widgets.Text(description=name, placeholder=hint, continuous_update=False, **wide())


class ArmKnobs(widgets.VBox):
    """The knobs of one arm, each an attribute by the name of its field of `Arm`.

    Parameters
    ----------
    changed : called when a knob has another value, whoever set it.
    """

    def __init__(self, arm: Arm, changed: Callable[[], None]) -> None:
        self._changed = changed
        strategies = [(name, key) for key, name in style.LABELS.items()]
        rests = [("as usual", USUAL), ("statistics rest", "eval"),
                 ("move where it trains", "follow"), ("move everywhere", "train")]  # fmt: skip
        self.strategy, self.batchnorm, self.gray, self.augment = (
            widgets.Dropdown(options=options, description=name, **wide())
            for name, options in (("strategy", strategies), ("BatchNorm", rests),
                                  ("gray stem", setups.GRAYS), ("augment", list(augment.POLICIES)))
        )  # fmt: skip
        self.last = field("last stages")
        self.head_lr, self.backbone_lr, self.decay = (
            field(name, "as usual") for name in ("head rate", "stage rate", "rate decay")
        )
        knobs = [self.strategy, self.last, self.head_lr, self.backbone_lr, self.decay,
                 self.batchnorm, self.gray, self.augment]  # fmt: skip
        super().__init__(knobs)
        self.show(arm)
        for knob in knobs:
            knob.observe(self._on_change, names="value")

    def _on_change(self, _change: object) -> None:
        self._show_what_it_has()
        self._changed()

    def _show_what_it_has(self) -> None:
        for name in TYPED:
            getattr(self, name).layout.display = "" if self._has(name) else "none"

    def _has(self, name: str) -> bool:
        if name == "last":
            return self.strategy.value == "partial_finetune"
        return name not in ("backbone_lr", "decay") or self.strategy.value != "feature_extraction"

    def show(self, arm: Arm) -> None:
        """Set the knobs."""
        for name, value in vars(arm).items():
            text = str(value) if name in TYPED else value
            getattr(self, name).value = USUAL if value is None else text
        self._show_what_it_has()

    def read(self, place: int) -> Arm:
        """Return the arm; raises CourseError when a number cannot be read. Hidden knobs are not."""
        values = {name: getattr(self, name).value for name in vars(Arm()) if self._has(name)}
        for name in [name for name in TYPED if name in values]:
            where = f"{getattr(self, name).description} of arm {place}"
            values[name] = number(values[name], TYPED[name], where)
        return Arm(**values | {"batchnorm": values["batchnorm"] or None})


class SetupPanel(widgets.VBox):
    """All knobs of a race.

    Attributes
    ----------
    trouble : a sentence where the user's own data sets could not be listed; else "".

    Parameters
    ----------
    changed : called with nothing after a click.
    """

    def __init__(self, setup: Setup, changed: Callable[[], None]) -> None:
        self._changed, self._quiet = changed, True
        networks = [(f"{name}, a download" if "download" in where else name, name)
                    for name, where in backbones.available().items()]  # fmt: skip
        found, self.trouble = setups.data_sets()
        self._names = [*found, FOLDER]
        self.dataset, self.image_size, self.backbone = (
            widgets.Dropdown(options=options, description=name, **wide())
            for name, options in (("images", [(setups.told(name), name) for name in self._names]),
                                  ("pixels", setups.SIZES), ("network", networks))
        )  # fmt: skip
        self.folder = field("path", "one sub-folder per class")
        self.n, self.epochs, self.seed = (field(name) for name in ("how many", "epochs", "seed"))
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
            widgets.HTML("<h2>Set up a race</h2><span class='lab-quiet'>Loading the page again "
                         "keeps a prepared race, not your own.</span>"), *above,
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
        known = setup.dataset in self._names
        self.dataset.value = setup.dataset if known else FOLDER
        own = setup.dataset.startswith("folder:")
        self.folder.value = setup.dataset.removeprefix("folder:") if own else ""
        self.n.value = str(setup.n or 0)
        self.epochs.value, self.seed.value = str(setup.epochs), str(setup.seed)
        if setup.image_size not in self.image_size.options:
            self.image_size.options = sorted({*setups.SIZES, setup.image_size})
        self.image_size.value, self.backbone.value = setup.image_size, setup.backbone
        self._show_arms(setup.arms)
        self._on_change()
        self._quiet = False

    def _show_arms(self, arms: tuple[Arm, ...]) -> None:
        children = list(self.arms.children[: len(arms)])
        for knobs, arm in zip(children, arms, strict=False):
            knobs.show(arm)
        children += [ArmKnobs(arm, self._on_change) for arm in arms[len(children) :]]
        chosen = min(self._chosen, len(children) - 1)
        self.arms.children = children
        self.arms.titles = [f"arm {k}" for k in range(1, len(children) + 1)]
        self.arms.selected_index = chosen
        self.add.disabled = len(children) >= setups.MOST_ARMS
        self.remove.disabled = len(children) <= setups.FEWEST_ARMS

    def read(self) -> Setup:
        """Return the setup; raises CourseError when something typed cannot be read."""
        own, path = self.dataset.value == FOLDER, self.folder.value.strip(" \t\"'")
        name = f"folder:{path}" if own else self.dataset.value
        n, epochs, seed = (
            number(knob.value, int, knob.description) for knob in (self.n, self.epochs, self.seed)
        )
        pixels, network = self.image_size.value, self.backbone.value
        arms = tuple(knobs.read(place) for place, knobs in enumerate(self.arms.children, 1))
        self._setup = Setup(arms, name, n or None, pixels, network, epochs, seed)
        return self._setup
