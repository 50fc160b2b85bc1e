"""How far fine-tuning moves each part of a network: CKA with the pretrained one, on `elpv`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from helpers import datasets
from helpers.datasets import Dataset
from helpers.evidence import grid
from helpers.evidence.probes import CKA, CKA_COLUMNS
from helpers.inspection import cka_per_part
from helpers.networks import backbones
from helpers.networks.backbones import Backbone
from helpers.training import experiments, strategies
from helpers.training.experiments import Experiment
from helpers.training.recipe import Recipe
from measure.probes import BACKBONE, IMAGE_SIZE, N_TRAIN, SEEDS, untrained
from measure.runner import Table

DATASET = "elpv"

# The third is a control: one rate for all stages, so small rates in front are no explanation.
TUNED = {
    one.key: one
    for one in (strategies.full_finetune(), strategies.partial_finetune(last=2),
                strategies.full_finetune(decay=1.0))
}  # fmt: skip

UNTRAINED = "random"  # stands where a strategy stands: another network, with random weights

CKA_IMAGES = 256  # of the test split


class Cell(NamedTuple):
    """One network: fine-tuned with a strategy of `TUNED`, or `UNTRAINED`.

    The seed is that of the training sample and of the run, or of the random weights.
    """

    strategy: str
    seed: int


def cells(names: Sequence[str] = (DATASET,)) -> list[Cell]:
    """Return every cell, those without training first."""
    return [Cell(name, seed) for _ in names for name in (UNTRAINED, *TUNED) for seed in SEEDS]


def measure(cell: Cell) -> list[dict]:
    """Compare the network with the pretrained one; return a row for each part."""
    data = datasets.load(DATASET, size=IMAGE_SIZE).take(N_TRAIN, cell.seed)
    if cell.strategy == UNTRAINED:
        model, facts = untrained(data.card, cell.seed), {"epochs": 0, "kept_epoch": 0}
    else:
        model, facts = tuned(cell, data)
    images = data.test.sample(CKA_IMAGES)  # the same ones for every seed
    start = backbones.load(BACKBONE, channels=data.card.channels)
    return [
        {
            **cell._asdict(), **facts, "dataset": DATASET, "domain": data.card.domain,
            "n_train": len(data.train), "n_images": one.n, "backbone": BACKBONE,
            "image_size": IMAGE_SIZE, "part": part, "depth": depth, "cka": round(one.cka, 4),
            "cka_lo": round(one.lo, 4), "cka_hi": round(one.hi, 4),
            "cka_biased": round(one.biased, 4), "versions": experiments.versions(),
        }
        for depth, (part, one) in enumerate(cka_per_part(start, model, images).items(), start=1)
    ]  # fmt: skip


def tuned(cell: Cell, data: Dataset) -> tuple[Backbone, dict[str, float]]:
    """Fine-tune for the epochs of the evidence; return the last epoch's network and its facts.

    Validation would keep an early epoch for one seed and a late one for another, and how far the
    weights went would then say more about that choice than about the strategy.
    """
    recipe = Recipe(epochs=grid.epochs_for(N_TRAIN), average=1)
    experiment = Experiment(
        TUNED[cell.strategy], DATASET, N_TRAIN, BACKBONE, IMAGE_SIZE, recipe, cell.seed
    )
    outcome = experiments.measure(experiment, data=data)
    facts = {"epochs": recipe.epochs, "kept_epoch": outcome.run.best_epoch,
             "test_auc": round(outcome.score.auc, 4)}  # fmt: skip
    return outcome.run.model, facts


TABLE = Table(CKA, CKA_COLUMNS, Cell._fields, (DATASET,), cells, measure)
