"""How far a gray network's activations drift from those of the replicated image."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import pandas as pd
import torch
from torch import Tensor, nn

from helpers.errors import CourseError
from helpers.grayscale.stem import find_layer, first_conv


def activations(net: nn.Module, images: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
    """Return what each of `layers` gives for `images`, in the mode `net` is in.

    `net` is left as it was, its running statistics included.

    Raises
    ------
    CourseError
        When a layer does not exist.
    """
    net, found = copy.deepcopy(net), {}
    for name in layers:
        # Cloned, because a ReLU behind the layer may work in place.
        find_layer(net, name).register_forward_hook(
            lambda _module, _inputs, output, name=name: found.update({name: output.clone()})
        )
    with torch.no_grad():
        net(images)
    return {name: found[name] for name in layers}


def drift(
    net: nn.Module, reference: nn.Module, images: Tensor, layers: Sequence[str]
) -> pd.DataFrame:
    """Compare a gray network's activations with those of the replicated image, layer by layer.

    Both run in the mode they are in, and both are left as they were.

    Parameters
    ----------
    net : takes `images`. reference : the colour network; takes them replicated.
    images : ``(N, 1, H, W)``.
    layers : names that exist in both networks.

    Returns
    -------
    A row per layer. ``scale``: how far activations spread within a channel, over that in the
    reference (root of the variances, summed over the channels); 1 is right. ``error``: distance
    to the reference's activations over their norm; 0 is right.

    Raises
    ------
    CourseError
        When `images` are not gray, `reference` is, or a layer does not exist.
    """
    check_gray(images)
    if first_conv(reference)[1].in_channels == 1:
        raise CourseError("The reference takes gray images already; pass the colour network.")
    own = activations(net, images, layers)
    right = activations(reference, images.expand(-1, 3, -1, -1), layers)
    rows = [
        {
            "layer": name,
            "scale": float(_spread(own[name]) / _spread(right[name])),
            "error": float((own[name] - right[name]).norm() / right[name].norm()),
        }
        for name in layers
    ]
    return pd.DataFrame(rows, columns=["layer", "scale", "error"]).set_index("layer")


def check_gray(images: Tensor) -> None:
    """Refuse what is no batch of gray images.

    Raises
    ------
    CourseError
        When `images` are not ``(N, 1, H, W)``.
    """
    if images.ndim != 4 or images.shape[1] != 1:
        raise CourseError(
            f"Gray images (N, 1, H, W) are wanted, these are {tuple(images.shape)}. Of images "
            "that are gray but stored as RGB, images[:, :1] is enough."
        )


def _spread(activation: Tensor) -> Tensor:
    per_channel = activation.transpose(0, 1).flatten(1)
    return per_channel.var(dim=1, correction=0).sum().sqrt()
