"""The lab's pictures as HTML and SVG: light enough to redraw while training, sharp at any size.

Text and axes take the colour of the page, so that they can be read on dark pages too. An arm comes
as a row of `helpers.lab.race.Lane.row`, or of a kept race.
"""

from __future__ import annotations

import base64
import html
import io
import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.colors import to_hex, to_rgb
from PIL import Image

from helpers import files
from helpers.lab.race import Kept, Result
from helpers.plots.strategies import short, strength
from helpers.plots.style import ACCENT, FROZEN, INK, color_of, ink_on

STYLE = Path(__file__).with_name("style.css").read_text(encoding="utf-8")

DASHES = ("", "7 4", "2 4", "9 3 2 3", "1 6")  # arms of one strategy share its colour

LETTERS = "ABCDE"  # name the arms in the curves, where the whole names find no place

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 440, 250, 58, 56, 36
RIGHT, APART = WIDTH - 34, 28  # room for the letters, and how far one must be from the next

AXIS = (0.5, 1.0)  # of every table's intervals, so that two tables can be compared

SHOWN_PIXELS = 112  # least side of an image of the grid

STRONGEST = 0.75  # how opaque the hottest place is laid over


def safe(text: object) -> str:
    """Return `text`, which may hold names of files, so that it can stand in HTML."""
    return html.escape(files.shown(text))


def remark(sentence: str, kind: str = "quiet") -> str:
    """Return a sentence as a paragraph: quiet, a ``"caveat"`` or an ``"error"``; "" stays ""."""
    aloud = ' role="alert"' if kind == "error" else ""
    return f'<p class="lab-{kind}"{aloud}>{safe(sentence)}</p>' if sentence else ""


def dashed(arms: Sequence[Mapping]) -> list[tuple[str, Mapping, str]]:
    """Return each arm with its letter and dashes: the first of a strategy is solid, others not."""
    names = [arm["strategy"] for arm in arms]
    return [(LETTERS[k], arm, DASHES[names[:k].count(arm["strategy"]) % len(DASHES)])
            for k, arm in enumerate(arms) if arm["strategy"] != "baseline"]  # fmt: skip


def named(letter: str, arm: Mapping, dash: str) -> str:
    """Return the letter, the line and the name by which an arm is known in the curves."""
    bar = '<line x1="2" y1="6" x2="32" y2="6"'
    return (
        f'<div class="lab-name"><b class="lab-letter">{letter}</b><svg class="lab-swatch" '
        f'viewBox="0 0 34 12" aria-hidden="true">{bar} class="lab-edge" stroke-dasharray="{dash}"/>'
        f'{bar} stroke="{color_of(arm["strategy"])}" stroke-width="4" stroke-dasharray="{dash}"/>'
        f"</svg><span>{safe(arm['arm'])}</span></div>"
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
        + _chart(arms, "train_loss", epochs, loss_axis, "training loss (nats)")
        + "</div>"
    )  # fmt: skip


def _chart(
    arms: Sequence[Mapping], key: str, epochs: int, axis: tuple[float, float], title: str
) -> str:
    """Return one line chart, a line per arm that has begun, with its letter at its end."""
    low, high = axis

    def x(epoch: float) -> float:
        return LEFT + (RIGHT - LEFT) * (0.5 if epochs == 1 else (epoch - 1) / (epochs - 1))

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * (value - low) / (high - low)

    step = next(s for s in (0.1, 0.2, 0.5, 1, 2, 5, 10, 1e9) if (high - low) / s <= 6)
    ticks = range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
    parts = [
        f'<line x1="{LEFT}" x2="{RIGHT}" y1="{y(k * step):.1f}" y2="{y(k * step):.1f}" '
        f'class="lab-grid"/><text x="{LEFT - 6}" y="{y(k * step) + 5:.1f}" text-anchor="end">'
        f"{k * step:.1f}</text>"
        for k in ticks
    ]
    parts += [
        f'<text x="{x(epoch):.1f}" y="{HEIGHT - BOTTOM + 22}" text-anchor="middle">{epoch}</text>'
        for epoch in range(1, epochs + 1, max(1, math.ceil(epochs / 7)))
    ]
    ends = []  # height of the letter, of its line's end, and how far that is across
    for letter, arm, dash in dashed(arms):
        rows = [row for row in arm["history"] if math.isfinite(row[key])]
        points = [(x(row["epoch"]), y(row[key])) for row in rows]
        color, path = color_of(arm["strategy"]), " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
        for look in ('class="lab-edge"', f'stroke="{color}" stroke-width="3"'):
            parts.append(
                f'<polyline points="{path}" fill="none" {look} stroke-dasharray="{dash}" '
                'stroke-linejoin="round"/>'
            )
        parts += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3.5" fill="{color}" class="lab-dot"/>'
                  for a, b in points]  # fmt: skip
        ends += [[points[-1][1], *points[-1][::-1], letter]] if points else []
    ends.sort()
    for (above, *_), end in itertools.pairwise(ends):
        end[0] = max(end[0], above + APART)
    floor = HEIGHT - BOTTOM
    for end in reversed(ends):
        end[0] = min(end[0], floor)
        floor = end[0] - APART
    parts += [f'<line x1="{across:.1f}" y1="{end:.1f}" x2="{across + 10:.1f}" y2="{down:.1f}" '
              f'class="lab-lead"/><text x="{across + 12:.1f}" y="{down + 5:.1f}" class="lab-title">'
              f"{letter}</text>" for down, end, across, letter in ends]  # fmt: skip
    label = f"{title} by epoch: " + "; ".join(
        f"{arm['arm']} {arm['history'][-1][key]:.2f}" for arm in arms if arm["history"]
    )
    return (
        f'<svg class="lab-chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="'
        f'{safe(label)}"><text x="{LEFT}" y="20" class="lab-title">{safe(title)}</text>'
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
    axis = (min(AXIS[0], *(math.floor(value * 10) / 10 for value in known), 1), AXIS[1])
    keys = {id(arm): (letter, dash) for letter, arm, dash in dashed(arms)}
    rows = "".join(_row(arm, *keys.get(id(arm), ("", "")), axis) for arm in arms)
    ready = any(arm.get("features_known") for arm in arms)
    star = "* The frozen part had been computed before: these seconds do not hold it." * ready
    heads = ("arm", "state", f"test AUC, 95 % interval{_scale(axis)}", "AUC", "accuracy",
             "seconds", "trainable")  # fmt: skip
    head = "".join(f'<th scope="col" class="{"number" * (k > 2)}">{text}</th>'
                   for k, text in enumerate(heads))  # fmt: skip
    begin = '<div class="lab-wide" role="region" aria-label="table of the race" tabindex="0">'
    begin += '<table class="lab-table"><caption class="lab-unseen">the arms of the race</caption>'
    return f"{begin}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>{remark(star)}"


def _scale(axis: tuple[float, float], drawn: str = "", alt: str = "") -> str:
    """Return a line of the axis of AUC with what is `drawn` there, or the numbers of the axis."""
    parts = []
    for tick in range(round(axis[0] * 10), round(axis[1] * 10) + 1):
        x = _place(tick / 10, axis)
        line = f'<line x1="{x}" x2="{x}" y1="0" y2="100%" class="lab-grid"/>'
        number = f'<text x="{x}" y="1em" text-anchor="middle">{tick / 10:.1f}</text>'
        # On a long axis there is room for every second number.
        parts.append(line if drawn else number * (tick % 2 == 0 or axis[1] - axis[0] < 0.55))
    alt = alt or f"axis from {axis[0]:.1f} to {axis[1]:.1f}"
    inside = "".join(parts) + drawn
    return f'<svg class="lab-interval" role="img" aria-label="{safe(alt)}">{inside}</svg>'


def _place(value: float, axis: tuple[float, float]) -> str:
    return f"{5 + 90 * (value - axis[0]) / (axis[1] - axis[0]):.2f}%"


def _row(arm: Mapping, letter: str, dash: str, axis: tuple[float, float]) -> str:
    color = color_of(arm["strategy"]) if letter else INK
    who = named(letter, arm, dash) if letter else f'<div class="lab-name">{safe(arm["arm"])}</div>'
    begin = (
        f'<tr><th scope="row" class="lab-arm">{who}</th><td><span class="lab-badge '
        f'lab-{safe(arm["source"] or "open")}">{safe(arm["words"])}</span></td>'
    )
    if arm["auc"] is None:
        bar = (
            f'<div class="lab-bar" role="progressbar" aria-label="{safe(arm["arm"])}" '
            f'aria-valuenow="{100 * arm["share"]:.0f}"><div style="width:{arm["share"]:.1%};'
            f'background:{color}"></div></div>'
        )
        note = f'<span class="lab-note">{safe(arm["note"])}</span>' if arm["note"] else bar
        return f'{begin}<td colspan="4">{note}</td><td></td></tr>'
    auc, lo, hi = (arm[key] for key in ("auc", "auc_lo", "auc_hi"))
    text = f"{auc:.3f} <small>[{lo:.3f}, {hi:.3f}]</small>" if lo < hi else f"{auc:.3f}"
    line = f'<line x1="{_place(lo, axis)}" x2="{_place(hi, axis)}" y1="50%" y2="50%"'
    drawn = (
        f'{line} class="lab-edge"/>{line} stroke="{color}" stroke-width="5"/>'
        f'<circle cx="{_place(auc, axis)}" cy="50%" r="0.4em" fill="{color}" class="lab-dot"/>'
    )
    star = "*" * bool(arm.get("features_known"))
    numbers = (text, f"{arm['accuracy']:.1%}", f"{arm['seconds']:.1f}{star}",
               f"{arm['trainable']:,}")  # fmt: skip
    alt = f"AUC {auc:.2f}, 95 % interval {lo:.2f} to {hi:.2f}"
    return (
        f"{begin}<td>{_scale(axis, drawn=drawn, alt=alt)}</td>"
        + "".join(f'<td class="number">{text}</td>' for text in numbers)
        + "</tr>"
    )


def facts(setup: Mapping, used: int = 0) -> str:
    """Return what all arms of a race share, in a line.

    Parameters
    ----------
    setup : the fields of a `Setup`. used : images trained on, where that is known; else 0.
    """
    n, taken = (f"{k:,}" if k else "all" for k in (setup["n"], used or setup["n"]))
    asked = f" ({n} asked for)" * (n not in (taken, "all"))
    return (
        f"{setup['dataset']}, {taken} training images{asked} of {setup['image_size']} x "
        f"{setup['image_size']} pixels, {setup['backbone']}, {setup['epochs']} "
        f"epoch{'s' * (setup['epochs'] != 1)}, seed {setup['seed']}."
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
        f"<th scope='col'>{safe(part['part'])}<small>{short(part['parameters'])}</small></th>"
        for part in arms[0]["parts"]
    )
    rows = "".join(
        f'<tr><th scope="row">{named(letter, arm, dash)}</th>'
        + "".join(_box(part, arm) for part in arm["parts"])
        + "</tr>"
        for letter, arm, dash in dashed(arms)
    )
    return (
        '<table class="lab-network"><thead><tr><th scope="col">image &rarr;'
        f"<small>parameters</small></th>{heads}</tr></thead><tbody>{rows}</tbody></table>"
    )


def _box(part: Mapping, arm: Mapping) -> str:
    fill, rate, peak = FROZEN, "frozen", part["learning rate"]
    if peak > 0:
        fullness = strength(peak, max(other["learning rate"] for other in arm["parts"]))
        fill = to_hex([1 - fullness * (1 - c) for c in to_rgb(color_of(arm["strategy"]))])
        rate = f"{peak:.0e}".replace("e-0", "e-")
    # Before a class "frozen" alone says that the statistics rest, too: see lab-mark-rests.
    marks = {"moves": "<i>BN </i>moves", "rests": "BN rests", "none": "&nbsp;"}
    mark = marks[part["batchnorm statistics"]]
    return (
        f'<td><div class="lab-part" style="background:{fill};color:{ink_on(fill)}">{rate}'
        f'<small class="lab-mark-{part["batchnorm statistics"]}">{mark}</small></div></td>'
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
