"""At the keyboard: hunt a bug from its symptom to a mend that runs, and write from a blank page.

Both run what the learner writes, as a cell does, so they stand in notebooks only, not in the app.
"""

from __future__ import annotations

import ast
import importlib
from collections.abc import Sequence

import ipywidgets as widgets

from helpers.errors import CourseError
from helpers.practice import cards
from helpers.practice.cards import Item
from helpers.practice.progress import Store
from helpers.widgets.answers import CSS, WIDE, Order, clock, code, line, shown, ticks, where, words
from helpers.widgets.figures import CourseWidget

WRITING = WIDE | {"height": "20em"}
PASSED = ((85, 4), (60, 3), (40, 2), (0, 1))  # from so many points of 100 on: this rating


class _Bench(CourseWidget):
    """A list to choose from, and steps that appear one after the other.

    Parameters
    ----------
    items : None: the course's own of `KIND`. store : where what was done is kept; None: the user's.
    """

    KIND = ""

    def __init__(self, items: Sequence[Item] | None = None, store: Store | None = None) -> None:
        items = cards.pick(cards.load() if items is None else items, kinds=[self.KIND])
        self.store, self.kept = store or Store(), False
        options = [(f"{k}. {item.get('question') or item['id']}", item)
                   for k, item in enumerate(items, 1)]  # fmt: skip
        self.choice = widgets.Dropdown(options=options, value=None, description=self.KIND,
                                       layout=WIDE)  # fmt: skip
        self.steps = widgets.VBox()
        self.steps.add_class("room-list")
        self.choice.observe(lambda _: self._begin(), names="value")
        super().__init__([widgets.HTML(CSS), self.choice, self.steps])
        self.add_class("interview")

    @property
    def item(self) -> Item:
        """What is worked on."""
        return self.choice.value

    def _begin(self) -> None:
        self.steps.children, self.kept = [], False
        self.start()

    def start(self) -> None:
        """Show the first step of `item`."""

    def step(self, *parts: widgets.Widget) -> None:
        """Add what comes next, and put the focus there."""
        self.steps.children = [*self.steps.children, *parts]
        controls = (p.list if isinstance(p, Order) else p for p in parts)
        next(p for p in controls if not isinstance(p, (widgets.HTML, widgets.VBox))).focus()

    def keep(self, points: float) -> None:
        """Keep the result, the first of this round only."""
        if not self.kept:
            rating = next(rating for least, rating in PASSED if points >= least)
            try:
                self.store.add(self.item["id"], rating, None, rating > 1)
            except CourseError as error:
                self.steps.children += (widgets.HTML(shown(words(str(error)), alert=True)),)
            self.kept = True


def _button(text: str, action) -> widgets.Button:
    button = widgets.Button(description=text, layout={"width": "auto"})
    button.on_click(lambda _: action())
    return button


class BugHunt(_Bench):
    """Symptom, checks from the cheapest on, the faulty line, a mend, and an assertion that runs."""

    KIND = "bug"

    def start(self) -> None:
        """Show the symptom, and the checks to put in order."""
        self.wrong = 0
        self.order = Order(cards.shuffled(self.item), "your checks")
        self.step(
            widgets.HTML(shown("<h3>The symptom</h3>", words(self.item["symptom"]),
                         "<p>Which checks, in which order? The first is done first.</p>")),
            self.order, _button("Check in this order", self._ordered),
        )  # fmt: skip

    def _ordered(self) -> None:
        item, right = self.item, [check["text"] for check in self.item["checks"]]
        mine, best = (cards.minutes_spent(item, order) for order in (self.order.rows, right))
        self.share = cards.in_order(self.order.rows, right)
        listed = "".join(
            f"<li>{line(check['text'])}: {check['cost']:g} min"
            f"{', finds it' if check['finds'] else ''}</li>" for check in item["checks"]
        )  # fmt: skip
        n = len(item["code"].splitlines())
        self.line = widgets.BoundedIntText(1, 1, n, description="faulty line")
        self.named = widgets.HTML()
        self.step(
            widgets.HTML(shown(f"<p><b>Your order finds it after {mine:g} minutes, the cheapest "
                         f"after {best:g};</b> {self.share:.0%} of the pairs stand as here:</p>"
                         f"<ol>{listed}</ol><h3>The code</h3>", code(item["code"], True),
                         alert=True)),
            self.line, _button("Name this line", self._named), self.named,
        )  # fmt: skip

    def _named(self) -> None:
        if self.line.disabled:
            return
        at = self.line.value
        if at not in cards.mends(self.item):
            self.wrong += 1
            self.named.value = shown(f"<p>Not line {at}: the cause lies elsewhere. "
                                     f"Wrong so far: {self.wrong}, 20 points each.</p>",
                                     alert=True)  # fmt: skip
            self.line.focus()
            return
        self.line.disabled, self.named.value = True, ""
        faulty = self.item["code"].splitlines()[at - 1]
        self.mend, self.result = widgets.Textarea(faulty, layout=WIDE, rows=3), widgets.HTML()
        self.mend.description = "mend"
        self.step(
            widgets.HTML(shown(f"<p><b>Line {at} it is.</b> Mend it; the code and the assertion "
                               "run.</p>", code(self.item["assert_"]))),
            self.mend, _button("Run the mend", self._run), _button("Show a mend", self._show),
            self.result,
        )  # fmt: skip

    def _run(self) -> None:
        if fault := cards.still_wrong(self.item, self.mend.value, self.line.value):
            self.wrong += 1
            self.result.value = shown(words(fault), alert=True)
            return
        self.keep(100 * self.share - 20 * self.wrong)
        self.result.value = shown("<p><b>✔ The assertion holds.</b></p>", words(self.item["why"]),
                                  where(self.item), alert=True)  # fmt: skip

    def _show(self) -> None:
        self.keep(0)
        mend = cards.mends(self.item)[self.line.value]
        self.result.value = shown(code(mend), words(self.item["why"]),
                                  where(self.item), alert=True)  # fmt: skip


class Drills(_Bench):
    """A task, a clock, a blank page, a checker, and a rubric of 100 points."""

    KIND = "drill"

    def start(self) -> None:
        """Show the task and what there is to begin with."""
        item = self.item
        self.page = widgets.Textarea(item["stub"], description="your code", layout=WRITING)
        self.result = widgets.HTML()
        self.step(
            widgets.HTML(shown(f"<h3>{item['minutes']} minutes</h3>", words(item["task"]))
                         + clock(60 * item["minutes"])),
            self.page, _button("Check", self._check), _button("Show a solution", self._show),
            self.result,
        )  # fmt: skip

    def _check(self) -> None:
        self.result.value = shown(words(check(self.item, self.page.value)), alert=True)
        self._rubric()

    def _show(self) -> None:
        self.result.value = shown(code(self.item["solution"]), where(self.item))
        self._rubric()

    def _rubric(self) -> None:
        """Let the learner give the points, once."""
        if len(self.steps.children) > 5:
            return
        worth = {
            f"{row['points']} points: {row['text']}": row["points"] for row in self.item["rubric"]
        }
        boxes, ticked = ticks(list(worth))
        total = widgets.HTML()

        def count() -> None:
            points = sum(worth[text] for text in ticked())
            self.keep(points)
            total.value = shown(f"<p><b>{points} of 100 points.</b></p>", alert=True)

        done = _button("Count my points", count)
        title = widgets.HTML(shown("<h3>Your own judgement</h3>"))
        self.steps.children += (title, boxes, done, total)


def check(item: Item, text: str) -> str:
    """Run a learner's code for a drill, and return what its checker says.

    The checker gets what the stub names first: its first function or class.
    """
    space: dict = {}
    if fault := cards.execute(text, space)[1]:
        return f"✘ {fault}"
    defined = (node for node in ast.parse(item["stub"]).body
               if isinstance(node, (ast.FunctionDef, ast.ClassDef)))  # fmt: skip
    name = next(defined).name
    if name not in space:
        return f"✘ Your code defines no `{name}`."
    checker = getattr(importlib.import_module("helpers.practice.drills"), item["checker"])
    return repr(checker(space[name]))
