from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from PIL import Image


@pytest.fixture
def root(tmp_path) -> Path:
    """Return the folder that image files are drawn into."""
    folder = tmp_path / "images"
    folder.mkdir()
    return folder


@pytest.fixture
def draw(root) -> Callable[..., Path]:
    """Return a function that saves an image of one colour, by its path inside `root`."""

    def save(path: str, colour=90, mode: str = "L", **options) -> Path:
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new(mode, (20, 16), colour).save(file, **options)
        return file

    return save


@pytest.fixture
def fill(root) -> Callable[[dict[str, int]], Path]:
    """Return a function that draws so many images per folder, the k-th with gray value k.

    A mark in the corner makes each of them different from all others.
    """

    def save(counts: dict[str, int]) -> Path:
        for number, (name, n) in enumerate(counts.items()):
            (root / name).mkdir(parents=True, exist_ok=True)
            for k in range(n):
                image = Image.new("L", (20, 16), k % 256)
                image.paste((60 + 20 * number + 7 * (k // 256)) % 256, (15, 0, 20, 3))
                image.save(root / name / f"{k:03d}.png")
        return root

    return save


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
