import numpy as np
import pytest
import torch
from torch import nn

from helpers import inspection
from helpers.errors import CourseError
from helpers.inspection.activations import walk
from helpers.networks import backbones
from tests.conftest import make_split, tiny_backbone, unchanged

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
    with unchanged(model):
        maps = inspection.feature_maps(model, image)
    with torch.no_grad():
        wanted = model.eval()(as_batch(image[None]), stop="stage3")[0].numpy()
    np.testing.assert_allclose(maps["stage3"], wanted, atol=1e-6)


def test_features_are_the_maps_pooled_or_flattened_and_the_means_of_the_image():
    model, split = tiny_backbone().eval(), make_split(5)
    pooled = inspection.pooled(model, split, image=True)
    flat = inspection.flattened(model, split, ["stage1"])["stage1"]
    assert tuple(pooled) == ("image", *PARTS)
    np.testing.assert_allclose(
        pooled["image"], split.images.mean(axis=(1, 2)) / 255, rtol=1e-5, atol=1e-6
    )
    for i in (0, 4):
        maps = inspection.feature_maps(model, split.images[i])
        np.testing.assert_allclose(pooled["stage2"][i], maps["stage2"].mean(axis=(1, 2)), atol=1e-6)
        np.testing.assert_allclose(flat[i], maps["stage1"].ravel(), atol=1e-6)


def zeros(*shape: int, dtype=np.uint8) -> np.ndarray:
    return np.zeros(shape, dtype)


GRAY = zeros(8, 8, 1)


@pytest.mark.parametrize(
    ("image", "parts", "says"),
    [
        (GRAY, ["stem", "stage33"], "Did you mean 'stage3'"),
        (GRAY, ["layer"], "Known: stage1"),
        (GRAY, ["head"], "no feature maps"),
        (zeros(8, 8, 3), None, "have 3 channels, this tiny takes gray ones.*make them gray"),
        (zeros(8, 8), None, "uint8 array"),
        (zeros(8, 8, 1, dtype=np.float32), None, "uint8 array"),
        (zeros(8, 8, 4), None, "uint8 array"),
    ],
)
def test_a_part_or_an_image_that_cannot_be_is_said(image, parts, says):
    with pytest.raises(CourseError, match=f"(?s){says}"):
        inspection.feature_maps(tiny_backbone(), image, parts)


def test_splits_are_held_to_the_same_and_a_single_part_needs_no_list():
    assert list(inspection.feature_maps(tiny_backbone(), zeros(32, 32, 1), "stage2")) == ["stage2"]
    for split, parts, says in ((make_split(2, channels=3), None, "make them gray"),
                               (make_split(2), ["stage33"], "Did you mean 'stage3'")):  # fmt: skip
        with pytest.raises(CourseError, match=says):
            inspection.pooled(tiny_backbone(), split, parts)


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
