"""The training loop: fit on train, choose the epoch on validation.

Notebook 02 writes this loop out in plain torch; this is the same loop with what it needs to run
unwatched: warm-up, clipping, a copy of the best epoch, resuming, several processes.
"""

from __future__ import annotations

import itertools
import math
import os
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from sklearn.utils.class_weight import compute_class_weight
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR
from torch.optim.swa_utils import AveragedModel
from tqdm.auto import tqdm

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
    on_epoch: Callable[[dict], None] = lambda row: None,
    should_stop: Callable[[], bool] = lambda: False,
    cache_features: bool = True,
    fabric: Fabric | None = None,
) -> Run:
    """Train `model` on ``data.train``; keep the epoch that is best on ``data.val``.

    ``data.test`` is not touched. The model is trained in place and comes back on the CPU, in eval
    mode.

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
    cache_features : compute what is frozen once (`helpers.training.feature_cache`), wherever that
        is valid.
    fabric : device, precision and processes; None: this machine's best.

    Raises
    ------
    CourseError
        When the loss is not finite before any epoch could be kept, when the epochs do not suffice
        for the phases, or when `folder` holds another run.
    """
    recipe, fabric = recipe or Recipe(), fabric or devices.start()
    run = Run(model, strategy, recipe, seed)
    ends = phase_ends(strategy, recipe.epochs, recipe.average)
    targets = data.train.labels if targets is None else targets.astype(np.float32)
    training = _Training(
        run, data, targets, augment, views, on_epoch, should_stop,
        cache_features, Path(folder) if folder else None, fabric,
    )  # fmt: skip
    training.resume()
    with torch.random.fork_rng(devices=[]):
        for phase, (first, end) in enumerate(itertools.pairwise([0, *ends])):
            training.run_phase(phase, first, end)
    if run.best_epoch:
        model.load_state_dict(training.kept.module.state_dict())
    model.eval().to("cpu")  # whoever uses it next should not have to know the device
    return run


@dataclass
class _Training:
    """One call of `fit`: its arguments, and what its phases share."""

    run: Run
    data: Dataset
    targets: np.ndarray
    augment: Callable[[Tensor], Tensor] | None
    views: Sequence[View]
    on_epoch: Callable[[dict], None]
    should_stop: Callable[[], bool]
    cache_features: bool
    folder: Path | None
    fabric: Fabric

    def __post_init__(self) -> None:
        # The weights to return: a copy of one epoch, or the mean of several.
        self.kept = AveragedModel(self.run.model, device="cpu", use_buffers=True)
        weight = None
        if self.run.recipe.class_weights:
            weight = class_weights(self.data.train.labels, len(self.data.card.classes))
        self.loss_of = nn.CrossEntropyLoss(weight=weight).to(self.fabric.device)

    def run_phase(self, phase: int, first: int, end: int) -> None:
        """Train the epochs `first` to `end` (counted from 0) with the parts of one phase.

        Notebook 02 writes this loop by hand.
        """
        run, recipe, fabric = self.run, self.run.recipe, self.fabric
        done = max(first, run.history[-1]["epoch"] if run.history else 0)
        if done >= end or run.stopped:
            return
        strategies.apply(run.model, run.strategy, phase)
        run.trainable = strategies.count_trainable(run.model)
        train, val = self.inputs()
        self.run.features_known = train.known
        # One pass over all tensors. On a GPU the fused step would not let mixed precision clip.
        quick = "fused" if fabric.device.type == "cpu" else "foreach"
        groups = strategies.param_groups(run.model, run.strategy, phase)
        optimizer = torch.optim.AdamW(groups, **{quick: True})
        n_steps = (end - first) * len(self.batches(first))
        schedule = LambdaLR(optimizer, lambda step: warmup_cosine(step, n_steps, recipe))
        model, optimizer = fabric.setup(run.model, optimizer)
        if self.saved is not None and run.history[-1]["phase"] == phase:
            optimizer.load_state_dict(self.saved["optimizer"])
            schedule.load_state_dict(self.saved["schedule"])
        self.saved = None
        for epoch in self.epochs(done, end, phase):
            if recipe.patience and epoch - max(run.best_epoch, first) >= recipe.patience:
                return
            # Another seed for each process: the same draws on all of them would be fewer draws.
            torch.manual_seed(run.seed * 100_003 + epoch + 10_007 * fabric.global_rank)
            model.train()
            if self.views:
                train.images.choose(run.seed, epoch)
            train_loss, batches = torch.zeros((), device=fabric.device), self.batches(epoch)
            for index, share in batches:
                images = batch(train, index, fabric.device)
                if self.augment is not None:
                    images = self.augment(images)
                labels = torch.from_numpy(self.targets[index]).to(fabric.device)
                optimizer.zero_grad()
                loss = share * self.loss_of(model(images, start=train.start), labels)
                fabric.backward(loss)
                fabric.clip_gradients(
                    model, optimizer, max_norm=recipe.clip, error_if_nonfinite=False
                )
                optimizer.step()
                rate = schedule.get_last_lr()[-1]
                schedule.step()
                train_loss += loss.detach()
                if self.should_stop():
                    run.stopped = f"Stopped by hand in epoch {epoch + 1}."
                    return
            self.share_statistics()
            # All processes must see one loss, or one would stop and the others wait for it.
            train_loss = float(fabric.all_reduce(train_loss / len(batches), reduce_op="mean"))
            row = {"epoch": epoch + 1, "phase": phase, "train_loss": train_loss,
                   **self.validate(val), "lr": rate}  # fmt: skip
            if not math.isfinite(train_loss + row["val_loss"]):
                run.stopped = self.nan_sentence(epoch + 1)
                return
            self.close_epoch(row, optimizer, schedule)

    def inputs(self) -> tuple[Inputs, Inputs]:
        """Return what to train and to validate on: images, or activations of the frozen front."""
        start, why = feature_cache.boundary(self.run.model)
        if self.augment is not None and start != "stem":
            start, why = "stem", "nothing is computed ahead: augmentation changes every image"
        if not self.cache_features:
            start, why = "stem", "nothing is computed ahead: switched off"
        self.run.frozen_front = why

        def behind_the_front(images: np.ndarray | Seen, split: Split) -> Inputs:
            images = Inputs(images, split.labels)
            return feature_cache.activations(self.run.model, images, start, fabric=self.fabric)

        train, val = self.data.train, self.data.val
        if not self.views:
            return behind_the_front(train.images, train), behind_the_front(val.images, val)
        seen = [behind_the_front(Seen(train.images, view), train).images for view in self.views]
        return Inputs(Mixed(seen), train.labels, start), behind_the_front(val.images, val)

    def batches(self, epoch: int) -> list[tuple[np.ndarray, float]]:
        """Return this process's part of every batch, and the factor of its mean loss.

        A batch is what all processes see in one step, `recipe.batch_size` images each: shuffled by
        (seed, epoch), of nearly equal size, no image twice. DDP gives every process's gradient the
        same weight, so the mean loss of a part that has more images, or more of a rare class,
        counts more (with one process the factor is 1): together that is the loss of the batch.
        """
        n, rank, world = len(self.data.train), self.fabric.global_rank, self.fabric.world_size
        order = np.random.default_rng((self.run.seed, epoch)).permutation(n)
        n_batches = math.ceil(n / (self.run.recipe.batch_size * world))
        weight, found = np.ones(n), []
        if self.loss_of.weight is not None and self.targets.ndim == 1:  # as CrossEntropyLoss has it
            weight = self.loss_of.weight.cpu().numpy()[self.targets]
        # No part of one image: BatchNorm has no statistics of it.
        for whole in np.array_split(order, max(1, min(n_batches, n // (2 * world)))):
            part = whole[rank::world]
            found.append((part, world * float(weight[part].sum() / weight[whole].sum())))
        return found

    def share_statistics(self) -> None:
        """Give all processes the BatchNorm statistics of the first one, as DDP does in a step.

        Each has seen other images, and one network is to be validated and kept.
        """
        if self.fabric.world_size > 1:
            for statistics in self.run.model.buffers():
                torch.distributed.broadcast(statistics, src=0)

    def epochs(self, done: int, end: int, phase: int) -> Iterable[int]:
        """Return the epochs `done` to `end`, with a progress bar."""
        # tqdm's notebook bar does not obey TQDM_DISABLE by itself. A bar of another thread, such as
        # the lab's, would be written to whatever cell runs meanwhile.
        quiet = self.fabric.global_rank > 0 or bool(os.environ.get("TQDM_DISABLE"))
        quiet |= threading.current_thread() is not threading.main_thread()
        name = self.run.strategy.name + (f", phase {phase + 1}" if phase else "")
        return tqdm(range(done, end), desc=name, unit="epoch", leave=False, disable=quiet)

    def validate(self, val: Inputs) -> dict[str, float]:
        """Return loss, AUC (NaN where a class has no image) and accuracy on validation."""
        probabilities = predict(self.run.model, val, self.fabric)
        if not np.isfinite(probabilities).all():
            return {"val_loss": math.nan}
        log_p = np.log(np.maximum(probabilities, 1e-12)).astype(np.float32)
        log_p = torch.from_numpy(log_p).to(self.fabric.device)
        labels = torch.from_numpy(val.labels).to(self.fabric.device)
        all_there = len(np.unique(val.labels)) == probabilities.shape[1]
        return {
            "val_loss": float(nn.functional.nll_loss(log_p, labels, weight=self.loss_of.weight)),
            "val_auc": metrics.auc(val.labels, probabilities) if all_there else math.nan,
            "val_accuracy": float((probabilities.argmax(1) == val.labels).mean()),
        }

    def nan_sentence(self, epoch: int) -> str:
        """Say in which epoch the loss was lost; an error if there is no earlier one to keep."""
        if not self.run.best_epoch:
            raise CourseError(
                f"The loss became NaN or infinite in epoch {epoch}, before any epoch could be "
                "kept. Lower the learning rates or the clipping norm, and check the images."
            )
        return (
            f"The loss became NaN or infinite in epoch {epoch}; the weights of epoch "
            f"{self.run.best_epoch} are kept. Lower the learning rates to go on."
        )

    def close_epoch(self, row: dict, optimizer: Optimizer, schedule: LambdaLR) -> None:
        """Keep the weights if they are worth it, save the state of the run and report the epoch."""
        run, recipe = self.run, self.run.recipe
        row["seconds"] = run.seconds = time.perf_counter() - self.started
        run.processor_seconds = time.process_time() - self.started_processor
        in_mean = row["epoch"] - (recipe.epochs - recipe.average)  # first, second, ... of the mean
        if in_mean >= 1 or not run.best_epoch or _rank(row) > _rank(run.best):
            if in_mean <= 1:
                self.kept.n_averaged.zero_()  # begin anew: the next update copies
            self.kept.update_parameters(run.model)
            run.best_epoch = row["epoch"]
        run.history.append(row)
        if self.folder is not None and self.fabric.global_rank == 0:
            state = {
                "fingerprint": self.fingerprint, "run": run.state_dict(),
                "model": run.model.state_dict(), "kept": self.kept.state_dict(),
                "optimizer": optimizer.state_dict(), "schedule": schedule.state_dict(),
            }  # fmt: skip
            try:
                checkpoints.save_state(self.folder, state)
            except CourseError as error:  # what is trained goes on
                warnings.warn(f"{error} Training goes on without it.", stacklevel=2)
        self.on_epoch(row)

    def resume(self) -> None:
        """Go on from the state in `folder`, if there is one, and start the clock."""
        run, self.saved = self.run, None
        if self.folder is not None:
            self.fingerprint = checkpoints.fingerprint(
                run, self.data, self.targets, self.augment, self.views, self.fabric.world_size
            )
            self.saved = checkpoints.load_state(self.folder, self.fingerprint)
        if self.saved is not None:
            run.model.load_state_dict(self.saved["model"])
            self.kept.load_state_dict(self.saved["kept"])
            vars(run).update(self.saved["run"])
        self.started = time.perf_counter() - run.seconds
        self.started_processor = time.process_time() - run.processor_seconds


def _rank(row: dict) -> tuple[float, float]:
    """Return what epochs are ranked by: validation AUC, and among equals the smaller loss.

    Where a class is missing from validation no epoch has an AUC, and the loss decides.
    """
    return (0.0 if math.isnan(row["val_auc"]) else row["val_auc"], -row["val_loss"])


def class_weights(labels: np.ndarray, n_classes: int) -> Tensor:
    """Return a loss weight per class, inverse to its frequency, with mean 1 over the images.

    A class without an image has weight 1.
    """
    present, weights = np.unique(labels), np.ones(n_classes)
    weights[present] = compute_class_weight("balanced", classes=present, y=labels)
    return torch.tensor(weights, dtype=torch.float32)


def warmup_cosine(step: int, n_steps: int, recipe: Recipe) -> float:
    """Return the factor by which every group's peak rate is multiplied at `step`, from 0.

    It rises in a line over the first steps (`recipe.warmup` of them all), then falls along half a
    cosine to `recipe.floor` at the last step. Because it is a factor, each group keeps its own
    floor, a fraction of its own rate; ``CosineAnnealingLR`` has one ``eta_min`` for all groups.
    """
    warmup = round(recipe.warmup * n_steps)
    if step < warmup:
        return (step + 1) / (warmup + 1)
    progress = (step - warmup) / max(1, n_steps - 1 - warmup)
    return recipe.floor + (1 - recipe.floor) * (1 + math.cos(math.pi * min(1.0, progress))) / 2
