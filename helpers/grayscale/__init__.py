"""Fit a colour-trained stem to gray images, knowing what each choice does to the activations.

>>> net = torchvision.models.resnet50()
>>> grayscale.adapt(net, "sum")            # conv1 now takes (N, 1, H, W)
>>> grayscale.drift(net, colour_net, images, ["conv1", "bn1", "layer1"])
"""

from helpers.grayscale.drift import activations, check_gray, drift
from helpers.grayscale.stem import (
    METHODS,
    adapt,
    find_layer,
    first_conv,
    fold_normalisation,
    gray_statistics,
    gray_stem,
)

__all__ = [
    "METHODS", "activations", "adapt", "check_gray", "drift", "find_layer", "first_conv",
    "fold_normalisation", "gray_statistics", "gray_stem",
]  # fmt: skip
