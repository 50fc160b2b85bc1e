import pytest
import torch
from timm.layers import Conv2dSame
from torch import nn

from helpers import backbones, fusing, inference
from helpers.errors import CourseError
from helpers.folding import folded, for_inference
from tests.conftest import make_split, tiny_backbone
from tests.test_folding import shaken

needs_fusion = pytest.mark.skipif(
    not fusing.available("cpu"), reason="this processor or this PyTorch has no fused convolution"
)


@needs_fusion
@pytest.mark.parametrize("name", [*backbones.LAYOUTS, "tiny"])
@pytest.mark.parametrize("size", [(64, 64), (65, 65), (64, 65)])  # even and odd pad differently
def test_it_is_the_same_function_without_batchnorm_and_activations(name, size):
    model = tiny_backbone() if name == "tiny" else backbones.load(name, channels=1, weights=None)
    model = shaken(model).eval()
    quick = fusing.fuse(folded(model))
    assert any(isinstance(m, fusing.FusedConv) for m in quick.modules())
    images = torch.rand(2, 1, *size)
    with torch.inference_mode():
        for stop in (*model.part_names[:3], model.part_names[-2], "head"):
            expected, found = model(images, stop=stop), quick(images, stop=stop)
            assert found.shape == expected.shape
            assert torch.allclose(expected, found, atol=1e-4 * float(expected.abs().max()))


@needs_fusion
@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [8, 9])
@pytest.mark.parametrize("act", [nn.ReLU6(), nn.ReLU(), None])
def test_every_kind_of_convolution(kernel, channels, size, act):
    torch.manual_seed(0)
    conv = Conv2dSame(channels, 4, kernel, stride=2)
    x = 9 * torch.randn(2, channels, size, size)
    x = x.contiguous(memory_format=torch.channels_last)
    kind = {nn.ReLU6: "hardtanh", nn.ReLU: "relu"}.get(type(act), "none")
    with torch.inference_mode():
        expected = conv(x) if act is None else act(conv(x))
        found = fusing.FusedConv(conv, kind)(x)
    assert torch.allclose(found, expected, atol=1e-5)
    assert expected.max() > (6 if act is None else 5.9)  # or the clamp would not show


@needs_fusion
def test_a_gradient_is_refused_in_a_sentence():
    quick = for_inference(tiny_backbone())
    with pytest.raises(CourseError, match="for inference and has no gradients"):
        quick(torch.rand(2, 1, 32, 32, requires_grad=True))


def test_predictions_are_the_same_where_it_is_missing(monkeypatch):
    model, split = shaken(tiny_backbone()).eval(), make_split(6)
    here = inference.predict(model, split)
    monkeypatch.setattr(fusing, "available", lambda device: False)
    assert not any(isinstance(m, fusing.FusedConv) for m in for_inference(model).modules())
    assert inference.predict(model, split) == pytest.approx(here, abs=1e-5)


def test_it_is_for_cpus_that_it_was_tried_on(monkeypatch):
    assert not fusing.available("cuda")
    monkeypatch.setattr(fusing.platform, "machine", lambda: "arm64")
    assert not fusing.available("cpu")
