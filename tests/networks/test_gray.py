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
    first_conv,
    fold_normalisation,
    gray_statistics,
    gray_stem,
    layer_outputs,
)
from tests.conftest import make_dataset, tiny_backbone

MEAN, STD = backbones.IMAGENET_MEAN, backbones.IMAGENET_STD


def colour_conv(**options) -> nn.Conv2d:
    torch.manual_seed(0)
    return nn.Conv2d(3, 8, 5, **{"stride": 2, "padding": 2, "bias": True} | options)


@pytest.mark.parametrize(("how", "scale"), [("sum", 1.0), ("mean", 1 / 3)])
def test_sum_is_exact_and_mean_is_a_third(how, scale):
    conv = colour_conv()
    gray = torch.rand(2, 1, 16, 16)
    bias = conv.bias.view(1, -1, 1, 1)
    replicated = conv(gray.expand(-1, 3, -1, -1)) - bias
    assert torch.allclose(gray_stem(conv, how)(gray) - bias, scale * replicated, atol=1e-5)


@pytest.mark.parametrize(
    "options",
    [
        {"padding_mode": "reflect"},
        {"padding_mode": "circular", "bias": False},
        {"dilation": 2, "padding": "same", "stride": 1},
        {"stride": (1, 3), "padding": (0, 2)},
        {"dtype": torch.float64},
    ],
)
def test_bias_padding_stride_dilation_and_type_are_kept(options):
    conv = colour_conv(**options)
    gray = gray_stem(conv)
    for name in ("stride", "padding", "padding_mode", "dilation", "groups", "kernel_size"):
        assert getattr(gray, name) == getattr(conv, name)
    images = torch.rand(2, 1, 17, 16, dtype=conv.weight.dtype)
    assert (gray.bias is None) == (conv.bias is None)
    assert gray.weight.dtype == conv.weight.dtype
    assert torch.allclose(gray(images), conv(images.expand(-1, 3, -1, -1)), atol=1e-5)


def test_the_colour_stem_is_left_as_it_was():
    conv = colour_conv()
    before = conv.weight.clone()
    gray_stem(conv, "random")
    assert torch.equal(conv.weight, before)
    assert conv.in_channels == 3


def test_random_has_nothing_of_the_old_kernels():
    conv = colour_conv()
    assert not torch.allclose(gray_stem(conv, "random").weight, gray_stem(conv, "sum").weight)


def test_the_new_kernels_train_though_the_old_ones_were_frozen():
    assert gray_stem(colour_conv().requires_grad_(False)).weight.requires_grad


def test_timm_sums_too():
    conv = colour_conv()
    timms = adapt_input_conv(1, conv.weight.detach())
    assert torch.allclose(gray_stem(conv).weight, timms, atol=1e-6)


NETS = {
    "Lite0": lambda: timm.create_model("tf_efficientnet_lite0"),
    "ResNet-50": lambda: torchvision.models.resnet50(weights=None),
    "VGG": lambda: torchvision.models.vgg11_bn(weights=None, num_classes=3),
    "DenseNet, timm": lambda: timm.create_model("densenet121"),
    "vision transformer": lambda: timm.create_model("vit_tiny_patch16_224", img_size=64),
}


def adapted(name: str, how: str) -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(0)
    colour = NETS[name]().eval()
    return colour, adapt(copy.deepcopy(colour), how).eval()


@pytest.mark.parametrize("name", NETS)
def test_any_network_with_a_convolutional_stem_is_exact_by_sum(name):
    colour, gray = adapted(name, "sum")
    images = torch.rand(2, 1, 64, 64)
    with torch.no_grad():
        assert torch.allclose(gray(images), colour(images.expand(-1, 3, -1, -1)), atol=1e-5)


def test_the_trained_network_is_exact_by_sum():
    """With the real weights, in double precision: a difference would be no rounding."""
    colour = backbones.load("efficientnet_lite0").double().eval()
    gray = adapt(copy.deepcopy(colour), "sum")
    images = torch.rand(2, 1, 64, 64, dtype=torch.float64)
    with torch.no_grad():
        assert torch.allclose(gray(images), colour(images), atol=1e-5)
        mean = adapt(copy.deepcopy(colour), "mean")
        assert (mean(images) - colour(images)).abs().max() > 0.1


@pytest.mark.parametrize("name", ["Lite0", "ResNet-50"])
def test_the_mean_is_not_exact(name):
    colour, gray = adapted(name, "mean")
    images = torch.rand(2, 1, 64, 64)
    stem = first_conv(colour)[0]
    with torch.no_grad():
        assert not torch.allclose(gray(images), colour(images.expand(-1, 3, -1, -1)), atol=1e-3)
    table = drift(gray, colour, images, [stem])
    assert table.loc[stem, "scale"] == pytest.approx(1 / 3, rel=1e-4)


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
    ("net", "says"),
    [
        (nn.Sequential(nn.Flatten(), nn.Linear(12, 2)), "no convolutional stem.*'1', a Linear"),
        (nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 4, 3)), "no convol.*'0', a BatchNorm2d"),
        (nn.Sequential(nn.ReLU()), "no convolutional stem: it has no conv"),
        (HeadFirst(), r"no convolutional stem.*'head', a Linear.*Pass layer="),
        (nn.Sequential(nn.Conv1d(3, 4, 3)), "no convolutional stem.*a Conv1d"),
        (nn.Conv2d(3, 4, 3), "use gray_stem"),
        (nn.Sequential(nn.Conv2d(1, 4, 3)), r"1 channel\(s\), not 3: it is gray already"),
        (nn.Sequential(nn.Conv2d(12, 4, 3)), r"12 channel\(s\), not 3, so it is no RGB"),
        (nn.Sequential(nn.Conv2d(3, 6, 3, groups=3)), "3 groups.*one gray channel cannot"),
        (nn.Sequential(StdConv2d(3, 4, 3)), "StdConv2d changes its kernels when it runs"),
    ],
)
def test_a_network_that_cannot_be_adapted_is_refused_in_a_sentence(net, says):
    with pytest.raises(CourseError, match=says):
        adapt(net)


def test_surgery_twice_names_the_first():
    net = adapt(nn.Sequential(colour_conv()), "mean")
    with pytest.raises(CourseError, match="made gray already, by 'mean'"):
        adapt(net, "sum")
    with pytest.raises(CourseError, match="gray already"):
        gray_stem(gray_stem(colour_conv()))


def test_unknown_method_names_the_known_ones():
    with pytest.raises(CourseError, match=r"'summ'.*'sum'"):
        gray_stem(colour_conv(), "summ")
    with pytest.raises(CourseError, match=r"no grayscale method 'replicate'.*expand"):
        gray_stem(colour_conv(), "replicate")


def test_a_layer_that_does_not_exist_names_the_close_ones():
    net = torchvision.models.resnet18(weights=None)
    with pytest.raises(CourseError, match=r"no layer 'layer5' in ResNet.*'layer"):
        drift(net, net, torch.rand(1, 1, 32, 32), ["layer5"])
    with pytest.raises(CourseError, match=r"no layer 'conv_1' in ResNet.*'conv1'"):
        adapt(net, layer="conv_1")
    with pytest.raises(CourseError, match="'fc' is a Linear; name a Conv2d"):
        adapt(net, layer="fc")


def normalised(images, mean=MEAN, std=STD):
    return (images - torch.tensor(mean).view(1, -1, 1, 1)) / torch.tensor(std).view(1, -1, 1, 1)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("gray", [(0.0, 1.0), (0.449, 0.226)])
def test_the_fold_is_exact_inside_and_off_at_zero_padded_borders(bias, gray):
    conv, images = colour_conv(bias=bias), torch.rand(2, 1, 32, 32)
    folded = fold_normalisation(conv, MEAN, STD, gray)
    with torch.no_grad():
        right = conv(normalised(images))
        own = folded((images - gray[0]) / gray[1])
    assert torch.allclose(own[..., 1:-1, 1:-1], right[..., 1:-1, 1:-1], atol=1e-5)
    assert (own - right)[..., 0, :].abs().max() > 1e-3
    assert (conv.bias is None) != bias, "the colour convolution has changed"


def test_gray_statistics_keep_the_border_error_small():
    conv, images = colour_conv(), torch.rand(2, 1, 32, 32)
    gray = gray_statistics(MEAN, STD)
    with torch.no_grad():
        right = conv(normalised(images))
        raw = fold_normalisation(conv, MEAN, STD)(images)
        kept = fold_normalisation(conv, MEAN, STD, gray)((images - gray[0]) / gray[1])
    assert (kept - right).norm() < 0.2 * (raw - right).norm()


@pytest.mark.parametrize("mode", ["reflect", "replicate"])
def test_the_fold_is_exact_everywhere_where_padding_repeats_the_image(mode):
    conv, images = colour_conv(padding_mode=mode), torch.rand(2, 1, 32, 32)
    with torch.no_grad():
        own = fold_normalisation(conv, MEAN, STD)(images)
        assert torch.allclose(own, conv(normalised(images)), atol=1e-5)


def test_with_alike_channels_the_fold_onto_gray_statistics_is_the_sum():
    conv = colour_conv()
    folded = fold_normalisation(conv, (0.5,) * 3, (0.5,) * 3, (0.5, 0.5))
    assert torch.allclose(folded.weight, gray_stem(conv).weight, atol=1e-6)
    assert torch.allclose(folded.bias, conv.bias, atol=1e-6)


@pytest.mark.parametrize(
    ("mean", "std", "gray"),
    [
        ((0.5,), (0.5,), (0.0, 1.0)),
        (0.5, 0.5, (0.0, 1.0)),
        (MEAN, (0.229, 0.0, 0.225), (0.0, 1.0)),
        (MEAN, STD, (0.449, 0.0)),
    ],
)
def test_statistics_that_cannot_be_folded_are_refused(mean, std, gray):
    with pytest.raises(CourseError, match="three numbers each"):
        fold_normalisation(colour_conv(), mean, std, gray)


def test_a_stem_is_not_folded_twice():
    folded = fold_normalisation(colour_conv(), MEAN, STD)
    with pytest.raises(CourseError, match="by 'fold_normalisation'"):
        fold_normalisation(folded, MEAN, STD)


def test_drift_measures_scale_and_error_and_changes_nothing():
    colour = tiny_backbone(3).train()
    gray = adapt(copy.deepcopy(colour), "mean").train()
    before = {name: value.clone() for name, value in gray.state_dict().items()}
    table = drift(gray, colour, torch.rand(4, 1, 16, 16), ["net.conv", "net.stage1.0"])
    assert isinstance(table, pd.DataFrame)
    assert table.loc["net.conv", "scale"] == pytest.approx(1 / 3, rel=1e-3)
    assert table.loc["net.conv", "error"] == pytest.approx(2 / 3, rel=1e-3)
    assert table.loc["net.stage1.0", "scale"] > 0.5, "batch statistics should hide the factor"
    assert gray.training
    assert all(torch.equal(value, before[name]) for name, value in gray.state_dict().items())


def test_frozen_batchnorm_passes_the_third_on():
    colour = tiny_backbone(3).eval()
    gray = adapt(copy.deepcopy(colour), "mean").eval()
    table = drift(gray, colour, torch.rand(4, 1, 16, 16), ["net.bn"])
    assert table.loc["net.bn", "scale"] == pytest.approx(1 / 3, rel=1e-3)


def test_activations_are_those_before_a_relu_in_place():
    net = nn.Sequential(colour_conv(), nn.ReLU(inplace=True))
    found = layer_outputs(net, torch.rand(1, 3, 16, 16), ["0"])
    assert found["0"].min() < 0


def test_what_is_no_convolution_is_no_stem():
    with pytest.raises(CourseError, match="A Linear is no stem"):
        gray_stem(nn.Linear(3, 4))


@pytest.mark.parametrize("shape", [(2, 3, 16, 16), (1, 16, 16)])
def test_drift_wants_gray_images(shape):
    net = tiny_backbone()
    with pytest.raises(CourseError, match=r"Gray images \(N, 1, H, W\) are wanted"):
        drift(net, net, torch.rand(shape), ["net.conv"])


def test_colour_data_become_gray_by_luminance():
    data = make_dataset(channels=3)
    gray = as_gray(data)
    assert gray.card.channels == 1
    assert gray.train.images.shape == (*data.train.images.shape[:3], 1)
    assert np.array_equal(gray.val.labels, data.val.labels)
    expected = data.test.images[0] @ np.array([0.299, 0.587, 0.114])
    assert np.abs(gray.test.images[0, ..., 0] - expected).max() <= 1


def test_gray_data_are_not_made_gray_again():
    with pytest.raises(CourseError, match="toy are gray already"):
        as_gray(make_dataset())
