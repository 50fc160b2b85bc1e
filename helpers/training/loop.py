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

from helpers import files
from helpers.datasets import Dataset, Split
from helpers.datasets.views import Mixed, Seen, View
from helpers.errors import CourseError
from helpers.networks.backbones import Backbone
from helpers.training import checkpoints, devices, feature_cache, metrics, strategies
from helpers.training.predict import Inputs, batch, predict
from helpers.training.recipe import Recipe, Run, phase_ends
from helpers.training.strategies import Strategy


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
    views : fixed views (`helpers.datasets.views`); each epoch shows every image in one of
        them. Unlike `augment` they leave the frozen front computable ahead, once per view.
    targets : ``(N, n_classes)``, a probability per class to learn instead of ``data.train.labels``,
        e.g. how sure the experts were. Validation goes on using labels.
    folder : where to keep the state after each epoch; a run killed there and started again goes
        on as if nothing had happened.
    on_epoch : called with each row of the history, e.g. to draw live curves.
    should_stop : asked after every step; the weights of the best epoch so far are kept.
    use_prefix : compute what is frozen once (`helpers.training.feature_cache`), wherever that
        is valid.
    fabric : device, precision and processes; None: this machine's best.

    Raises
    ------
    CourseError
        When the loss is not finite before any epoch could be kept, when `folder` holds another
        run, or when `targets` are no probabilities.
    """
    recipe, fabric = recipe or Recipe(), fabric or devices.start()
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


def balanced_weights(labels: np.ndarray, n_classes: int) -> Tensor:
    """Return a loss weight per class, inverse to its frequency, with mean 1 over the images."""
    counts = np.bincount(labels, minlength=n_classes)
    return torch.tensor(len(labels) / (n_classes * np.maximum(counts, 1)), dtype=torch.float32)


class Loop:
    """One call of `fit`: the state that its steps share. The attributes are fit's arguments."""

    def __init__(
        self, model: Backbone, data: Dataset, strategy: Strategy, recipe: Recipe, seed: int,
        fabric: Fabric,
    ) -> None:  # fmt: skip
        self.data, self.fabric = data, fabric
        self.result, self.keeper = Run(model, strategy, recipe, seed), Keeper(recipe)
        self.augment: Callable[[Tensor], Tensor] | None = None
        self.views: list[View] = []
        self.targets = data.train.labels
        self.folder: Path | None = None
        self.on_epoch: Callable[[dict], None] | None = None
        self.should_stop: Callable[[], bool] = lambda: False
        self.use_prefix = True
        n_classes = len(data.card.classes)
        weight = balanced_weights(data.train.labels, n_classes) if recipe.class_weights else None
        self.criterion = nn.CrossEntropyLoss(weight=weight).to(fabric.device)

    def run(self) -> Run:
        """Train phase after phase, from where `folder` left off; return the run."""
        run = self.result
        ends = phase_ends(run.strategy, run.recipe.epochs)
        self._check_mean(ends)
        self.fingerprint = self._fingerprint() if self.folder else ""
        done = self._resume(ends)
        self.started = time.perf_counter() - run.seconds
        self.started_processor = time.process_time() - run.processor_seconds
        with torch.random.fork_rng(devices=[]):
            for phase, (first, end) in enumerate(zip([0, *ends], ends, strict=False)):
                if done < end and not run.stopped:
                    self._run_phase(phase, first, max(first, done), end)
        if self.keeper.state is not None:
            run.model.load_state_dict(self.keeper.state)
        run.best_epoch = self.keeper.epoch
        run.model.eval().to("cpu")  # whoever uses it next should not have to know the device
        return run

    def _run_phase(self, phase: int, first: int, done: int, end: int) -> None:
        run = self.result
        strategies.apply(run.model, run.strategy, phase)
        run.trainable = strategies.count_trainable(run.model)
        groups = strategies.param_groups(run.model, run.strategy, phase)
        # One pass over all tensors. On a GPU the fused step would not let mixed precision clip.
        quick = "fused" if self.fabric.device.type == "cpu" else "foreach"
        optimizer = torch.optim.AdamW(groups, **{quick: True})
        self.peaks = [group["lr"] for group in groups]
        self._compute_frozen_front()
        self.wrapped, self.optimizer = self.fabric.setup(run.model, optimizer)
        self._restore_optimizer(phase)
        self.total_steps = (end - first) * self._steps_per_epoch()
        for epoch in self._progress(done, end, phase):
            loss = self._train_epoch(epoch, epoch - first)
            if run.stopped or self._close_epoch(epoch, phase, first, loss):
                return

    def _compute_frozen_front(self) -> None:
        """Train and validate on the activations behind the frozen front, where there is one."""
        start, why = feature_cache.boundary(self.result.model)
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
            feature_cache.activations(
                model, Inputs(images, split.labels), start, fabric=fabric
            ).images
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
        # All processes must see the same loss, or one would stop and the others wait for it.
        return float(self.fabric.all_reduce(total / len(batches), reduce_op="mean"))

    def _set_rates(self, step: int) -> None:
        recipe = self.result.recipe
        warmup = round(recipe.warmup * self.total_steps)
        factor = warmup_cosine(step, self.total_steps, warmup, recipe.floor)
        for group, peak in zip(self.optimizer.param_groups, self.peaks, strict=True):
            group["lr"] = peak * factor

    def _step(self, index: np.ndarray) -> Tensor:
        images = batch(self.train, index, self.fabric.device)
        labels = torch.from_numpy(self.targets[index]).to(self.fabric.device)
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

    def _close_epoch(self, epoch: int, phase: int, first: int, train_loss: float) -> bool:
        """Validate, keep, save and report an epoch; return whether the phase ends with it."""
        validated = self._validate() if math.isfinite(train_loss) else {"val_loss": math.nan}
        if not math.isfinite(validated["val_loss"]):
            self._stop_for_nan(epoch)
            return True
        row = {"epoch": epoch + 1, "phase": phase, "train_loss": train_loss, **validated,
               "lr": self.optimizer.param_groups[-1]["lr"]}  # fmt: skip
        row["seconds"] = self.result.seconds = time.perf_counter() - self.started
        self.result.processor_seconds = time.process_time() - self.started_processor
        self.keeper.consider(row, self.result.model)
        patience = self.result.recipe.patience
        waited = epoch + 1 - max(self.keeper.epoch, first)
        row["ends_phase"] = patience is not None and waited >= patience
        self.result.history.append(row)
        self._save()
        if self.on_epoch is not None:
            self.on_epoch(row)
        return row["ends_phase"]

    def _validate(self) -> dict[str, float]:
        split = self.data.val
        probabilities = predict(self.result.model, self.val, self.fabric)
        log_p = torch.from_numpy(np.log(np.maximum(probabilities, 1e-12))).to(self.fabric.device)
        labels = torch.from_numpy(split.labels).to(self.fabric.device)
        loss = nn.functional.nll_loss(log_p, labels, weight=self.criterion.weight)
        both = len(np.unique(split.labels)) == probabilities.shape[1]
        finite = bool(np.isfinite(probabilities).all())
        return {
            "val_loss": float(loss) if finite else math.nan,
            "val_auc": metrics.auc(split.labels, probabilities) if both and finite else math.nan,
            "val_accuracy": float((probabilities.argmax(1) == split.labels).mean()),
        }

    def _stop_for_nan(self, epoch: int) -> None:
        if self.keeper.state is None:
            raise CourseError(
                f"The loss became NaN or infinite in epoch {epoch + 1}, before any epoch could be "
                "kept. Lower the learning rates or the clipping norm, and check the images."
            )
        self.result.stopped = (
            f"The loss became NaN or infinite in epoch {epoch + 1}; the weights of epoch "
            f"{self.keeper.epoch} are kept. Lower the learning rates to go on."
        )

    def _check_mean(self, ends: list[int]) -> None:
        recipe = self.result.recipe
        last_phase = ends[-1] - ([0, *ends][-2])
        if recipe.average > last_phase:
            raise CourseError(
                f"average = {recipe.average}, but the last phase of {self.result.strategy.name} "
                f"has {last_phase} of the {recipe.epochs} epochs; average no more than those."
            )

    def _fingerprint(self) -> str:
        """Name everything that decides the result, so that no other run is taken for this one."""
        run, parts = self.result, (self.data.train, self.data.val)
        pattern = np.arange(25 * 25, dtype=np.int64).reshape(1, 25, 25, 1).astype(np.uint8)
        settings = (
            run.model.name, run.strategy, asdict(run.recipe), run.seed, self.data.card.name,
            self.data.card.size, getattr(self.augment, "__qualname__", self.augment),
        )  # fmt: skip
        contents = [
            *(value.detach().cpu().numpy().tobytes() for value in run.model.state_dict().values()),
            *(part.labels.tobytes() for part in parts),
            self.targets.tobytes(),
            *(np.ascontiguousarray(part.images[:]).tobytes() for part in parts),
            *(np.ascontiguousarray(view(pattern)).tobytes() for view in self.views),
        ]
        return f"{settings}, contents {files.digest(*contents)}"

    def _save(self) -> None:
        if self.folder is None or self.fabric.global_rank > 0:
            return
        run = self.result
        checkpoints.save_state(self.folder, {
            "fingerprint": self.fingerprint, "model": run.model.state_dict(),
            "optimizer": self.optimizer.state_dict(), "history": run.history,
            "keeper": self.keeper.state_dict(), "seconds": run.seconds,
            "processor_seconds": run.processor_seconds, "trainable": run.trainable,
            "frozen_front": run.frozen_front,
        })  # fmt: skip

    def _resume(self, ends: list[int]) -> int:
        """Load the state in `folder`, if any; return the epoch to go on from."""
        self.saved = checkpoints.load_state(self.folder, self.fingerprint)
        if self.saved is None:
            return 0
        run = self.result
        run.model.load_state_dict(self.saved["model"])
        self.keeper.load_state_dict(self.saved["keeper"])
        for name in ("history", "seconds", "processor_seconds", "trainable", "frozen_front"):
            setattr(run, name, self.saved[name])
        last = run.history[-1]
        return ends[last["phase"]] if last["ends_phase"] else last["epoch"]

    def _restore_optimizer(self, phase: int) -> None:
        if self.saved is not None and self.saved["history"][-1]["phase"] == phase:
            self.optimizer.load_state_dict(self.saved["optimizer"])
        self.saved = None


class Keeper:
    """Holds a copy of the weights worth keeping while training goes on.

    Attributes
    ----------
    state : the copy, None before the first epoch.
    epoch : the epoch it comes from; of a mean, the last one in it.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.state: dict[str, Tensor] | None = None
        self.epoch = 0
        self.key = (-math.inf, -math.inf)

    def consider(self, row: dict, model: nn.Module) -> None:
        """Look at a finished epoch, a row of the history with finite validation loss."""
        in_mean = row["epoch"] - (self.recipe.epochs - self.recipe.average)
        if self.recipe.average and in_mean >= 1:
            earlier = self.state if in_mean > 1 else None
            self.state, self.epoch = running_mean(earlier, model, in_mean), row["epoch"]
            return
        # Where a class is missing from validation no epoch has an AUC, and the loss decides.
        auc = 0.0 if math.isnan(row["val_auc"]) else row["val_auc"]
        if (auc, -row["val_loss"]) > self.key:
            self.key = (auc, -row["val_loss"])
            self.state, self.epoch = running_mean(None, model, 1), row["epoch"]

    def state_dict(self) -> dict:
        """Return what a resumed run needs."""
        return {"state": self.state, "epoch": self.epoch, "key": list(self.key)}

    def load_state_dict(self, saved: dict) -> None:
        """Go on from what `state_dict` returned."""
        self.state, self.epoch, self.key = saved["state"], saved["epoch"], tuple(saved["key"])


def running_mean(mean: dict[str, Tensor] | None, model: nn.Module, count: int) -> dict[str, Tensor]:
    """Return the mean of `count` states of a model, given the mean of the earlier ones.

    Always a copy: ``state_dict()`` hands out tensors that go on changing with the next step.
    Whole numbers, such as BatchNorm's counters, are taken from the latest state.
    """
    state = {name: value.detach().clone() for name, value in model.state_dict().items()}
    if mean is None:
        return state
    return {
        name: (old := mean[name].to(value.device)) + (value - old) / count
        if value.is_floating_point()
        else value
        for name, value in state.items()
    }


def warmup_cosine(step: int, total: int, warmup: int, floor: float = 0.01) -> float:
    """Return the factor by which every group's peak rate is multiplied at `step`.

    It rises in a line over the first `warmup` steps, then falls along half a cosine to `floor`
    at the last step. Because it is a factor, each group keeps its own floor, a fraction of its
    own rate; ``CosineAnnealingLR`` has one ``eta_min`` for all groups.

    Parameters
    ----------
    step : 0 .. total - 1.
    total, warmup : numbers of steps, ``0 <= warmup < total``.
    floor : in 0..1.
    """
    if step < warmup:
        return (step + 1) / (warmup + 1)
    progress = (step - warmup) / max(1, total - 1 - warmup)
    return floor + (1 - floor) * (1 + math.cos(math.pi * min(1.0, progress))) / 2
