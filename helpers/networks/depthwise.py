"""Depthwise convolutions of low images, in a form whose gradient PyTorch computes quickly."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class TallDepthwise(nn.Conv2d):
    """A depthwise convolution that pads an image lower than its kernel before it convolves.

    In the last stages the image is 3 or 4 pixels high and the kernel 5. For these oneDNN has no
    quick routine for the gradient of the weights, as it has for an image that is as high as the
    kernel (``benchmarks/training_step.py`` times both). So some of the rows of zeros that the
    convolution would add anyway are added first; output and gradient stay the same.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Convolve ``(N, C, H, W)``."""
        rows = -(-max(0, self.kernel_size[0] - x.shape[2]) // 2)  # on either side, rounded up
        trains = torch.is_grad_enabled() and self.weight.requires_grad
        if not trains or not 0 < rows <= self.padding[0]:
            return super().forward(x)
        padding = (self.padding[0] - rows, self.padding[1])
        x = F.pad(x, (0, 0, rows, rows))
        return F.conv2d(x, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


def quicken(net: nn.Module) -> nn.Module:
    """Make `net`'s depthwise convolutions wider than 3 pixels `TallDepthwise`; return `net`."""
    for module in net.modules():
        if type(module) is nn.Conv2d and module.groups > 1 and module.kernel_size[0] > 3:
            module.__class__ = TallDepthwise  # the same parameters, under the same names
    return net
