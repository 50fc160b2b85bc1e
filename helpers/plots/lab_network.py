"""The networks of a race and what the winner gets wrong, as HTML for the lab's page."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.colors import to_rgb
from PIL import Image

from helpers.plots.lab import safe, swatch
from helpers.plots.networks import short, strength
from helpers.plots.style import ACCENT, FROZEN, color_of

SHOWN_PIXELS = 112  # side of an image of the grid
STRONGEST = 0.75  # how opaque the hottest place is laid over
NETWORK_STYLE = """
.lab .lab-network td, .lab .lab-network th { padding: 2px; border: none; text-align: center; }
.lab .lab-network th:first-child, .lab .lab-network td:first-child { text-align: left;
  padding-right: 12px; white-space: normal; }
.lab-part { border-radius: 5px; padding: 4px 2px; min-width: 3.4em; }
.lab-part small, .lab-network th small { display: block; font-size: 0.72em; line-height: 1.2;
  font-weight: 400; }
.lab-mistakes { display: grid; grid-template-columns: repeat(auto-fill, minmax(232px, 1fr));
  gap: 12px; }
.lab-mistakes figure { margin: 0; }
.lab-mistakes .lab-pair { display: flex; gap: 4px; }
.lab-mistakes .lab-pair img { width: calc(50% - 2px); }
.lab-mistakes figcaption { font-size: 0.86em; line-height: 1.3; padding-top: 3px; }
"""


def network(arms: Sequence[Mapping]) -> str:
    """Return the network as a row of boxes per arm: filled trains, with its peak rate; pale rests.

    Parameters
    ----------
    arms : each with ``arm``, ``strategy``, ``dash`` and ``parts``: dicts with ``part``,
        ``parameters``, ``rate`` (0: frozen) and ``batchnorm`` (moves, rests or none).
    """
    parts = arms[0]["parts"]
    heads = "".join(
        f"<th>{safe(part['part'])}<small>{short(part['parameters'])}</small></th>" for part in parts
    )
    rows = "".join(
        f"<tr><td>{swatch(arm['strategy'], arm['dash'])}{safe(arm['arm'])}</td>"
        + "".join(_box(part, arm) for part in arm["parts"])
        + "</tr>"
        for arm in arms
    )
    return (
        '<table class="lab-network"><thead><tr><th>image &rarr;<small>parameters</small></th>'
        f"{heads}</tr></thead><tbody>{rows}</tbody></table>"
    )


def _box(part: Mapping, arm: Mapping) -> str:
    trains = part["rate"] > 0
    largest = max(other["rate"] for other in arm["parts"])
    fill, ink = FROZEN, "#222222"
    if trains:
        fullness = strength(part["rate"], largest)
        red, green, blue = (1 - fullness * (1 - c) for c in to_rgb(color_of(arm["strategy"])))
        fill = "#" + "".join(f"{round(255 * c):02X}" for c in (red, green, blue))
        ink = _readable_on(red, green, blue)
    rate = f"{part['rate']:.0e}".replace("e-0", "e-") if trains else "frozen"
    mark = {"moves": "BN moves", "rests": "BN rests", "none": "&nbsp;"}[part["batchnorm"]]
    return (
        f'<td><div class="lab-part" style="background:{fill};color:{ink}">{rate}'
        f"<small>{mark}</small></div></td>"
    )


def _readable_on(red: float, green: float, blue: float) -> str:
    """Return dark or white, whichever has the higher contrast (WCAG 2, gamma taken as 2.2)."""
    light = 0.2126 * red**2.2 + 0.7152 * green**2.2 + 0.0722 * blue**2.2
    return "#222222" if light > 0.21 else "#FFFFFF"


def mistakes(
    images: np.ndarray, heat: np.ndarray, labels: np.ndarray, probabilities: np.ndarray,
    classes: Sequence[str],
) -> str:  # fmt: skip
    """Return a grid of wrong answers: each image, beside it what spoke for the wrong class.

    Parameters
    ----------
    images : uint8 ``(K, H, W, C)``. heat : ``(K, H, W)`` in 0..1 (Grad-CAM).
    labels : ``(K,)``, the true classes. probabilities : ``(K, n_classes)``.
    """
    cards = []
    for image, warm, label, row in zip(images, heat, labels, probabilities, strict=True):
        said, true = str(classes[int(row.argmax())]), str(classes[int(label)])
        sure = f"{min(99, round(100 * float(row.max())))} %"
        alt = f"{true}, taken for {said}"
        cards.append(
            f'<figure><div class="lab-pair"><img alt="{safe(alt)}" src="{_png(image)}">'
            f'<img alt="what spoke for {safe(said)}" src="{_png(image, warm)}"></div>'
            f"<figcaption>is {safe(true)}<br><b>said {safe(said)}</b>, {sure}</figcaption>"
            "</figure>"
        )
    return f'<div class="lab-mistakes">{"".join(cards)}</div>'


def _png(image: np.ndarray, heat: np.ndarray | None = None) -> str:
    pixels = np.repeat(image, 3, axis=-1) if image.shape[-1] == 1 else image
    pixels = pixels.astype(np.float32)
    if heat is not None:
        weight = STRONGEST * heat[..., None] ** 2  # the warm places, not a veil over everything
        pixels = (1 - weight) * pixels + weight * 255 * np.array(to_rgb(ACCENT), np.float32)
    picture = Image.fromarray(pixels.round().astype(np.uint8))
    if picture.width < SHOWN_PIXELS:
        picture = picture.resize((SHOWN_PIXELS, SHOWN_PIXELS), Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    picture.save(buffer, format="png")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
