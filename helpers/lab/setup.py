"""What a race is, as data: the images, the network, and two to five arms with their knobs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from helpers import datasets, files
from helpers.datasets import Dataset, elpv
from helpers.datasets.augment import Policy, by_name
from helpers.datasets.folder import KNOWN
from helpers.datasets.medmnist import MEDMNIST
from helpers.errors import CourseError, unknown_name
from helpers.networks import backbones
from helpers.networks.gray import METHODS
from helpers.plots.style import LABELS, label_of
from helpers.training import strategies
from helpers.training.experiments import Experiment
from helpers.training.recipe import Recipe, phase_ends
from helpers.training.strategies import Phase, Strategy

FEWEST_ARMS, MOST_ARMS = 2, 5

SIZES = (48, 64, 96, 128, 160, 224)  # pixels offered in the page; any from 32 to 224 is taken

MOST_EPOCHS = 100

MOST_IMAGES, SEEDS = 10**9, 2**32  # NumPy takes no seed beyond

GRAYS = (*METHODS, "replicate")

BATCHNORM_WORDS = {"eval": "BN rests", "follow": "BN follows", "train": "BN moves"}


ELPV = {"domain": "solar cells", "channels": 1, "classes": elpv.CLASSES, "caveat": elpv.caveat()}

# What is known of a data set before its images are read.
FACTS = {**MEDMNIST, **KNOWN, "elpv": ELPV}

VIEWS = {"organa": ", axial", "organc": ", coronal", "organs": ", sagittal"}


def told(name: str) -> str:
    """Return the name of a data set with what it shows and whether it is a download."""
    domain = FACTS.get(name, {}).get("domain", "") + VIEWS.get(name, "")
    download = ", downloads once" * (name in MEDMNIST)
    return files.shown(f"{name}: {domain}{download}" if domain else name)


def data_sets() -> tuple[list[str], str]:
    """Return the data sets by name, and a sentence where those of the user cannot be listed."""
    try:
        return datasets.names(), ""
    except (CourseError, OSError) as error:
        return ["elpv", *MEDMNIST], f"The folder COURSE_DATA_DIR cannot be listed: {error}"


@dataclass(frozen=True)
class Arm:
    """One way to train, among the others of a race.

    Attributes
    ----------
    strategy : a name that `helpers.training.strategies.by_name` takes.
    last : stages that train with the head; of ``partial_finetune`` only.
    head_lr, backbone_lr, decay : peak rates of the head and of the last stage, and the factor
        from each stage to the one in front of it; None: the strategy's own.
    batchnorm : ``"eval"``, ``"follow"``, ``"train"`` (`helpers.training.strategies.Strategy`);
        None: the strategy's own.
    gray : how a colour stem takes gray images (`helpers.networks.backbones.load`); gray images
        only.
    augment : name of a policy of `helpers.datasets.augment`.
    """

    strategy: str = "feature_extraction"
    last: int = 2
    head_lr: float | None = None
    backbone_lr: float | None = None
    decay: float | None = None
    batchnorm: Literal["eval", "follow", "train"] | None = None
    gray: str = "sum"
    augment: str = "none"

    def build(self) -> Strategy:
        """Return the strategy with these knobs.

        Raises
        ------
        CourseError
            When a knob has no such value.
        """
        options = {"batchnorm": self.batchnorm} if self.batchnorm else {}
        if self.strategy == "partial_finetune":
            options["last"] = self.last
        strategy = strategies.by_name(self.strategy, **options)
        return replace(strategy, phases=tuple(self._with_rates(p) for p in strategy.phases))

    def _with_rates(self, phase: Phase) -> Phase:
        given = {"head_lr": self.head_lr, "backbone_lr": self.backbone_lr, "decay": self.decay}
        if phase.last == 0:  # nothing but the head learns
            given = {"head_lr": self.head_lr}
        chosen = {name: value for name, value in given.items() if value is not None}
        if any(not 0 < value <= 1 for value in chosen.values()):
            raise CourseError(
                f"The rates and the decay of {label_of(self.strategy)} must lie above 0 and not "
                "above 1, e.g. 0.003 for the head and 0.0003 for the backbone."
            )
        return replace(phase, **chosen)

    @property
    def policy(self) -> Policy | None:
        """The augmentation; None where images stay as they are, so that frozen work is kept."""
        return None if self.augment == "none" else by_name(self.augment)

    def marks(self) -> dict[str, str]:
        """Return what is set beside the strategy's name, in words, by knob."""
        built = self.build()
        usual = strategies.by_name(self.strategy)
        found = {"batchnorm": BATCHNORM_WORDS[built.batchnorm], "gray": f"gray {self.gray}",
                 "augment": f"augmentation {self.augment}"}  # fmt: skip
        if self.strategy == "partial_finetune":
            found["last"] = f"last {self.last}"
        for knob, word in (("head_lr", "head"), ("backbone_lr", "backbone"), ("decay", "decay")):
            for place, which in ((0, "probe "), (-1, "")):  # the last phase has the last word
                rate = getattr(built.phases[place], knob)
                if rate != getattr(usual.phases[place], knob):
                    found[knob] = f"{which}{word} {rate}"
        return found


@dataclass(frozen=True)
class Setup:
    """Everything that decides the outcome of a race.

    Attributes
    ----------
    dataset : a name that `helpers.datasets.load` takes; ``COURSE_DATASET`` where none is given.
    n : training images; None: all.
    image_size : height and width in pixels.
    epochs, seed : the same for every arm.
    arms : two to five, all different.
    """

    arms: tuple[Arm, ...]
    dataset: str = field(default_factory=datasets.default_name)
    n: int | None = 400
    image_size: int = 96
    backbone: str = "efficientnet_lite0"
    epochs: int = 5
    seed: int = 0

    def experiment(self, arm: Arm) -> Experiment:
        """Return the experiment that measures `arm`."""
        return Experiment(
            arm.build(), self.dataset, self.n, self.backbone, self.image_size,
            Recipe(epochs=self.epochs), self.seed, model_options={"gray": arm.gray},
        )  # fmt: skip

    @property
    def labels(self) -> tuple[str, ...]:
        """A name per arm: the strategy, what is unusual about it, and what sets it apart.

        Where all arms have the same strategy it is left out: see `shared_strategy`.
        """
        try:
            marks = [arm.marks() for arm in self.arms]
        except CourseError:  # `check` says what is wrong; until then they need some name
            return tuple(f"arm {k}: {arm.strategy}" for k, arm in enumerate(self.arms, 1))
        found = []
        for arm, own in zip(self.arms, marks, strict=True):
            kin = [m for a, m in zip(self.arms, marks, strict=True) if a.strategy == arm.strategy]
            usual = Arm(arm.strategy).marks()
            shown = [word for knob, word in own.items()
                     if any(other.get(knob) != word for other in (usual, *kin))]  # fmt: skip
            told_apart = shown and len(kin) == len(self.arms) > 1
            found.append(", ".join(shown if told_apart else [label_of(arm.strategy), *shown]))
        return tuple(found)

    @property
    def shared_strategy(self) -> str:
        """The strategy of every arm, in words; "" where they differ."""
        names = {arm.strategy for arm in self.arms}
        return label_of(names.pop()) if len(names) == 1 else ""

    @property
    def shape(self) -> tuple[int, int]:
        """Channels and number of classes, as far as they are known before an image is read."""
        facts = FACTS.get(self.dataset, {})
        return facts.get("channels", 3), len(facts.get("classes", "ab"))

    def data(self) -> tuple[Dataset, str]:
        """Return the images, and a sentence where there are fewer than asked for: all are taken."""
        data = datasets.load(self.dataset, size=self.image_size)
        there = len(data.train)
        if self.n is None or self.n < there:
            return (data if self.n is None else data.take(self.n, self.seed)), ""
        few = f"There are {there:,} training images, not {self.n:,}: all of them are used."
        return data.take(there, self.seed), few * (self.n > there)

    @property
    def caveat(self) -> str:
        """What must stand beside every number on these images; "" where nothing must."""
        return FACTS.get(self.dataset, {}).get("caveat", "")

    def with_another_arm(self) -> Setup:
        """Return the same race with one arm more: the first strategy that is not in it yet."""
        here = {arm.strategy for arm in self.arms}
        new = next((name for name in LABELS if name not in here), "partial_finetune")
        last = 1 + max((arm.last for arm in self.arms if arm.strategy == new), default=1)
        return replace(self, arms=(*self.arms, Arm(new, last=last)))

    def without_arm(self, place: int) -> Setup:
        """Return the same race without the arm at `place`."""
        return replace(self, arms=(*self.arms[:place], *self.arms[place + 1 :]))

    def check(self) -> None:
        """Look at everything that can be judged without reading an image.

        Raises
        ------
        CourseError
            With the first thing that cannot be raced.
        """
        count = len(self.arms)
        wanted = (
            (FEWEST_ARMS <= count <= MOST_ARMS,
             f"A race has {FEWEST_ARMS} to {MOST_ARMS} arms; here "
             f"{'is' if count == 1 else 'are'} {count}."),
            (self.n is None or 4 <= self.n <= MOST_IMAGES,
             f"n = {self.n} images cannot be trained on; give 4 or more, or as many as there are."),
            (32 <= self.image_size <= 224,
             f"The image size is {self.image_size}; give 32 to 224 pixels. 64 is quick, 96 is "
             "what the stored evidence was measured at."),
            (1 <= self.epochs <= MOST_EPOCHS, f"epochs = {self.epochs}; give 1 to {MOST_EPOCHS}."),
            (0 <= self.seed < SEEDS,
             f"The seed is {self.seed}; give a whole number from 0 to {SEEDS - 1:,}."),
        )  # fmt: skip
        for holds, sentence in wanted:
            if not holds:
                raise CourseError(sentence)
        if self.backbone not in backbones.LAYOUTS:
            raise unknown_name("backbone", self.backbone, backbones.LAYOUTS)
        names, trouble = data_sets()
        if self.dataset.startswith("folder:"):
            given = self.dataset.removeprefix("folder:").strip()
            path = files.expanded(given)
            if not given or not files.is_folder(path):
                missing = f"There is no folder {str(path)!r}. " if given else ""
                raise CourseError(
                    f"{missing}Type the path of a folder with one sub-folder of images per class."
                )
        elif self.dataset not in names:
            hint = f"For your own images choose 'a folder' and give its path. {trouble}"
            raise unknown_name("data set", self.dataset, names, hint)
        self._check_arms()

    def _check_arms(self) -> None:
        stages = len(backbones.LAYOUTS[self.backbone].stages)
        seen: dict[str, int] = {}
        for place, arm in enumerate(self.arms, 1):
            phase_ends(arm.build(), self.epochs)
            if arm.gray not in GRAYS:
                raise unknown_name("grayscale surgery", arm.gray, GRAYS)
            if arm.strategy == "partial_finetune" and arm.last > stages:
                raise CourseError(
                    f"{self.backbone} has {stages} stages, but an arm trains the last {arm.last}. "
                    f"Choose 1 to {stages}, or full fine-tune, which trains the stem as well."
                )
            first = seen.setdefault(repr((self.experiment(arm), arm.policy)), place)
            if first != place:
                raise CourseError(
                    f"Arms {first} and {place} are the same, so they would tie. Change a knob of "
                    "one of them or take it out."
                )

    def check_data(self, data: Dataset) -> None:
        """Look at what can only be judged once the images are there.

        Raises
        ------
        CourseError
            When an arm makes no sense for them.
        """
        if data.card.channels == 3 and any(arm.gray != "sum" for arm in self.arms):
            raise CourseError(
                "These images are in colour, so the network's stem stays as it is and the "
                "grayscale surgery changes nothing. Set it to 'sum' in every arm."
            )
