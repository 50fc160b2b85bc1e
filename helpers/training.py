"""The training loop: fit on train, choose the epoch on validation, score a split once.

Notebook 02 writes this loop out in plain torch; this is the same loop with the care it needs to
be left alone: warm-up, clipping, a copied best checkpoint, resuming, several processes.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from tqdm.auto import tqdm

from helpers import checkpoints, engine, metrics, prefix, strategies
from helpers.backbones import Backbone
from helpers.datasets import Dataset, Split
from helpers.errors import CourseError
from helpers.inference import Inputs, batch, evaluate, predict
from helpers.runs import Recipe, Run, phase_ends
from helpers.schedules import warmup_cosine
from helpers.strategies import Strategy
from helpers.views import Mixed, Seen, View

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
    folder : where to keep the state after each epoch; a run killed there and started again goes
        on as if nothing had happened.
    on_epoch : called with each row of the history, e.g. to draw live curves.
    should_stop : asked after every step; the weights of the best epoch so far are kept.
    use_prefix : compute what is frozen once (`helpers.prefix`), wherever that is valid.
    fabric : device, precision and processes; None: this machine's best.

    Raises
    ------
    CourseError
        When the loss is not finite before any epoch could be kept, or `folder` holds another run.
    """
    loop = _Loop(model, data, strategy, recipe or Recipe(), seed, augment, fabric or engine.start())
    loop.folder = Path(folder) if folder else None
    loop.on_epoch, loop.should_stop, loop.use_prefix = on_epoch, should_stop, use_prefix
    loop.views = list(views)
    return loop.run()


def balanced_weights(labels: np.ndarray, n_classes: int) -> Tensor:
    """Return a loss weight per class, inverse to its frequency, with mean 1 over the images."""
    counts = np.bincount(labels, minlength=n_classes)
    return torch.tensor(len(labels) / (n_classes * np.maximum(counts, 1)), dtype=torch.float32)


class _Loop:
    """One call of `fit`: the state that its steps share."""

    def __init__(self, model, data, strategy, recipe, seed, augment, fabric) -> None:
        self.data, self.augment, self.fabric = data, augment, fabric
        self.result = Run(model, strategy, recipe, seed)
        self.best_state: dict[str, Tensor] | None = None
        self.best_key = (-math.inf, -math.inf)
        self.folder: Path | None = None
        self.on_epoch, self.use_prefix, self.views = None, True, []
        self.should_stop: Callable[[], bool] = lambda: False
        n_classes = len(data.card.classes)
        weight = balanced_weights(data.train.labels, n_classes) if recipe.class_weights else None
        self.criterion = nn.CrossEntropyLoss(weight=weight).to(fabric.device)

    def run(self) -> Run:
        run, ends = self.result, phase_ends(self.result.strategy, self.result.recipe.epochs)
        done = self._resume()
        self.started = time.perf_counter() - run.seconds
        with torch.random.fork_rng(devices=[]):
            for phase, end in enumerate(ends):
                if done < end and not run.stopped:
                    self._run_phase(
                        phase, first=ends[phase - 1] if phase else 0, done=done, end=end
                    )
                    done = max(done, end)
        self._finish()
        return run

    def _run_phase(self, phase: int, first: int, done: int, end: int) -> None:
        run = self.result
        strategies.apply(run.model, run.strategy, phase)
        run.trainable = strategies.count_trainable(run.model)
        groups = strategies.param_groups(run.model, run.strategy, phase)
        optimizer = torch.optim.AdamW(groups, foreach=True)  # one call for all tensors
        self.peaks = [group["lr"] for group in groups]
        self._compute_frozen_front()
        self.wrapped, self.optimizer = self.fabric.setup(run.model, optimizer)
        self._restore_optimizer(phase)
        self.total_steps = (end - first) * self._steps_per_epoch()
        for epoch in self._progress(max(first, done), end, phase):
            loss = self._train_epoch(epoch, epoch - first)
            if not math.isfinite(loss):
                self._stop_for_nan(epoch)
            if run.stopped:
                return
            self._close_epoch(epoch, phase, loss)
            if self._out_of_patience(epoch, first):
                return

    def _compute_frozen_front(self) -> None:
        """Train and validate on the activations behind the frozen front, where there is one."""
        start, why = prefix.boundary(self.result.model)
        if self.augment is not None and start != "stem":
            start, why = "stem", "nothing is computed ahead: augmentation changes every image"
        if not self.use_prefix:
            start, why = "stem", "nothing is computed ahead: switched off"
        self.train = self._feed(self.data.train, start, self.views)
        self.val = self._feed(self.data.val, start)
        self.result.frozen_front = why

    def _feed(self, split: Split, start: str, views: Sequence[View] = ()) -> Inputs:
        model, fabric = self.result.model, self.fabric
        looks = [Seen(split.images, view) for view in views] or [split.images]
        arrays = [
            prefix.activations(model, Inputs(images, split.labels), start, fabric=fabric).images
            for images in looks
        ]
        return Inputs(Mixed(arrays) if views else arrays[0], split.labels, start)

    def _progress(self, first: int, end: int, phase: int):
        if self.fabric.global_rank > 0:
            return range(first, end)
        name = self.result.strategy.name + (f", phase {phase + 1}" if phase else "")
        # tqdm's notebook bar does not obey TQDM_DISABLE by itself.
        quiet = bool(os.environ.get("TQDM_DISABLE"))
        return tqdm(range(first, end), desc=name, unit="epoch", leave=False, disable=quiet)

    def _order(self, epoch: int) -> list[np.ndarray]:
        """Return this process's batches: shuffled by (seed, epoch), of nearly equal size."""
        n, world = len(self.data.train), self.fabric.world_size
        order = np.random.default_rng((self.result.seed, epoch)).permutation(n)
        mine = np.resize(order, math.ceil(n / world) * world)[self.fabric.global_rank :: world]
        return np.array_split(mine, self._steps_per_epoch())

    def _steps_per_epoch(self) -> int:
        per_process = math.ceil(len(self.data.train) / self.fabric.world_size)
        return math.ceil(per_process / self.result.recipe.batch_size)

    def _train_epoch(self, epoch: int, epoch_in_phase: int) -> float:
        torch.manual_seed(self.result.seed * 100_003 + epoch)
        self.wrapped.train()
        if self.views:
            self.train.images.choose(self.result.seed, epoch)
        total = torch.zeros((), device=self.fabric.device)
        batches = self._order(epoch)
        for step, index in enumerate(batches):
            self._set_rates(epoch_in_phase * len(batches) + step)
            total += self._step(index)
            if self.should_stop():
                self.result.stopped = f"Stopped by hand in epoch {epoch + 1}."
                break
        return float(total) / len(batches)

    def _set_rates(self, step: int) -> None:
        recipe = self.result.recipe
        warmup = round(recipe.warmup * self.total_steps)
        factor = warmup_cosine(step, self.total_steps, warmup, recipe.floor)
        for group, peak in zip(self.optimizer.param_groups, self.peaks, strict=True):
            group["lr"] = peak * factor

    def _step(self, index: np.ndarray) -> Tensor:
        images = batch(self.train, index, self.fabric.device)
        labels = torch.from_numpy(self.train.labels[index]).to(self.fabric.device)
        if self.augment is not None:
            images = self.augment(images)
        # set_to_none: a gradient that nothing cleared would add up and inflate the clipped norm
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.criterion(self.wrapped(images, start=self.train.start), labels)
        self.fabric.backward(loss)
        self.fabric.clip_gradients(self.wrapped, self.optimizer, max_norm=self.result.recipe.clip,
                                   error_if_nonfinite=False)  # fmt: skip
        self.optimizer.step()
        return loss.detach()

    def _close_epoch(self, epoch: int, phase: int, train_loss: float) -> None:
        row = {"epoch": epoch + 1, "phase": phase, "train_loss": train_loss, **self._validate(),
               "lr": self.optimizer.param_groups[-1]["lr"]}  # fmt: skip
        row["seconds"] = self.result.seconds = time.perf_counter() - self.started
        self.result.history.append(row)
        key = (row["val_accuracy"] if math.isnan(row["val_auc"]) else row["val_auc"],
               -row["val_loss"])  # fmt: skip
        if key > self.best_key:
            self.best_key, self.result.best_epoch = key, epoch + 1
            # A copy: state_dict() alone would go on changing with the next step.
            state = self.result.model.state_dict()
            self.best_state = {name: value.detach().clone() for name, value in state.items()}
        self._save()
        if self.on_epoch is not None:
            self.on_epoch(row)

    def _validate(self) -> dict[str, float]:
        split = self.data.val
        probabilities = predict(self.result.model, self.val, self.fabric)
        log_p = torch.from_numpy(np.log(np.maximum(probabilities, 1e-12))).to(self.fabric.device)
        labels = torch.from_numpy(split.labels).to(self.fabric.device)
        loss = nn.functional.nll_loss(log_p, labels, weight=self.criterion.weight)
        both = len(np.unique(split.labels)) == probabilities.shape[1]
        finite = bool(np.isfinite(probabilities).all())
        return {
            "val_loss": float(loss),
            "val_auc": metrics.auc(split.labels, probabilities) if both and finite else math.nan,
            "val_accuracy": float((probabilities.argmax(1) == split.labels).mean()),
        }

    def _out_of_patience(self, epoch: int, first: int) -> bool:
        patience = self.result.recipe.patience
        if patience is None or epoch + 1 - max(self.result.best_epoch, first) < patience:
            return False
        self.result.history[-1]["stopped_early"] = True
        return True

    def _stop_for_nan(self, epoch: int) -> None:
        if self.best_state is None:
            raise CourseError(
                f"The loss became NaN or infinite in epoch {epoch + 1}, before any epoch could be "
                "kept. Lower the learning rates or the clipping norm, and check the images."
            )
        self.result.stopped = (
            f"The loss became NaN or infinite in epoch {epoch + 1}; the weights of epoch "
            f"{self.result.best_epoch} are kept. Lower the learning rates to go on."
        )

    def _finish(self) -> None:
        if self.best_state is not None:
            self.result.model.load_state_dict(self.best_state)
        self.result.model.eval()

    def _fingerprint(self) -> str:
        run = self.result
        return repr((run.model.name, run.strategy, asdict(run.recipe), run.seed,
                     len(self.data.train), self.data.card.name, self.data.card.size,
                     len(self.views)))  # fmt: skip

    def _save(self) -> None:
        if self.folder is None or self.fabric.global_rank > 0:
            return
        run = self.result
        checkpoints.save_state(self.folder, {
            "fingerprint": self._fingerprint(), "model": run.model.state_dict(),
            "optimizer": self.optimizer.state_dict(), "history": run.history,
            "best_state": self.best_state, "best_epoch": run.best_epoch,
            "best_key": list(self.best_key), "seconds": run.seconds,
        })  # fmt: skip

    def _resume(self) -> int:
        """Load the state in `folder`, if any; return how many epochs it had finished."""
        self.saved = checkpoints.load_state(self.folder, self._fingerprint())
        if self.saved is None:
            return 0
        run = self.result
        run.model.load_state_dict(self.saved["model"])
        run.history, run.best_epoch = self.saved["history"], self.saved["best_epoch"]
        run.seconds, self.best_state = self.saved["seconds"], self.saved["best_state"]
        self.best_key = tuple(self.saved["best_key"])
        return run.history[-1]["epoch"]

    def _restore_optimizer(self, phase: int) -> None:
        if self.saved is not None and self.saved["history"][-1]["phase"] == phase:
            self.optimizer.load_state_dict(self.saved["optimizer"])
        self.saved = None
