"""Policies, pipelines, and the two tests of whether a policy keeps the label."""

import math
import pickle

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torchvision.transforms import v2

from helpers.datasets import augment
from helpers.errors import CourseError
from helpers.inspection import augmentation
from tests.training.conftest import fit, losses

ALL = augment.POLICIES | augment.SINGLES


def batch(n: int = 6, channels: int = 1, size: int = 32) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (n, channels, size, size), dtype=torch.uint8, generator=generator)


def changed(policy, images: torch.Tensor, seed: int = 0) -> torch.Tensor:
    torch.manual_seed(seed)
    return policy(images)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", list(ALL))
def test_a_policy_draws_for_each_image_by_torchs_seed_and_changes_pixels_alone(name, channels):
    policy, images = augment.by_name(name), batch(1, channels).repeat(12, 1, 1, 1)
    before = images.clone()
    found, again, other = (changed(policy, images, seed) for seed in (3, 3, 4))
    assert (found.shape, found.dtype) == (images.shape, torch.uint8)
    assert torch.equal(images, before)
    assert torch.equal(found, again)
    assert torch.equal(found, other) == torch.equal(found, images) == (name == "none")
    assert (len({image.numpy().tobytes() for image in found}) == 1) == (name == "none")
    assert torch.equal(changed(augment.by_name(name, 0), images), images), "strength 0"


def test_strength_scales_what_may_happen_and_the_default_crop_is_torchvisions():
    policy = augment.by_name("radiograph", 2.0)
    affine = next(step for step in policy.transform(32).transforms if "Affine" in repr(step))
    assert affine.degrees == [-20, 20]
    assert affine.translate == (0.1, 0.1)
    weak, ours = (augment.by_name("default_crop", s).transform(32).transforms[0] for s in (0.5, 1))
    theirs = v2.RandomResizedCrop(32)
    assert weak.scale[0] == pytest.approx(1 - 0.92 / 2)
    assert ours.scale == pytest.approx(theirs.scale)
    assert ours.ratio == theirs.ratio


def marked() -> torch.Tensor:
    """200 images with a bright top left corner: every flip and every turn shows."""
    images = torch.zeros(200, 1, 32, 32, dtype=torch.uint8)
    images[..., :8, :16] = 200
    return images


@pytest.mark.parametrize(
    ("name", "positions"),
    [
        ("horizontal_flip", lambda x: [x, x.flip(-1)]),
        ("vertical_flip", lambda x: [x, x.flip(-2)]),
        ("dihedral", lambda x: [y.rot90(k, (1, 2)) for y in (x, x.flip(-1)) for k in range(4)]),
    ],
)
def test_flips_and_turns_give_the_positions_of_a_square_and_no_other(name, positions):
    images = marked()
    expected = {position.numpy().tobytes() for position in positions(images[0])}
    found = changed(augment.by_name(name), images)
    assert {image.numpy().tobytes() for image in found} == expected
    assert len(expected) == len(positions(images[0]))


def test_radiograph_mirrors_and_overturns_nothing():
    for image in changed(augment.by_name("radiograph"), marked()[:50]):
        row, column = (float(where.float().mean()) for where in torch.nonzero(image[0] > 80).T)
        assert row < 12, "above stays above"
        assert column < 15, "left stays left"


def test_every_policy_says_for_which_images_it_is_meant():
    assert list(augment.POLICIES) == ["none", "radiograph", "dihedral", "natural", "too_strong"]
    for policy in ALL.values():
        assert len(policy.legitimate_for) > 20
        assert policy.name in repr(policy), "fit's fingerprint tells policies apart by it"
    assert repr(augment.by_name("natural")) != repr(augment.by_name("natural", 0.5))


class LeftOrRight(nn.Module):
    """Says 1 when the right half is the brighter one: mirroring changes its mind, no turn upside
    down does."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        half = images.shape[-1] // 2
        x = images.float()
        right = x[..., half:].mean((1, 2, 3)) - x[..., :half].mean((1, 2, 3))
        return torch.stack([-right, right], dim=1) * self.scale


def lit_from_one_side(n: int = 200) -> np.ndarray:
    images = np.zeros((n, 16, 16, 1), np.uint8)
    images[::2, :, 8:], images[1::2, :, :8] = 200, 200
    return images


def agree(n: int, draws: int) -> augmentation.Share:
    return augmentation.agreement(LeftOrRight(), lit_from_one_side(n), lambda x: x, draws)


@pytest.mark.parametrize(
    ("call", "arguments", "says"),
    [
        (augment.by_name, ("radiographs",), "no augmentation policy 'radiographs'.*'radiograph'"),
        (augment.by_name, ("dihedrl",), "no augmentation policy 'dihedrl'.*'dihedral'"),
        *((augment.by_name, ("natural", s), "strength") for s in (-0.1, 2.5, "much")),
        *((augment.by_name, ("natural", s), "strength") for s in (math.nan, math.inf)),
        (augment.by_name("dihedral"), (batch().float() / 255,), "Augment first"),
        (augment.by_name("dihedral"), (batch()[0],), r"policy\(image\[None\]\)"),
        (augment.by_name("dihedral"), (batch(channels=3)[:, :2],), "C = 1 or 3"),
        (augment.by_name("dihedral"), (batch()[..., :16],), "need square images"),
        (augment.pipeline, ("none", 2, 96, [0.5] * 2, [0.2] * 2), "channels must be 1"),
        (augment.pipeline, ("none", 1, 96, [0.5] * 3, [0.2] * 3), "as many means"),
        (augment.pipeline, ("none", 1, 96, [114.0], [57.0]), "Divide numbers that run to 255"),
        (augment.pipeline, ("none", 1, 96, [0.449], [0.0]), "std > 0"),
        (agree, (0, 2), "at least one"),
        (agree, (4, 0), "at least one"),
        (augmentation.paste_defect, (lit_from_one_side(1), 0), "between 0 and 1"),
        (augmentation.paste_defect, (lit_from_one_side(1), 1.5), "between 0 and 1"),
        (augmentation.random_crops, (1, 32, (0, 1)), "two shares of the area"),
        (augmentation.random_crops, (1, 32, (0.5, 0.2)), "two shares of the area"),
        (augmentation.random_crops, (1, 32, (0.1, 1.5)), "two shares of the area"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(call, arguments, says):
    with pytest.raises(CourseError, match=says):
        call(*arguments)


def test_images_that_are_not_square_pass_where_nothing_turns_them():
    assert augment.by_name("natural")(batch()[..., :16]).shape == (6, 1, 32, 16)


def test_training_takes_a_policy_and_gives_the_same_run_for_the_same_seed(toy):
    policy = augment.by_name("radiograph")
    one, same, other = (losses(fit(toy, seed=s, augment=policy)) for s in (0, 0, 1))
    assert one == same != other


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "LA", "1"])
@pytest.mark.parametrize("channels", [1, 3])
def test_pipelines_give_normalised_floats_for_every_kind_of_image(mode, channels):
    image = Image.new("RGB", (50, 40), (51, 51, 51)).convert(mode if mode != "1" else "L")
    image = image.convert("1", dither=Image.Dither.NONE) if mode == "1" else image
    found = augment.pipeline("none", channels, 32, [0.5] * channels, [0.25] * channels)(image)
    assert (found.shape, found.dtype) == ((channels, 32, 32), torch.float32)
    level = 0.0 if mode == "1" else 0.2
    assert torch.allclose(found, torch.full_like(found, (level - 0.5) / 0.25), atol=0.02)


def test_pipelines_augment_before_they_normalise_and_can_be_sent_to_workers():
    steps = augment.pipeline("natural", 3, 32, [0.5] * 3, [0.5] * 3)
    order = [type(step).__name__ for step in steps.transforms]
    assert order == ["RGB", "Resize", "ToImage", "Compose", "ToDtype", "Normalize"]
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8))
    here, there = changed(steps, image), changed(pickle.loads(pickle.dumps(steps)), image)
    assert torch.equal(here, there)


def test_agreement_is_the_share_of_predictions_kept():
    images, model = lit_from_one_side(), LeftOrRight()
    assert augmentation.agreement(model, images, augment.by_name("none")).value == 1
    assert augmentation.agreement(model, images, augment.by_name("vertical_flip")).value == 1
    mirrored = augmentation.agreement(model, images, augment.by_name("horizontal_flip"), draws=4)
    assert mirrored.lo < 0.5 < mirrored.hi
    always = augmentation.agreement(model, images, lambda x: x.flip(-1), draws=1)
    assert (always.value, always.n) == (0, 200)
    assert always.lo == 0 < always.hi < 0.05


def test_agreement_follows_its_seed_and_leaves_torchs_alone():
    images, model, policy = lit_from_one_side(), LeftOrRight(), augment.by_name("horizontal_flip")
    state = torch.get_rng_state()
    first, again, other = (
        augmentation.agreement(model, images, policy, 2, seed).each for seed in (1, 1, 2)
    )
    assert torch.equal(torch.get_rng_state(), state)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_intervals_are_wilsons():
    """8 of 10: .490 to .943 (Wilson 1927; statsmodels' proportion_confint gives the same)."""
    share = augmentation.share_of(np.array([1.0] * 8 + [0.0] * 2))
    assert (share.value, round(share.lo, 3), round(share.hi, 3)) == (0.8, 0.49, 0.943)
    assert "80.0% [49.0%, 94.3%], n = 10" in str(share)
    assert augmentation.share_of(np.ones(20)).lo == pytest.approx(1 / (1 + 1.959964**2 / 20))


def test_pasted_defects_lie_where_the_boxes_say_and_nowhere_else():
    images = np.full((20, 40, 40, 1), 200, np.uint8)
    pasted, boxes = augmentation.paste_defect(images, side=0.25)
    assert np.all(images == 200), "the originals stay as they were"
    assert len({tuple(box) for box in boxes.tolist()}) > 10
    for image, (top, left, height, width) in zip(pasted, boxes, strict=True):
        assert height == width == 10
        inside = image[top : top + height, left : left + width]
        assert inside.min() <= 60
        inside[:] = 200
        assert np.all(image == 200)


def test_kept_share_is_area_over_area():
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 10], [0, 0, 10, 10], [5, 5, 4, 4]])
    crops = np.array([[0, 0, 20, 20], [5, 5, 20, 20], [30, 0, 5, 5], [6, 0, 2, 20]])
    assert augmentation.kept_share(boxes, crops).tolist() == [1, 0.25, 0, 0.5]


def test_crops_lie_in_the_image_and_have_the_areas_asked_for():
    crops, again = (augmentation.random_crops(300, 96, (0.2, 0.5)) for _ in range(2))
    assert np.array_equal(crops, again)
    assert (crops[:, :2] >= 0).all()
    assert (crops[:, :2] + crops[:, 2:] <= 96).all()
    area = crops[:, 2:].prod(axis=1) / 96**2
    assert 0.18 < area.min() < 0.25
    assert 0.45 < area.max() < 0.52


def test_smaller_crops_lose_more_of_a_defect():
    _, boxes = augmentation.paste_defect(np.zeros((600, 96, 96, 1), np.uint8))
    whole = augmentation.defect_cut_away(boxes, 96, (1.0, 1.0), (1.0, 1.0))
    half = augmentation.defect_cut_away(boxes, 96, (0.5, 1.0))
    default = augmentation.defect_cut_away(boxes, 96)
    gone = augmentation.defect_cut_away(boxes, 96, lost=1.0)
    assert whole.value == 0
    assert 0 < half.value <= half.hi < default.lo
    assert gone.value < default.value


def test_a_crop_of_one_size_loses_what_geometry_says():
    """A crop of 50 pixels starts at 0..50 in an image of 100, each start as likely.

    The corner pixel survives one start of 51 in each direction, a middle pixel 50 of 51.
    """
    for pixel, survives in ((0, (1 / 51) ** 2), (49, (50 / 51) ** 2)):
        boxes = np.tile([pixel, pixel, 1, 1], (2000, 1))
        lost = augmentation.defect_cut_away(boxes, 100, (0.25, 0.25), (1.0, 1.0))
        assert lost.lo < 1 - survives < lost.hi
