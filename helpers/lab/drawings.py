"""The lab's pictures as HTML and SVG: light enough to redraw while training, sharp at any size.

Text and axes take the colour of the page, so that they can be read on dark pages too.
"""

from __future__ import annotations

import base64
import html
import io
import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.colors import to_rgb
from PIL import Image

from helpers.plots.strategies import short, strength
from helpers.plots.style import ACCENT, FROZEN, color_of

STYLE = """
.lab p { margin: 0.35em 0; }
.lab .jupyter-button.mod-active { background: #222222; color: white; }
.lab table.lab-table { table-layout: fixed; }
.lab-table th:nth-child(1) { width: 23%; }
.lab-table th:nth-child(2) { width: 14%; }
.lab-table th:nth-child(3) { width: 31%; }
.lab-note { white-space: normal; }
.lab .lab-table .lab-arm { white-space: normal; padding-left: 2.75em; text-indent: -2.6em; }
.lab-swatch { width: 2.1em; height: 0.8em; margin-right: 0.5em; vertical-align: middle; }
.lab-interval { width: 7em; height: 1em; margin-right: 0.6em; vertical-align: middle; }
.lab-badge { border: 1px solid #DDE3EA; border-radius: 1em; padding: 0.05em 0.6em;
  white-space: normal; display: inline-block; line-height: 1.2; font-size: 0.9em; }
.lab-live { border-color: currentColor; }
.lab-bar { height: 0.5em; border-radius: 0.25em; background: #DDE3EA; overflow: hidden; }
.lab-bar div { height: 100%; }
.lab-curves { display: flex; gap: 1em; flex-wrap: wrap; }
.lab-chart { flex: 1 1 20em; max-width: 38em; font-size: 13.5px; }
.lab-presenter .lab-chart { max-width: none; }
.lab-chart text { fill: currentColor; }
.lab-presenter .lab-chart { font-size: 16px; }
.lab .widget-radio-box label { display: flex; flex-direction: row-reverse; gap: 0.5em;
  justify-content: flex-end; align-items: center; height: auto; line-height: 1.5; margin: 0; }
.lab-chart .lab-title { font-weight: 600; }
.lab-grid { stroke: currentColor; stroke-opacity: 0.18; stroke-width: 1; }
"""


DASHES = ("", "7 4", "2 4", "9 3 2 3", "1 6")  # arms of one strategy share its colour


WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 440, 230, 52, 40, 26


def safe(text: object) -> str:
    """Return `text` so that it can stand in HTML."""
    return html.escape(str(text))


def dashes(strategies: Sequence[str]) -> list[str]:
    """Return a dash pattern per arm: the first of a strategy is solid, the next is dashed."""
    return [DASHES[list(strategies[:k]).count(name) % len(DASHES)]
            for k, name in enumerate(strategies)]  # fmt: skip


def swatch(strategy: str, dash: str) -> str:
    """Return the line by which an arm is known in the curves."""
    return (
        '<svg class="lab-swatch" viewBox="0 0 34 12" aria-hidden="true">'
        f'<line x1="2" y1="6" x2="32" y2="6" stroke="{color_of(strategy)}" stroke-width="4" '
        f'stroke-dasharray="{dash}"/></svg>'
    )


def curves(arms: Sequence[Mapping], epochs: int) -> str:
    """Return two line charts against the epoch: validation AUC and training loss.

    Parameters
    ----------
    arms : each with ``arm``, ``strategy``, ``dash`` and ``history``, rows with ``epoch``,
        ``val_auc`` and ``train_loss``.
    epochs : right end of the axis.
    """
    values = {key: [row[key] for arm in arms for row in arm["history"] if _finite(row[key])]
              for key in ("val_auc", "train_loss")}  # fmt: skip
    low = min([0.5, *values["val_auc"]])
    auc_axis = (math.floor(low * 10) / 10, 1.0)
    loss_axis = (0.0, max([0.8, *values["train_loss"]]) * 1.05)
    return (
        '<div class="lab-curves">'
        + chart(arms, "val_auc", epochs, auc_axis, "validation AUC", "validation AUC")
        + chart(
            arms,
            "train_loss",
            epochs,
            loss_axis,
            "training loss",
            "training loss, cross-entropy (nats)",
        )
        + "</div>"
    )


def chart(
    arms: Sequence[Mapping], key: str, epochs: int, axis: tuple[float, float], title: str,
    unit: str,
) -> str:  # fmt: skip
    """Return one line chart, a line per arm that has begun."""
    low, high = axis
    right = WIDTH - 12

    def x(epoch: float) -> float:
        return LEFT + (right - LEFT) * (0.5 if epochs == 1 else (epoch - 1) / (epochs - 1))

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * (value - low) / (high - low)

    parts = [_grid(x, y, epochs, axis, right)]
    for arm in arms:
        points = [(x(row["epoch"]), y(row[key])) for row in arm["history"] if _finite(row[key])]
        parts.append(_line(points, color_of(arm["strategy"]), arm["dash"]))
    label = f"{title} by epoch: " + "; ".join(
        f"{arm['arm']} {arm['history'][-1][key]:.2f}" for arm in arms if arm["history"]
    )
    return (
        f'<svg class="lab-chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{safe(label)}"><text x="{LEFT}" y="14" class="lab-title">{safe(unit)}</text>'
        + "".join(parts)
        + f'<text x="{(LEFT + right) / 2}" y="{HEIGHT - 4}" text-anchor="middle">epoch</text></svg>'
    )


def _grid(x, y, epochs: int, axis: tuple[float, float], right: float) -> str:
    parts = []
    for value in _ticks(*axis):
        parts.append(
            f'<line x1="{LEFT}" x2="{right}" y1="{y(value):.1f}" y2="{y(value):.1f}" '
            f'class="lab-grid"/><text x="{LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end">'
            f"{value:.1f}</text>"
        )
    step = max(1, math.ceil(epochs / 10))
    for epoch in range(1, epochs + 1, step):
        parts.append(
            f'<text x="{x(epoch):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{epoch}'
            "</text>"
        )
    return "".join(parts)


def _ticks(low: float, high: float) -> list[float]:
    step = next(s for s in (0.1, 0.2, 0.5, 1, 2, 5, 10, 1e9) if (high - low) / s <= 6)
    first = math.ceil(low / step - 1e-9)
    return [k * step for k in range(first, math.floor(high / step + 1e-9) + 1)]


def _line(points: Sequence[tuple[float, float]], color: str, dash: str) -> str:
    path = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
    dots = "".join(f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3.5" fill="{color}"/>' for a, b in points)
    return (
        f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="3" '
        f'stroke-dasharray="{dash}" stroke-linejoin="round"/>{dots}'
    )


def _finite(value: float) -> bool:
    return math.isfinite(value)


HEADS = ("arm", "", "test AUC, 95 % interval")


NUMBERS = ("accuracy", "trainable", "seconds")


def table(arms: Sequence[Mapping]) -> str:
    """Return the table of a race, a row per arm, its AUC as a dot with its interval.

    Parameters
    ----------
    arms : each with ``arm``, ``strategy``, ``dash``, ``words`` (what it is doing), ``source`` (or
        None), ``share`` (done, 0..1), ``note``, and the scores ``auc, auc_lo, auc_hi, accuracy,
        trainable, seconds``, None until they are known.
    """
    known = [arm for arm in arms if arm["auc"] is not None]
    low = min([0.5, *(math.floor(arm["auc_lo"] * 20) / 20 for arm in known)])
    if known:
        low = math.floor(min(arm["auc_lo"] for arm in known) * 20 - 0.2) / 20
    heads = "".join(f"<th>{safe(head)}</th>" for head in HEADS)
    heads += "".join(f'<th class="number">{safe(head)}</th>' for head in NUMBERS)
    rows = "".join(_row(arm, max(0.0, low)) for arm in arms)
    return f'<table class="lab-table"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>'


def _row(arm: Mapping, low: float) -> str:
    name = f"{swatch(arm['strategy'], arm['dash'])}<span>{safe(arm['arm'])}</span>"
    badge = (
        f'<span class="lab-badge lab-{safe(arm["source"] or "open")}">{safe(arm["words"])}</span>'
    )
    if arm["auc"] is None:
        note = f'<span class="lab-note">{safe(arm["note"])}</span>' if arm["note"] else _bar(arm)
        return (
            f'<tr><td class="lab-arm">{name}</td><td>{badge}</td><td colspan="4">{note}</td></tr>'
        )
    text = f"{arm['auc']:.3f} <small>[{arm['auc_lo']:.3f}, {arm['auc_hi']:.3f}]</small>"
    numbers = f"{arm['accuracy']:.1%}", f"{arm['trainable']:,}", f"{arm['seconds']:.1f}"
    return (
        f'<tr><td class="lab-arm">{name}</td><td>{badge}</td>'
        f'<td class="lab-auc">{_interval(arm, low)}<span>{text}</span></td>'
        + "".join(f'<td class="number">{text}</td>' for text in numbers)
        + "</tr>"
    )


def _bar(arm: Mapping) -> str:
    return (
        f'<div class="lab-bar"><div style="width:{arm["share"]:.1%};'
        f'background:{color_of(arm["strategy"])}"></div></div>'
    )


def _interval(arm: Mapping, low: float) -> str:
    def x(value: float) -> float:
        return 4 + 152 * (value - low) / (1 - low)

    color = color_of(arm["strategy"])
    return (
        '<svg class="lab-interval" viewBox="0 0 160 16" aria-hidden="true">'
        '<line x1="4" x2="156" y1="8" y2="8" class="lab-grid"/>'
        f'<line x1="{x(arm["auc_lo"]):.1f}" x2="{x(arm["auc_hi"]):.1f}" y1="8" y2="8" '
        f'stroke="{color}" stroke-width="4" stroke-linecap="round"/>'
        f'<circle cx="{x(arm["auc"]):.1f}" cy="8" r="6" fill="{color}" stroke="white"/></svg>'
    )


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
