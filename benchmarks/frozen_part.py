"""Ways to run the frozen part on this machine: ``python -m benchmarks.frozen_part``.

Prints a line of JSON: per way the milliseconds per image (median of rounds in turn), the seconds
to prepare it, and how far its features lie from those of the plain network.
"""

from __future__ import annotations

import json
import os
import statistics
import time
import warnings
from collections.abc import Callable

import numpy as np
import torch

from benchmarks import setting
from benchmarks.throughput import Features, session
from helpers.networks import backbones
from helpers.networks.fold import folded
from helpers.training import devices

N = int(os.environ.get("BENCH_IMAGES", "128"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
BATCH = 32

Way = Callable[[torch.Tensor], torch.Tensor]


def plain(model: backbones.Backbone) -> Way:
    """Return the network as it is, in eval mode."""
    return Features(model).eval()


def folded_batchnorm(model: backbones.Backbone) -> Way:
    """Return the network with BatchNorm folded into its convolutions: what the course does."""
    return Features(folded(model))


def default_layout(model: backbones.Backbone) -> Way:
    """Return the folded network with channels first in memory."""
    net = Features(folded(model).to(memory_format=torch.contiguous_format))
    net.model.normalise = lambda images: (images.float() / 255 - model.mean) / model.std
    return net


def compiled(model: backbones.Backbone) -> Way:
    """Return the folded network through torch.compile."""
    return torch.compile(Features(folded(model)))


def traced(model: backbones.Backbone) -> Way:
    """Return the network traced and optimised for inference by TorchScript."""
    example = torch.zeros(BATCH, 1, setting.SIZE, setting.SIZE, dtype=torch.uint8)
    # timm computes the padding as a tensor, which the check of a trace takes for a difference.
    net = torch.jit.trace(Features(model).eval(), example, check_trace=False)
    return torch.jit.optimize_for_inference(net)


def bfloat16(model: backbones.Backbone) -> Way:
    """Return the folded network under bfloat16 autocast."""
    net = Features(folded(model))

    def run(images: torch.Tensor) -> torch.Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return net(images).float()

    return run


def onnx_runtime(model: backbones.Backbone) -> Way:
    """Return ONNX Runtime's session on the exported network."""
    peer = session(model)
    return lambda images: torch.from_numpy(peer.run(None, {"images": images.numpy()})[0])


WAYS = {
    "plain": (plain, BATCH),
    "folded": (folded_batchnorm, BATCH),
    "folded, batches of 8": (folded_batchnorm, 8),
    "folded, batches of 128": (folded_batchnorm, 128),
    "folded, channels first": (default_layout, BATCH),
    "folded, torch.compile": (compiled, BATCH),
    "TorchScript, optimize_for_inference": (traced, BATCH),
    "folded, bfloat16": (bfloat16, BATCH),
    "ONNX Runtime": (onnx_runtime, BATCH),
}


def prepare(make: Callable, batch: int, images: torch.Tensor) -> tuple[Callable, float]:
    """Return a function that runs all images in batches, and the seconds until its first end."""
    start = time.perf_counter()
    way = make(backbones.load("efficientnet_lite0", channels=1).eval())

    def run() -> torch.Tensor:
        with torch.inference_mode():
            return torch.cat([way(part) for part in images.split(batch)])

    run()
    return run, time.perf_counter() - start


def main() -> None:
    """Time every way in turn on the same images."""
    warnings.simplefilter("ignore")
    devices.start("cpu")
    pixels = setting.arrays().train.images[:N]
    images = torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)))
    runs = {name: prepare(make, batch, images) for name, (make, batch) in WAYS.items()}
    right = runs["plain"][0]()
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(ROUNDS):
        for name, (run, _prepared) in runs.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    rows = [
        {
            "way": name,
            "ms_per_image": 1000 * statistics.median(seconds[name]) / N,
            "seconds_to_prepare": prepared,
            "difference": float((run() - right).abs().max() / right.abs().max()),
        }
        for name, (run, prepared) in runs.items()
    ]
    print(json.dumps({"rows": rows, "n": N}))


if __name__ == "__main__":
    main()
