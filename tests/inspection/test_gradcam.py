"""Grad-CAM: captum's on the real network, and what captum leaves to its caller."""

import numpy as np
import pytest
import torch
from captum.attr import LayerAttribution, LayerGradCam

from helpers import datasets, inspection
from helpers.networks import backbones
from tests.conftest import tiny_backbone, unchanged

IMAGES = np.random.default_rng(0).integers(0, 256, (40, 33, 47, 1), dtype=np.uint8)


def test_without_classes_it_asks_about_the_predicted_one():
    model, x = tiny_backbone().eval(), torch.from_numpy(IMAGES).permute(0, 3, 1, 2)
    with torch.no_grad():
        model.head.bias[1] += model(x).diff(dim=1).neg().median()  # half of them each way
        predicted = model(x).argmax(dim=1).numpy()
    assert set(predicted) == {0, 1}
    found = inspection.gradcam(model, IMAGES)
    assert np.array_equal(found, inspection.gradcam(model, IMAGES, classes=predicted))
    assert not np.array_equal(found, inspection.gradcam(model, IMAGES, classes=1 - predicted))


def test_where_nothing_speaks_for_the_class_the_map_is_zero():
    """No activation is below 0, and here each of them speaks against class 1."""
    model = tiny_backbone()
    with torch.no_grad():
        model.head.weight[1] = -1
    assert not inspection.gradcam(model, IMAGES, classes=1).any()


def test_maps_have_the_size_of_the_images_and_end_at_one():
    maps = inspection.gradcam(tiny_backbone(), IMAGES)
    assert maps.shape == (40, 33, 47)
    assert maps.dtype == np.float32
    assert maps.min() >= 0
    assert set(maps.max(axis=(1, 2))) <= {np.float32(0), np.float32(1)}
    assert inspection.gradcam(tiny_backbone(), IMAGES[:0]).shape == (0, 33, 47)


def test_a_frozen_network_in_train_mode_gives_the_same_and_is_unchanged():
    model = tiny_backbone()
    free = inspection.gradcam(model.eval(), IMAGES)
    with unchanged(model.requires_grad_(False).train()), torch.inference_mode():
        assert np.array_equal(inspection.gradcam(model, IMAGES), free)
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
