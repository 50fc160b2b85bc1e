"""One network behind four gray stems: what each does to activations and predictions.

>>> nets = gray_stems.variants("efficientnet_lite0", head)
>>> looks = gray_stems.looks(nets, images)
>>> looks["mean", "eval"].stem             # values, for a histogram
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from helpers.networks import backbones, gray
from helpers.networks.backbones import Backbone

REFERENCE = "replicate"

METHODS = (REFERENCE, *gray.METHODS)

MODES = ("eval", "train")  # of BatchNorm: stored statistics, or those of the batch

N_VALUES = 20_000  # of each activation are kept, enough for a histogram


@dataclass(frozen=True)
class Look:
    """What a network does with a batch of gray images.

    Attributes
    ----------
    stem : values that the first convolution gives, a sample of at most `N_VALUES`.
    standardised : the same values after BatchNorm's mean and deviation, before its own scale and
        shift: spread 1 is what the next layers were trained on.
    probabilities : ``(N, n_classes)``.
    """

    stem: np.ndarray
    standardised: np.ndarray
    probabilities: np.ndarray

    def drawn(self, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return what `helpers.plots.gray_look` draws: both activations, P(true class)."""
        true = self.probabilities[np.arange(len(labels)), labels]
        return self.stem, self.standardised, true

    def agreement(self, other: Look) -> float:
        """Return the share of images for which both find the same class most likely."""
        same = self.probabilities.argmax(axis=1) == other.probabilities.argmax(axis=1)
        return float(same.mean())


def variants(backbone: str, head: nn.Module | None = None, seed: int = 0) -> dict[str, Backbone]:
    """Return the same pretrained network with each way to take gray images, in eval mode.

    Parameters
    ----------
    backbone : for `helpers.networks.backbones.load`. seed : of the random stem.
    head : a trained head for all; None: ImageNet's.
    """
    nets = {}
    for how in METHODS:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            net = backbones.load(backbone, channels=1, gray=how)
        if head is not None:
            net.replace_head(copy.deepcopy(head))
        nets[how] = net.eval()
    return nets


def look(net: Backbone, images: Tensor, batchnorm: str = "eval") -> Look:
    """Run `net` on gray images and keep what `Look` holds; `net` is left as it was.

    Parameters
    ----------
    images : ``(N, 1, H, W)``, uint8 0..255 or float 0..1.
    batchnorm : ``"eval"``: the stored statistics of every BatchNorm; ``"train"``: the batch's.

    Raises
    ------
    CourseError
        For images that are not gray.
    """
    gray.check_gray(images)
    copied = copy.deepcopy(net).eval()
    for module in copied.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.train(batchnorm == "train")  # dropout stays off
    found: list[Tensor] = []
    copied.stem_conv.register_forward_hook(lambda _module, _inputs, out: found.append(out.clone()))
    with torch.no_grad():
        probabilities = copied(images).softmax(dim=1)
        # On the copy's first BatchNorm the statistics may have moved; take the network's own.
        norm = net.get_submodule(f"net.{net.layout.stem[1]}")
        stored = (norm.running_mean, norm.running_var) if batchnorm == "eval" else (None, None)
        standard = nn.functional.batch_norm(
            found[0], *stored, training=batchnorm == "train", eps=norm.eps
        )
    return Look(_sample(found[0]), _sample(standard), probabilities.numpy())


def looks(nets: Mapping[str, Backbone], images: Tensor) -> dict[tuple[str, str], Look]:
    """Return a `Look` for every network and BatchNorm mode: ``{("mean", "eval"): Look, ...}``."""
    return {(how, mode): look(net, images, mode) for how, net in nets.items() for mode in MODES}


def _sample(activation: Tensor) -> np.ndarray:
    values = activation.permute(0, 2, 3, 1).reshape(-1)
    # A step that is odd takes every channel in turn, whose number is even.
    step = math.ceil(len(values) / N_VALUES) | 1
    return values[::step][:N_VALUES].numpy()
