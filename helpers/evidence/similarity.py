"""How much a set of images looks like photographs to an ImageNet network: measured, not guessed.

The reference is a small file of features of photographs, no images: pooled EfficientNet-Lite0
features of 150 test images each of `flowers` and `hymenoptera`. Neither is ImageNet. The second
was drawn from it and the first is of its kind, so this is a stand-in for "photographs as in
ImageNet", narrow in subject: close-ups of flowers and insects.
`batchnorm_shift` needs no stand-in: BatchNorm has kept the statistics of ImageNet itself.
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

from helpers import files
from helpers.datasets import Split
from helpers.errors import CourseError
from helpers.evidence import tables, transferability
from helpers.networks import backbones
from helpers.networks.backbones import Backbone
from helpers.training import predict

REFERENCE = files.resource("reference/photographs.npz")

BACKBONE, IMAGE_SIZE = "efficientnet_lite0", 96

FRECHET_ROWS = 150  # of each side, always: the distance grows when there are fewer

SIMILARITY = tables.FOLDER / "similarity.csv"

SIMILARITY_COLUMNS = (
    "dataset", "domain", "n_classes", "reference", "n", "seed", "backbone", "image_size",
    "proxy_a_distance", "frechet_distance", "mean_distance", "batchnorm_shift", "versions",
)  # fmt: skip


def read_similarity(path: Path = SIMILARITY) -> pd.DataFrame:
    """Return data/results/similarity.csv; a row per data set, reference and seed."""
    return tables.read(path, SIMILARITY_COLUMNS)


def load_reference(path: Path = REFERENCE) -> dict[str, np.ndarray]:
    """Return the features of photographs that come with the course.

    Returns
    -------
    Data set -> float32 ``(N, F)``: pooled features, in front of the head.

    Raises
    ------
    CourseError
        When the file is missing, damaged or made with another network or size.
    """
    remedy = f"Restore it, or make it with: python -m measure similarity ({path})."
    if not path.is_file():
        raise CourseError(f"The reference features of photographs are missing. {remedy}")
    try:
        with np.load(files.noted(path)) as file:
            features, origin = file["features"].astype(np.float32), file["origin"]
            facts = json.loads(str(file["facts"]))
    except Exception as error:  # numpy and zipfile raise almost anything on damaged bytes
        raise CourseError(f"The reference features are damaged. {remedy}") from error
    if (facts.get("backbone"), facts.get("image_size")) != (BACKBONE, IMAGE_SIZE):
        raise CourseError(f"The reference features are of another network or size. {remedy}")
    return {name: features[origin == name] for name in np.unique(origin).tolist()}


@dataclass(frozen=True)
class Distances:
    """How far a set of images lies from photographs, by four measures.

    Attributes
    ----------
    mean_distance : between the means, in spreads of the reference (`transferability`).
    proxy_a_distance : 0 (cannot be told apart) to 2. It saturates: photographs of other things
        reach nearly 2 as well.
    frechet_distance : of 150 images a side; NaN where there are fewer.
    batchnorm_shift : mean shift of the inputs of the BatchNorm layers from the statistics that
        ImageNet left there, in standard deviations.
    n : images measured.
    """

    mean_distance: float
    proxy_a_distance: float
    frechet_distance: float
    batchnorm_shift: float
    n: int

    @property
    def similarity(self) -> float:
        """One number in 0..1 for the decision table, made from `mean_distance`."""
        return similarity_of(self.mean_distance)


def similarity_of(mean_distance: float) -> float:
    """Return ``1 / (1 + mean_distance)``, in 0..1.

    1: the mean of the photographs itself; .5: one spread away. The scale is the course's own; only
    its order carries meaning.
    """
    return 1 / (1 + mean_distance)


def measure(images: Split, seed: int = 0) -> Distances:
    """Measure how far `images` lie from photographs; each value is the mean over the references.

    Parameters
    ----------
    images : uint8 images of `IMAGE_SIZE` pixels; at least 5. Labels are not used.
    seed : of the folds and of the sample behind the Fréchet distance.
    """
    return distances(*seen(images), list(load_reference().values()), seed)


def seen(images: Split) -> tuple[np.ndarray, float]:
    """Return what the network makes of images: pooled features ``(N, F)``, `batchnorm_shift`."""
    model = backbones.load(BACKBONE, channels=images.images.shape[-1])
    return predict.features(model, images), float(batchnorm_shift(model, images).mean())


def distances(
    features: np.ndarray, batchnorm_shift: float, against: list[np.ndarray], seed: int = 0
) -> Distances:
    """Return the distances of `features` ``(N, F)``, each the mean over `against`."""
    few = np.random.default_rng(seed).permutation(len(features))[:FRECHET_ROWS]
    enough = min(len(few), *(len(other) for other in against)) == FRECHET_ROWS
    found = []
    for other in against:
        frechet = np.nan
        if enough:
            frechet = transferability.frechet_distance(features[few], other[:FRECHET_ROWS])
        near = transferability.mean_distance(features, other)
        told_apart = transferability.proxy_a_distance(features, other, seed)
        found.append((near, told_apart, frechet))
    return Distances(*np.mean(found, axis=0).tolist(), batchnorm_shift, len(features))


def batchnorm_shift(model: Backbone, images: Split) -> np.ndarray:
    """Return, per BatchNorm layer, how far its input lies from what it saw in training.

    The running statistics are a memory of the training images (of ImageNet, for its weights), so
    no reference images are needed. Per layer: the length of the shift of the channel means over
    the length of the running standard deviations, as in notebook 02. `model` is not changed.

    Notes
    -----
    The statistics were kept at the training resolution and with its augmentation, so photographs
    at another size shift as well: compare with their value, not with 0.
    """
    copied = copy.deepcopy(model).eval()
    sums = {
        layer: torch.zeros_like(layer.running_mean)
        for layer in copied.modules()
        if isinstance(layer, nn.BatchNorm2d)
    }

    def watch(layer: nn.Module, inputs: tuple) -> None:
        sums[layer] += inputs[0].mean(dim=(2, 3)).sum(dim=0)

    for layer in sums:
        layer.register_forward_pre_hook(watch)
    batches = max(1, round(len(images) / predict.EVAL_BATCH))
    with torch.inference_mode():
        for index in np.array_split(np.arange(len(images)), batches):
            copied(predict.batch(images, index))
    shifts = [
        (total / len(images) - layer.running_mean).norm() / layer.running_var.sqrt().norm()
        for layer, total in sums.items()
    ]
    return torch.stack(shifts).numpy()
