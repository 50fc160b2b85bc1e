"""Would the frozen front be worth running through ONNX Runtime? From files to features, both ways.

``python -m benchmarks.onnx_front`` prints a line of JSON: seconds in one process with two threads,
medians of runs in turn, each decoding all ELPV images anew. ONNX Runtime's side also exports the
network, which has to be done before it can run.
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import onnxruntime
import torch

from helpers.datasets import Split, load
from helpers.networks import backbones, export
from helpers.training import devices, predict

ROUNDS, THREADS, BATCH = 3, 2, 64


def images(cache: str) -> Split:
    """Decode all images of ELPV into an empty cache."""
    os.environ["COURSE_CACHE"] = cache
    data = load("elpv", size=128)
    parts = [data.train, data.val, data.test]
    return Split(*(np.concatenate([getattr(part, name) for part in parts])
                   for name in ("images", "labels", "groups")))  # fmt: skip


def in_torch(split: Split) -> np.ndarray:
    """Return the pooled features as the course computes them."""
    model = backbones.load(channels=1).eval()
    return predict.features(model, split, devices.start("cpu"))


def in_onnx_runtime(split: Split) -> np.ndarray:
    """Export the network, then return the pooled features."""
    with tempfile.TemporaryDirectory() as folder:
        export.onnx(backbones.load(channels=1), path := Path(folder) / "front.onnx")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = THREADS
        run = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"]).run
    planes = split.images.transpose(0, 3, 1, 2)
    parts = (planes[k : k + BATCH].astype(np.float32) / 255 for k in range(0, len(split), BATCH))
    return np.concatenate([run(None, {"images": part})[0] for part in parts])


def main() -> None:
    """Time both in turn and print the medians."""
    torch.set_num_threads(THREADS)
    seconds: dict[str, list[float]] = {"decoding": [], "torch": [], "onnxruntime": []}
    found = {}
    for _ in range(ROUNDS):
        for name, way in (("torch", in_torch), ("onnxruntime", in_onnx_runtime)):
            with tempfile.TemporaryDirectory() as cache:
                start = time.perf_counter()
                split = images(cache)
                middle = time.perf_counter()
                found[name] = way(split)
            seconds["decoding"].append(middle - start)
            seconds[name].append(time.perf_counter() - middle)
    medians = {name: round(statistics.median(values), 2) for name, values in seconds.items()}
    whole = [medians["decoding"] + medians[name] for name in ("torch", "onnxruntime")]
    gap = float(np.abs(found["torch"] - found["onnxruntime"]).max())
    print(json.dumps(medians | {"n": len(split), "times as fast, end to end":
                                round(whole[0] / whole[1], 2), "difference": gap}))  # fmt: skip


if __name__ == "__main__":
    main()
