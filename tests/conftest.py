"""Fixtures shared by all tests: tiny data, a private cache, no network."""

from __future__ import annotations

import base64
import contextlib
import copy
import importlib.util
import os
import shutil
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from helpers.datasets import Card, Dataset, Split
from helpers.inspection.maximise import _before_activation
from helpers.networks import fold
from helpers.networks.backbones import Backbone, Layout

# The networks here are so small that handing work to a second thread costs more than the work.
torch.set_num_threads(1)

# Where the image folders of the evidence lie, if they are here.
DATA = Path(os.environ.get("COURSE_DATA_DIR") or Path(__file__).parents[2] / "shared" / "data")
LOOPBACK = ("127.0.0.1", "localhost", "::1")


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    """Nothing in the tests may leave this machine: an attempt is an error, not a slow success."""
    connect = socket.socket.connect

    def guarded(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in LOOPBACK:
            raise OSError(f"the tests run without a network; tried to reach {address[0]}")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(scope="session", autouse=True)
def _tables_stay_as_measured():
    """No test may write into the course's own tables: their rows are measurements."""
    tables = sorted((Path(__file__).parents[1] / "data" / "results").glob("*"))
    before = {path: path.read_bytes() for path in tables}
    yield
    assert {path: path.read_bytes() for path in tables} == before


@pytest.fixture
def private_cache(tmp_path, monkeypatch):
    """An empty cache folder of this test's own."""
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@dataclass
class Mirror:
    """What a local server answers, one entry of `answers` per request, the last for ever."""

    url: str
    answers: list[tuple[int, bytes, int]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)

    def serve(self, content: bytes, status: int = 200, missing: int = 0) -> None:
        """Answer with `content`, whose last `missing` bytes are announced but never sent."""
        self.answers.append((status, content, missing))


@pytest.fixture
def mirror(monkeypatch) -> Iterator[Mirror]:
    """Run a server on this machine that the downloads are pointed to."""
    monkeypatch.setattr("pooch.core.time.sleep", lambda seconds: None)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            here.paths.append(self.path)
            status, content, missing = here.answers[0]
            del here.answers[: len(here.answers) > 1]
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) - missing])

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    here = Mirror(f"http://127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield here
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def try_folder(tmp_path_factory) -> Path:
    """The folder of the page that needs no install, built once for all tests."""
    for package in ("onnx", "onnxruntime"):
        pytest.importorskip(package)
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed, and the page bundles packages of it")
    import try_page

    return try_page.build(tmp_path_factory.mktemp("try")).parent


def make_split(n: int, size: int = 32, channels: int = 1, classes: int = 2, seed: int = 0) -> Split:
    """Noise images in which the class can be seen: each class is brighter than the one before."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    noise = rng.integers(0, 80, (n, size, size, channels))
    images = (noise + labels[:, None, None, None] * (160 // classes)).astype(np.uint8)
    return Split(images, labels.astype(np.int64), np.arange(n))


def make_dataset(n: int = 24, size: int = 32, channels: int = 1, classes: int = 2) -> Dataset:
    card = Card("toy", "toy images", "toy", tuple(f"class {k}" for k in range(classes)), channels,
                size, "made up", "tests/conftest.py", "none")  # fmt: skip
    parts = [make_split(m, size, channels, classes, seed) for seed, m in enumerate((n, 16, 16))]
    return Dataset(card, *parts)


def draw_classes(folder: Path, n: int, size: int) -> Path:
    """Save `n` small gray noise images each of two classes; the second is brighter."""
    rng = np.random.default_rng(0)
    for k, name in enumerate(("dark", "light")):
        (folder / name).mkdir(parents=True)
        for i in range(n):
            pixels = rng.integers(0, 90, (size, size), dtype=np.uint8) + np.uint8(120 * k)
            Image.fromarray(pixels).save(folder / name / f"{i}.png")
    return folder


@pytest.fixture
def toy() -> Dataset:
    """24 + 16 + 16 gray images of 32 x 32 pixels in two easy classes."""
    return make_dataset()


def script(path: Path) -> ModuleType:
    """Return a Python file that belongs to no package as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def texts(figure) -> list[str]:
    """Return everything that is written into a figure's axes."""
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def picture(box) -> bytes:
    """Return the PNG that an HTML widget shows; it has to have an alternative text."""
    assert 'alt="' in box.value
    found = base64.b64decode(box.value.split("base64,")[1].split('"')[0])
    assert found.startswith(b"\x89PNG")
    return found


TINY = Layout(
    stem=("conv", "bn"),
    stages=(("stage1",), ("stage2",), ("stage3",)),
    pool="pool",
    head="fc",
    mean=(0.5, 0.5, 0.5),
    std=(0.5, 0.5, 0.5),
)


class TinyNet(nn.Module):
    """Stem, three stages with BatchNorm, pool, head: a backbone that trains in milliseconds."""

    def __init__(self, channels: int = 1, n_classes: int = 2) -> None:
        super().__init__()
        self.conv, self.bn = nn.Conv2d(channels, 4, 3, 2, 1, bias=False), nn.BatchNorm2d(4)
        self.stage1, self.stage2, self.stage3 = self._stage(4), self._stage(4), self._stage(4)
        self.pool, self.fc = nn.AdaptiveAvgPool2d(1), nn.Linear(4, n_classes)

    @staticmethod
    def _stage(width: int) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()
        )


def tiny_backbone(channels: int = 1, n_classes: int = 2, seed: int = 0) -> Backbone:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = Backbone("tiny", TinyNet(channels, n_classes), TINY)
    model.set_normalisation((0.5,) * channels, (0.5,) * channels)
    return model


def response(model: Backbone, part: str, channel: int, pictures: np.ndarray) -> np.ndarray:
    """Return a channel's mean activation ``(N,)`` before its ReLU for ``(N, H, W, 3)`` in 0..1."""
    images = torch.from_numpy(pictures).permute(0, 3, 1, 2).float()
    with torch.inference_mode():
        seen = _before_activation(fold.folded(model), images, part)
    return seen[:, channel].mean(dim=(1, 2)).numpy()


def same_weights(one: nn.Module, other: nn.Module) -> bool:
    """Whether two networks have the same weights and statistics, to the last bit."""
    state = other.state_dict()
    return all(torch.equal(value, state[name]) for name, value in one.state_dict().items())


@contextlib.contextmanager
def unchanged(net: nn.Module) -> Iterator[None]:
    """Fail when weights, statistics or mode of a network are others after the block."""
    before = copy.deepcopy(net)
    yield
    assert net.training == before.training
    assert same_weights(net, before)
