"""Grad-CAM: a network whose answer is known, and captum's on the real one."""

import numpy as np
import pytest
import torch
from captum.attr import LayerAttribution, LayerGradCam
from torch import nn

from helpers import datasets, inspection
from helpers.errors import CourseError
from helpers.networks import backbones
from helpers.networks.backbones import Backbone
from tests.conftest import TINY, TinyNet, tiny_backbone


class BrightAndDark(nn.Module):
    """Channel 0 holds how bright a pixel is, channel 1 how dark; class k is asked of channel k."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn = nn.Conv2d(1, 2, 1), nn.ReLU()
        self.stage1 = self.stage2 = self.stage3 = nn.Identity()
        self.pool, self.fc = nn.AdaptiveAvgPool2d(1), nn.Linear(2, 2)
        with torch.no_grad():
            self.conv.weight.copy_(torch.tensor([1.0, -1.0]).view(2, 1, 1, 1))
            self.conv.bias.zero_()
            self.fc.weight.copy_(torch.tensor([[2.0, -1.0], [-1.0, 2.0]]))
            self.fc.bias.zero_()


@pytest.fixture
def eyes() -> Backbone:
    model = Backbone("eyes", BrightAndDark(), TINY)
    model.set_normalisation((0.5,), (0.5,))
    return model


def half_bright() -> np.ndarray:
    """Left half white, right half black; the other image has only a quarter that is white."""
    images = np.zeros((2, 8, 8, 1), np.uint8)
    images[0, :, :4] = images[1, :4, :4] = 255
    return images


def test_it_finds_the_half_that_speaks_for_the_class(eyes):
    bright = half_bright()[..., 0] == 255
    assert np.array_equal(inspection.gradcam(eyes, half_bright(), classes=0), bright)
    assert np.array_equal(inspection.gradcam(eyes, half_bright(), classes=[1, 1]), ~bright)


def test_without_classes_it_asks_about_the_predicted_one(eyes):
    """The second image is mostly dark, so its predicted class is 1."""
    dark = half_bright()[1:]
    assert np.array_equal(
        inspection.gradcam(eyes, dark), inspection.gradcam(eyes, dark, classes=[1])
    )
    assert not np.array_equal(
        inspection.gradcam(eyes, dark), inspection.gradcam(eyes, dark, classes=[0])
    )


def test_where_nothing_speaks_for_the_class_the_map_is_zero(eyes):
    white = np.full((1, 8, 8, 1), 255, np.uint8)
    assert not inspection.gradcam(eyes, white, classes=[1]).any()


def test_maps_have_the_size_of_the_images_and_end_at_one():
    images = np.random.default_rng(0).integers(0, 256, (40, 33, 47, 1), dtype=np.uint8)
    maps = inspection.gradcam(tiny_backbone(), images)
    assert maps.shape == (40, 33, 47)
    assert maps.dtype == np.float32
    assert maps.min() >= 0
    assert set(maps.max(axis=(1, 2))) <= {np.float32(0), np.float32(1)}
    assert inspection.gradcam(tiny_backbone(), images[:0]).shape == (0, 33, 47)


def test_a_frozen_network_in_train_mode_gives_the_same_and_is_left_as_it_was():
    images = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 1), dtype=np.uint8)
    model = tiny_backbone()
    free = inspection.gradcam(model.eval(), images)
    model.requires_grad_(False).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with torch.inference_mode():
        assert np.array_equal(inspection.gradcam(model, images), free)
    assert model.training
    assert all((value == before[name]).all() for name, value in model.state_dict().items())
    assert all(p.grad is None and not p.requires_grad for p in model.parameters())


@pytest.mark.parametrize("head", ["linear", "mlp"])
def test_captum_finds_the_same_on_the_real_network(head):
    model = backbones.load("efficientnet_lite0", channels=1).eval()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model.replace_head(backbones.HEADS[head](model.n_features, 3).eval())
    images = datasets.load("elpv", size=96).test.images[:6]
    x = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
    cam = LayerGradCam(model, model.net.bn2)
    for k in range(3):
        theirs = LayerAttribution.interpolate(
            cam.attribute(x, target=k, relu_attributions=True), (96, 96), "bilinear"
        )
        theirs = theirs[:, 0].detach().numpy()
        assert theirs.max() > 0
        largest = theirs.max(axis=(1, 2), keepdims=True)
        ours = inspection.gradcam(model, images, classes=k)
        assert np.allclose(ours, theirs / np.where(largest > 0, largest, 1), atol=1e-3)


@pytest.mark.parametrize(
    ("classes", "said"),
    [
        ([0, 2], r"from 0 to 1, .* given: \[0, 2\]"),
        (-1, r"given: \[-1\]"),
        (0.5, "whole numbers"),
        ([0, 1, 0], "one for each of the 2 images"),
    ],
)
def test_a_class_that_does_not_exist_is_said(classes, said):
    model = Backbone("tiny", TinyNet(), TINY)
    with pytest.raises(CourseError, match=said):
        inspection.gradcam(model, np.zeros((2, 8, 8, 1), np.uint8), classes)
