"""Where a network looks: Grad-CAM (Selvaraju et al., ICCV 2017), at its last stage."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional

from helpers.errors import CourseError
from helpers.networks.backbones import Backbone
from helpers.training import predict
from helpers.training.predict import EVAL_BATCH, Inputs


def gradcam(
    model: Backbone, images: np.ndarray, classes: Sequence[int] | int | None = None
) -> np.ndarray:
    """Return for each image how much each place speaks for a class.

    A channel of the last stage counts as much as raising it everywhere would raise the class's
    logit; what is left above zero of the weighted sum is stretched to the image's size.

    Parameters
    ----------
    model : it runs at rest (BatchNorm too) and is left as it was; frozen parts do not matter.
    images : uint8 ``(N, H, W, C)``, as in ``split.images``.
    classes : the class asked about, one per image or one for all; None: the predicted one.

    Returns
    -------
    float32 ``(N, H, W)`` in 0..1. Each map is divided by its own largest value, so maps of two
    images cannot be compared in strength; a map of zeros says that nothing spoke for the class.

    Raises
    ------
    CourseError
        For what is no batch of uint8 images.
    """
    if images.dtype != np.uint8 or images.ndim != 4:
        raise CourseError(
            f"The images are {images.dtype} {images.shape}; give uint8 (N, H, W, C), one image as "
            "images[:1]."
        )
    chosen = None if classes is None else np.broadcast_to(classes, len(images))
    height, width = images.shape[1:3]
    maps = np.zeros((len(images), height, width), np.float32)
    device = next(model.parameters()).device
    with torch.inference_mode(False), predict.at_rest(model) as quick:
        for start in range(0, len(images), EVAL_BATCH):
            index = np.arange(start, min(start + EVAL_BATCH, len(images)))
            batch = predict.batch(Inputs(images, np.empty(len(images))), index, device)
            with torch.no_grad():
                activation = quick(batch, stop=quick.part_names[-2])
            # The activation's gradient is asked for, not the weights': a frozen network has it too.
            with torch.enable_grad():
                logits = quick(activation.requires_grad_(), start="head")
                asked = logits.argmax(dim=1) if chosen is None else torch.as_tensor(chosen[index])
                score = logits.gather(1, asked.to(device)[:, None]).sum()
                (slope,) = torch.autograd.grad(score, activation)
            weights = slope.mean(dim=(2, 3), keepdim=True)
            heat = (weights * activation.detach()).sum(dim=1, keepdim=True).relu()
            heat = functional.interpolate(heat, (height, width), mode="bilinear")
            maps[index] = heat[:, 0].cpu().numpy()
    largest = maps.max(axis=(1, 2), keepdims=True)
    return maps / np.where(largest > 0, largest, 1)
