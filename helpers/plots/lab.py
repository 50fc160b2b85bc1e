"""The lab's pictures as HTML and SVG: light enough to redraw while training, sharp at any size.

Text and axes take the colour of the page, so that they can be read on dark pages too.
"""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence

from helpers.plots.style import color_of

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
