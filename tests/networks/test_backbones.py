import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data as photographs

from helpers.errors import CourseError
from helpers.networks import backbones


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
        (lambda: backbones.load("resnet50", weights="IMAGENET1K_V3"), "IMAGENET1K_V1"),
    ],
)
def test_what_there_is_not_is_said(call, says):
    with pytest.raises(CourseError, match=says):
        call()


def test_available_tells_where_each_set_of_weights_is(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    assert backbones.available() == {
        "efficientnet_lite0": "installed with the course",
        "resnet18": "need a download",
        "resnet50": "need a download",
    }
