"""What a training step costs, and what makes it cheaper: ``python -m benchmarks.training_step``.

Prints a line of JSON: per strategy and way the milliseconds of processor time per image, one
thread, median of steps taken in turn. Strategy 2 starts from the activations behind its frozen
front, as in the course.
"""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable

import torch
from torch import nn

from benchmarks import setting
from helpers.networks.depthwise import TallDepthwise
from helpers.training import devices, strategies

STEPS = int(os.environ.get("BENCH_STEPS", "30"))
# How low images are convolved, and AdamW's options.
WAYS = {
    "as PyTorch has it, AdamW tensor by tensor": (nn.Conv2d, {"foreach": False}),
    "as PyTorch has it, foreach AdamW": (nn.Conv2d, {"foreach": True}),
    "as PyTorch has it, fused AdamW": (nn.Conv2d, {"fused": True}),
    "rows of zeros first, fused AdamW": (TallDepthwise, {"fused": True}),
}
STRATEGIES = {
    "partial_finetune": (strategies.partial_finetune(last=2), "stage6"),
    "full_finetune": (strategies.full_finetune(), "stem"),
}


def stepper(name: str, convolution: type[nn.Conv2d], options: dict) -> Callable[[], None]:
    """Return a function that takes one training step on one batch."""
    strategy, start = STRATEGIES[name]
    model = strategies.build(strategy, n_classes=2, channels=1, seed=0)
    for module in model.modules():
        if type(module) is TallDepthwise:
            module.__class__ = convolution
    strategies.apply(model, strategy)
    model.train()
    images = torch.randint(0, 256, (setting.BATCH, 1, setting.SIZE, setting.SIZE)).byte()
    labels = torch.arange(setting.BATCH) % 2
    if start != "stem":
        before = model.part_names[model.part_names.index(start) - 1]
        with torch.no_grad():
            images = model(images, stop=before)
    optimizer = torch.optim.AdamW(strategies.param_groups(model, strategy), **options)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        loss = torch.nn.functional.cross_entropy(model(images, start=start), labels)
        loss.backward()
        optimizer.step()

    return step


def milliseconds(name: str) -> dict[str, float]:
    """Return per way the processor time of an image, the ways in turn."""
    steps = {way: stepper(name, *options) for way, options in WAYS.items()}
    seconds: dict[str, list[float]] = {way: [] for way in steps}
    for _ in range(STEPS):
        for way, step in steps.items():
            start = time.process_time()
            step()
            seconds[way].append(time.process_time() - start)
    return {way: 1000 * statistics.median(s) / setting.BATCH for way, s in seconds.items()}


def main() -> None:
    """Time every way of both strategies."""
    torch.set_num_threads(1)
    devices.start("cpu")
    found = {name: milliseconds(name) for name in STRATEGIES}
    rows = [{"way": way, **{name: found[name][way] for name in STRATEGIES}} for way in WAYS]
    print(json.dumps({"rows": rows, "size": setting.SIZE}))


if __name__ == "__main__":
    main()
