"""Forms of one trained network: folded, in int8, as ONNX. Their AUC, answers, bytes and time.

ONNX and ONNX Runtime come with ``pip install ".[bench]"``; no notebook needs them.
"""

from __future__ import annotations

import copy
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor

from helpers.datasets import Dataset
from helpers.networks.backbones import Backbone
from helpers.networks.fold import folded
from helpers.training import metrics

CALIBRATION, TIMED, ROUNDS = 100, 60, 5  # images, images, times


def rounded(weight: Tensor, *, by_channel: bool) -> tuple[Tensor, Tensor]:
    """Return int8 weights and their scale: of the whole layer, or of each output channel."""
    over = tuple(range(1, weight.ndim)) if by_channel else tuple(range(weight.ndim))
    scale = weight.abs().amax(over, keepdim=True) / 127
    return (weight / scale).round().to(torch.int8), scale


def in_int8(model: Backbone, *, by_channel: bool) -> tuple[Backbone, int]:
    """Return a folded network whose weights went through int8, and the bytes of the int8 file."""
    copied, stored = copy.deepcopy(model), {}
    for name, p in copied.net.named_parameters():
        if p.ndim > 1:
            whole, scale = rounded(p.data, by_channel=by_channel)
            stored |= {name: whole, f"{name}.scale": scale}
            p.data = whole * scale
        else:
            stored[name] = p.data
    return copied, file_bytes(stored)


def file_bytes(tensors: dict[str, Tensor]) -> int:
    """Return how long a safetensors file of these tensors is."""
    return len(save({name: value.contiguous() for name, value in tensors.items()}))


def onnx_session(path: Path) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function from uint8 images ``(N, C, H, W)`` to logits, on one thread."""
    import onnxruntime  # of the extra "bench": no notebook needs it

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda images: session.run(None, {"images": images})[0]


def export(model: Backbone, images: Tensor, folder: Path) -> tuple[Path, Path]:
    """Write a network as ONNX, and once more in int8, calibrated on these images."""
    from onnxruntime import quantization as q

    float_file, int8_file = folder / "float.onnx", folder / "int8.onnx"
    torch.onnx.export(model, (images[:2],), float_file, input_names=["images"], verbose=False,
                      dynamic_shapes={"x": {0: torch.export.Dim("n", min=1, max=4096)}},
                      external_data=False)  # fmt: skip

    class Reader(q.CalibrationDataReader):
        def __init__(self) -> None:
            self.left = [{"images": images[k : k + 1].numpy()} for k in range(len(images))]

        def get_next(self) -> dict | None:
            return self.left.pop() if self.left else None

    # Without VNNI sums of products of 8 bits saturate: weights of 7 bits (ONNX Runtime's advice).
    q.quantize_static(float_file, int8_file, Reader(), per_channel=True, reduce_range=True)
    return float_file, int8_file


def timed(runs: dict[str, Callable], images: np.ndarray) -> dict[str, float]:
    """Return processor milliseconds an image, one at a time, the ways in turn; medians."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(ROUNDS):
        for name, run in runs.items():
            start = time.process_time()
            for k in range(len(images)):
                run(images[k : k + 1])
            seconds[name].append((time.process_time() - start) / len(images))
    return {name: 1000 * statistics.median(values) for name, values in seconds.items()}


def in_torch(model: Backbone) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function from uint8 images to logits, with the network as it is."""

    def run(images: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return model(torch.from_numpy(images)).numpy()

    return run


def forms(model: Backbone, data: Dataset) -> list[dict]:
    """Compare the forms of one trained network: AUC, answers, bytes, time."""
    test, some = planes(data.test.images), planes(data.train.images[:CALIBRATION])
    model, quick = model.eval(), folded(model)
    rough, rough_bytes = in_int8(quick, by_channel=False)
    fine, fine_bytes = in_int8(quick, by_channel=True)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's, about its own insides
        files = export(model, torch.from_numpy(some), Path(folder))
        runs = {"float": in_torch(model), "folded": in_torch(quick),
                "int8, a scale a layer": in_torch(rough),
                "int8, a scale a channel": in_torch(fine),
                "ONNX": onnx_session(files[0]), "ONNX int8": onnx_session(files[1])}  # fmt: skip
        sizes = [file_bytes(model.net.state_dict()), file_bytes(quick.net.state_dict()),
                 rough_bytes, fine_bytes, *(file.stat().st_size for file in files)]  # fmt: skip
    answers = {name: probabilities(run, test) for name, run in runs.items()}
    # torch has no quick int8 convolution to time: those weights are computed with in float.
    times = timed({name: run for name, run in runs.items() if name[:5] != "int8,"}, test[:TIMED])
    rows = []
    for (name, p), size in zip(answers.items(), sizes, strict=True):
        same = answers["float"].argmax(1) == p.argmax(1)
        rows.append({
            "part": "form", "arm": name, "megabytes": round(size / 1e6, 3),
            "milliseconds": round(times[name], 3) if name in times else "",
            **scored(data, p), **gap(data, answers["float"], p), **kept(same),
        })  # fmt: skip
    return rows


def planes(images: np.ndarray) -> np.ndarray:
    """Return images ``(N, C, H, W)``."""
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2))


def probabilities(run: Callable[[np.ndarray], np.ndarray], images: np.ndarray) -> np.ndarray:
    """Return class probabilities ``(N, n_classes)``."""
    parts = [run(images[k : k + 32]) for k in range(0, len(images), 32)]
    return torch.from_numpy(np.concatenate(parts)).double().softmax(1).numpy()


def scored(data: Dataset, p: np.ndarray) -> dict:
    """Return the test score of some probabilities."""
    score = metrics.score(data.test.labels, p, data.test.groups)
    return {"n_test": score.n} | {
        name: round(getattr(score, name), 4) for name in ("auc", "auc_lo", "auc_hi")
    }


def gap(data: Dataset, before: np.ndarray, after: np.ndarray) -> dict:
    """Return the AUC of `after` minus that of `before`, on the same test images."""
    found = metrics.auc_difference(data.test.labels, before, after, data.test.groups)
    names = ("gap", "gap_lo", "gap_hi")
    return {name: round(value, 4) for name, value in zip(names, found, strict=True)}


def kept(same: np.ndarray) -> dict:
    """Return the share of answers that stay, with Wilson's interval."""
    share = float(np.mean(same))
    lo, hi = metrics.wilson(share, len(same))
    return {"n_asked": len(same), "kept": round(share, 4), "kept_lo": round(lo, 4),
            "kept_hi": round(hi, 4)}  # fmt: skip
