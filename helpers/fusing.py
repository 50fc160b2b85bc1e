"""A convolution and its activation as one operation, for inference on a CPU.

Plain PyTorch runs them one after the other, and every activation goes through memory once more.
oneDNN, which does the work in both cases, can do them in one pass, with the weights laid out ahead
as it likes them. PyTorch reaches that only through operators that its compiler uses, so they are
asked for carefully here: where they are missing, everything runs as before.
"""

from __future__ import annotations

import itertools
import platform

import torch
from timm.layers import Conv2dSame, pad_same
from torch import Tensor, nn
from torch.nn import functional

from helpers.backbones import Backbone
from helpers.errors import CourseError

X86 = ("x86_64", "AMD64")


def available(device: torch.device | str) -> bool:
    """Whether `device` is a CPU on which the fused operation was tried, and PyTorch has it."""
    return (
        torch.device(device).type == "cpu"
        and platform.machine() in X86
        and torch.backends.mkldnn.is_available()
        and hasattr(torch.ops.mkldnn, "_convolution_pointwise")
        and hasattr(torch._C._nn, "mkldnn_reorder_conv2d_weight")
    )


class FusedConv(nn.Module):
    """A convolution followed by nothing, ReLU or ReLU6, without gradients.

    timm's `Conv2dSame` pads as TensorFlow does: for stride 2 and an even image only on the right
    and below. Padding a large activation costs a copy, so then the kernel gets a row and a column
    of zeros in front instead and is run with even padding, which comes to the same.

    Parameters
    ----------
    conv : the convolution; its weights are copied into oneDNN's layout.
    activation : ``"none"``, ``"relu"`` or ``"hardtanh"`` (ReLU6 is a hardtanh from 0 to 6).
    """

    def __init__(self, conv: nn.Conv2d, activation: str) -> None:
        super().__init__()
        self.conv, self.activation = conv, activation
        self.scalars = [0.0, 6.0] if activation == "hardtanh" else []
        self.same = isinstance(conv, Conv2dSame)
        weight = conv.weight.detach()
        self.plain = self._lay_out(weight, (0, 0) if self.same else conv.padding)
        self.shifted = None
        if self.same and conv.stride == (2, 2) and conv.dilation == (1, 1):
            half = tuple((size - 1) // 2 for size in conv.kernel_size)
            self.shifted = self._lay_out(functional.pad(weight, (1, 0, 1, 0)), half)

    def _lay_out(self, weight: Tensor, padding: tuple[int, int]) -> tuple:
        geometry = (padding, self.conv.stride, self.conv.dilation, self.conv.groups)
        reorder = torch._C._nn.mkldnn_reorder_conv2d_weight
        return reorder(weight.to_mkldnn(), *geometry), geometry

    def forward(self, x: Tensor) -> Tensor:
        """Return the activation, ``(N, C, H, W)``.

        Raises
        ------
        CourseError
            When a gradient is asked for: there is none, and silence would give noise.
        """
        if x.requires_grad and torch.is_grad_enabled():
            raise CourseError(
                "This copy of the network is for inference and has no gradients; take "
                "helpers.folding.folded, or the network itself in eval mode."
            )
        even = x.shape[2] % 2 == x.shape[3] % 2 == 0
        weight, geometry = self.shifted if self.shifted and even else self.plain
        if self.same and not (self.shifted and even):
            x = pad_same(x, self.conv.kernel_size, self.conv.stride, self.conv.dilation)
        return torch.ops.mkldnn._convolution_pointwise(
            x, weight, self.conv.bias, *geometry, self.activation, self.scalars, ""
        )


def fuse(quick: Backbone) -> Backbone:
    """Replace the convolutions of a folded network in place, with the activations behind them.

    `quick` is what `helpers.folding.folded` returned. Convolutions that pad with anything but
    zeros stay as they are.
    """
    for parent in list(quick.net.modules()):
        children = [*parent.named_children(), ("", None)]
        for (name, conv), (behind, follower) in itertools.pairwise(children):
            if type(conv) not in (nn.Conv2d, Conv2dSame) or not _plain(conv):
                continue
            activation = _activation(follower)
            setattr(parent, name, FusedConv(conv, activation))
            if activation != "none":
                setattr(parent, behind, nn.Identity())
    return quick


def _plain(conv: nn.Conv2d) -> bool:
    return conv.padding_mode == "zeros" and not isinstance(conv.padding, str)


def _activation(follower: nn.Module | None) -> str:
    return {nn.ReLU6: "hardtanh", nn.ReLU: "relu"}.get(type(follower), "none")
