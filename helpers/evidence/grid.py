"""The evidence of the course: every strategy on every data set that a laptop can measure.

``make evidence`` fills data/results/strategies.csv, cheap cells first. Killed and started again it
goes on: a finished cell is a row of the table, a long one that was cut off resumes at its epoch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from helpers import datasets
from helpers.errors import CourseError
from helpers.training import strategies
from helpers.training.experiments import Experiment
from helpers.training.recipe import Recipe
from helpers.training.strategies import Strategy

DATASETS = ("elpv", "chest_xray", "flowers", "hymenoptera")


SIZES = (50, 200, 800, None)  # training images; None: all


SEEDS = (0, 1, 2)


IMAGE_SIZE = 96


BACKBONE = "efficientnet_lite0"


LONGER = 3  # scratch also gets this many times the epochs of the others


ARMS: tuple[Strategy, ...] = (
    strategies.feature_extraction(),
    strategies.partial_finetune(last=1),
    strategies.partial_finetune(last=2),
    strategies.full_finetune(),
    strategies.lp_ft(),
    strategies.scratch(),
)


# Passes over the images cost the same in every arm or less, so cost is in passes of the whole net.
SHARE_OF_A_FULL_PASS = {"feature_extraction": 0.02, "partial_finetune_last1": 0.1,
                        "partial_finetune": 0.25, "lp_ft": 0.6}  # fmt: skip


def epochs_for(n: int) -> int:
    """Return the training budget of every arm: the same passes over the images, more when few.

    All arms of a cell get it, whatever a pass costs them; LP-FT shares it out over its two phases.
    """
    return 40 if n < 100 else 20 if n < 400 else 10 if n < 1000 else 6


@dataclass(frozen=True)
class Cell:
    """One run of the grid, by what tells its row from the others."""

    dataset: str
    n: int
    strategy: Strategy
    epochs: int
    seed: int

    def __str__(self) -> str:
        longer = f", {self.epochs} epochs" if self.epochs != epochs_for(self.n) else ""
        return f"{self.dataset} n={self.n} {self.strategy.key}{longer} seed {self.seed}"

    @property
    def cost(self) -> float:
        """About how much work it is, in images passed forward and backward through all of it."""
        return self.n * self.epochs * SHARE_OF_A_FULL_PASS.get(self.strategy.name, 1.0)

    @property
    def experiment(self) -> Experiment:
        """The experiment to measure."""
        return Experiment(
            self.strategy, self.dataset, self.n, BACKBONE, IMAGE_SIZE,
            Recipe(epochs=self.epochs), self.seed,
        )  # fmt: skip

    @property
    def key(self) -> tuple:
        """The columns of the results table that name this cell."""
        return (self.dataset, self.n, BACKBONE, IMAGE_SIZE, self.strategy.key, self.epochs,
                self.seed)  # fmt: skip


KEY_COLUMNS = ["dataset", "n_train", "backbone", "image_size", "strategy", "epochs", "seed"]


def cells(names: Sequence[str] = DATASETS, sizes: Sequence[int | None] = SIZES) -> list[Cell]:
    """Return every cell of the grid for these data sets, the cheap ones first."""
    found = {
        Cell(name, n, arm, epochs_for(n) * longer, seed)
        for name in names
        for n in _sizes_of(name, sizes)
        for arm in ARMS
        for longer in ((1, LONGER) if not arm.pretrained else (1,))
        for seed in SEEDS
    }
    return sorted(found, key=lambda cell: (cell.cost, cell.key))


def _sizes_of(name: str, sizes: Sequence[int | None]) -> set[int]:
    everything = len(datasets.load(name, size=IMAGE_SIZE).train)
    return {min(n or everything, everything) for n in sizes}


def check_free(experiment: Experiment) -> None:
    """Refuse a run whose row in the course's own table would pass for a cell of the grid.

    The key of a row holds neither batch size nor patience, and its seconds would be wall time. A
    further seed is refused too: with one more than the others, an arm would stand alone.

    Raises
    ------
    CourseError
        When the run belongs to a cell of the grid.
    """
    name = experiment.dataset_key
    if name not in DATASETS or (experiment.backbone, experiment.image_size) != (
        BACKBONE, IMAGE_SIZE
    ):  # fmt: skip
        return
    (n,) = _sizes_of(name, [experiment.n_train])
    run = (n, experiment.strategy.key, experiment.recipe.epochs)
    if run in {(cell.n, cell.strategy.key, cell.epochs) for cell in cells([name])}:
        raise CourseError(
            f"{name} with {n:,} images, {run[1]} and {run[2]} epochs is a cell of the evidence, "
            "which make evidence measures. Give another file for your row: --results FILE."
        )
