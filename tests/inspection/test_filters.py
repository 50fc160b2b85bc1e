import numpy as np
import pytest
import torch
from torch import nn

from helpers import inspection, plots
from helpers.networks import backbones
from tests.conftest import tiny_backbone


def with_kernels(kernels: np.ndarray) -> backbones.Backbone:
    """A network whose stem has these kernels ``(F, C, kh, kw)``."""
    model = tiny_backbone(channels=kernels.shape[1])
    conv = nn.Conv2d(kernels.shape[1], len(kernels), kernels.shape[-1], bias=False)
    conv.weight.data = torch.from_numpy(kernels.astype(np.float32))
    model.net.set_submodule(model.layout.stem[0], conv)
    return model


EDGE = np.array([[1, 0, -1]] * 3)
KERNELS = np.stack([
    np.stack([EDGE, EDGE, EDGE]),  # a gray edge
    np.stack([np.ones((3, 3)), -np.ones((3, 3)), np.zeros((3, 3))]),  # red against green
    np.ones((3, 3, 3)),  # a blur
    np.zeros((3, 3, 3)),  # nothing
])  # fmt: skip


def test_filters_are_pictures_with_gray_for_zero():
    pictures = inspection.stem_filters(with_kernels(2 * KERNELS))
    assert pictures.shape == (4, 3, 3, 3)
    assert pictures[0, 0, :, 1].tolist() == [1.0, 0.5, 0.0]
    assert pictures[1, 1, 1].tolist() == [1.0, 0.0, 0.5]
    assert (pictures[3] == 0.5).all()


def test_strengths_tell_edge_colour_blur_and_nothing_apart():
    table = inspection.stem_strengths(with_kernels(KERNELS))
    assert table["colour"].tolist() == pytest.approx([0, 1, 0, 1])
    assert table["contrast"].tolist()[::2] == pytest.approx([1, 0])
    assert table["norm"].tolist() == pytest.approx([18**0.5, 18**0.5, 27**0.5, 0])


def test_a_gray_image_does_not_excite_a_colour_kernel():
    """What `colour` promises, tried on the real stem: summed over R, G, B nothing is left."""
    model = backbones.load("efficientnet_lite0")
    table = inspection.stem_strengths(model)
    gray = model.stem_conv.weight.detach().sum(dim=1).flatten(1).norm(dim=1).numpy()
    ratio = gray / np.maximum(table["norm"].to_numpy(), 1e-9) / 3**0.5
    np.testing.assert_allclose(ratio**2, 1 - table["colour"], atol=1e-3)


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_the_wide_stem_of_a_resnet_is_drawn_too(name):
    """With random weights, because the trained ones need a download."""
    model = backbones.load(name, weights=None)
    strong = inspection.stem_strengths(model)["norm"].sort_values(ascending=False).index[:32]
    pictures = inspection.stem_filters(model)[strong]
    assert pictures.shape == (32, 7, 7, 3)
    assert (pictures.min(), pictures.max()) == pytest.approx((0, 1), abs=0.05)
    assert len(plots.kernels(pictures).axes) == 32
