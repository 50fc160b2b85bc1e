"""The kernels of the first convolution, the only ones that are pictures."""

from __future__ import annotations

import numpy as np
import pandas as pd

from helpers.networks.backbones import Backbone


def stem_filters(model: Backbone) -> np.ndarray:
    """Return the kernels of the first convolution as pictures ``(F, kh, kw, C)`` in 0..1.

    .5 is a weight of zero. Each kernel is scaled by its own largest weight, so a weak kernel looks
    as strong as a strong one; `stem_strengths` tells them apart.
    """
    weight = _stem_weight(model)
    largest = np.abs(weight).max(axis=(1, 2, 3), keepdims=True)
    return 0.5 + 0.5 * weight / np.where(largest > 0, largest, 1.0)


def stem_strengths(model: Backbone) -> pd.DataFrame:
    """Return for each kernel of the stem how strong it is, how colourful and how uneven.

    Returns
    -------
    A row per kernel. ``norm``: length of its weights. ``colour``: share of the squared weights
    that a gray image cannot excite (what is left after averaging over the colour channels).
    ``contrast``: share of the gray part that does not answer to a flat gray area (what is left
    after averaging over the positions): 1 for a pure edge or line, 0 for a pure blur.
    """
    weight = _stem_weight(model).astype(np.float64)
    gray = weight.mean(axis=3, keepdims=True)
    flat = gray.mean(axis=(1, 2), keepdims=True)
    size = (weight**2).sum(axis=(1, 2, 3))
    gray_size = (np.broadcast_to(gray, weight.shape) ** 2).sum(axis=(1, 2, 3))
    flat_size = (np.broadcast_to(flat, weight.shape) ** 2).sum(axis=(1, 2, 3))
    return pd.DataFrame(
        {
            "norm": np.sqrt(size),
            "colour": 1 - gray_size / np.where(size > 0, size, 1),
            "contrast": 1 - flat_size / np.where(gray_size > 0, gray_size, 1),
        }
    )


def _stem_weight(model: Backbone) -> np.ndarray:
    return model.stem_conv.weight.detach().float().permute(0, 2, 3, 1).cpu().numpy()
