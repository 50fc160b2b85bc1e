import copy

import numpy as np
import pandas as pd
import pytest
import timm
import torch
import torchvision
from timm.layers import StdConv2d
from timm.models._manipulate import adapt_input_conv
from torch import nn

from helpers.datasets.decode import as_gray
from helpers.errors import CourseError
from helpers.networks import backbones
from helpers.networks.gray import (
    adapt,
    drift,
    fold_normalisation,
    gray_statistics,
    gray_stem,
    layer_outputs,
)
from tests.conftest import make_dataset, tiny_backbone, unchanged

MEAN, STD = backbones.IMAGENET_MEAN, backbones.IMAGENET_STD


def colour_conv(**options) -> nn.Conv2d:
    torch.manual_seed(0)
    return nn.Conv2d(3, 8, 5, **{"stride": 2, "padding": 2, "bias": True} | options)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"padding_mode": "reflect"},
        {"padding_mode": "circular", "bias": False},
        {"dilation": 2, "padding": "same", "stride": 1},
        {"stride": (1, 3), "padding": (0, 2)},
        {"dtype": torch.float64},
    ],
)
def test_the_sum_is_exact_and_keeps_bias_padding_stride_dilation_and_type(options):
    conv = colour_conv(**options)
    gray = gray_stem(conv)
    for name in ("stride", "padding", "padding_mode", "dilation", "groups", "kernel_size"):
        assert getattr(gray, name) == getattr(conv, name)
    images = torch.rand(2, 1, 17, 16, dtype=conv.weight.dtype)
    assert (gray.bias is None) == (conv.bias is None)
    assert gray.weight.dtype == conv.weight.dtype
    assert torch.allclose(gray(images), conv(images.expand(-1, 3, -1, -1)), atol=1e-5)


def test_random_starts_anew_and_trains_and_leaves_the_colour_stem_as_it_was():
    conv = colour_conv().requires_grad_(False)
    with unchanged(conv):
        new = gray_stem(conv, "random")
    assert conv.in_channels == 3
    assert not torch.allclose(new.weight, gray_stem(conv, "sum").weight)
    assert new.weight.requires_grad, "though the old kernels were frozen"


def test_timm_sums_too_and_the_mean_is_a_third_of_that():
    conv = colour_conv()
    timms = adapt_input_conv(1, conv.weight.detach())
    assert torch.allclose(gray_stem(conv).weight, timms, atol=1e-6)
    assert torch.allclose(gray_stem(conv, "mean").weight, timms / 3, atol=1e-6)


NETS = {
    "Lite0": lambda: timm.create_model("tf_efficientnet_lite0"),
    "ResNet-50": lambda: torchvision.models.resnet50(weights=None),
    "VGG": lambda: torchvision.models.vgg11_bn(weights=None, num_classes=3),
    "DenseNet, timm": lambda: timm.create_model("densenet121"),
    "vision transformer": lambda: timm.create_model("vit_tiny_patch16_224", img_size=64),
}


@pytest.mark.parametrize("name", NETS)
def test_any_network_with_a_convolutional_stem_is_exact_by_sum(name):
    """In double precision: fifty layers of single precision round differently on each processor."""
    torch.manual_seed(0)
    colour = NETS[name]().double().eval()
    gray = adapt(copy.deepcopy(colour), "sum").eval()
    images = torch.rand(2, 1, 64, 64, dtype=torch.float64)
    with torch.no_grad():
        assert torch.allclose(gray(images), colour(images.expand(-1, 3, -1, -1)))


def test_the_trained_network_is_exact_by_sum_and_not_by_the_mean():
    """With the real weights, in double precision: a difference would be no rounding."""
    images = torch.rand(2, 1, 64, 64, dtype=torch.float64)
    with torch.no_grad():
        right, by_sum, by_mean = (
            backbones.load(channels=1, gray=how).double().eval()(images)
            for how in ("replicate", "sum", "mean")
        )
    assert torch.allclose(by_sum, right, atol=1e-5)
    assert (by_mean - right).abs().max() > 0.1


def test_a_backbone_gets_gray_statistics_with_its_stem():
    adapted = adapt(backbones.load("resnet18", weights=None))
    assert adapted.mean.flatten().tolist() == pytest.approx([0.449])
    assert adapted.std.flatten().tolist() == pytest.approx([0.226])
    assert adapted(torch.rand(1, 1, 64, 64)).shape == (1, 1000)


class HeadFirst(nn.Module):
    """Registers its head before its stem."""

    def __init__(self):
        super().__init__()
        self.head, self.stem = nn.Linear(8, 2), colour_conv()

    def forward(self, x):
        return self.head(self.stem(x).mean(dim=(2, 3)))


def test_a_stem_that_is_not_first_can_be_named():
    net = adapt(HeadFirst(), layer="stem")
    assert net(torch.rand(2, 1, 16, 16)).shape == (2, 2)


@pytest.mark.parametrize(
    ("net", "options", "says"),
    [
        (nn.Sequential(nn.Flatten(), nn.Linear(12, 2)), {}, "no convol.*stem.*'1', a Linear"),
        (nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 4, 3)), {}, "no convol.*'0', a BatchNorm2d"),
        (nn.Sequential(nn.ReLU()), {}, "no convolutional stem: it has no conv"),
        (HeadFirst(), {}, r"no convolutional stem.*'head', a Linear.*Pass layer="),
        (nn.Sequential(nn.Conv1d(3, 4, 3)), {}, "no convolutional stem.*a Conv1d"),
        (nn.Conv2d(3, 4, 3), {}, "use gray_stem"),
        (nn.Sequential(nn.Conv2d(1, 4, 3)), {}, r"1 channel\(s\), not 3: it is gray already"),
        (nn.Sequential(nn.Conv2d(12, 4, 3)), {}, r"12 channel\(s\), not 3, so it is no RGB"),
        (nn.Sequential(nn.Conv2d(3, 6, 3, groups=3)), {}, "3 groups.*one gray channel cannot"),
        (nn.Sequential(StdConv2d(3, 4, 3)), {}, "StdConv2d changes its kernels when it runs"),
        (adapt(nn.Sequential(colour_conv()), "mean"), {}, "made gray already, by 'mean'"),
        (nn.Sequential(fold_normalisation(colour_conv(), MEAN, STD)), {}, "'fold_normalisation'"),
        (HeadFirst(), {"layer": "stam"}, r"no layer 'stam' in HeadFirst.*'stem'"),
        (HeadFirst(), {"layer": "head"}, "'head' is a Linear; name a Conv2d"),
        (nn.Sequential(colour_conv()), {"how": "summ"}, r"'summ'.*'sum'"),
        (nn.Sequential(colour_conv()), {"how": "replicate"}, "no grayscale method.*expand"),
    ],
)
def test_a_network_that_cannot_be_adapted_is_refused_in_a_sentence(net, options, says):
    with pytest.raises(CourseError, match=says):
        adapt(net, **options)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: gray_stem(nn.Linear(3, 4)), "A Linear is no stem"),
        (lambda: as_gray(make_dataset()), "toy are gray already"),
        (lambda: drifts(layers=["net.stage4"]), r"no layer 'net.stage4' in Backbone.*'net.stage"),
        (lambda: drifts(shape=(2, 3, 16, 16)), r"Gray images \(N, 1, H, W\) are wanted"),
        (lambda: drifts(shape=(1, 16, 16)), r"Gray images \(N, 1, H, W\) are wanted"),
        (lambda: fold_normalisation(colour_conv(), (0.5,), (0.5,)), "three numbers each"),
        (lambda: fold_normalisation(colour_conv(), 0.5, 0.5), "three numbers each"),
        (lambda: fold_normalisation(colour_conv(), MEAN, (0.2, 0.0, 0.2)), "three numbers each"),
        (lambda: fold_normalisation(colour_conv(), MEAN, STD, (0.4, 0.0)), "three numbers each"),
    ],
)
def test_what_cannot_be_made_gray_compared_or_folded_is_refused(call, says):
    with pytest.raises(CourseError, match=says):
        call()


def normalised(images, mean=MEAN, std=STD):
    return (images - torch.tensor(mean).view(1, -1, 1, 1)) / torch.tensor(std).view(1, -1, 1, 1)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("gray", [(0.0, 1.0), (0.449, 0.226)])
@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate"])
def test_the_fold_is_exact_inside_and_off_at_zero_padded_borders_alone(bias, gray, mode):
    conv, images = colour_conv(bias=bias, padding_mode=mode), torch.rand(2, 1, 32, 32)
    folded = fold_normalisation(conv, MEAN, STD, gray)
    with torch.no_grad():
        error = (folded((images - gray[0]) / gray[1]) - conv(normalised(images))).abs()
    assert error[..., 1:-1, 1:-1].max() < 1e-4
    assert (error[..., 0, :].max() > 1e-3) == (mode == "zeros")
    assert (conv.bias is None) != bias, "the colour convolution has changed"


def test_gray_statistics_keep_the_border_error_small():
    conv, images = colour_conv(), torch.rand(2, 1, 32, 32)
    gray = gray_statistics(MEAN, STD)
    with torch.no_grad():
        right = conv(normalised(images))
        raw = fold_normalisation(conv, MEAN, STD)(images)
        kept = fold_normalisation(conv, MEAN, STD, gray)((images - gray[0]) / gray[1])
    assert (kept - right).norm() < 0.2 * (raw - right).norm()


def test_with_alike_channels_the_fold_onto_gray_statistics_is_the_sum():
    conv = colour_conv()
    folded = fold_normalisation(conv, (0.5,) * 3, (0.5,) * 3, (0.5, 0.5))
    assert torch.allclose(folded.weight, gray_stem(conv).weight, atol=1e-6)
    assert torch.allclose(folded.bias, conv.bias, atol=1e-6)


def drifts(colour=None, layers=("net.conv",), shape=(4, 1, 16, 16)) -> pd.DataFrame:
    """Compare the tiny network with itself made gray by the mean; neither may change."""
    colour = colour or tiny_backbone(3)
    gray = adapt(copy.deepcopy(colour), "mean")
    with unchanged(gray), unchanged(colour):
        return drift(gray, colour, torch.rand(shape), list(layers))


def test_drift_measures_scale_and_error_and_changes_nothing():
    table = drifts(tiny_backbone(3).train(), ["net.conv", "net.stage1.0"])
    assert isinstance(table, pd.DataFrame)
    assert table.loc["net.conv", "scale"] == pytest.approx(1 / 3, rel=1e-3)
    assert table.loc["net.conv", "error"] == pytest.approx(2 / 3, rel=1e-3)
    assert table.loc["net.stage1.0", "scale"] > 0.5, "batch statistics should hide the factor"
    at_rest = drifts(tiny_backbone(3).eval(), ["net.bn"])
    assert at_rest.loc["net.bn", "scale"] == pytest.approx(1 / 3, rel=1e-3)


def test_activations_are_those_before_a_relu_in_place():
    net = nn.Sequential(colour_conv(), nn.ReLU(inplace=True))
    found = layer_outputs(net, torch.rand(1, 3, 16, 16), ["0"])
    assert found["0"].min() < 0


def test_colour_data_become_gray_by_luminance():
    data = make_dataset(channels=3)
    gray = as_gray(data)
    assert gray.card.channels == 1
    assert gray.train.images.shape == (*data.train.images.shape[:3], 1)
    assert np.array_equal(gray.val.labels, data.val.labels)
    expected = data.test.images[0] @ np.array([0.299, 0.587, 0.114])
    assert np.abs(gray.test.images[0, ..., 0] - expected).max() <= 1
