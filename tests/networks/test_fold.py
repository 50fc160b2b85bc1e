import pytest
import torch
from torch import nn

from helpers.networks import backbones
from helpers.networks.fold import folded
from tests.conftest import tiny_backbone, unchanged
from tests.networks.shaken import shaken


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


@pytest.mark.filterwarnings("ignore:.*was trained at")
@pytest.mark.parametrize("name", ["chexpert", "radimagenet_inception_v3"])
def test_a_batchnorm_in_front_of_its_convolution_stays_and_the_function_is_the_same(name):
    model = shaken(backbones.load(name, channels=1, weights=None)).eval()
    quick = folded(model)
    norms = [sum(isinstance(m, nn.BatchNorm2d) for m in net.modules()) for net in (model, quick)]
    assert norms == ([121, 62] if name == "chexpert" else [94, 0])
    images = torch.rand(2, 1, 96, 96)
    with torch.inference_mode():
        for stop in (model.part_names[0], model.part_names[-2]):
            expected, found = model(images, stop=stop), quick(images, stop=stop)
            scale = expected.abs().max()
            assert torch.allclose(expected / scale, found / scale, atol=1e-4)


def test_the_model_itself_is_left_alone():
    model = tiny_backbone().train()
    with unchanged(model):
        folded(model)
