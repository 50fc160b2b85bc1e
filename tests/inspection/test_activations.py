import numpy as np
import pytest
import torch
from torch import nn

from helpers import inspection
from helpers.errors import CourseError
from helpers.inspection.activations import walk
from helpers.networks import backbones
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


def test_a_single_part_may_be_named_without_a_list_but_not_none():
    model, image = tiny_backbone(), make_split(1).images[0]
    assert list(inspection.feature_maps(model, image, "stage2")) == ["stage2"]
    with pytest.raises(CourseError, match="at least one part; known: stem, stage1"):
        inspection.feature_maps(model, image, [])


def test_colour_images_are_refused_by_a_network_for_gray_ones():
    with pytest.raises(CourseError, match="have 3 channels, this tiny takes gray ones"):
        inspection.feature_maps(tiny_backbone(), np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(CourseError, match="make them gray"):
        inspection.pooled(tiny_backbone(), make_split(2, channels=3))


@pytest.mark.parametrize(
    "image",
    [np.zeros((8, 8), np.uint8), np.zeros((8, 8, 1), np.float32), np.zeros((8, 8, 4), np.uint8)],
)
def test_what_is_no_uint8_image_is_refused(image):
    with pytest.raises(CourseError, match="uint8 array"):
        inspection.feature_maps(tiny_backbone(), image)


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
