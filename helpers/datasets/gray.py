"""Colour data sets as gray ones, for lessons on gray images."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PIL import Image

from helpers.datasets.card import Dataset, Split
from helpers.errors import CourseError


def as_gray(data: Dataset) -> Dataset:
    """Return `data` with one channel: Pillow's luminance, .299 R + .587 G + .114 B (ITU-R 601).

    Raises
    ------
    CourseError
        When the images are gray already.
    """
    if data.card.channels == 1:
        raise CourseError(f"The images of {data.card.name} are gray already; use them as they are.")
    parts = {part: _gray_split(getattr(data, part)) for part in ("train", "val", "test")}
    return replace(data, card=replace(data.card, channels=1), **parts)


def _gray_split(split: Split) -> Split:
    rows = (split.images[i] for i in range(len(split)))
    gray = [np.asarray(Image.fromarray(image).convert("L")) for image in rows]
    return replace(split, images=np.stack(gray)[..., None])
