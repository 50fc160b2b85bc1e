"""The strategies as data: what trains, at which learning rate, and what BatchNorm does.

>>> from helpers.training import strategies
>>> strategy = strategies.partial_finetune(last=2)
>>> model = strategies.build(strategy, "efficientnet_lite0", n_classes=2, channels=1)
>>> strategies.summary(model, strategy)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import pandas as pd
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from helpers.errors import CourseError, unknown_name
from helpers.networks import backbones
from helpers.networks.backbones import Backbone

BatchNormPolicy = Literal["follow", "eval", "train"]
POLICIES = get_args(BatchNormPolicy)
ALL = "all"


@dataclass(frozen=True)
class Phase:
    """One stretch of training with one set of trainable parts.

    Attributes
    ----------
    last : how many of the last stages train with the head: 0, 1, 2 ..., or ``"all"`` for every
        stage and the stem.
    head_lr, backbone_lr : peak learning rates of the head and of the last stage.
    decay : each stage learns at `decay` times the rate of the next one towards the head
        (discriminative learning rates, Howard & Ruder 2018).
    share : this phase's share of the epochs.
    """

    last: int | Literal["all"]
    head_lr: float
    backbone_lr: float = 0.0
    decay: float = 1.0
    share: float = 1.0


@dataclass(frozen=True)
class Strategy:
    """How a network is adapted to a new task.

    Attributes
    ----------
    name : ``"scratch"``, ``"feature_extraction"``, ``"partial_finetune"``, ``"full_finetune"``
        or ``"lp_ft"``; with a suffix such as ``_last1`` where it differs from the default.
    phases : one after the other; all but LP-FT have one.
    pretrained : start from ImageNet weights, or from random ones.
    head : ``"linear"`` or ``"mlp"`` (the lesson's).
    batchnorm : what the running statistics do. ``"eval"``: they rest everywhere; scale and shift
        train with their part. ``"follow"``: they rest in frozen parts and move in trained ones, as
        training from scratch needs. ``"train"``: they move everywhere, even in frozen parts: the
        trap of notebook 02.
    weight_decay : AdamW's; never applied to BatchNorm or biases.
    """

    name: str
    phases: tuple[Phase, ...]
    pretrained: bool = True
    head: Literal["linear", "mlp"] = "linear"
    batchnorm: BatchNormPolicy = "eval"
    weight_decay: float = 1e-4

    @property
    def key(self) -> str:
        """The name, with what differs from the default: tells rows of the results apart."""
        name, _, last = self.name.partition("_last")
        usual = by_name(name, **({"last": int(last)} if last else {}))
        marks = [self.head] if self.head != usual.head else []
        marks += [f"bn_{self.batchnorm}"] if self.batchnorm != usual.batchnorm else []
        if (self.phases, self.weight_decay) != (usual.phases, usual.weight_decay):
            marks.append("own_rates")
        return "+".join([self.name, *marks])

    def __post_init__(self) -> None:
        if self.batchnorm not in POLICIES:
            raise unknown_name("BatchNorm policy", self.batchnorm, POLICIES)
        if self.head not in backbones.HEADS:
            raise unknown_name("head", self.head, backbones.HEADS)


def scratch(lr: float = 2e-3, **options) -> Strategy:
    """Train everything from random weights: the baseline that transfer has to beat."""
    options.setdefault("batchnorm", "follow")  # there are no statistics worth keeping
    return Strategy("scratch", (Phase(ALL, lr, lr),), pretrained=False, **options)


def feature_extraction(head_lr: float = 3e-3, **options) -> Strategy:
    """Freeze the whole backbone and train a new head (strategy 1; linear: a linear probe)."""
    return Strategy("feature_extraction", (Phase(0, head_lr),), **options)


def partial_finetune(
    last: int = 2, head_lr: float = 3e-3, backbone_lr: float = 3e-4, decay: float = 1.0, **options
) -> Strategy:
    """Train the head and the last `last` stages (strategy 2).

    Raises
    ------
    CourseError
        When `last` is not a whole number of at least 1. `apply` raises when the backbone has
        fewer stages.
    """
    if not isinstance(last, int) or last < 1:
        raise CourseError(
            f"partial_finetune(last={last!r}): last must be 1, 2, ...; for 0 use "
            "feature_extraction, for all stages full_finetune."
        )
    name = "partial_finetune" if last == 2 else f"partial_finetune_last{last}"
    return Strategy(name, (Phase(last, head_lr, backbone_lr, decay),), **options)


def full_finetune(
    head_lr: float = 3e-3, backbone_lr: float = 3e-4, decay: float = 0.75, **options
) -> Strategy:
    """Train everything, the early stages at smaller rates (strategy 3).

    The decay of .75 per stage is the default of timm's ``param_groups_layer_decay``, after BEiT.
    """
    return Strategy("full_finetune", (Phase(ALL, head_lr, backbone_lr, decay),), **options)


def lp_ft(
    probe_share: float = 0.5,
    head_lr: float = 3e-3,
    backbone_lr: float = 3e-4,
    decay: float = 0.75,
    **options,
) -> Strategy:
    """Linear probe first, then full fine-tune from it at a smaller head rate (Kumar et al. 2022).

    A random head sends large, meaningless gradients into good features; a trained one does not.
    """
    probe = Phase(0, head_lr, share=probe_share)
    tune = Phase(ALL, backbone_lr, backbone_lr, decay, share=1 - probe_share)
    return Strategy("lp_ft", (probe, tune), **options)


STRATEGIES: dict[str, Callable[..., Strategy]] = {
    maker.__name__: maker
    for maker in (scratch, feature_extraction, partial_finetune, full_finetune, lp_ft)
}


def by_name(name: str, **options) -> Strategy:
    """Return the strategy called `name`, e.g. ``by_name("partial_finetune", last=1)``.

    Raises
    ------
    CourseError
        For an unknown name or an option this strategy does not have.
    """
    if name not in STRATEGIES:
        raise unknown_name("strategy", name, STRATEGIES)
    try:
        return STRATEGIES[name](**options)
    except TypeError:
        given = ", ".join(options)
        raise CourseError(f"The strategy {name!r} does not take all of: {given}.") from None


def build(
    strategy: Strategy,
    backbone: str = "efficientnet_lite0",
    *,
    n_classes: int,
    channels: int = 3,
    seed: int = 0,
    **options,
) -> Backbone:
    """Load a backbone for `strategy`, give it a new head and apply the first phase.

    `seed` fixes the random head (and the whole network for ``scratch``); `options` go to
    `helpers.networks.backbones.load`.
    """
    if not strategy.pretrained:
        options["weights"] = None
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = backbones.load(backbone, channels=channels, **options)
        model.replace_head(backbones.HEADS[strategy.head](model.n_features, n_classes))
    return apply(model, strategy)


def trainable_parts(model: Backbone, phase: Phase) -> tuple[str, ...]:
    """Return the parts that train in `phase`, in running order.

    Raises
    ------
    CourseError
        When the phase wants more stages than the backbone has.
    """
    if phase.last == ALL:
        return model.part_names
    n_stages = len(model.part_names) - 2
    if phase.last > n_stages:
        raise CourseError(
            f"{model.name} has {n_stages} stages, {phase.last} were asked for. Use last=1 to "
            f"{n_stages}, or full_finetune to train the stem as well."
        )
    return model.part_names[len(model.part_names) - 1 - phase.last :]


def apply(model: Backbone, strategy: Strategy, phase: int = 0) -> Backbone:
    """Freeze and unfreeze `model` in place for one phase; returns it in train mode.

    Parts whose BatchNorm statistics are to rest come into ``model.frozen``: they stay in eval mode
    through every later ``model.train()``.
    """
    trained = trainable_parts(model, strategy.phases[phase])
    for name in model.part_names:
        model.part(name).requires_grad_(name in trained)
    moving = {"follow": trained, "eval": ("head",), "train": model.part_names}[strategy.batchnorm]
    model.frozen = frozenset(model.part_names) - set(moving)
    return model.train()


def learning_rates(model: Backbone, phase: Phase) -> dict[str, float]:
    """Return the peak learning rate of every part that trains."""
    *stages, head = trainable_parts(model, phase)
    rates, rate = {head: phase.head_lr}, phase.backbone_lr
    for name in reversed(stages):
        rates[name] = rate
        rate *= phase.decay
    return dict(reversed(rates.items()))


def param_groups(model: Backbone, strategy: Strategy, phase: int = 0) -> list[dict]:
    """Return AdamW's parameter groups: every trainable parameter in exactly one of them.

    A part gives up to two groups, ``"stage7"`` with weight decay and ``"stage7, no decay"`` for
    BatchNorm and biases (all that is a vector): decay would pull a BatchNorm's scale to 0.
    """
    groups = []
    for name, rate in learning_rates(model, strategy.phases[phase]).items():
        params = list(model.part(name).parameters())
        groups += [
            {"name": name, "params": [p for p in params if p.ndim > 1], "lr": rate,
             "weight_decay": strategy.weight_decay},
            {"name": f"{name}, no decay", "params": [p for p in params if p.ndim <= 1],
             "lr": rate, "weight_decay": 0.0},
        ]  # fmt: skip
    return [group for group in groups if group["params"]]


def count_trainable(model: nn.Module) -> int:
    """Return how many numbers the optimizer may change."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def summary(model: Backbone, strategy: Strategy, phase: int = -1) -> pd.DataFrame:
    """Return a row per part: parameters, whether they train, peak rate, BatchNorm mode.

    Of a strategy with several phases it shows the last one. `model` is left as it was.
    """
    rates, rows = learning_rates(model, strategy.phases[phase]), {}
    for name in model.part_names:
        modules = list(model.part(name).modules())
        moves = strategy.batchnorm == "train" or (strategy.batchnorm == "follow" and name in rates)
        has_batchnorm = any(isinstance(module, _BatchNorm) for module in modules)
        rows[name] = {
            "parameters": sum(p.numel() for p in modules[0].parameters()),
            "trains": name in rates,
            "learning rate": rates.get(name, 0.0),
            "batchnorm statistics": ("moves" if moves else "rests") if has_batchnorm else "none",
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("part")
