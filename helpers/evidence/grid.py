"""The grid of the evidence: which strategies are compared where, with which training budget.

``make evidence`` fills data/results/strategies.csv with it, cheap cells first. Stopped and started
again it goes on: a finished cell is a row of the table, a long one resumes at its epoch.
"""

from __future__ import annotations

from collections.abc import Sequence

from helpers import datasets
from helpers.errors import CourseError
from helpers.training import strategies
from helpers.training.experiments import Experiment
from helpers.training.strategies import Strategy

DATASETS = ("elpv", "chest_xray", "flowers", "hymenoptera")

SIZES = (50, 200, 800, None)  # training images; None: all

MORE_SIZES = {"chest_xray": (1600,)}  # a step more, for notebook 07

SEEDS = (0, 1, 2)

IMAGE_SIZE = 96

BACKBONE = "efficientnet_lite0"

TIMES_LONGER = 3  # scratch also gets this many times the epochs of the others

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


def budgets(arm: Strategy, n: int) -> list[int]:
    """Return the numbers of epochs that an arm is measured with: scratch also gets more."""
    return [epochs_for(n)] if arm.pretrained else [epochs_for(n), TIMES_LONGER * epochs_for(n)]


def sizes_of(name: str, asked: Sequence[int | None] = ()) -> set[int]:
    """Return the numbers of training images on a data set, which may have fewer than asked.

    `asked` is `SIZES` and `MORE_SIZES` where it is left out.
    """
    everything = len(datasets.load(name, size=IMAGE_SIZE).train)
    sizes = asked or (*SIZES, *MORE_SIZES.get(name, ()))
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
    name, epochs = experiment.dataset_key, experiment.recipe.epochs
    network = (experiment.backbone, experiment.image_size)
    if name not in DATASETS or network != (BACKBONE, IMAGE_SIZE):
        return
    (n,) = sizes_of(name, [experiment.n_train])
    arms = [arm for arm in ARMS if arm.key == experiment.strategy.key]
    if n in sizes_of(name) and any(epochs in budgets(arm, n) for arm in arms):
        raise CourseError(
            f"{name} with {n:,} images, {arms[0].key} and {epochs} epochs is a cell of the "
            "evidence, which make evidence measures. Give another file for your row: "
            "--results FILE."
        )
