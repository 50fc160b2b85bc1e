"""The quick weight gradient of wide depthwise convolutions is the gradient, only quicker."""

import pytest
import torch
from timm.layers import Conv2dSame
from torch import nn
from torch.nn import functional

from helpers import backbones, depthwise, strategies, training
from helpers.depthwise import QuickGradients, weight_gradient
from helpers.runs import Recipe

CASES = [  # height, width, kernel, stride, padding
    (6, 6, (5, 5), (1, 1), (2, 2)),
    (3, 3, (5, 5), (1, 1), (2, 2)),  # the kernel is larger than the image
    (9, 11, (5, 5), (2, 2), (0, 0)),
    (10, 9, (7, 7), (2, 1), (3, 2)),
    (9, 9, (3, 4), (1, 2), (1, 0)),
    (12, 12, (1, 9), (1, 1), (0, 4)),
]


@pytest.mark.parametrize(("height", "width", "kernel", "stride", "padding"), CASES)
def test_the_sum_over_strips_is_autograds_gradient(height, width, kernel, stride, padding):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(4, 8, height, width, generator=generator)
    weight = torch.randn(8, 1, *kernel, generator=generator, requires_grad=True)
    y = functional.conv2d(x, weight, None, stride, padding, groups=8)
    upstream = torch.randn(y.shape, generator=generator)
    (expected,) = torch.autograd.grad(y, weight, upstream)
    found = weight_gradient(x, upstream, kernel, stride, padding)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def gradients(model, images):
    model.zero_grad()
    model(images).square().mean().backward()
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def test_a_whole_network_gets_the_gradients_it_had():
    torch.manual_seed(0)
    model = backbones.load("efficientnet_lite0", channels=1).eval()  # eval: no dropped paths
    images = torch.randint(0, 256, (4, 1, 96, 96), dtype=torch.uint8)
    plain = gradients(model, images)
    with QuickGradients():
        quick = gradients(model, images)
    assert quick.keys() == plain.keys()
    for name, expected in plain.items():
        # A sum in another order: compared with the largest entry, not with those near zero.
        assert (quick[name] - expected).abs().max() <= 1e-3 * expected.abs().max(), name


@pytest.fixture
def taken(monkeypatch):
    """Count the convolutions that go the quick way, on whatever processor this runs."""
    monkeypatch.setattr(depthwise.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    calls = []
    apply = depthwise._Depthwise.apply
    monkeypatch.setattr(depthwise._Depthwise, "apply", lambda *a: calls.append(a) or apply(*a))
    return calls


def depth(kernel=5, **options):
    return nn.Conv2d(8, 8, kernel, groups=8, bias=False, **options)


@pytest.mark.parametrize(
    ("conv", "wanted"),
    [
        (depth(padding=2), 1),
        (Conv2dSame(8, 8, 5, stride=2, groups=8, bias=False), 1),
        (depth(3, padding=1), 0),
        (depth(padding="same"), 0),
        (depth(dilation=2), 0),
        (nn.Conv2d(8, 8, 5, groups=8), 0),  # with bias
        (nn.Conv2d(8, 16, 5, groups=8, bias=False), 0),
        (nn.Conv2d(8, 8, 5, bias=False), 0),
        (depth().requires_grad_(False), 0),
        (depth().double(), 0),
    ],
    ids=str,
)
def test_only_what_gains_by_it_goes_the_quick_way(taken, conv, wanted):
    x = torch.randn(2, 8, 12, 12, dtype=conv.weight.dtype, requires_grad=True)
    with QuickGradients():
        y = conv(x)
    y.sum().backward()
    assert len(taken) == wanted
    assert x.grad is not None
    assert (conv.weight.grad is None) == (not conv.weight.requires_grad)


def test_training_goes_the_quick_way(taken, toy):
    strategy = strategies.partial_finetune(last=2)
    model = strategies.build(strategy, n_classes=2, channels=1)
    training.fit(model, toy, strategy, Recipe(epochs=1, batch_size=len(toy.train)))
    assert len(taken) == 4, "one step through the four layers of stage 6"


def test_outside_of_training_nothing_goes_the_quick_way(taken):
    with QuickGradients(), torch.no_grad():
        depth()(torch.randn(2, 8, 12, 12))
    depth()(torch.randn(2, 8, 12, 12))
    with QuickGradients(), torch.autocast("cpu", torch.bfloat16):
        depth()(torch.randn(2, 8, 12, 12))
    assert not taken
