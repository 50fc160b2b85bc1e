import numpy as np
import pytest
import torch
from torch import nn

from helpers import backbones, inspection
from helpers.errors import CourseError
from helpers.inspection.activations import walk
from tests.conftest import make_split, tiny_backbone

PARTS = ("stem", "stage1", "stage2", "stage3")


def as_batch(images):
    return torch.from_numpy(images).permute(0, 3, 1, 2)


def test_one_walk_gives_what_stopping_at_each_part_gives():
    model, images = tiny_backbone().eval(), as_batch(make_split(3).images)
    found = dict(walk(model, images))
    assert tuple(found) == PARTS
    for name, activation in found.items():
        assert torch.equal(activation, model(images, stop=name))


def test_nothing_behind_the_last_wanted_part_runs():
    model = tiny_backbone().eval()
    model.net.stage3[0].register_forward_hook(lambda *_: pytest.fail("stage3 ran"))
    found = dict(walk(model, as_batch(make_split(2).images), ["stage2", "stem"]))
    assert tuple(found) == ("stem", "stage2")


def test_feature_maps_are_the_network_at_rest_and_leave_it_as_it_was():
    model, image = tiny_backbone().train(), make_split(1).images[0]
    before = {name: value.clone() for name, value in model.state_dict().items()}
    maps = inspection.feature_maps(model, image)
    assert model.training
    assert all(torch.equal(before[n], v) for n, v in model.state_dict().items())
    with torch.no_grad():
        wanted = model.eval()(as_batch(image[None]), stop="stage3")[0].numpy()
    np.testing.assert_allclose(maps["stage3"], wanted, atol=1e-6)


def test_pooled_features_are_the_means_of_the_maps_and_of_the_image():
    model, split = tiny_backbone().eval(), make_split(5)
    found = inspection.pooled(model, split, image=True)
    assert tuple(found) == ("image", *PARTS)
    np.testing.assert_allclose(
        found["image"], split.images.mean(axis=(1, 2)) / 255, rtol=1e-5, atol=1e-6
    )
    for i in (0, 4):
        maps = inspection.feature_maps(model, split.images[i])
        np.testing.assert_allclose(found["stage2"][i], maps["stage2"].mean(axis=(1, 2)), atol=1e-6)


def test_flattened_features_hold_every_number():
    model, split = tiny_backbone().eval(), make_split(3)
    found = inspection.flattened(model, split, ["stage1"])["stage1"]
    assert found.shape == (3, 4 * 16 * 16)
    maps = inspection.feature_maps(model, split.images[2])["stage1"]
    np.testing.assert_allclose(found[2], maps.ravel(), atol=1e-6)


@pytest.mark.parametrize(
    ("name", "says"),
    [("stage33", "Did you mean 'stage3'"), ("layer", "Known: stage1"), ("head", "no feature maps")],
)
def test_a_part_that_does_not_exist_names_the_close_ones(name, says):
    with pytest.raises(CourseError, match=says):
        inspection.pooled(tiny_backbone(), make_split(2), ["stem", name])


@pytest.mark.parametrize(
    "image",
    [np.zeros((8, 8), np.uint8), np.zeros((8, 8, 1), np.float32), np.zeros((8, 8, 4), np.uint8)],
)
def test_what_is_no_uint8_image_is_refused(image):
    with pytest.raises(CourseError, match="uint8 array"):
        inspection.feature_maps(tiny_backbone(), image)


def with_kernels(kernels: np.ndarray) -> backbones.Backbone:
    """A network whose stem has these kernels ``(F, C, kh, kw)``."""
    model = tiny_backbone(channels=kernels.shape[1])
    conv = nn.Conv2d(kernels.shape[1], len(kernels), kernels.shape[-1], bias=False)
    conv.weight.data = torch.from_numpy(kernels.astype(np.float32))
    model.replace_stem_conv(conv)
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


def test_a_network_without_convolutional_stem_is_refused():
    model = tiny_backbone()
    model.net.conv = nn.Flatten()
    with pytest.raises(CourseError, match="starts with Flatten, not with a convolution"):
        inspection.stem_filters(model)


def field_by_gradient(model: backbones.Backbone, part: str) -> int:
    """How many pixels of a row change the middle of the map, in a network of plain averages."""
    net = model.double().eval()
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.constant_(module.weight, 1 / module.weight[0].numel())
        if isinstance(module, nn.MaxPool2d):  # the largest of equals has one gradient only
            module.forward = nn.AvgPool2d(
                module.kernel_size, module.stride, module.padding, count_include_pad=False
            ).forward
    row = torch.full((1, model.mean.shape[1], 1, 2048), 1e-3, dtype=torch.double)
    row.requires_grad_(True)
    # Small positive numbers stay so all the way: no activation function clips them.
    model.set_normalisation((0.0,) * 3, (1.0,) * 3)
    out = model(row, stop=part)
    out[0, 0, 0, out.shape[-1] // 2].backward()
    seen = row.grad[0, 0, 0].nonzero()
    return int(seen.max() - seen.min()) + 1


@pytest.mark.parametrize("name", ["efficientnet_lite0", "resnet18", "resnet50"])
def test_geometry_is_what_the_network_does(name):
    model = backbones.load(name, weights=None)
    table = inspection.geometry(model, 96)
    assert table.index[0] == "image"
    for part, activation in walk(model.eval(), torch.zeros(1, 3, 96, 96)):
        row = table.loc[part]
        assert (row.channels, row.height, row.width) == tuple(activation.shape[1:])
        assert row.stride * row.height == 96
    for part in (table.index[1], table.index[3], table.index[-1]):
        assert table.loc[part, "receptive_field"] == field_by_gradient(model, part)
