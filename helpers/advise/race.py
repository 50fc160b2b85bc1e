"""Strategies on your own images: how long each would take here, and a race on a sample.

Both use the training budget of the evidence (`helpers.evidence.grid.epochs_for`), so that what is
measured here and there can be compared.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from helpers.advise.census import Census, read
from helpers.datasets import Card, Dataset, Split
from helpers.datasets.dataset import holdout, stratified_sample
from helpers.errors import CourseError
from helpers.evidence import grid
from helpers.evidence.recommend import NAMES
from helpers.evidence.verdicts import LONGER
from helpers.networks.backbones import Backbone
from helpers.training import feature_cache, loop, predict, strategies
from helpers.training.metrics import Interval, Score, auc_difference
from helpers.training.recipe import Recipe, phase_ends
from helpers.training.strategies import Strategy

RACE_IMAGES, TEST_IMAGES = 240, 400  # at most; a minute or two for an arm that trains everything


STEPS, BATCH = 3, 32


SHARES = {"test": 0.3, "val": 0.2}  # of the training part, of what is left of it


LEAST = 5  # images or groups of each class to compare on, for a verdict


def arm(name: str, n: int) -> tuple[Strategy, int]:
    """Return the strategy of an arm of the grid and its number of epochs at `n` images."""
    strategy = next(s for s in grid.ARMS if s.key == name.removesuffix(LONGER))
    return strategy, grid.epochs_for(n) * (grid.LONGER if name.endswith(LONGER) else 1)


def seconds_for(name: str, images: Split, n: int, n_val: int, n_classes: int) -> float:
    """Return how long an arm would take on this machine with `n` training images, in seconds.

    A few steps are timed, forward and backward, on batches of `images`; what is frozen counts
    once an image, as `helpers.training.feature_cache` computes it. Loading and scoring are not
    in it.
    """
    strategy, epochs = arm(name, n)
    model = strategies.build(
        strategy, grid.BACKBONE, n_classes=n_classes, channels=images.images.shape[-1]
    )
    ends = phase_ends(strategy, epochs)
    total = 0.0
    for phase, (first, end) in enumerate(zip([0, *ends], ends, strict=False)):
        strategies.apply(model, strategy, phase)
        start, _ = feature_cache.boundary(model)
        ahead, step, check = _time_a_step(model, images, start)
        total += (n + n_val) * ahead + (end - first) * (n * step + n_val * check)
    return total


def _time_a_step(model: Backbone, images: Split, start: str) -> tuple[float, float, float]:
    """Return seconds per image: computed ahead, per training step, per validation pass."""
    x = predict.batch(images, np.arange(BATCH) % len(images))
    options = {}
    ahead = 0.0
    if start != "stem":
        last = model.part_names[model.part_names.index(start) - 1]
        options = {"start": start}
        ahead, x = _timed(lambda: _at_rest(model, x, stop=last))
        x = model.pool(x) if start == "head" else x
    step, _ = _timed(lambda: model.train()(x, **options).logsumexp(dim=1).sum().backward())
    check, _ = _timed(lambda: _at_rest(model, x, **options))
    return ahead / BATCH, step / BATCH, check / BATCH


def _at_rest(model: Backbone, x: torch.Tensor, **options) -> torch.Tensor:
    with torch.no_grad():
        return model.eval()(x, **options)


def _timed(call: Callable[[], torch.Tensor]) -> tuple[float, torch.Tensor]:
    """Return the least seconds of a few calls, as on a quiet machine, and the last result."""
    call()
    seconds = []
    for _ in range(STEPS):
        began = time.perf_counter()
        result = call()
        seconds.append(time.perf_counter() - began)
    return min(seconds), result


@dataclass(frozen=True)
class Lane:
    """One arm of a race: its score on the test images, and what it cost."""

    arm: str
    score: Score
    seconds: float
    trainable: int
    epochs: int


@dataclass(frozen=True)
class Race:
    """A race on one sample of images, the favourite first.

    Attributes
    ----------
    sizes : part -> number of images.
    behind : arm -> AUC of the favourite minus that of this arm on the same held-out images, with a
        95 % bootstrap interval over those images (whole groups where groups are known).
    rarest : held-out images (or groups) of the rarest class.
    """

    lanes: tuple[Lane, ...]
    sizes: dict[str, int]
    behind: dict[str, Interval]
    rarest: int

    @property
    def verdict(self) -> str:
        """A sentence: is the favourite confirmed?"""
        if self.rarest < LEAST:
            return (
                f"No verdict: of some class only {self.rarest} could be held out to compare on; "
                f"{LEAST} are the least that says anything."
            )
        favourite = NAMES.get(self.lanes[0].arm, self.lanes[0].arm)
        for name, lead in self.behind.items():
            if lead.hi < 0:
                return f"Not confirmed: {NAMES.get(name, name)} clearly beats {favourite} here."
        if self.behind and all(lead.lo > 0 for lead in self.behind.values()):
            return f"Confirmed: {favourite} is clearly better than the others here."
        return (
            f"Not contradicted: no arm is clearly better than {favourite} on these images, "
            "and they do not tell all of them apart."
        )


def run(
    census: Census,
    names: Sequence[str],
    n_train: int = RACE_IMAGES,
    seed: int = 0,
    say: Callable[[str], None] = print,
) -> Race:
    """Train the arms `names` on a sample of a folder's images and compare them on others.

    All of them come from the folder's training part: which arm to take is a choice, and the test
    part is for one score at the end.

    Parameters
    ----------
    names : the favourite first.
    n_train : training images, at most.
    say : told what happens, a line at a time.

    Raises
    ------
    CourseError
        When too few images of a class can be read for a race.
    """
    data = sample(census, n_train, seed)
    sizes = {part: len(getattr(data, part)) for part in ("train", "val", "test")}
    lanes = []
    for name in names:
        strategy, epochs = arm(name, len(data.train))
        model = strategies.build(
            strategy, grid.BACKBONE, n_classes=len(data.card.classes),
            channels=data.card.channels, seed=seed,
        )  # fmt: skip
        found = loop.fit(model, data, strategy, Recipe(epochs=epochs), seed=seed)
        score = predict.evaluate(found.model, data.test)
        lanes.append(Lane(name, score, found.seconds, found.trainable, epochs))
        say(f"raced {name}: {score}, {found.seconds:.0f} s")
    first = lanes[0].score
    behind = {
        lane.arm: auc_difference(
            first.labels, lane.score.probabilities, first.probabilities, data.test.groups
        )
        for lane in lanes[1:]
    }
    return Race(tuple(lanes), sizes, behind, _rarest(data.test))


def _rarest(part: Split) -> int:
    return min(len(np.unique(part.groups[part.labels == k])) for k in np.unique(part.labels))


def sample(census: Census, n_train: int = RACE_IMAGES, seed: int = 0) -> Dataset:
    """Cut a race's own parts out of the folder's training part, and read what a race needs.

    Validation, which chooses the epoch, gets a quarter of `n_train`, ``test`` at most 400 images;
    groups stay whole. The folder's own validation and test parts are not touched. What cannot be
    read is left out.

    Raises
    ------
    CourseError
        When a part is left without a class.
    """
    classes, channels = census.listing.classes, census.images.images.shape[-1]
    index, parts = _own_parts(census, seed), {}
    for part, most in (("train", n_train), ("val", n_train // 4), ("test", TEST_IMAGES)):
        rows, most = index[part], max(most, 2 * len(classes))
        if len(rows) > most:
            rows = rows[stratified_sample(census.listing.labels[rows], most, seed)]
        _, parts[part] = read(census.listing, rows, census.groups, grid.IMAGE_SIZE, channels)
        absent = set(range(len(classes))) - set(parts[part].labels.tolist())
        if absent:
            raise CourseError(
                f"No race: the {part} part has no readable image of the class "
                f"{classes[min(absent)]}. Add images, or leave --race out."
            )
    card = Card(
        name=f"folder:{census.root}", title=census.root.name, domain="own images",
        classes=classes, channels=channels, size=grid.IMAGE_SIZE, split_rule="a sample, for a race",
        source="your folder", terms="yours to check",
    )  # fmt: skip
    return Dataset(card, **parts)


def _own_parts(census: Census, seed: int) -> dict[str, np.ndarray]:
    rest, index = census.index["train"], {}
    for part, share in SHARES.items():
        try:
            kept, held_out = holdout(census.listing.labels[rest], share, seed, census.groups[rest])
        except (CourseError, ValueError) as error:
            raise CourseError(
                f"No race: the {len(rest):,} training images are too few of some class, or of too "
                "few groups, to hold some out. Add images, or leave --race out."
            ) from error
        index[part], rest = rest[held_out], rest[kept]
    return index | {"train": rest}
