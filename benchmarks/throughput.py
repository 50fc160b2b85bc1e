"""Feature extraction alone: the course's frozen front against ONNX Runtime, images per second.

``python -m benchmarks.throughput`` prints a line of JSON. Both get the same uint8 images in
memory and give the same pooled features (checked); they run in turn, and medians are taken.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from torch import nn

from benchmarks import setting
from helpers.networks import backbones
from helpers.training import devices, predict

ROUNDS = 7
BATCH = 64


class Features(nn.Module):
    """The network up to its pooled features, for the export."""

    def __init__(self, model: backbones.Backbone) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.model.pool(self.model(images, stop=self.model.part_names[-2]))


def session(model: backbones.Backbone) -> onnxruntime.InferenceSession:
    """Export the front of `model` and load it as ONNX Runtime's documentation shows."""
    example = torch.zeros(BATCH, 1, setting.SIZE, setting.SIZE, dtype=torch.uint8)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "features.onnx"
        torch.onnx.export(Features(model).eval(), (example,), path, input_names=["images"],
                          dynamic_shapes=({0: torch.export.Dim("n", min=2, max=4096)},),
                          verbose=False)  # fmt: skip
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def main() -> None:
    """Time both in turn on the same 400 images."""
    warnings.simplefilter("ignore")
    images = setting.arrays().train
    model = backbones.load("efficientnet_lite0", channels=1).eval()
    fabric, peer = devices.start("cpu"), session(model)
    planes = np.ascontiguousarray(images.images.transpose(0, 3, 1, 2))

    def ours() -> np.ndarray:
        return predict.features(model, images, fabric)

    def theirs() -> np.ndarray:
        parts = range(0, len(planes), BATCH)
        return np.concatenate([peer.run(None, {"images": planes[i : i + BATCH]})[0] for i in parts])

    difference = float(np.abs(ours() - theirs()).max())
    seconds: dict[str, list[float]] = {"ours": [], "theirs": []}
    for _ in range(ROUNDS):
        for name, run in (("ours", ours), ("theirs", theirs)):
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    print(json.dumps(medians | {"difference": difference, "n": len(images)}))


if __name__ == "__main__":
    main()
