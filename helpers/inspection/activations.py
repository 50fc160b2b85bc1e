"""What a network sees: its activations at every part, and their geometry."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from helpers.datasets import Split
from helpers.errors import CourseError, unknown_name
from helpers.networks import fold
from helpers.networks.backbones import Backbone
from helpers.training import predict
from helpers.training.predict import EVAL_BATCH

IMAGE = "image"  # the name of what stands before the stem

PROBE_SIZE = 512  # pixels; every stride of the networks here divides it, so ratios are exact


def part_names(model: Backbone, wanted: Sequence[str] | None = None) -> tuple[str, ...]:
    """Return the parts that have feature maps, stem to last stage; of these the `wanted` ones.

    Raises
    ------
    CourseError
        For a part that does not exist, with the close names.
    """
    known = model.part_names[:-1]
    if wanted is None:
        return known
    wanted = [wanted] if isinstance(wanted, str) else wanted
    for name in wanted:
        if name not in known:
            hint = "The head has no feature maps." if name == "head" else ""
            raise unknown_name(f"{model.name} part with feature maps called", name, known, hint)
    return tuple(name for name in known if name in wanted)


def check_channel(channel: int, width: int, where: str) -> None:
    """Refuse a channel that is not among the `width` of `where`.

    Raises
    ------
    CourseError
        When it is no whole number, or out of range.
    """
    if channel not in range(width):
        raise CourseError(
            f"{where} has the channels 0 to {width - 1}; there is no channel {channel!r}."
        )


def walk(
    model: Backbone, images: Tensor, wanted: Sequence[str] | None = None
) -> Iterator[tuple[str, Tensor]]:
    """Yield each part's name and its activation ``(N, channels, h, w)``, in one pass.

    Parameters
    ----------
    model : in the mode it should run in; eval mode for looking at a network at rest.
    images : ``(N, C, H, W)``, uint8 0..255 or float 0..1.
    wanted : parts to yield; None for all that have feature maps. Nothing behind the last runs.

    Raises
    ------
    CourseError
        For a part that does not exist, or colour images in a network for gray ones.
    """
    wanted = part_names(model, wanted)
    if images.shape[1] > model.mean.shape[1] == 1:
        raise CourseError(
            f"These images have {images.shape[1]} channels, this {model.name} takes gray ones: "
            "make them gray, or load it with channels=3."
        )
    x = images
    for name in model.part_names[: model.part_names.index(wanted[-1]) + 1]:
        x = model(x, start=name, stop=name)
        if name in wanted:
            yield name, x


def feature_maps(
    model: Backbone, image: np.ndarray, wanted: Sequence[str] | None = None
) -> dict[str, np.ndarray]:
    """Return ``{part: activation (channels, h, w)}`` of one uint8 image ``(H, W, C)``.

    The model runs at rest (eval mode) and is left as it was.

    Raises
    ------
    CourseError
        For a part that does not exist, an array that is no such image, or colour in a gray net.
    """
    if image.ndim != 3 or image.shape[-1] not in (1, 3) or image.dtype != np.uint8:
        raise CourseError(
            f"An image is a uint8 array (H, W, 1 or 3); this one is {image.dtype} {image.shape}."
        )
    x = torch.from_numpy(np.array(image)).permute(2, 0, 1).unsqueeze(0)
    with predict.at_rest(model) as quick, torch.inference_mode():
        return {name: out[0].float().numpy() for name, out in walk(quick, x, wanted)}


def pooled(
    model: Backbone,
    split: Split,
    wanted: Sequence[str] | None = None,
    *,
    image: bool = False,
    pool: Callable[[Tensor], Tensor] = lambda maps: maps.mean(dim=(2, 3)),
) -> dict[str, np.ndarray]:
    """Return ``{part: (N, channels)}``: each feature map averaged to one number, in one pass.

    Parameters
    ----------
    image : also give the means of the image's own channels, as the part ``"image"``: what can be
        told from brightness and colour alone.
    pool : makes a row per image of maps ``(n, channels, h, w)``; their mean where it is left out.
    """
    found: dict[str, list[Tensor]] = defaultdict(list)
    with predict.at_rest(model) as quick, torch.inference_mode():
        for x in batches(split):
            if image:
                found[IMAGE].append(x.float().mean(dim=(2, 3)) / 255)
            for name, maps in walk(quick, x, wanted):
                found[name].append(pool(maps))
    return {name: torch.cat(rows).numpy() for name, rows in found.items()}


def flattened(
    model: Backbone, split: Split, wanted: Sequence[str] | None = None
) -> dict[str, np.ndarray]:
    """Return ``{part: (N, channels * h * w)}``: whole activations, one row per image.

    This is large: about 0.5 MB per image of 96 x 96 pixels for all parts of EfficientNet-Lite0.
    """
    return pooled(model, split, wanted, pool=lambda maps: maps.flatten(1))


def batches(split: Split) -> Iterator[Tensor]:
    """Yield the images of a split as uint8 batches ``(n, C, H, W)``."""
    for index in np.array_split(np.arange(len(split)), math.ceil(len(split) / EVAL_BATCH)):
        yield predict.batch(split, index)


def geometry(model: Backbone, size: int) -> pd.DataFrame:
    """Return what strides and channels do to an image: a row for it and for every part.

    Parameters
    ----------
    size : height and width of the image in pixels.

    Returns
    -------
    Indexed by part, columns ``channels``, ``height``, ``width``, ``stride`` (pixels of the image
    between two neighbouring positions of the map), ``receptive_field`` (height and width, in
    pixels, of what one position can see at most; longest path, borders left out).

    Notes
    -----
    A kernel of k positions whose input has the stride s widens the field by ``(k - 1) * s``
    (Araujo et al., Distill 2019); 1 x 1 shortcuts add nothing to it.
    """
    channels, field = model.mean.shape[1], 1

    def widen(module: nn.Module, inputs: tuple[Tensor, ...], _output: Tensor) -> None:
        nonlocal field
        kernel, dilation = (np.ravel(x)[-1] for x in (module.kernel_size, module.dilation))
        field += int((kernel - 1) * dilation * (PROBE_SIZE // inputs[0].shape[-1]))

    rows = [(IMAGE, channels, size, size, 1, 1)]
    quick = fold.folded(model)  # a copy, so it may keep the hooks
    with torch.inference_mode():
        maps = dict(walk(quick, torch.zeros(1, channels, size, size)))
        for module in quick.modules():
            if isinstance(module, (nn.Conv2d, nn.MaxPool2d)):
                module.register_forward_hook(widen)
        # One row of pixels is enough: the networks here are as wide as they are high.
        for name, out in walk(quick, torch.zeros(1, channels, 1, PROBE_SIZE)):
            rows.append((name, *maps[name].shape[1:], PROBE_SIZE // out.shape[-1], field))
    columns = ["part", "channels", "height", "width", "stride", "receptive_field"]
    return pd.DataFrame(rows, columns=columns).set_index("part")
