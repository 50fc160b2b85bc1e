"""Would the frozen front be worth running through ONNX Runtime? From files to features, both ways.

``python -m benchmarks.onnx_front`` prints a line of JSON: processor seconds of one process with one
thread for the network (so that other programs count little), medians of runs in turn, each
decoding all ELPV images anew. ONNX Runtime's side also exports the network, which has to be done
before it can run.
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time

import numpy as np
import torch

from benchmarks import throughput
from helpers.datasets import Split, load
from helpers.networks import backbones
from helpers.training import devices, predict

ROUNDS, THREADS = 2, 1


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
    return throughput.features(throughput.session(backbones.load(channels=1)), split.images)


def main() -> None:
    """Time both in turn and print the medians."""
    torch.set_num_threads(THREADS)
    seconds: dict[str, list[float]] = {"decoding": [], "torch": [], "onnxruntime": []}
    found = {}
    for _ in range(ROUNDS):
        for name, way in (("torch", in_torch), ("onnxruntime", in_onnx_runtime)):
            with tempfile.TemporaryDirectory() as cache:
                start = time.process_time()
                split = images(cache)
                middle = time.process_time()
                found[name] = way(split)
            seconds["decoding"].append(middle - start)
            seconds[name].append(time.process_time() - middle)
    medians = {name: round(statistics.median(values), 2) for name, values in seconds.items()}
    whole = [medians["decoding"] + medians[name] for name in ("torch", "onnxruntime")]
    gap = float(np.abs(found["torch"] - found["onnxruntime"]).max())
    print(json.dumps(medians | {"n": len(split), "times as fast, end to end":
                                round(whole[0] / whole[1], 2), "difference": gap}))  # fmt: skip


if __name__ == "__main__":
    main()
