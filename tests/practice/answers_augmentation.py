"""Answers to the exercises of notebook 04."""

import numpy as np
import torch
from torchvision.transforms import v2

from helpers.datasets import augment
from helpers.inspection import augmentation
from helpers.practice import gray_pipeline, kept_share, xray_policy


def each(*transforms):
    transform = v2.Compose(transforms)
    return lambda batch: torch.stack([transform(image) for image in batch])


def in_place(batch):
    batch[:, :, 0] = 0
    return batch


def numpy_noise(batch):
    shifts = np.random.default_rng().integers(-3, 4, len(batch))
    return torch.stack([b.roll(int(s), -1) for b, s in zip(batch, shifts, strict=True)])


JITTER = v2.ColorJitter(0.1, 0.1)
GENTLE = v2.Compose([
    v2.RandomAffine(8, (0.05, 0.05), (0.95, 1.05), interpolation=v2.InterpolationMode.BILINEAR),
    JITTER,
])  # fmt: skip
FLOAT, WHOLE = v2.ToDtype(torch.float32, scale=True), (v2.Resize((96, 96)),)


def steps(*middle, size=WHOLE, gray=True, mean=0.449, std=0.226):
    first = [v2.Grayscale()] if gray else []
    last = [v2.Normalize([mean], [std])] if mean is not None else []
    return v2.Compose([*first, *size, v2.ToImage(), *middle, *last])


def kept(box, crop, floor=0, over="box"):
    lengths = [
        max(min(box[k] + box[k + 2], crop[k] + crop[k + 2]) - max(box[k], crop[k]), floor)
        for k in (0, 1)
    ]
    area = box if over == "box" else crop
    return lengths[0] * lengths[1] / (area[2] * area[3])


def corners(box, crop):
    """The crop read as (top, left, bottom, right)."""
    return kept(box, (*crop[:2], crop[2] - crop[0], crop[3] - crop[1]))


def both_corners(box, crop):
    return corners((*box[:2], box[2] - box[0], box[3] - box[1]), crop) if box[2] > box[0] else 0.0


RIGHT = {
    xray_policy: [
        augment.by_name("radiograph"),
        augment.by_name("rotation_10"),
        each(GENTLE),
        each(v2.ColorJitter(0.2, 0.2)),
        each(v2.ColorJitter(0.3, 0.3)),
    ],
    gray_pipeline: [steps(FLOAT), augment.pipeline("none", 1, 96, [0.449], [0.226])],
    kept_share: [
        kept,
        lambda box, crop: augmentation.kept_share(np.array([box]), np.array([crop]))[0],
    ],
}

WRONG = {
    xray_policy: [
        (lambda batch: batch.clone(), "nothing changes"),
        (GENTLE, "all alike"),
        (lambda batch: each(JITTER)(v2.RandomAffine(8, (0.1, 0.1))(batch)), "moved alike"),
        (each(GENTLE, v2.RandomHorizontalFlip(0.3)), "mirrored"),
        (augment.by_name("vertical_flip"), "mirrored"),
        (each(v2.RandomRotation((150, 180))), "turned by about"),
        (augment.by_name("dihedral"), "mirrored|turned"),
        (augment.by_name("rotation_30"), "turned by about"),
        (augment.by_name("default_crop"), "cut away"),
        (each(v2.RandomResizedCrop(64)), "cut away"),
        (each(v2.RandomAffine(0, (0.4, 0.4))), "cut away|mirrored|turned"),
        (augment.by_name("strong_jitter"), "changes by a factor"),
        (each(v2.ColorJitter(contrast=0.9)), "contrast changes"),
        (each(v2.ColorJitter(brightness=0.5)), "brightness changes"),
        (lambda batch: GENTLE(batch).float() / 255, "normalise in the model"),
        (each(v2.Resize((32, 32))), "came back as"),
        (lambda batch: GENTLE(batch)[0], "came back as"),
        (list, "came back as"),
        (in_place, "was changed"),
        (numpy_noise, "draw with torch"),
        # Fails, but not on the first batch that it is shown.
        (lambda b: GENTLE(b[[0, 1, 2, 3]]) if len(b) == 4 else b[99], "IndexError"),
    ],
    gray_pipeline: [
        (steps(mean=None), "return a float tensor"),
        (steps(v2.ToDtype(torch.float32), mean=None), "run to 255"),
        (steps(v2.ToDtype(torch.float32)), "before scaling"),
        (steps(FLOAT, mean=None), "not normalised"),
        (steps(FLOAT, mean=0.485, std=0.229), "red channel"),
        (steps(FLOAT, mean=0.5, std=0.5), "Lite0's"),
        (steps(FLOAT, mean=0.3, std=0.1), "are not"),
        (steps(FLOAT, gray=False), "a colour image gives (3, 96, 96)"),
        (steps(FLOAT, size=[v2.Resize((64, 64))]), "not (1, 96, 96)"),
        (steps(FLOAT, size=[v2.Resize(96)]), "not (1, 96, 96)"),
        (steps(FLOAT, size=[v2.Resize(110), v2.CenterCrop(96)]), "left border is gone"),
        (steps(v2.RandomHorizontalFlip(), FLOAT), "not drawn"),
        (lambda image: [1], "return a float tensor"),
    ],
    kept_share: [
        (lambda b, c: kept(b, c, floor=-1000), "Lengths below 0"),
        (lambda b, c: kept(b, c, over="crop"), "Divide by the box's area"),
        (corners, "not two corners"),
        (both_corners, "not two corners"),
        (lambda b, c: 1 - kept(b, c), "keeps"),
        (lambda b, c: float(kept(b, c) > 0), "one corner"),
        (lambda b, c: kept(b, c) * b[2] * b[3], "keeps"),
        (lambda b, c: kept(b, c) > 0, "one number"),
        (lambda b, c: None, "one number"),
    ],
}
