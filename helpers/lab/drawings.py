"""The lab's pictures as HTML and SVG: light enough to redraw while training, sharp at any size.

Text and axes take the colour of the page, so that they can be read on dark pages too. An arm comes
as a row of `helpers.lab.race.Lane.row`, or of a kept race.
"""

from __future__ import annotations

import base64
import html
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.colors import to_hex, to_rgb
from PIL import Image

from helpers import files
from helpers.lab.race import Kept, Result
from helpers.plots.strategies import short, strength
from helpers.plots.style import ACCENT, FROZEN, color_of, ink_on

STYLE = Path(__file__).with_name("style.css").read_text(encoding="utf-8")

DASHES = ("", "7 4", "2 4", "9 3 2 3", "1 6")  # arms of one strategy share its colour

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 440, 230, 52, 40, 26
RIGHT = WIDTH - 12

SHOWN_PIXELS = 112  # least side of an image of the grid

STRONGEST = 0.75  # how opaque the hottest place is laid over


def safe(text: object) -> str:
    """Return `text`, which may hold names of files, so that it can stand in HTML."""
    return html.escape(files.shown(text))


def remark(sentence: str, kind: str = "quiet") -> str:
    """Return a sentence as a paragraph: quiet, a ``"caveat"`` or an ``"error"``; "" stays ""."""
    return f'<p class="lab-{kind}">{safe(sentence)}</p>' if sentence else ""


def dashed(arms: Sequence[Mapping]) -> list[tuple[Mapping, str]]:
    """Return each arm with its dash pattern: the first of a strategy is solid, the next dashed."""
    names = [arm["strategy"] for arm in arms]
    return [(arm, DASHES[names[:k].count(arm["strategy"]) % len(DASHES)])
            for k, arm in enumerate(arms)]  # fmt: skip


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
    arms : each with ``arm``, ``strategy`` and ``history``, rows with ``epoch``, ``val_auc`` and
        ``train_loss``.
    epochs : right end of the axis.
    """
    aucs, losses = (
        [row[key] for arm in arms for row in arm["history"] if math.isfinite(row[key])]
        for key in ("val_auc", "train_loss")
    )
    auc_axis = (math.floor(min([0.5, *aucs]) * 10) / 10, 1.0)
    loss_axis = (0.0, max([0.8, *losses]) * 1.05)
    return (
        '<div class="lab-curves">' + _chart(arms, "val_auc", epochs, auc_axis, "validation AUC")
        + _chart(arms, "train_loss", epochs, loss_axis, "training loss", ", cross-entropy (nats)")
        + "</div>"
    )  # fmt: skip


def _chart(
    arms: Sequence[Mapping], key: str, epochs: int, axis: tuple[float, float], title: str,
    unit: str = "",
) -> str:  # fmt: skip
    """Return one line chart, a line per arm that has begun."""
    low, high = axis

    def x(epoch: float) -> float:
        return LEFT + (RIGHT - LEFT) * (0.5 if epochs == 1 else (epoch - 1) / (epochs - 1))

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * (value - low) / (high - low)

    step = next(s for s in (0.1, 0.2, 0.5, 1, 2, 5, 10, 1e9) if (high - low) / s <= 6)
    ticks = range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
    parts = [
        f'<line x1="{LEFT}" x2="{RIGHT}" y1="{y(k * step):.1f}" y2="{y(k * step):.1f}" '
        f'class="lab-grid"/><text x="{LEFT - 6}" y="{y(k * step) + 4:.1f}" text-anchor="end">'
        f"{k * step:.1f}</text>"
        for k in ticks
    ]
    parts += [
        f'<text x="{x(epoch):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{epoch}</text>'
        for epoch in range(1, epochs + 1, max(1, math.ceil(epochs / 10)))
    ]
    for arm, dash in dashed(arms):
        points = [(x(row["epoch"]), y(row[key])) for row in arm["history"]
                  if math.isfinite(row[key])]  # fmt: skip
        color, path = color_of(arm["strategy"]), " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
        parts.append(
            f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="3" '
            f'stroke-dasharray="{dash}" stroke-linejoin="round"/>'
        )
        parts += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3.5" fill="{color}"/>' for a, b in points]
    label = f"{title} by epoch: " + "; ".join(
        f"{arm['arm']} {arm['history'][-1][key]:.2f}" for arm in arms if arm["history"]
    )
    return (
        f'<svg class="lab-chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="'
        f'{safe(label)}"><text x="{LEFT}" y="14" class="lab-title">{safe(title + unit)}</text>'
        + "".join(parts)
        + f'<text x="{(LEFT + RIGHT) / 2}" y="{HEIGHT - 4}" text-anchor="middle">epoch</text></svg>'
    )


def table(arms: Sequence[Mapping]) -> str:
    """Return the table of a race, a row per arm, its AUC as a dot with its interval.

    Parameters
    ----------
    arms : each with ``arm``, ``strategy``, ``words`` (what it is doing), ``source`` (or None),
        ``share`` (done, 0..1), ``note``, and the scores ``auc, auc_lo, auc_hi, accuracy,
        trainable, seconds``, None until they are known.
    """
    known = [arm["auc_lo"] for arm in arms if arm["auc"] is not None]
    low = max(0.0, math.floor(min(known) * 20 - 0.2) / 20) if known else 0.5
    rows = "".join(_row(arm, dash, low) for arm, dash in dashed(arms))
    return (
        '<table class="lab-table"><thead><tr><th>arm</th><th></th>'
        '<th>test AUC, 95 % interval</th><th class="number">accuracy</th>'
        '<th class="number">trainable</th><th class="number">seconds</th></tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )


def _row(arm: Mapping, dash: str, low: float) -> str:
    color = color_of(arm["strategy"])
    begin = (
        f'<tr><td class="lab-arm">{swatch(arm["strategy"], dash)}<span>{safe(arm["arm"])}</span>'
        f'</td><td><span class="lab-badge lab-{safe(arm["source"] or "open")}">'
        f"{safe(arm['words'])}</span></td>"
    )
    if arm["auc"] is None:
        bar = (
            f'<div class="lab-bar"><div style="width:{arm["share"]:.1%};background:{color}"></div>'
            "</div>"
        )
        note = f'<span class="lab-note">{safe(arm["note"])}</span>' if arm["note"] else bar
        return f'{begin}<td colspan="4">{note}</td></tr>'
    auc, lo, hi = (arm[key] for key in ("auc", "auc_lo", "auc_hi"))
    x, x_lo, x_hi = (4 + 152 * (value - low) / (1 - low) for value in (auc, lo, hi))
    numbers = f"{arm['accuracy']:.1%}", f"{arm['trainable']:,}", f"{arm['seconds']:.1f}"
    return (
        f'{begin}<td class="lab-auc">'
        '<svg class="lab-interval" viewBox="0 0 160 16" aria-hidden="true">'
        '<line x1="4" x2="156" y1="8" y2="8" class="lab-grid"/>'
        f'<line x1="{x_lo:.1f}" x2="{x_hi:.1f}" y1="8" y2="8" stroke="{color}" stroke-width="4" '
        f'stroke-linecap="round"/><circle cx="{x:.1f}" cy="8" r="6" fill="{color}" '
        f'stroke="white"/></svg><span>{auc:.3f} <small>[{lo:.3f}, {hi:.3f}]</small></span></td>'
        + "".join(f'<td class="number">{text}</td>' for text in numbers)
        + "</tr>"
    )


def facts(setup: Mapping) -> str:
    """Return what all arms of a race share, in a line; `setup` holds the fields of a `Setup`."""
    n = f"{setup['n']:,}" if setup["n"] else "all"
    return (
        f"{setup['dataset']}, {n} training images of {setup['image_size']} x "
        f"{setup['image_size']} pixels, {setup['backbone']}, {setup['epochs']} epochs, seed "
        f"{setup['seed']}."
    )


def kept_race(race: Kept) -> str:
    """Return a kept race as a section of a page: settings, guess, table, sentences and curves."""
    where = f"{facts(race.setup)} Kept {race.when.replace('T', ' ')}"
    rows = [{**row, "words": row["source"], "note": ""} for row in race.rows]
    guess = f"<p>Guess before the race: {safe(race.guess)}</p>" if race.guess else ""
    said = "".join(f"<p>{safe(sentence)}</p>" for sentence in race.explanation)
    drawn = curves(rows, race.setup["epochs"]) if any(row["history"] for row in rows) else ""
    below = f"{table(rows)}{remark(race.caveat, 'caveat')}{said}{drawn}"
    return f"<h2>{safe(race.name)}</h2><p>{safe(where)}</p>{guess}{below}"


def network(arms: Sequence[Mapping]) -> str:
    """Return the network as a row of boxes per arm: filled trains, with its peak rate; pale rests.

    Parameters
    ----------
    arms : of `helpers.lab.race.network_rows`.
    """
    heads = "".join(
        f"<th>{safe(part['part'])}<small>{short(part['parameters'])}</small></th>"
        for part in arms[0]["parts"]
    )
    rows = "".join(
        f"<tr><td>{swatch(arm['strategy'], dash)}{safe(arm['arm'])}</td>"
        + "".join(_box(part, arm) for part in arm["parts"])
        + "</tr>"
        for arm, dash in dashed(arms)
    )
    return (
        '<table class="lab-network"><thead><tr><th>image &rarr;<small>parameters</small></th>'
        f"{heads}</tr></thead><tbody>{rows}</tbody></table>"
    )


def _box(part: Mapping, arm: Mapping) -> str:
    fill, rate, peak = FROZEN, "frozen", part["learning rate"]
    if peak > 0:
        fullness = strength(peak, max(other["learning rate"] for other in arm["parts"]))
        fill = to_hex([1 - fullness * (1 - c) for c in to_rgb(color_of(arm["strategy"]))])
        rate = f"{peak:.0e}".replace("e-0", "e-")
    marks = {"moves": "BN moves", "rests": "BN rests", "none": "&nbsp;"}
    mark = marks[part["batchnorm statistics"]]
    return (
        f'<td><div class="lab-part" style="background:{fill};color:{ink_on(fill)}">{rate}'
        f"<small>{mark}</small></div></td>"
    )


def mistakes(result: Result) -> str:
    """Return a grid of wrong answers: each image, beside it what spoke for the wrong class.

    Parameters
    ----------
    result : with its predictions (`score`) and its `mistakes`.
    """
    wrong, cards = result.mistakes, []
    for place, image, warm in zip(wrong.index, wrong.images, wrong.heat, strict=True):
        probabilities = result.score.probabilities[place]
        said = safe(result.classes[probabilities.argmax()])
        true = safe(result.classes[result.score.labels[place]])
        sure = f"{min(99, round(100 * float(probabilities.max())))} %"
        cards.append(
            f'<figure><div class="lab-pair"><img alt="{true}, taken for {said}" '
            f'src="{_png(image)}"><img alt="what spoke for {said}" src="{_png(image, warm)}"></div>'
            f"<figcaption>is {true}<br><b>said {said}</b>, {sure}</figcaption></figure>"
        )
    return f'<div class="lab-mistakes">{"".join(cards)}</div>'


def _png(image: np.ndarray, heat: np.ndarray | None = None) -> str:
    pixels = np.broadcast_to(image, (*image.shape[:2], 3)).astype(np.float32)  # gray or colour
    if heat is not None:
        weight = STRONGEST * heat[..., None] ** 2  # the warm places, not a veil over everything
        pixels = (1 - weight) * pixels + weight * 255 * np.array(to_rgb(ACCENT), np.float32)
    picture = Image.fromarray(pixels.round().astype(np.uint8))
    if picture.width < SHOWN_PIXELS:
        picture = picture.resize((SHOWN_PIXELS, SHOWN_PIXELS), Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    picture.save(buffer, format="png")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
