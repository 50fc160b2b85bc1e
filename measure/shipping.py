"""Adapters against full fine-tuning, a small network taught by a large one, and other forms of it.

A cell is a seed: one network is fine-tuned whole, and everything is compared with that one. All
trainings keep their last epoch, so validation chooses nothing. The rate of the adapters was chosen
from 1e-3, 3e-3 and 1e-2 on the validation images of another seed (100).

The forms need ONNX Runtime (`measure.forms`).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from helpers import datasets
from helpers.datasets import Dataset
from helpers.evidence import grid
from helpers.evidence.shipping import SHIPPING, SHIPPING_COLUMNS, SHIPPING_KEY
from helpers.networks import backbones
from helpers.networks.backbones import Backbone
from helpers.networks.fold import folded
from helpers.training import experiments, loop, predict, strategies
from helpers.training.recipe import Recipe
from measure.forgetting import photographs
from measure.forms import TIMED, file_bytes, forms, gap, in_torch, kept, planes, scored, timed
from measure.runner import Table

DATASET, N_TRAIN, SEEDS = "elpv", 400, range(5)

EPOCHS, SMALL_EPOCHS, MORE_EPOCHS = 6, 8, 2  # the last two are about as many steps

RANK, RATE = 4, 3e-3

SMALL = 3  # stages of the small network


class Cell(NamedTuple):
    """One draw of training images."""

    dataset: str
    seed: int


def cells(names: Sequence[str] = (DATASET,)) -> list[Cell]:
    """Return every cell."""
    return [Cell(name, seed) for name in names for seed in SEEDS]


class LowRank(nn.Module):
    """A frozen 1x1 convolution and beside it a product of two thin ones (LoRA, Hu et al. 2022)."""

    def __init__(self, conv: nn.Conv2d, rank: int) -> None:
        super().__init__()
        self.conv = conv.requires_grad_(False)
        self.down = nn.Conv2d(conv.in_channels, rank, 1, bias=False)
        self.up = nn.Conv2d(rank, conv.out_channels, 1, bias=False)
        nn.init.zeros_(self.up.weight)  # at first nothing is added

    def forward(self, x: Tensor) -> Tensor:
        """Convolve ``(N, C, H, W)``."""
        return self.conv(x) + self.up(self.down(x))


def adapt(model: Backbone, rank: int) -> None:
    """Put a `LowRank` in the place of every 1x1 convolution of a frozen network."""
    for name, module in list(model.net.named_modules()):
        if isinstance(module, nn.Conv2d) and module.kernel_size == (1, 1):
            model.net.set_submodule(name, LowRank(module, rank))
    model.to(memory_format=torch.channels_last)


def take_off(model: Backbone) -> None:
    """Take the adapters off again."""
    for name, module in list(model.net.named_modules()):
        if isinstance(module, LowRank):
            model.net.set_submodule(name, module.conv)


def train_adapters(model: Backbone, data: Dataset, rate: float, seed: int) -> None:
    """Train head and adapters, everything else at rest: `loop.fit` would wake whole parts."""
    heads = set(model.head.parameters())
    adapters = [p for p in model.parameters() if p.requires_grad and p not in heads]
    groups = [{"params": [*heads], "lr": 3e-3}, {"params": adapters, "lr": rate}]
    optimizer = torch.optim.AdamW(groups, weight_decay=1e-4)
    recipe, n_batches = Recipe(), math.ceil(len(data.train) / 32)
    schedule = LambdaLR(optimizer, lambda k: loop.warmup_cosine(k, EPOCHS * n_batches, recipe))
    weight = loop.class_weights(data.train.labels, len(data.card.classes))
    for epoch in range(EPOCHS):
        model.train()
        order = np.random.default_rng((seed, epoch)).permutation(len(data.train))
        for index in np.array_split(order, n_batches):
            labels = torch.from_numpy(data.train.labels[index])
            logits = model(predict.batch(data.train, index))
            optimizer.zero_grad()
            nn.functional.cross_entropy(logits, labels, weight=weight).backward()
            nn.utils.clip_grad_norm_([*heads, *adapters], recipe.clip)
            optimizer.step()
            schedule.step()
    model.eval()


def small_net(n_classes: int, seed: int) -> Backbone:
    """Return stem and first stages of the pretrained network with a new head."""
    strategy = strategies.full_finetune()
    model = strategies.build(strategy, n_classes=n_classes, channels=1)
    width = model.stages[SMALL - 1][0][-1].conv_pwl.out_channels
    model.layout = replace(model.layout, stages=model.layout.stages[:SMALL])
    model.net.blocks = model.net.blocks[:SMALL]
    model.net.conv_head, model.net.bn2 = nn.Identity(), nn.Identity()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model.replace_head(nn.Linear(width, n_classes))
    return strategies.apply(model, strategy)


def adapters(data: Dataset, seed: int) -> tuple[Backbone, list[dict]]:
    """Compare head, adapters and full fine-tuning; return the fine-tuned network, too.

    The stem stays the colour one, so that photographs can be asked about with the old head.
    """
    untouched, asked, rows, nets = backbones.load(), photographs(), {}, {}
    recipe, n_classes = Recipe(epochs=EPOCHS, average=1), len(data.card.classes)
    before = predict.predict(untouched, asked).argmax(1)
    answers = {}
    for arm in ("full_finetune", "feature_extraction", "adapters"):
        strategy = strategies.by_name("feature_extraction" if arm == "adapters" else arm)
        model = strategies.build(
            strategy, n_classes=n_classes, channels=1, seed=seed, gray="replicate"
        )
        if arm == "adapters":
            with torch.random.fork_rng():
                torch.manual_seed(seed)
                adapt(model, RANK)
            train_adapters(model, data, RATE, seed)
        else:
            loop.fit(model, data, strategy, recipe, seed=seed)
        answers[arm], nets[arm] = predict.predict(model, data.test), model
        old = copy.deepcopy(model)
        old.replace_head(untouched.head)
        rows[arm] = {
            "part": "adapters", "arm": arm, "numbers": strategies.count_trainable(model),
            "epochs": EPOCHS, **scored(data, answers[arm]),
            **gap(data, answers["full_finetune"], answers[arm]),
            **kept(before == predict.predict(old, asked).argmax(1)),
        }  # fmt: skip
    take_off(old)
    off = kept(before == predict.predict(old, asked).argmax(1))
    rows["off"] = {"part": "adapters", "arm": "adapters off", **off}
    return nets["full_finetune"], list(rows.values())


def distilled(teacher: Backbone, whole: Dataset, data: Dataset, seed: int) -> list[dict]:
    """Train a small network on labels, on the teacher's answers, and on its answers to more."""
    said = predict.predict(teacher, data.train)
    more = replace(data, train=whole.train)
    said_more = predict.predict(teacher, more.train)
    rows, direct = [], None
    for arm, images, targets, epochs in (
        ("labels", data, None, SMALL_EPOCHS),
        ("teacher", data, said, SMALL_EPOCHS),
        ("teacher, more images", more, said_more, MORE_EPOCHS),
    ):
        model = small_net(len(data.card.classes), seed)
        recipe = Recipe(epochs=epochs, average=1, class_weights=targets is None)
        loop.fit(model, images, strategies.full_finetune(), recipe, seed=seed, targets=targets)
        p = predict.predict(model, data.test)
        direct = p if direct is None else direct
        numbers = sum(p.numel() for p in model.parameters())
        rows.append(
            {
                "part": "distilling",
                "arm": arm,
                "numbers": numbers,
                "epochs": epochs,
                "n_train": len(images.train),
                **scored(data, p),
                **gap(data, direct, p),
            }
        )
    quick = folded(model)
    run = {"small": in_torch(quick), "large": in_torch(folded(teacher))}
    times = timed(run, planes(data.test.images[:TIMED]))
    for row in rows:
        row |= {"milliseconds": round(times["small"], 3),
                "megabytes": round(file_bytes(quick.net.state_dict()) / 1e6, 3)}  # fmt: skip
    p = predict.predict(teacher, data.test)
    rows.append({"part": "distilling", "arm": "the teacher", "epochs": EPOCHS,
                 "numbers": sum(p.numel() for p in teacher.parameters()),
                 "milliseconds": round(times["large"], 3), **scored(data, p),
                 **gap(data, direct, p)})  # fmt: skip
    return rows


def measure(cell: Cell) -> list[dict]:
    """Measure everything for one draw of training images."""
    whole = datasets.load(cell.dataset, size=grid.IMAGE_SIZE)
    data = whole.take(N_TRAIN, cell.seed)
    net, rows = adapters(data, cell.seed)
    rows += distilled(net, whole, data, cell.seed) + forms(net, data)
    known = cell._asdict() | {
        "backbone": grid.BACKBONE, "image_size": grid.IMAGE_SIZE, "n_train": N_TRAIN,
        "versions": experiments.versions(),
    }  # fmt: skip
    return [{name: (known | row).get(name, "") for name in SHIPPING_COLUMNS} for row in rows]


TABLE = Table(
    SHIPPING, SHIPPING_COLUMNS, SHIPPING_KEY, (DATASET,), cells, measure, shown=("arm", "auc")
)
