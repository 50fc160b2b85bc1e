"""Measure where transfer lives: ``python -m measure.probes``.

Fills data/results/layer_probes.csv (probes on every part, pretrained against random weights) and
data/results/cka.csv (pretrained against fine-tuned, part by part). What is in the tables already
is not measured again, so it can be killed and started again. COURSE_DATA_DIR names the folder that
holds ``flowers``; without it that set is left out.
"""

from __future__ import annotations

import argparse
import sys

import pandas as pd
import torch

from helpers import __main__, datasets
from helpers.datasets import Card, Dataset
from helpers.evidence import grid, tables
from helpers.evidence.probes import CKA, CKA_COLUMNS, PROBE_COLUMNS, PROBES, read_cka, read_probes
from helpers.inspection.cka import cka_per_part
from helpers.inspection.probes import probe_parts
from helpers.networks import backbones
from helpers.networks.backbones import Backbone
from helpers.training import experiments, strategies
from helpers.training.experiments import Experiment
from helpers.training.recipe import Recipe

N_TRAIN, IMAGE_SIZE, BACKBONE = 400, 96, "efficientnet_lite0"


SEEDS = (0, 1, 2)


PROBED = ("elpv", "flowers")


WEIGHTS = ("imagenet", "random")


TUNED = (strategies.full_finetune(), strategies.partial_finetune(last=2))


UNTRAINED = "random"  # stands where a strategy stands: another network, with random weights


CKA_IMAGES = 256  # of the test split


def untrained(card: Card, seed: int) -> Backbone:
    """Return the network with random weights, the fair comparison for pretrained ones."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return backbones.load(BACKBONE, channels=card.channels, weights=None)


def measure_probes(name: str, weights: str, seed: int) -> pd.DataFrame:
    """Return the rows of one data set, kind of weights and seed (of the sample and the weights)."""
    data = datasets.load(name, size=IMAGE_SIZE)
    data = data.take(min(N_TRAIN, len(data.train)), seed)
    if weights == "random":
        model = untrained(data.card, seed)
    else:
        model = backbones.load(BACKBONE, channels=data.card.channels, weights=weights)
    rows = probe_parts(model, data).round({"auc": 4, "auc_lo": 4, "auc_hi": 4})
    return _with(rows, data, {"dataset": name, "weights": weights, "seed": seed})


def measure_cka(strategy: str, seed: int) -> pd.DataFrame:
    """Return the rows of one network against the pretrained one, on images of `elpv`.

    Parameters
    ----------
    strategy : the name of one in `TUNED`; or `UNTRAINED`, for a network with random weights.
    seed : of the training sample and of the run, or of the random weights.
    """
    data = datasets.load("elpv", size=IMAGE_SIZE).take(N_TRAIN, seed)
    if strategy == UNTRAINED:
        model, facts = untrained(data.card, seed), {"epochs": 0, "kept_epoch": 0}
    else:
        model, facts = _tuned(strategy, data, seed)
    images = data.test.sample(CKA_IMAGES)  # the same ones for every seed
    start = backbones.load(BACKBONE, channels=data.card.channels)
    rows = pd.DataFrame(
        {"part": part, "depth": depth, "n_images": one.n, "cka": round(one.cka, 4),
         "cka_lo": round(one.lo, 4), "cka_hi": round(one.hi, 4),
         "cka_biased": round(one.biased, 4)}
        for depth, (part, one) in enumerate(cka_per_part(start, model, images).items(), start=1)
    )  # fmt: skip
    return _with(rows.assign(n_train=len(data.train)), data,
                 {"dataset": "elpv", "strategy": strategy, "seed": seed, **facts})  # fmt: skip


def _tuned(name: str, data: Dataset, seed: int) -> tuple[Backbone, dict[str, float]]:
    """Fine-tune for the epochs of the evidence; return the last epoch's network and its facts.

    Validation would keep an early epoch for one seed and a late one for another, and how far the
    weights went would then say more about that choice than about the strategy.
    """
    strategy = next(one for one in TUNED if one.name == name)
    recipe = Recipe(epochs=grid.epochs_for(N_TRAIN), average=1)
    experiment = Experiment(strategy, "elpv", N_TRAIN, BACKBONE, IMAGE_SIZE, recipe, seed)
    outcome = experiments.measure(experiment, data=data)
    facts = {"epochs": recipe.epochs, "kept_epoch": outcome.run.best_epoch,
             "test_auc": round(outcome.score.auc, 4)}  # fmt: skip
    return outcome.run.model, facts


def _with(rows: pd.DataFrame, data: Dataset, key: dict[str, object]) -> pd.DataFrame:
    return rows.assign(
        domain=data.card.domain, backbone=BACKBONE, image_size=IMAGE_SIZE,
        versions=experiments.versions(), **key,
    )  # fmt: skip


def missing_probes() -> list[dict]:
    """Return what is to be measured: the arguments of `measure_probes`."""
    done = set(read_probes()[["dataset", "weights", "seed"]].itertuples(index=False, name=None))
    names = [name for name in PROBED if name in datasets.names()]
    return [
        {"name": name, "weights": weights, "seed": seed}
        for name in names
        for seed in SEEDS
        for weights in WEIGHTS
        if (name, weights, seed) not in done
    ]


def missing_cka() -> list[dict]:
    """Return what is to be measured: the arguments of `measure_cka`."""
    done = set(read_cka()[["strategy", "seed"]].itertuples(index=False, name=None))
    return [
        {"strategy": strategy, "seed": seed}
        for strategy in (UNTRAINED, *(one.name for one in TUNED))
        for seed in SEEDS
        if (strategy, seed) not in done
    ]


def main(argv: list[str] | None = None) -> int:
    """Measure what is missing; return the exit code."""
    argparse.ArgumentParser(
        "python -m measure.probes", description=__doc__.splitlines()[0]
    ).parse_args(argv)
    torch.set_num_threads(1)
    return __main__.exit_code(_measure_all)


def _measure_all() -> None:
    for job in missing_probes():
        tables.append(measure_probes(**job), PROBES, PROBE_COLUMNS)
        print("probes:", *job.values(), flush=True)
    for job in missing_cka():
        tables.append(measure_cka(**job), CKA, CKA_COLUMNS)
        print("CKA:", *job.values(), flush=True)


if __name__ == "__main__":
    sys.exit(main())
