"""Where a network looks: Grad-CAM (Selvaraju et al., ICCV 2017), at its last stage."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
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
        For images or classes that this network does not have.
    """
    _check_images(model, images)
    chosen = None if classes is None else _checked_classes(model, classes, len(images))
    height, width = images.shape[1:3]
    maps = np.zeros((len(images), height, width), np.float32)
    device = next(model.parameters()).device
    with torch.inference_mode(False), predict.at_rest(model) as quick:
        for start in range(0, len(images), EVAL_BATCH):
            index = np.arange(start, min(start + EVAL_BATCH, len(images)))
            batch = predict.batch(Inputs(images, np.empty(len(images))), index, device)
            heat = _heat(quick, batch, None if chosen is None else chosen[index])
            heat = functional.interpolate(heat, (height, width), mode="bilinear")
            maps[index] = heat[:, 0].cpu().numpy()
    largest = maps.max(axis=(1, 2), keepdims=True)
    return maps / np.where(largest > 0, largest, 1)


def _heat(quick: Backbone, images: Tensor, classes: np.ndarray | None) -> Tensor:
    """Return the weighted sum of the last stage's channels, above zero: ``(N, 1, h, w)``."""
    # Asking for the activation's gradient, not the weights', is what makes frozen networks work.
    with torch.no_grad():
        activation = quick(images, stop=quick.part_names[-2])
    with torch.enable_grad():
        activation = activation.requires_grad_()
        logits = quick(activation, start="head")
        asked = logits.argmax(dim=1) if classes is None else torch.as_tensor(classes)
        score = logits.gather(1, asked.to(logits.device)[:, None]).sum()
        (slope,) = torch.autograd.grad(score, activation)
    weights = slope.mean(dim=(2, 3), keepdim=True)
    return (weights * activation.detach()).sum(dim=1, keepdim=True).relu()


def _check_images(model: Backbone, images: np.ndarray) -> None:
    fits = images.ndim == 4 and images.dtype == np.uint8
    if not fits or images.shape[-1] not in {1, model.stem_conv.in_channels}:
        raise CourseError(
            f"Grad-CAM of this {model.name} takes uint8 images (N, H, W, "
            f"{model.stem_conv.in_channels}); these are {images.dtype} {images.shape}."
        )


def _checked_classes(model: Backbone, classes: Sequence[int] | int, n: int) -> np.ndarray:
    chosen = np.asarray(classes)
    linear = [m for m in model.head.modules() if isinstance(m, torch.nn.Linear)]
    n_classes = linear[-1].out_features
    if chosen.ndim > 1 or (chosen.ndim == 1 and len(chosen) != n):
        raise CourseError(
            f"classes has the shape {chosen.shape}; give one class for all or one for each of the "
            f"{n} images."
        )
    if (
        not np.issubdtype(chosen.dtype, np.integer)
        or not ((chosen >= 0) & (chosen < n_classes)).all()
    ):
        raise CourseError(
            f"classes must be whole numbers from 0 to {n_classes - 1}, the classes of this "
            f"network's head; given: {np.unique(chosen).tolist()}."
        )
    return np.broadcast_to(chosen.astype(np.int64), (n,)).copy()
