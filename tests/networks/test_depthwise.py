import copy

import pytest
import torch
from torch import nn

from helpers.networks import backbones
from helpers.networks.depthwise import TallDepthwise, quicken


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [(1, 1), (2, 7), (3, 3), (4, 4), (5, 5), (4, 9), (9, 4)])
def test_output_and_gradients_are_those_of_the_plain_convolution(size, stride):
    torch.manual_seed(0)
    plain = nn.Conv2d(6, 6, 5, stride, padding=2, groups=6).double()
    tall = quicken(nn.Sequential(copy.deepcopy(plain)))[0]
    assert type(tall) is TallDepthwise
    x = torch.randn(3, 6, *size, dtype=torch.float64, requires_grad=True)
    one, other = plain(x), tall(x)
    assert torch.allclose(one, other)
    for network, out in ((plain, one), (tall, other)):
        network.found = torch.autograd.grad((out**2).sum(), [x, *network.parameters()])
    for before, after in zip(plain.found, tall.found, strict=True):
        assert torch.allclose(before, after)


def test_low_images_reach_the_convolution_as_high_as_its_kernel(monkeypatch):
    seen, convolve = [], nn.functional.conv2d
    monkeypatch.setattr(
        "helpers.networks.depthwise.F.conv2d", lambda x, *a: seen.append(x.shape) or convolve(x, *a)
    )
    conv = quicken(nn.Sequential(nn.Conv2d(4, 4, 5, padding=2, groups=4)))
    conv(torch.zeros(1, 4, 3, 3))
    assert seen.pop() == (1, 4, 5, 3)
    with torch.no_grad():
        conv(torch.zeros(1, 4, 3, 3))
    assert seen.pop() == (1, 4, 3, 3), "without a gradient there is nothing to gain"


def test_the_small_network_has_them_and_its_own_names():
    model = backbones.load("efficientnet_lite0", weights=None)
    quick = [name for name, part in model.net.named_modules() if type(part) is TallDepthwise]
    assert "blocks.5.3.conv_dw" in quick
    assert "blocks.6.0.conv_dw" not in quick, "its kernel is 3 pixels wide"
    assert "blocks.5.3.conv_dw.weight" in model.net.state_dict()
