import pytest
import torch
from torch import nn

from helpers.networks import backbones
from helpers.networks.fold import folded
from tests.conftest import tiny_backbone, unchanged


def shaken(model):
    """Give BatchNorm statistics and scales that differ from 0 and 1, or folding could not fail."""
    torch.manual_seed(0)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.5, 0.5)
            module.running_var.uniform_(0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)
    return model


@pytest.mark.parametrize("name", [*backbones.LAYOUTS, "tiny"])
def test_it_is_the_same_function_without_batchnorm(name):
    model = tiny_backbone() if name == "tiny" else backbones.load(name, channels=1, weights=None)
    model = shaken(model).eval()
    quick = folded(model)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in quick.modules())
    images = torch.rand(2, 1, 64, 64)
    with torch.inference_mode():
        for stop in (model.part_names[1], model.part_names[-2], "head"):
            expected, found = model(images, stop=stop), quick(images, stop=stop)
            scale = expected.abs().max()
            assert torch.allclose(expected / scale, found / scale, atol=1e-4)


def test_the_model_itself_is_left_alone():
    model = tiny_backbone().train()
    with unchanged(model):
        folded(model)
