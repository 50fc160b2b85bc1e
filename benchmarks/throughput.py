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

from benchmarks import setting
from helpers.networks import backbones, export
from helpers.training import devices, predict

ROUNDS = 7
BATCH = 64


def session(model: backbones.Backbone) -> onnxruntime.InferenceSession:
    """Export the front of `model` and load it as ONNX Runtime's documentation shows."""
    with tempfile.TemporaryDirectory() as folder:
        export.onnx(model, path := Path(folder) / "features.onnx")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def features(run: onnxruntime.InferenceSession, images: np.ndarray) -> np.ndarray:
    """Return ONNX Runtime's features of uint8 images ``(N, H, W, C)``."""
    planes = images.transpose(0, 3, 1, 2)
    parts = (planes[k : k + BATCH].astype(np.float32) / 255 for k in range(0, len(images), BATCH))
    return np.concatenate([run.run(None, {"images": part})[0] for part in parts])


def main() -> None:
    """Time both in turn on the same 400 images."""
    warnings.simplefilter("ignore")
    images = setting.arrays().train
    model = backbones.load("efficientnet_lite0", channels=1).eval()
    fabric, peer = devices.start("cpu"), session(model)

    def ours() -> np.ndarray:
        return predict.features(model, images, fabric)

    def theirs() -> np.ndarray:
        return features(peer, images.images)

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
