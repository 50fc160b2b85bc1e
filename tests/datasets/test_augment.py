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
from helpers.training import loop, strategies
from helpers.training.recipe import Recipe
from tests.conftest import make_dataset, tiny_backbone

ALL = augment.POLICIES | augment.SINGLES


def batch(n: int = 6, channels: int = 1, size: int = 32, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (n, channels, size, size), dtype=torch.uint8, generator=generator)


def changed(policy, images: torch.Tensor, seed: int = 0) -> torch.Tensor:
    torch.manual_seed(seed)
    return policy(images)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", list(ALL))
def test_every_policy_keeps_shape_and_type_and_leaves_its_input_alone(name, channels):
    images = batch(channels=channels)
    before = images.clone()
    found = changed(augment.by_name(name), images)
    assert (found.shape, found.dtype) == (images.shape, torch.uint8)
    assert torch.equal(images, before)
    assert torch.equal(found, images) == (name == "none")


@pytest.mark.parametrize("name", [name for name in ALL if name != "none"])
def test_each_image_of_a_batch_gets_a_draw_of_its_own(name):
    copies = batch(1).repeat(12, 1, 1, 1)
    found = changed(augment.by_name(name), copies)
    assert len({image.numpy().tobytes() for image in found}) > 1


@pytest.mark.parametrize("name", list(ALL))
def test_draws_follow_torchs_seed_and_nothing_else(name):
    policy, images = augment.by_name(name), batch()
    assert torch.equal(changed(policy, images, 3), changed(policy, images, 3))
    if name != "none":
        assert not torch.equal(changed(policy, images, 3), changed(policy, images, 4))


@pytest.mark.parametrize("name", list(ALL))
def test_strength_zero_changes_nothing(name):
    images = batch()
    assert torch.equal(changed(augment.by_name(name, 0), images), images)


def test_strength_scales_what_may_happen():
    policy = augment.by_name("radiograph", 2.0)
    affine = next(step for step in policy.transform(32).transforms if "Affine" in repr(step))
    assert affine.degrees == [-20, 20]
    assert affine.translate == (0.1, 0.1)
    weak = augment.by_name("default_crop", 0.5).transform(32).transforms[0]
    assert weak.scale[0] == pytest.approx(1 - 0.92 / 2)


def test_the_default_crop_is_torchvisions():
    ours = augment.by_name("default_crop").transform(32).transforms[0]
    theirs = v2.RandomResizedCrop(32)
    assert ours.scale == pytest.approx(theirs.scale)
    assert ours.ratio == theirs.ratio


def marked(size: int = 32) -> torch.Tensor:
    """Bright top left corner: every flip and every turn shows."""
    image = torch.zeros(1, 1, size, size, dtype=torch.uint8)
    image[..., : size // 4, : size // 2] = 200
    return image


def positions(policy, draws: int = 200) -> set[bytes]:
    found = changed(policy, marked().repeat(draws, 1, 1, 1))
    return {image.numpy().tobytes() for image in found}


def test_dihedral_gives_the_eight_positions_of_a_square_and_no_other():
    image = marked()[0]
    expected = {
        turned.numpy().tobytes()
        for k in range(4)
        for turned in (image.rot90(k, (1, 2)), image.rot90(k, (1, 2)).flip(2))
    }
    assert len(expected) == 8
    assert positions(augment.by_name("dihedral")) == expected


def test_flips_give_two_positions_each():
    image = marked()[0].numpy()
    assert positions(augment.by_name("horizontal_flip")) == {
        image.tobytes(), image[..., ::-1].tobytes(),
    }  # fmt: skip
    assert positions(augment.by_name("vertical_flip")) == {
        image.tobytes(), image[:, ::-1].tobytes(),
    }  # fmt: skip


def test_radiograph_mirrors_nothing_and_turns_by_ten_degrees_at_most():
    policy = augment.by_name("radiograph")
    assert policy.horizontal_flip == policy.vertical_flip == policy.quarter_turns == 0
    assert policy.rotation <= 10
    assert policy.crop_scale == 1
    for image in changed(policy, marked().repeat(50, 1, 1, 1)):
        row, column = (float(where.float().mean()) for where in torch.nonzero(image[0] > 80).T)
        assert row < 12, "above stays above"
        assert column < 15, "left stays left"


def test_every_policy_says_for_which_images_it_is_meant():
    assert list(augment.POLICIES) == ["none", "radiograph", "dihedral", "natural", "too_strong"]
    for policy in ALL.values():
        assert len(policy.legitimate_for) > 20
        assert policy.name in repr(policy), "fit's fingerprint tells policies apart by it"
    assert repr(augment.by_name("natural")) != repr(augment.by_name("natural", 0.5))


@pytest.mark.parametrize(
    ("given", "close"), [("radiographs", "radiograph"), ("dihedrl", "dihedral")]
)
def test_unknown_policy_names_the_close_ones(given, close):
    with pytest.raises(CourseError, match=f"no augmentation policy '{given}'.*'{close}'"):
        augment.by_name(given)


@pytest.mark.parametrize("strength", [-0.1, 2.5, math.nan, math.inf, "much"])
def test_strength_out_of_range_is_one_sentence(strength):
    with pytest.raises(CourseError, match="strength"):
        augment.by_name("natural", strength)


@pytest.mark.parametrize(
    ("images", "says"),
    [
        (batch().float() / 255, "Augment first"),
        (batch()[0], r"policy\(image\[None\]\)"),
        (batch(channels=3)[:, :2], "C = 1 or 3"),
        (batch()[..., :16], "need square images"),
    ],
)
def test_wrong_batches_are_refused(images, says):
    with pytest.raises(CourseError, match=says):
        augment.by_name("dihedral")(images)


def test_images_that_are_not_square_pass_where_nothing_turns_them():
    assert augment.by_name("natural")(batch()[..., :16]).shape == (6, 1, 32, 16)


def test_training_takes_a_policy_and_gives_the_same_run_for_the_same_seed():
    losses = []
    for seed in (0, 0, 1):
        strategy = strategies.full_finetune()
        model = strategies.apply(tiny_backbone(), strategy)
        run = loop.fit(model, make_dataset(), strategy, Recipe(epochs=2, batch_size=8),
                           seed=seed, augment=augment.by_name("radiograph"))  # fmt: skip
        losses.append([row["train_loss"] for row in run.history])
    assert losses[0] == losses[1] != losses[2]


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
    torch.manual_seed(0)
    here = steps(image)
    torch.manual_seed(0)
    assert torch.equal(pickle.loads(pickle.dumps(steps))(image), here)


@pytest.mark.parametrize(
    ("channels", "mean", "std", "says"),
    [
        (2, [0.5, 0.5], [0.2, 0.2], "channels must be 1"),
        (1, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225], "as many means"),
        (1, [114.0], [57.0], "Divide numbers that run to 255"),
        (1, [0.449], [0.0], "std > 0"),
    ],
)
def test_numbers_that_do_not_fit_the_channels_are_refused(channels, mean, std, says):
    with pytest.raises(CourseError, match=says):
        augment.pipeline("none", channels, 96, mean, std)


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
    torch.manual_seed(7)
    first = augmentation.agreement(model, images, policy, 2, seed=1)
    after = torch.rand(1)
    torch.manual_seed(7)
    assert torch.equal(torch.rand(1), after)
    assert np.array_equal(first.each, augmentation.agreement(model, images, policy, 2, seed=1).each)
    assert not np.array_equal(
        first.each, augmentation.agreement(model, images, policy, 2, seed=2).each
    )


@pytest.mark.parametrize(("n", "draws"), [(0, 2), (4, 0)])
def test_agreement_needs_images_and_draws(n, draws):
    with pytest.raises(CourseError, match="at least one"):
        augmentation.agreement(LeftOrRight(), lit_from_one_side(n), augment.by_name("none"), draws)


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
        inside = image[top : top + height, left : left + width].copy()
        assert inside.min() <= 60
        image[top : top + height, left : left + width] = 200
        assert np.all(image == 200)


@pytest.mark.parametrize("side", [0, 1.5])
def test_a_defect_has_to_fit_into_the_image(side):
    with pytest.raises(CourseError, match="between 0 and 1"):
        augmentation.paste_defect(np.zeros((1, 8, 8, 1), np.uint8), side=side)


def test_kept_share_is_area_over_area():
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 10], [0, 0, 10, 10], [5, 5, 4, 4]])
    crops = np.array([[0, 0, 20, 20], [5, 5, 20, 20], [30, 0, 5, 5], [6, 0, 2, 20]])
    assert augmentation.kept_share(boxes, crops).tolist() == [1, 0.25, 0, 0.5]


def test_crops_lie_in_the_image_and_have_the_areas_asked_for():
    crops = augmentation.random_crops(300, 96, (0.2, 0.5))
    top, left, height, width = crops.T
    assert (np.minimum(top, left) >= 0).all()
    assert (np.maximum(top + height, left + width) <= 96).all()
    area = height * width / 96**2
    assert 0.18 < area.min() < 0.25
    assert 0.45 < area.max() < 0.52
    assert np.array_equal(crops, augmentation.random_crops(300, 96, (0.2, 0.5)))


@pytest.mark.parametrize("scale", [(0, 1), (0.5, 0.2), (0.1, 1.5)])
def test_crop_scales_are_checked(scale):
    with pytest.raises(CourseError, match="two shares of the area"):
        augmentation.random_crops(1, 32, scale)


def test_smaller_crops_lose_more_of_a_defect():
    _, boxes = augmentation.paste_defect(np.zeros((600, 96, 96, 1), np.uint8))
    whole = augmentation.defect_cut_away(boxes, 96, (1.0, 1.0), (1.0, 1.0))
    half = augmentation.defect_cut_away(boxes, 96, (0.5, 1.0))
    default = augmentation.defect_cut_away(boxes, 96)
    gone = augmentation.defect_cut_away(boxes, 96, lost=1.0)
    assert whole.value == 0
    assert 0 < half.value < default.value
    assert half.hi < default.lo
    assert gone.value < default.value


def test_a_crop_of_one_size_loses_what_geometry_says():
    """A crop of 50 pixels starts at 0..50 in an image of 100, each start as likely.

    The corner pixel survives one start of 51 in each direction, a middle pixel 50 of 51.
    """
    for pixel, survives in ((0, (1 / 51) ** 2), (49, (50 / 51) ** 2)):
        boxes = np.tile([pixel, pixel, 1, 1], (2000, 1))
        lost = augmentation.defect_cut_away(boxes, 100, (0.25, 0.25), (1.0, 1.0))
        assert lost.lo < 1 - survives < lost.hi
