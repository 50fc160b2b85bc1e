"""What an answer is given with, one control per kind of question; and how its words are shown."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Sequence

import ipywidgets as widgets

from helpers.practice import cards
from helpers.practice.cards import Item

WIDE = {"width": "100%", "max_width": "56em"}
CSS = """<style>
@property --room-s { syntax: "<integer>"; inherits: false; initial-value: 0; }
@keyframes room-count { to { --room-s: 3600; } }
@keyframes room-fill { to { width: 100%; } }
.room-clock { max-width: 56em; background: #DDE3EA; }
.room-clock i { display: block; width: 0; height: 8px; background: #222; }
.room-clock b::after { animation: room-count 3600s steps(3600) forwards;
  counter-reset: s var(--room-s); content: counter(s) " s"; }
.room { line-height: 1.5; max-width: 56em; }
.room pre { background: #f4f6f8; color: #222; padding: 6px 10px; line-height: 1.35;
  font-size: .85em; word-break: normal; overflow-wrap: anywhere; }
.interview .jupyter-button.mod-primary { background: #A84800; color: white; font-weight: 600; }
.interview :is(button, select, input, textarea, a, summary):focus-visible {
  outline: 3px solid #222 !important; outline-offset: 1px; }
.interview .widget-hbox { flex-flow: row wrap; }
.interview .jupyter-button { width: auto; min-width: 9em; align-self: flex-start; }
.room h3 { font-size: 1.15em; margin: 12px 0 6px; }
.room-sure .widget-radio-box { flex-flow: row wrap; column-gap: 2em; }
.room-files { margin-top: 24px; padding-top: 8px; border-top: 1px solid #DDE3EA; }
.room ul { list-style: none; padding-left: 0; } .room li { margin: 6px 0; }
.interview table { border-collapse: collapse; }
.interview :is(th, td) { text-align: left; padding: 4px 14px 4px 0; vertical-align: top; }
.room-list .widget-radio-box label, .room-list label { white-space: normal; height: auto;
  line-height: 1.4; }
</style>"""


def words(text: str) -> str:
    """Return a text of a card as HTML: `code` between backticks, a paragraph per empty line."""
    return f"<p>{line(text)}</p>".replace("<br><br>", "</p><p>")


def line(text: str) -> str:
    """Return a text of a card as HTML for within a line: `code` between backticks."""
    safe = re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))
    return safe.replace("\n", "<br>")


def plain(text: str) -> str:
    """Return a text of a card for a control, which shows no markup."""
    return text.replace("`", "")


def shown(*parts: str, alert: bool = False) -> str:
    """Return parts of HTML as one box; an alert is read out at once."""
    return f'<div class="room" role="{"alert" if alert else "group"}">{"".join(parts)}</div>'


def code(text: str, numbered: bool = False) -> str:
    """Return a program as HTML, its lines numbered where they have to be named."""
    lines = (f"{k:2d}  {line}" for k, line in enumerate(text.splitlines(), 1))
    return f"<pre>{html.escape(chr(10).join(lines) if numbered else text)}</pre>"


def clock(seconds: float) -> str:
    """Return a clock that begins when it is shown: seconds, and a bar that fills in `seconds`."""
    return (f'{CSS}<div class="room"><p>{seconds:.0f} s are meant for this; passed: '
            f'<b class="room-clock"><b></b></b></p><div class="room-clock"><i style="animation: '
            f'room-fill {seconds:.0f}s linear forwards"></i></div></div>')  # fmt: skip


def where(item: Item) -> str:
    """Return where a card's answer is shown or cited, as HTML."""
    found = []
    if link := item.get("link"):
        section = f", “{link['section']}”" if link.get("section") else ""
        found.append(f"Shown in {link['to']}{section}.")
    found += [f"Source: {item['source']}."] if item.get("source") else []
    return f"<p><small>{html.escape(' '.join(found))}</small></p>" if found else ""


class Order(widgets.VBox):
    """A list and two buttons that move its marked row."""

    def __init__(self, rows: Sequence[str], description: str = "your order") -> None:
        self.texts = {plain(row): row for row in rows}
        self.list = widgets.Select(options=list(self.texts), value=plain(rows[0]), rows=len(rows),
                                   layout=WIDE, description=description)  # fmt: skip
        self.up, self.down = (widgets.Button(description=name) for name in ("Move up", "Move down"))
        self.up.on_click(lambda _: self.move(-1))
        self.down.on_click(lambda _: self.move(1))
        super().__init__([self.list, widgets.HBox([self.up, self.down])])

    def move(self, by: int) -> None:
        """Move the marked row up (-1) or down (1), as far as there is room."""
        rows, row = list(self.list.options), self.list.value
        to = min(max(rows.index(row) + by, 0), len(rows) - 1)
        rows.remove(row)
        rows.insert(to, row)
        self.list.options, self.list.value = rows, row

    @property
    def rows(self) -> list[str]:
        """The rows as they stand now."""
        return [self.texts[row] for row in self.list.options]


def ticks(texts: Sequence[str]) -> tuple[widgets.VBox, Callable[[], list[str]]]:
    """Return boxes to tick, and how to read which are ticked."""
    boxes = {text: widgets.Checkbox(description=plain(text), indent=False, layout=WIDE)
             for text in texts}  # fmt: skip
    read = lambda: [text for text, box in boxes.items() if box.value]  # noqa: E731
    return widgets.VBox(list(boxes.values())), read


def field(item: Item, seed: object = "") -> tuple[widgets.Widget, Callable[[], object]]:
    """Return what a card is answered with, and how to read the answer that `cards.score` takes.

    Parameters
    ----------
    seed : choices and steps come in another order for another one.
    """
    kind = item["kind"]
    if kind == "choice":
        texts = cards.shuffled(item, seed)
        if sum(choice["right"] for choice in item["choices"]) > 1:
            return ticks(texts)
        radio = widgets.RadioButtons(options=list(map(plain, texts)), value=None, layout=WIDE,
                                     description="answer")  # fmt: skip
        return radio, lambda: [] if radio.index is None else [texts[radio.index]]
    if kind == "order":
        order = Order(cards.shuffled(item, seed))
        return order, lambda: order.rows
    if kind == "numeric":
        text = widgets.Text(description="answer", placeholder=item["unit"])
        return text, lambda: text.value
    area = widgets.Textarea(description="answer", layout=WIDE, rows=2 if kind == "predict" else 6)
    return area, lambda: area.value
