"""Answers to the exercises of the notebook on layers and shapes."""

import math

import torch
from torch import nn

from helpers.practice import dense_as_convolution, layer_counts


def counts(n, c, o, k, s, p, g, b):
    size = (n + 2 * p - k) // s + 1
    weights = o * (c // g) * k * k
    return size, weights + b * o, weights * size * size


def counted_by_torch(n, c, o, k, s, p, g, b):
    layer = nn.Conv2d(c, o, k, s, p, groups=g, bias=b)
    size = layer(torch.zeros(1, c, n, n)).shape[-1]
    parameters = sum(x.numel() for x in layer.parameters())
    return torch.tensor([size, parameters, layer.weight.numel() * size**2])


def with_size(rule):
    """The right counts, but for the size."""
    return lambda *layer: (rule(*layer), *counts(*layer)[1:])


def with_parameters(rule):
    return lambda *layer: (counts(*layer)[0], rule(*layer), counts(*layer)[2])


def with_cost(rule):
    return lambda *layer: (*counts(*layer)[:2], rule(*layer))


def weights(layer):
    _, c, o, k, _, _, g, _ = layer
    return o * (c // g) * k * k


def convolution(dense, shape, kernel=None, order=None, bias=True, copy=True, **options):
    channels, *window = shape
    made = nn.Conv2d(channels, dense.out_features, kernel or window, bias=bias, **options)
    with torch.no_grad():
        if copy:
            made.weight.copy_(order(dense.weight) if order else dense.weight.view(-1, *shape))
        if bias:
            made.bias.copy_(dense.bias)
    return made


def sharing(dense, shape):
    made = nn.Conv2d(shape[0], dense.out_features, shape[1:])
    made.weight = nn.Parameter(dense.weight.unflatten(1, shape))
    made.bias = dense.bias
    return made


def slipped(**slip):
    return lambda dense, shape: convolution(dense, shape, **slip)


RIGHT = {
    layer_counts: [counts, counted_by_torch],
    dense_as_convolution: [convolution, sharing],
}

WRONG = {
    layer_counts: [
        (with_size(lambda n, c, o, k, s, p, g, b: (n + 2 * p - k) // s), "+ 1 is missing"),
        (with_size(lambda n, c, o, k, s, p, g, b: (n + p - k) // s + 1), "on both sides"),
        (with_size(lambda n, c, o, k, s, p, g, b: math.ceil((n + 2 * p - k) / s) + 1), "not up"),
        (with_size(lambda n, c, o, k, s, p, g, b: (n + 2 * p - k) / s + 1), "size: [7"),
        (with_size(lambda n, *_: n), "size: [7"),
        (with_parameters(lambda n, c, o, k, s, p, g, b: o * c * k * k + b * o), "c_in / groups"),
        (with_parameters(lambda *layer: weights(layer)), "each output channel is missing"),
        (with_parameters(lambda *layer: weights(layer) + layer[2]), "parameters: [864"),
        (with_parameters(lambda *layer: weights(layer) + layer[7]), "parameters: [864"),
        (with_parameters(lambda n, c, o, k, s, p, g, b: o * (c // g) * k + b * o),
         "parameters: [864"),
        (with_parameters(lambda *_: 7), "parameters: [864"),
        (with_cost(lambda *layer: weights(layer)), "at each place"),
        (with_cost(lambda *layer: weights(layer) * counts(*layer)[0]), "multiplications: [42336"),
        (with_cost(lambda *layer: weights(layer) * layer[0] ** 2), "output's places"),
        (with_cost(lambda *layer: 2 * counts(*layer)[2]), "those are FLOPs"),
        (with_cost(lambda *layer: counts(*layer)[1] * counts(*layer)[0] ** 2),
         "multiplications: [42336"),
        (with_cost(lambda *_: 7), "multiplications: [42336"),
        (lambda *layer: counts(*layer)[:2], "three numbers"),
        (lambda *layer: counts(*layer)[0], "three numbers"),
        (lambda *layer: None, "three numbers"),
    ],
    dense_as_convolution: [
        (lambda dense, shape: nn.Conv2d(24, dense.out_features, 1), "as large as the map"),
        (lambda dense, shape: nn.Conv2d(shape[0], 6, (4, 3)), "as large as the map"),
        (lambda dense, shape: nn.Conv2d(shape[0], 5, (3, 4)), "as large as the map"),
        (slipped(padding=1), "no padding"),
        (slipped(stride=2), "no window is skipped"),
        (slipped(bias=False), "its bias"),
        (slipped(copy=False), "copy its weights"),
        (slipped(order=lambda w: w.view(6, 3, 4, 2).permute(0, 3, 1, 2)), "permute nothing"),
        (slipped(order=lambda w: w.view(6, 2, 4, 3).transpose(2, 3)), "copy its weights"),
        (lambda dense, shape: dense, "return an nn.Conv2d"),
        (lambda dense, shape: None, "return an nn.Conv2d"),
    ],
}  # fmt: skip
