"""One measured cell of the evidence: a run on one data set, and its row in the results table."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.metadata import version

from lightning_fabric import Fabric

from helpers import datasets
from helpers.datasets import Dataset
from helpers.networks.backbones import Backbone
from helpers.training import loop, predict, strategies
from helpers.training.metrics import Score
from helpers.training.recipe import Recipe, Run
from helpers.training.strategies import Strategy

USUAL = {("split", "random"), ("threshold", 0.5), ("gray", "sum"), ("weights", "imagenet"),
         ("fit", "crop"), ("accept_terms", True)}  # fmt: skip


@dataclass(frozen=True)
class Experiment:
    """Everything that decides a result. Same experiment, same machine: same result.

    Attributes
    ----------
    dataset : a name that `helpers.datasets.load` takes, with its `dataset_options`.
    n_train : training images, or None for all.
    seed : of the sample, the head and the order of the images.
    model_options : for `helpers.networks.backbones.load`, e.g. ``{"gray": "mean"}``.
    """

    strategy: Strategy
    dataset: str = "elpv"
    n_train: int | None = None
    backbone: str = "efficientnet_lite0"
    image_size: int = 128
    recipe: Recipe = field(default_factory=Recipe)
    seed: int = 0
    dataset_options: dict = field(default_factory=dict)
    model_options: dict = field(default_factory=dict)

    @property
    def dataset_key(self) -> str:
        """The data set's name, with the options that differ from its defaults."""
        options = {**self.dataset_options, **self.model_options}
        marks = [f"{k}={v}" for k, v in sorted(options.items()) if (k, v) not in USUAL]
        return self.dataset + (f"[{', '.join(marks)}]" if marks else "")

    def data(self) -> Dataset:
        """Return the data set, cut down to `n_train` images."""
        data = datasets.load(self.dataset, size=self.image_size, **self.dataset_options)
        return data if self.n_train is None else data.take(self.n_train, self.seed)

    def model(self, data: Dataset) -> Backbone:
        """Return the network for `data` as it is before any training."""
        return strategies.build(
            self.strategy, self.backbone, n_classes=len(data.card.classes),
            channels=data.card.channels, seed=self.seed, **self.model_options,
        )  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """A finished experiment: its data, its run and its score on the test split."""

    experiment: Experiment
    data: Dataset
    run: Run
    score: Score

    def row(self) -> dict:
        """Return this outcome as a row of the results table (`helpers.evidence.tables`)."""
        scores = ("auc", "auc_lo", "auc_hi", "accuracy")
        return {
            "dataset": self.experiment.dataset_key,
            "domain": self.data.card.domain,
            "n_train": len(self.data.train),
            "backbone": self.experiment.backbone,
            "image_size": self.experiment.image_size,
            "strategy": self.experiment.strategy.key,
            "epochs": self.experiment.recipe.epochs,
            "seed": self.experiment.seed,
            **{name: round(getattr(self.score, name), 4) for name in scores},
            "train_seconds": round(self.run.seconds, 1),
            "trainable_params": self.run.trainable,
            "versions": versions(),
        }


def measure(
    experiment: Experiment, *, data: Dataset | None = None, fabric: Fabric | None = None, **options
) -> Outcome:
    """Train as `experiment` says and score the test split, once.

    `data` is what ``experiment.data()`` returned, where it is loaded already; `options` go to
    `helpers.training.loop.fit`.
    """
    data = data or experiment.data()
    run = loop.fit(
        experiment.model(data), data, experiment.strategy, experiment.recipe,
        seed=experiment.seed, fabric=fabric, **options,
    )  # fmt: skip
    return Outcome(experiment, data, run, predict.evaluate(run.model, data.test, fabric))


def versions() -> str:
    """Return the versions that a number depends on, in one cell."""
    return " ".join(f"{name}={version(name)}" for name in ("torch", "torchvision", "timm"))
