"""The weight gradient of wide depthwise convolutions, made cheaper on a CPU.

For a depthwise kernel up to 3 wide oneDNN has a fast routine, for a wider one it has none, and
EfficientNet-Lite0 has nine layers of 5 x 5. A wide kernel's gradient is put together here from
strips of it, 3 wide: each strip sees the image shifted by its place in the kernel. The sums are
the same, only their order differs. benchmarks/README.md says what it gains.
"""

from __future__ import annotations

import platform

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from helpers.fusing import X86

STRIP = 3  # the widest kernel with a fast routine


def weight_gradient(
    x: Tensor,
    gradient: Tensor,
    kernel: tuple[int, int],
    stride: tuple[int, int] = (1, 1),
    padding: tuple[int, int] = (0, 0),
) -> Tensor:
    """Return the loss's gradient for the weights of a depthwise convolution.

    Parameters
    ----------
    x, gradient : the input ``(N, C, H, W)`` and the loss's gradient for the output.
    kernel, stride, padding : vertical and horizontal; the kernel is at least `STRIP` wide.

    Returns
    -------
    ``(C, 1, *kernel)``
    """
    (tall, wide), (high, around) = kernel, padding
    padded = functional.pad(x, (around, around, high, high)) if any(padding) else x
    seen = padded.shape[3] - (wide - STRIP)  # how much of the image's width a strip meets
    found = x.new_empty(x.shape[1], 1, tall, wide)
    for left in (*range(0, wide - STRIP, STRIP), wide - STRIP):  # the last may overlap: same values
        strip = found[..., left : left + STRIP]
        shifted = padded[..., left : left + seen].contiguous(memory_format=torch.channels_last)
        strip[:] = _backward(gradient, shifted, strip, stride, (0, 0), (False, True))[1]
    return found


def _backward(gradient, x, weight, stride, padding, wanted) -> tuple[Tensor | None, ...]:
    return torch.ops.aten.convolution_backward(
        gradient, x, weight, None, stride, padding, (1, 1), False, (0, 0), x.shape[1],
        (*wanted, False),
    )  # fmt: skip


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, stride, padding):
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.padding = stride, padding
        return functional.conv2d(x, weight, None, stride, padding, groups=x.shape[1])

    @staticmethod
    def backward(ctx, gradient):
        x, weight = ctx.saved_tensors
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        inwards = outwards = None
        if ctx.needs_input_grad[0]:
            inwards = _backward(gradient, x, weight, ctx.stride, ctx.padding, (True, False))[0]
        if ctx.needs_input_grad[1]:
            outwards = weight_gradient(x, gradient, weight.shape[2:], ctx.stride, ctx.padding)
        return inwards, outwards, None, None


class QuickGradients(TorchFunctionMode):
    """Within this context, wide depthwise convolutions get their gradient from here.

    The network is not changed: calls of ``conv2d`` are looked at, and those for which nothing is
    gained (other kernels, frozen weights, other devices, mixed precision) go on as they are.
    """

    def __torch_function__(self, func, types, args=(), kwargs=None):
        """Run `func`, by the quick way where there is one."""
        if func is torch.conv2d and not kwargs and _gains(*args):
            x, weight, _, stride, padding = args[:5]
            return _Depthwise.apply(x, weight, _pair(stride), _pair(padding))
        return func(*args, **(kwargs or {}))


def _gains(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1) -> bool:
    return (
        groups == x.shape[1] == weight.shape[0]
        and weight.shape[3] > STRIP
        and weight.requires_grad
        and torch.is_grad_enabled()
        and bias is None
        and not isinstance(padding, str)
        and _pair(dilation) == (1, 1)
        and x.dtype == weight.dtype == torch.float32
        and x.device.type == "cpu"
        and not torch.is_autocast_enabled("cpu")
        and torch.backends.mkldnn.is_available()
        and platform.machine() in X86
    )


def _pair(value: int | tuple[int, int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else tuple(value)
