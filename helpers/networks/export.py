"""A network as an ONNX file, which ONNX Runtime runs without PyTorch: on servers, in a browser."""

from __future__ import annotations

import importlib.util
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import nn

from helpers import files
from helpers.errors import CourseError
from helpers.networks.backbones import Backbone
from helpers.networks.fold import folded

OPSET = 17  # of ONNX 1.12 (2022)
TRIED = ((1, 128, 128), (3, 96, 160))  # images, height, width: what the file is compared on
TOLERANCE = 1e-3  # of the greatest difference to torch, where outputs are about 1


def onnx(model: Backbone, path: Path, *, head: bool = False, overwrite: bool = False) -> str:
    """Write a network as one ONNX file, compare it with torch, and say what it takes and gives.

    It takes ``images (N, C, H, W)``, any number of any size, float32 in 0..1, normalises them
    itself, and gives pooled ``features (N, F)`` or ``logits (N, n_classes)``. BatchNorm is folded
    into the convolutions.

    Parameters
    ----------
    model : no medical checkpoint: its check of every image would not be in the file.
    head : logits, not features.
    overwrite : whether a file that is there already may be replaced.

    Raises
    ------
    CourseError
        When a package is missing, the file cannot be written, or gives something else than torch.
    """
    if not all(map(importlib.util.find_spec, ("onnx", "onnxruntime"))):
        raise CourseError("This needs onnx and onnxruntime: pip install '.[onnx]' brings them.")
    if model.layout.contract:
        raise CourseError(f"{model.name} checks its images, which no file does: export another.")
    files.check_target(path, suffixes=(".onnx",), overwrite=overwrite)
    whole, name = folded(model), "logits" if head else "features"
    if not head:
        whole.replace_head(nn.Identity())
    axes = {"images": {0: "n", 2: "height", 3: "width"}, name: {0: "n"}}
    example = torch.zeros(2, whole.stem_conv.in_channels, 64, 64)
    with files.writing(path), files.atomic_path(path) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # this exporter is the old one, and says so
        torch.onnx.export(whole, (example,), str(file), input_names=["images"], dynamo=False,
                          output_names=[name], dynamic_axes=axes, opset_version=OPSET)  # fmt: skip
        gap, width = _compared(whole, file)
    mean, std = (" ".join(f"{v:g}" for v in x.flatten().tolist()) for x in (model.mean, model.std))
    return f"""{path}: {path.stat().st_size / 1e6:.1f} MB, opset {OPSET}, {gap:.0e} off torch
input    images (N, {example.shape[1]}, H, W), float32 in 0..1; normalised: mean {mean}, std {std}
output   {name} (N, {width})"""


def _compared(whole: Backbone, file: Path) -> tuple[float, int]:
    """Return the greatest difference to torch on images of noise, and the width of the output."""
    import onnxruntime

    run = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"]).run
    gaps, rng = [], np.random.default_rng(0)
    for n, *size in TRIED:
        images = rng.random((n, whole.stem_conv.in_channels, *size), np.float32)
        wanted = whole(torch.from_numpy(images)).numpy()
        gaps.append(np.abs(run(None, {"images": images})[0] - wanted).max())
    if not max(gaps) <= TOLERANCE:
        raise CourseError(f"ONNX Runtime is {max(gaps):.1g} off torch; try other versions of them.")
    return max(gaps), wanted.shape[1]
