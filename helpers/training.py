"""The training loop: fit on train, choose the epoch on validation, score a split once.

Notebook 02 writes this loop out in plain torch; this is the same loop with the care it needs to
be left alone: warm-up, clipping, a copied best checkpoint, resuming, several processes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from lightning_fabric import Fabric
from torch import Tensor

from helpers import engine
from helpers.backbones import Backbone
from helpers.datasets import Dataset
from helpers.errors import CourseError
from helpers.inference import evaluate, predict
from helpers.loop import Loop
from helpers.runs import Recipe, Run
from helpers.strategies import Strategy
from helpers.views import View

__all__ = ["Recipe", "Run", "evaluate", "fit", "predict"]


def fit(
    model: Backbone,
    data: Dataset,
    strategy: Strategy,
    recipe: Recipe | None = None,
    *,
    seed: int = 0,
    augment: Callable[[Tensor], Tensor] | None = None,
    views: Sequence[View] = (),
    targets: np.ndarray | None = None,
    folder: Path | str | None = None,
    on_epoch: Callable[[dict], None] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    use_prefix: bool = True,
    fabric: Fabric | None = None,
) -> Run:
    """Train `model` on ``data.train``; keep the epoch that is best on ``data.val``.

    ``data.test`` is not touched. The model is trained in place.

    Parameters
    ----------
    seed : fixes the order of the images and the dropout; the head's start is `build`'s seed.
    augment : maps a uint8 batch ``(N, C, H, W)`` to one of the same shape; training only.
    views : fixed views (`helpers.views`); each epoch shows every image in one of them. Unlike
        `augment` they leave the frozen front computable ahead, once per view.
    targets : ``(N, n_classes)``, a probability per class to learn instead of ``data.train.labels``,
        e.g. how sure the experts were. Validation goes on using labels.
    folder : where to keep the state after each epoch; a run killed there and started again goes
        on as if nothing had happened.
    on_epoch : called with each row of the history, e.g. to draw live curves.
    should_stop : asked after every step; the weights of the best epoch so far are kept.
    use_prefix : compute what is frozen once (`helpers.prefix`), wherever that is valid.
    fabric : device, precision and processes; None: this machine's best.

    Raises
    ------
    CourseError
        When the loss is not finite before any epoch could be kept, when `folder` holds another
        run, or when `targets` are no probabilities.
    """
    recipe, fabric = recipe or Recipe(), fabric or engine.start()
    loop = Loop(model, data, strategy, recipe, seed, fabric)
    loop.augment, loop.views, loop.use_prefix = augment, list(views), use_prefix
    if targets is not None:
        loop.targets = _checked(targets, data)
    loop.on_epoch, loop.should_stop = on_epoch, should_stop
    loop.folder = Path(folder) if folder else None
    return loop.run()


def _checked(targets: np.ndarray, data: Dataset) -> np.ndarray:
    shape = (len(data.train), len(data.card.classes))
    sums = targets.sum(axis=1) if targets.shape == shape else np.zeros(1)
    if targets.min() < 0 or not np.allclose(sums, 1, atol=1e-3):
        raise CourseError(
            f"targets must be probabilities of shape {shape}, each row with the sum 1; these are "
            f"{targets.shape}."
        )
    return targets.astype(np.float32)
