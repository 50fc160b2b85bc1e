"""What the channels of EfficientNet-Lite0 look for, computed ahead: the gallery of notebook 01.

Which channels: six per depth, evenly spread over their numbers, so nobody chose the pretty ones.
A picture that is there already is not made again, unless it was made with other settings.
"""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from helpers import files
from helpers.inspection.maximise import GALLERY, SIZES, maximise, picture_name
from helpers.networks import backbones
from helpers.training import experiments

BACKBONE = "efficientnet_lite0"

DEPTHS = {"stage1": 16, "stage2": 24, "stage3": 40, "stage5": 112, "stage6": 192, "stage7": 1280}

PER_DEPTH = 6

SETTINGS = {"steps": 200, "seed": 0}

QUALITY = 88  # of the JPEG files


def chosen(channels: int) -> list[int]:
    """Return `PER_DEPTH` channel numbers, evenly spread."""
    return [int((k + 0.5) * channels / PER_DEPTH) for k in range(PER_DEPTH)]


def make(
    folder: Path = GALLERY,
    depths: Mapping[str, int] = DEPTHS,
    sizes: Mapping[str, int] = SIZES,
    **settings,
) -> int:
    """Make what `folder` does not hold yet, a depth at a time; return how many pictures.

    Parameters
    ----------
    depths : part -> its number of channels. sizes : part -> pixels.
    settings : of `maximise`, in the place of `SETTINGS`.
    """
    settings = SETTINGS | settings
    # Before the pictures, so that what a kill leaves behind still says how it was made.
    _begin(folder, {
        "backbone": BACKBONE,
        "channels": {part: chosen(channels) for part, channels in depths.items()},
        "chosen": f"{PER_DEPTH} per depth, evenly spread over their numbers",
        "sizes": {part: sizes[part] for part in depths},
        "settings": settings,
        "versions": experiments.versions(),
    })  # fmt: skip
    model, made = backbones.load(BACKBONE), 0
    for part, channels in depths.items():
        todo = [c for c in chosen(channels) if not (folder / picture_name(part, c)).is_file()]
        if not todo:
            continue
        pictures = maximise(model, part, todo, size=sizes[part], **settings)
        for channel, picture in zip(todo, pictures, strict=True):
            pixels = (255 * picture).round().astype(np.uint8)
            Image.fromarray(pixels).save(buffer := io.BytesIO(), "JPEG", quality=QUALITY)
            with files.atomic_path(folder / picture_name(part, channel)) as temporary:
                temporary.write_bytes(buffer.getvalue())
        made += len(todo)
        print(f"{part}: channels {', '.join(map(str, todo))}", flush=True)
    return made


def _begin(folder: Path, facts: dict) -> None:
    """Write down how the pictures are made; drop those that were made in another way."""
    path, old = folder / "gallery.json", {}
    with contextlib.suppress(OSError, ValueError):
        old = json.loads(path.read_text())
    if any(old.get(key) != facts[key] for key in ("backbone", "sizes", "settings")):
        for picture in folder.glob("*.jpg"):
            picture.unlink()
    elif old.get("channels") == facts["channels"]:
        return  # the versions that the pictures were made with stay written down
    with files.atomic_path(path) as temporary:
        temporary.write_text(json.dumps(facts, indent=1) + "\n")
