"""What a channel looks for: the picture that excites it most, and the image patches that do.

Activation maximisation (Erhan et al. 2009) as in Olah, Mordvintsev & Schubert, "Feature
Visualization", Distill 2017: climb the activation, not by pixels but by the frequencies of a
picture, and turn, scale and shift the picture in every step. Both keep out the pixel noise that
excites a network and says nothing to a person. Steps that shrink to the end smooth out the rest.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from helpers import files
from helpers.errors import CourseError
from helpers.inspection.activations import check_channel, part_names
from helpers.networks import fold
from helpers.networks.backbones import Backbone

# Three axes of colour (brightness, orange-blue, green-magenta), each as long as the deviation of
# photographs along it: measured over scikit-image's chelsea, astronaut, coffee and rocket.
AXES = torch.tensor([[1.0, 1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 2.0, -1.0]])

SPREAD = torch.tensor([0.39, 0.19, 0.05])

# Amplitudes start out as frequency to the power -FALL; photographs have about -1.
FALL, LATE_FALL = 1.25, 1.5

RATE, LAST_RATE = 0.1, 0.005  # Adam's first and last rate, along a cosine

START = 0.1  # deviation of the first spectrum

SCALE, TURN, SHIFT = 0.2, 10.0, 8.0  # at most: share of the size, degrees, pixels

MARGIN = 8  # pixels cut off at the end: next to zero padding a channel answers to the padding

CONTRAST = 1.1  # deviation, before the sigmoid, up to which a pale picture is stretched

LATE = 2  # so many last parts look for objects: only the middle of their map is asked for


def maximise(
    model: Backbone,
    part: str,
    channels: Sequence[int],
    *,
    size: int = 128,
    steps: int = 160,
    seed: int = 0,
    on_step: Callable[[int], None] = lambda done: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> np.ndarray:
    """Return the pictures that excite some channels of a part most.

    Parameters
    ----------
    model : a colour network; it runs at rest and is left as it was.
    part : a part with feature maps, e.g. ``"stage5"``.
    channels : which of its channels; all are climbed at once, each by itself.
    size : height and width of the pictures in pixels; a few times what a position sees shows
        most, so less for early parts.
    steps : more give clearer pictures; 200 are plenty, 60 show what it is.
    on_step : called with the number of steps done, e.g. for a progress bar.
    should_stop : asked after every step; the picture so far is returned.

    Returns
    -------
    float32 ``(len(channels), size, size, 3)`` in 0..1. The same on the same machine; each channel's
    picture depends on `seed` and its number alone, not on its company.

    Raises
    ------
    CourseError
        For a part or a channel that does not exist.
    """
    part_names(model, [part])
    quick = fold.folded(model)
    with torch.inference_mode():
        width = quick(torch.zeros(1, 3, 32, 32), stop=part).shape[1]
    for channel in channels:
        check_channel(channel, width, f"{part} of {model.name}")
    late = part in model.part_names[-1 - LATE : -1]
    margin, fall = (0, LATE_FALL) if late else (MARGIN, FALL)
    side = size + 2 * margin
    generators = [torch.Generator().manual_seed(seed * 100_003 + c) for c in channels]
    spectrum = torch.stack(
        [torch.randn(3, side, side // 2 + 1, 2, generator=g) for g in generators]
    )
    spectrum = (START * spectrum).requires_grad_()
    optimizer = torch.optim.Adam([spectrum], lr=RATE, betas=(0.9, 0.99))
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps, eta_min=LAST_RATE)
    with torch.enable_grad():
        for step in range(steps):
            picture = torch.sigmoid(_pixels(spectrum, side, fall))
            seen = _before_activation(quick, _moved(picture, generators), part)
            optimizer.zero_grad()
            (-_excitement(seen, channels, margin, side).sum()).backward()
            optimizer.step()
            falling.step()
            on_step(step + 1)
            if should_stop():
                break
    with torch.no_grad():
        pixels = _pixels(spectrum, side, fall)[..., margin : side - margin, margin : side - margin]
        mean = pixels.mean(dim=(1, 2, 3), keepdim=True)
        spread = pixels.std(dim=(1, 2, 3), keepdim=True).clamp_min(1e-6)
        # A pale picture gets more contrast.
        pixels = 0.5 * mean + (pixels - mean) * (CONTRAST / spread).clamp_min(1)
        return torch.sigmoid(pixels).permute(0, 2, 3, 1).contiguous().numpy()


def _pixels(spectrum: Tensor, size: int, fall: float) -> Tensor:
    """Turn amplitudes per frequency and colour axis into a picture ``(N, 3, H, W)``, unbounded."""
    rows, columns = torch.fft.fftfreq(size)[:, None], torch.fft.rfftfreq(size)[None]
    frequency = (rows**2 + columns**2).sqrt().clamp_min(1 / size)
    scale = frequency**-fall
    twice = torch.full_like(scale, 2.0)  # rfft keeps one of two mirrored frequencies
    twice[:, 0] = 1.0
    scale = scale * size / (2 * (twice * scale**2).sum()).sqrt()  # a spectrum of 1: pixels of 1
    planes = torch.fft.irfft2(torch.view_as_complex(spectrum) * scale, s=(size, size), norm="ortho")
    axes = AXES / AXES.norm(dim=1, keepdim=True) * (SPREAD / SPREAD[0])[:, None]
    return torch.einsum("nkhw,kc->nchw", planes, axes)


def _moved(pictures: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
    """Turn, scale and shift each picture a little, mirrored at its edges."""
    size = pictures.shape[-1]
    matrices = []
    for generator in generators:
        scale, turn, down, right = (torch.rand(4, generator=generator) * 2 - 1).tolist()
        factor, angle = 1 / (1 + SCALE * scale), math.radians(TURN * turn)
        cos, sin = math.cos(angle) * factor, math.sin(angle) * factor
        shift = 2 * SHIFT / size
        matrices.append([[cos, -sin, down * shift], [sin, cos, right * shift]])
    grid = functional.affine_grid(torch.tensor(matrices), list(pictures.shape), align_corners=False)
    return functional.grid_sample(pictures, grid, padding_mode="reflection", align_corners=False)


def _before_activation(quick: Backbone, images: Tensor, part: str) -> Tensor:
    """Run up to `part`, without its last ReLU: where that says 0 there is no slope to climb."""
    before = quick.part_names.index(part) - 1
    x = quick(images, stop=quick.part_names[before]) if before >= 0 else quick.normalise(images)
    modules = list(quick.part(part))
    if isinstance(modules[-1], (nn.ReLU, nn.ReLU6)):
        modules = modules[:-1]
    for module in modules:
        x = module(x)
    return x


def _excitement(seen: Tensor, channels: Sequence[int], margin: int, side: int) -> Tensor:
    """Return each picture's mean of its channel, the margin (of `side` pixels) left out.

    Without a margin only the middle of the map counts, for one object instead of many halves.
    """
    maps = seen[torch.arange(len(channels)), list(channels)]
    n = maps.shape[-1]
    cut = -(-margin * n // side) if margin else n // 4
    return maps[:, cut : n - cut, cut : n - cut].mean(dim=(1, 2))


GALLERY = files.resource("gallery")

# Pixels: a few times what a position sees, so that early patterns are not lost among their copies.
SIZES = {"stage1": 48, "stage2": 64, "stage3": 96, "stage5": 128, "stage6": 160, "stage7": 160}


def load_gallery(folder: Path = GALLERY) -> dict[str, dict[int, np.ndarray]]:
    """Return ``{part: {channel: picture}}``, pictures uint8 ``(H, W, 3)``.

    Raises
    ------
    CourseError
        When there is no gallery, or a picture of it cannot be read.
    """
    try:
        facts = json.loads((files.noted(folder) / "gallery.json").read_text())
        return {
            part: {c: np.asarray(Image.open(folder / picture_name(part, c))) for c in channels}
            for part, channels in facts["channels"].items()
        }
    except (OSError, ValueError, KeyError) as error:
        raise CourseError(
            f"The gallery in {folder.name}/ is missing or damaged ({type(error).__name__}). Make "
            "it again: python -m measure gallery"
        ) from error


def picture_name(part: str, channel: int) -> str:
    """Return the name of a picture's file in the gallery."""
    return f"{part}_{int(channel):04d}.jpg"
