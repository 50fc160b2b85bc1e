"""What trains in each arm and at which rate, without loading a weight."""

from __future__ import annotations

import functools

import torch

from helpers import backbones, strategies
from helpers.backbones import Backbone
from helpers.lab.setup import Setup


@functools.cache
def _bare(backbone: str) -> Backbone:
    """Return a network of shapes only, with a head for two classes."""
    with torch.device("meta"):
        model = backbones.load(backbone, weights=None)
        model.replace_head(backbones.linear_head(model.n_features, 2))
    return model


def rows(setup: Setup) -> list[dict]:
    """Return per arm its ``parts``: name, parameters, peak rate (0: frozen) and BatchNorm mode.

    Of a strategy with several phases it is the last one. Raises CourseError for an arm that
    `setup.check` would refuse.
    """
    model = _bare(setup.backbone)
    found = []
    for arm, label in zip(setup.arms, setup.labels, strict=True):
        table = strategies.summary(model, arm.build()).reset_index()
        parts = [
            {"part": row["part"], "parameters": int(row["parameters"]),
             "rate": float(row["learning rate"]), "batchnorm": row["batchnorm statistics"]}
            for row in table.to_dict("records")
        ]  # fmt: skip
        found.append({"arm": label, "strategy": arm.strategy, "parts": parts})
    return found
