"""Answers to the exercises of notebook 01."""

import numpy as np
import torch

from helpers import inspection
from helpers.practice import linear_cka, receptive_field, transfer_begins


def field(layers, own_stride=False):
    size, step = 1, 1
    for kernel, stride in layers:
        size += (kernel - 1) * step * (stride if own_stride else 1)
        step *= stride
    return size


def cka(x, y, centre=True, power=2):
    if centre:
        x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    cross = np.linalg.norm(x.T @ y) ** power
    return cross / (np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y)) ** (power / 2)


def cka_in_torch(x, y):
    x, y = (torch.from_numpy(a - a.mean(axis=0)) for a in (x, y))
    return (x.T @ y).norm() ** 2 / ((x.T @ x).norm() * (y.T @ y).norm())


def begins(parts, differences, better=lambda lo, hi: lo > 0, for_good=all):
    apart = [better(lo, hi) for lo, hi in differences]
    return next((p for k, p in enumerate(parts) if for_good(apart[k:])), None)


def with_rule(**rule):
    return lambda *given: begins(*given, **rule)


RIGHT = {
    receptive_field: [field],
    linear_cka: [cka, cka_in_torch, inspection.linear_cka],
    transfer_begins: [begins],
}

WRONG = {
    receptive_field: [
        (lambda layers: 1 + sum(k - 1 for k, _ in layers), "strides are missing"),
        (lambda layers: field(layers, own_stride=True),
         "own stride counts only for the layers behind"),
        (lambda layers: field(layers) - 1, "one pixel a position sees"),
        (lambda layers: sum(k for k, _ in layers), "adds two steps"),
        (lambda layers: int(np.prod([k for k, _ in layers])), "adds two steps"),
        (lambda layers: 3, "it is 5, yours is 3"),
        (lambda layers: float(field(layers)), "whole number"),
    ],
    linear_cka: [
        (lambda x, y: cka(x, y, centre=False), "not centred"),
        (lambda x, y: cka(x, y, power=1), "has to be squared"),
        (lambda x, y: np.linalg.norm((x - x.mean(0)).T @ (y - y.mean(0))) ** 2, "not yet divided"),
        (lambda x, y: x.T @ y, "one number"),
        (lambda x, y: None, "one number"),
        (lambda x, y: "high", "one number"),
        (lambda x, y: 1.0, "yours is 1.0000"),
        (lambda x, y: cka(x - x.mean(), y - y.mean(), centre=False), "columns centred"),
    ],
    transfer_begins: [
        (with_rule(for_good=lambda apart: apart[0]), "for good"),
        (with_rule(better=lambda lo, hi: lo + hi > 0), "the interval includes 0"),
        (with_rule(better=lambda lo, hi: lo > 0 or hi < 0), "untrained network is the better one"),
        (lambda *given: begins(*given) or "stem", "it is None, yours is stem"),
        (lambda parts, differences: parts[0], "it is stage2, yours is stem"),
        (lambda parts, differences: 2, "one of the parts or None"),
    ],
}  # fmt: skip
