"""Answers to the exercises of notebook 07."""

import numpy as np

from helpers.practice import film, xray_range


def owner(images):
    return (2 * (images.float() / 255) - 1) * 1024


def windowed(x, center, width):
    return np.clip((x - (center - 0.5)) / (width - 1) + 0.5, 0, 1)


def standard(stored, slope, intercept, center, width, inverted):
    """The exact window of PS3.3, C.11.2.1.2.1."""
    image = windowed(slope * stored.astype(float) + intercept, center, width)
    return 1 - image if inverted else image


def clipped(stored, slope, intercept, center, width, inverted):
    low = center - width / 2
    image = np.clip(slope * stored.astype(float) + intercept, low, low + width)
    image = (image - low) / width
    return 1 - image if inverted else image


def without_rescaling(stored, slope, intercept, *rest):
    return standard(stored, 1, 0, *rest)


def stretched(stored, slope, intercept, center, width, inverted):
    image = slope * stored.astype(float) + intercept
    image = (image - image.min()) / np.ptp(image)
    return 1 - image if inverted else image


def never_turned(*given):
    return standard(*given[:-1], False)


def always_turned(*given):
    return standard(*given[:-1], True)


def not_clipped(stored, slope, intercept, center, width, inverted):
    image = (slope * stored.astype(float) + intercept - center) / width + 0.5
    return 1 - image if inverted else image


RIGHT = {
    xray_range: [owner, lambda x: x.double() * 2048 / 255 - 1024],
    film: [standard, clipped],
}

WRONG = {
    xray_range: [
        (lambda x: x, "tensor of floats"),
        (lambda x: owner(x).repeat(1, 3, 1, 1), "one channel in"),
        (lambda x: x.float() / 255, "that is [0, 1]"),
        (lambda x: 2 * x.float() / 255 - 1, "that is [-1, 1]"),
        (lambda x: x.float() / 255 * 1024, "black is -1024"),
        (lambda x: x.float() / 255 * 2048, "take 1024 off"),
        (lambda x: (x.float() - x.float().amin((1, 2, 3), keepdim=True)) / 175 * 2048 - 1024,
         "0 is -1024|stretches"),
        (lambda x: (x.float() - x.float().amin((1, 2, 3), keepdim=True)) / 75 * 2048 - 1024,
         "stretches every image"),
        (lambda x: (x.float() - 128) * 8, "not 256"),
        (lambda x: x.float() / 256 * 2048 - 1024, "not 256"),
        (lambda x: -owner(x), "changed places"),
        (lambda x: owner(x) + 3, "0 is -1024"),
    ],
    film: [
        (without_rescaling, "slope and intercept first"),
        (stretched, "lowest to highest"),
        (lambda s, a, b, *rest: standard(s + b, a, 0, *rest), "in that order"),
        (lambda *g: standard(*g[:4], 2 * g[4], g[5]), "width / 2"),
        (not_clipped, "clip"),
        (never_turned, "turn the image, last"),
        (always_turned, "alone is turned"),
        (lambda *g: 255 * standard(*g), "not 0..255"),
        (lambda *g: standard(*g).ravel(), "(H, W)"),
        (lambda *g: standard(*g) ** 0.9, "the order is"),
    ],
}  # fmt: skip
