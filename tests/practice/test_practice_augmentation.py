"""The checkers of notebook 04 accept right answers and name what is wrong with the others."""

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2

from helpers.datasets import augment
from helpers.inspection.augmentation import kept_share
from helpers.practice import augmentation


def each(transform):
    return lambda batch: torch.stack([transform(image) for image in batch])


def in_place(batch):
    batch[:, :, 0] = 0
    return batch


def numpy_noise(batch):
    shifts = np.random.default_rng().integers(-3, 4, len(batch))
    return torch.stack([b.roll(int(s), -1) for b, s in zip(batch, shifts, strict=True)])


GENTLE = v2.Compose([
    v2.RandomAffine(8, (0.05, 0.05), (0.95, 1.05), interpolation=v2.InterpolationMode.BILINEAR),
    v2.ColorJitter(0.1, 0.1),
])  # fmt: skip


@pytest.mark.parametrize(
    "answer",
    [augment.by_name("radiograph"), augment.by_name("rotation_10"), each(GENTLE)],
    ids=["radiograph", "rotation_10", "by hand"],
)
def test_policies_that_an_xray_survives_are_accepted(answer):
    found = augmentation.xray_policy(answer)
    assert found.right, found


WRONG_POLICIES = {
    "nothing": (lambda batch: batch.clone(), "nothing changes"),
    "the whole batch at once": (GENTLE, "all alike"),
    "moved as one, exposed one by one": (
        lambda batch: each(v2.ColorJitter(0.1, 0.1))(v2.RandomAffine(8, (0.1, 0.1))(batch)),
        "moved alike",
    ),
    "a horizontal flip": (each(v2.Compose([GENTLE, v2.RandomHorizontalFlip(0.3)])), "mirrored"),
    "a vertical flip": (augment.by_name("vertical_flip"), "mirrored"),
    "half a turn": (each(v2.RandomRotation((150, 180))), "turned by about"),
    "dihedral": (augment.by_name("dihedral"), "mirrored|turned"),
    "30 degrees": (augment.by_name("rotation_30"), "turned by about"),
    "the default crop": (augment.by_name("default_crop"), "mirrored|turned|cut away"),
    "a large shift": (each(v2.RandomAffine(0, (0.4, 0.4))), "cut away|mirrored|turned"),
    "strong jitter": (augment.by_name("strong_jitter"), "changes by a factor"),
    "contrast": (each(v2.ColorJitter(contrast=0.9)), "contrast changes"),
    "floats": (lambda batch: GENTLE(batch).float() / 255, "normalise in the model"),
    "another size": (each(v2.Resize((32, 32))), "came back as"),
    "one image": (lambda batch: GENTLE(batch)[0], "came back as"),
    "a list": (list, "came back as"),
    "in place": (in_place, "was changed"),
    "numpy's draws": (numpy_noise, "draw with torch"),
    "an error for other batches": (
        lambda b: GENTLE(b[[0, 1, 2, 3]]) if len(b) == 4 else b[99],
        "IndexError",
    ),
    "an error": (lambda batch: batch[5], "IndexError"),
}


@pytest.mark.parametrize("name", list(WRONG_POLICIES))
def test_policies_that_it_does_not_survive_are_named(name):
    answer, says = WRONG_POLICIES[name]
    found = augmentation.xray_policy(answer)
    assert not found.right
    assert any(part in found.message for part in says.split("|")), found


def test_an_empty_attempt_is_no_error():
    def empty(_given):
        raise NotImplementedError

    for check in (augmentation.xray_policy, augmentation.gray_pipeline):
        assert "nothing here yet" in check(empty).message


FLOAT = v2.ToDtype(torch.float32, scale=True)
WHOLE = v2.Resize((96, 96))


def steps(*middle, size=WHOLE, gray=True, mean=0.449, std=0.226):
    first = [v2.Grayscale()] if gray else []
    last = [v2.Normalize([mean], [std])] if mean is not None else []
    return v2.Compose([*first, size, v2.ToImage(), *middle, *last])


@pytest.mark.parametrize(
    "answer",
    [steps(FLOAT), augment.pipeline("none", 1, 96, [0.449], [0.226])],
    ids=["by hand", "helpers"],
)
def test_a_right_pipeline_is_accepted(answer):
    assert augmentation.gray_pipeline(answer).right


def lesson(image: Image.Image) -> torch.Tensor:
    return v2.Compose([v2.Grayscale(), v2.Resize(110), v2.CenterCrop(96), v2.ToImage(), FLOAT,
                       v2.Normalize([0.449], [0.226])])(image)  # fmt: skip


WRONG_PIPELINES = {
    "uint8": (steps(mean=None), "return a float tensor"),
    "not scaled": (steps(v2.ToDtype(torch.float32), mean=None), "run to 255"),
    "normalised before scaling": (steps(v2.ToDtype(torch.float32)), "before scaling"),
    "not normalised": (steps(FLOAT, mean=None), "not normalised"),
    "the red channel": (steps(FLOAT, mean=0.485, std=0.229), "red channel"),
    "Lite0's": (steps(FLOAT, mean=0.5, std=0.5), "Lite0's"),
    "other numbers": (steps(FLOAT, mean=0.3, std=0.1), "are not"),
    "colour stays": (steps(FLOAT, gray=False), "a colour image gives (3, 96, 96)"),
    "another size": (steps(FLOAT, size=v2.Resize((64, 64))), "not (1, 96, 96)"),
    "the short side only": (steps(FLOAT, size=v2.Resize(96)), "not (1, 96, 96)"),
    "a centre crop": (lesson, "left border is gone"),
    "a random flip": (steps(v2.RandomHorizontalFlip(), FLOAT), "not drawn"),
    "a list": (lambda image: [1], "return a float tensor"),
}


@pytest.mark.parametrize("name", list(WRONG_PIPELINES))
def test_wrong_pipelines_are_named(name):
    torch.manual_seed(0)
    answer, says = WRONG_PIPELINES[name]
    found = augmentation.gray_pipeline(answer)
    assert not found.right
    assert says in found.message, found


def kept(box, crop, floor=0, over="box"):
    lengths = [
        max(min(box[k] + box[k + 2], crop[k] + crop[k + 2]) - max(box[k], crop[k]), floor)
        for k in (0, 1)
    ]
    area = box if over == "box" else crop
    return lengths[0] * lengths[1] / (area[2] * area[3])


WRONG_SHARES = {
    "no floor at 0": (lambda b, c: kept(b, c, floor=-1000), "Lengths below 0"),
    "over the crop": (lambda b, c: kept(b, c, over="crop"), "Divide by the box's area"),
    "lost instead of kept": (lambda b, c: 1 - kept(b, c), "keeps"),
    "all or nothing": (lambda b, c: float(kept(b, c) > 0), "one corner"),
    "an area": (lambda b, c: kept(b, c) * b[2] * b[3], "keeps"),
    "a bool": (lambda b, c: kept(b, c) > 0, "one number"),
    "None": (lambda b, c: None, "one number"),
}


def test_the_right_share_is_accepted_and_the_solution_agrees_with_the_package():
    assert augmentation.kept_share(kept).right
    assert augmentation.kept_share(
        lambda box, crop: kept_share(np.array([box]), np.array([crop]))[0]
    ).right


@pytest.mark.parametrize("name", list(WRONG_SHARES))
def test_wrong_shares_are_named(name):
    answer, says = WRONG_SHARES[name]
    found = augmentation.kept_share(answer)
    assert not found.right
    assert says in found.message, found
