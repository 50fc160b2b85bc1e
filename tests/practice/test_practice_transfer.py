"""The checkers of notebook 01 accept right answers and name what is wrong with typical others."""

import numpy as np
import pytest
import torch

from helpers import inspection
from helpers.networks import backbones
from helpers.practice import transfer


def field_right(layers):
    field, step = 1, 1
    for kernel, stride in layers:
        field += (kernel - 1) * step
        step *= stride
    return field


def field_backwards(layers):
    """The same number from the other end."""
    field = 1
    for kernel, stride in reversed(layers):
        field = (field - 1) * stride + kernel
    return field


def field_stride_too_early(layers):
    field, step = 1, 1
    for kernel, stride in layers:
        step *= stride
        field += (kernel - 1) * step
    return field


def not_written(*_):
    raise NotImplementedError


@pytest.mark.parametrize("answer", [field_right, field_backwards])
def test_receptive_field_accepts(answer):
    assert transfer.receptive_field(answer).right


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda layers: 1 + sum(k - 1 for k, _ in layers), "strides are missing"),
        (field_stride_too_early, "own stride counts only for the layers behind"),
        (lambda layers: field_right(layers) - 1, "one pixel a position sees"),
        (lambda layers: sum(k for k, _ in layers), "adds two steps"),
        (lambda layers: int(np.prod([k for k, _ in layers])), "adds two steps"),
        (lambda layers: 3, "it is 5, yours is 3"),
        (lambda layers: float(field_right(layers)), "whole number"),
        (lambda layers: layers.missing, "raised AttributeError"),
        (not_written, "nothing here yet"),
    ],
)
def test_receptive_field_rejects(answer, says):
    found = transfer.receptive_field(answer)
    assert not found.right
    assert says in found.message


def test_the_right_answer_is_what_a_real_network_does():
    """The first layers of Lite0: stem, stage 1, and the two blocks of stage 2."""
    layers = [(3, 2), (3, 1), (1, 1), (1, 1), (3, 2), (1, 1), (1, 1), (3, 1), (1, 1)]
    table = inspection.geometry(backbones.load("efficientnet_lite0", weights=None), 64)
    assert field_right(layers) == table.loc["stage2", "receptive_field"]


def cka_right(x, y, centre=True, power=2):
    if centre:
        x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    cross = np.linalg.norm(x.T @ y) ** power
    return cross / (np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y)) ** (power / 2)


def cka_of_grams(x, y):
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    k, m = x @ x.T, y @ y.T
    return (k * m).sum() / np.sqrt((k * k).sum() * (m * m).sum())


def cka_in_torch(x, y):
    x, y = (torch.from_numpy(a - a.mean(axis=0)) for a in (x, y))
    return (x.T @ y).norm() ** 2 / ((x.T @ x).norm() * (y.T @ y).norm())


@pytest.mark.parametrize("answer", [cka_right, cka_of_grams, cka_in_torch, inspection.linear_cka])
def test_linear_cka_accepts(answer):
    assert transfer.linear_cka(answer).right


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda x, y: cka_right(x, y, centre=False), "not centred"),
        (lambda x, y: cka_right(x, y, power=1), "has to be squared"),
        (lambda x, y: np.linalg.norm((x - x.mean(0)).T @ (y - y.mean(0))) ** 2, "not yet divided"),
        (lambda x, y: x.T @ y, "one number"),
        (lambda x, y: None, "one number"),
        (lambda x, y: "high", "one number"),
        (lambda x, y: 1.0, "yours is 1.0000"),
        (lambda x, y: cka_right(x - x.mean(), y - y.mean(), centre=False), "columns centred"),
        (lambda x, y: x @ y, "raised ValueError"),
        (not_written, "nothing here yet"),
    ],
)
def test_linear_cka_rejects(answer, says):
    found = transfer.linear_cka(answer)
    assert not found.right
    assert says in found.message


def begins_right(parts, pretrained, untrained):
    apart = [a[0] > b[1] for a, b in zip(pretrained, untrained, strict=True)]
    return next((p for k, p in enumerate(parts) if all(apart[k:])), None)


def begins_at_first_gap(parts, pretrained, untrained):
    rows = zip(parts, pretrained, untrained, strict=True)
    return next((p for p, a, b in rows if a[0] > b[1]), None)


def begins_by_means(parts, pretrained, untrained):
    apart = [sum(a) > sum(b) for a, b in zip(pretrained, untrained, strict=True)]
    return next((p for k, p in enumerate(parts) if all(apart[k:])), None)


def begins_two_sided(parts, pretrained, untrained):
    apart = [a[0] > b[1] or b[0] > a[1] for a, b in zip(pretrained, untrained, strict=True)]
    return next((p for k, p in enumerate(parts) if all(apart[k:])), None)


def test_transfer_begins_accepts():
    assert transfer.transfer_begins(begins_right).right


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (begins_at_first_gap, "for good"),
        (begins_by_means, "the intervals overlap"),
        (begins_two_sided, "untrained network is the better one"),
        (lambda parts, a, b: begins_right(parts, a, b) or "stem", "it is None, yours is stem"),
        (lambda parts, a, b: parts[0], "it is stage2, yours is stem"),
        (lambda parts, a, b: 2, "one of the parts or None"),
        (lambda parts, a, b: parts[9], "raised IndexError"),
        (not_written, "nothing here yet"),
    ],
)
def test_transfer_begins_rejects(answer, says):
    found = transfer.transfer_begins(answer)
    assert not found.right
    assert says in found.message
