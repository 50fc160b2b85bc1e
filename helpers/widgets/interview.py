"""The interview room: it plans a session, asks, hears how sure you are, checks, and explains."""

from __future__ import annotations

import base64
import functools
import time
from collections.abc import Callable, Sequence
from datetime import date

import ipywidgets as widgets

from helpers.errors import CourseError
from helpers.practice import cards, schedule
from helpers.practice.cards import Item
from helpers.practice.progress import SURE, Store
from helpers.widgets.answers import CSS, WIDE, clock, code, field, line, shown, ticks, where, words
from helpers.widgets.figures import CourseWidget

ASKED = [kind for kind in cards.KINDS if kind not in ("bug", "drill")]
KINDS = {"everything": ASKED, "mock interview: spoken": ["spoken"],
         "without spoken": [kind for kind in ASKED if kind != "spoken"]}  # fmt: skip
EVERY = "all topics"
WELCOME = ("With the day of your interview entered, begin a session. Say before each answer how "
           "sure you are; only then can you give it.")  # fmt: skip


def guarded(action: Callable) -> Callable:
    """Have what goes wrong in a click stand in the room as a sentence."""

    @functools.wraps(action)
    def safe(room: InterviewRoom, *arguments: object) -> None:
        try:
            action(room, *arguments)
        except CourseError as error:
            room.say(str(error))

    return safe


class InterviewRoom(CourseWidget):
    """A session: one card after the other until the minutes are full.

    Parameters
    ----------
    items : None: the course's own cards. store : where progress is kept; None: the user's file.
    """

    def __init__(self, items: Sequence[Item] | None = None, store: Store | None = None) -> None:
        self.items = cards.load() if items is None else list(items)
        self.items = cards.pick(self.items, kinds=ASKED)
        self.store, self.listeners = store or Store(), []
        self.session: list[Item] = []
        self.done, self.item, self.began, self._entering = 0, None, 0.0, False
        self.message, self.question, self.feedback, self.clock, self.count, self.verdict = (
            widgets.HTML() for _ in range(6)
        )
        self.sure = widgets.RadioButtons(
            options=[(f"{sure} %", sure) for sure in SURE], value=None, layout=WIDE,
            description="how sure are you?", style={"description_width": "10em"},
        )  # fmt: skip
        self.sure.add_class("room-sure")
        self.answer, self.points = widgets.VBox(), widgets.VBox()
        self.answer.add_class("room-list")
        self.check = widgets.Button(description="Check", button_style="primary")
        self.rates = {
            name: widgets.Button(description=name.capitalize(), tooltip=f"rate your answer: {name}")
            for name in schedule.RATINGS
        }
        self.rating = widgets.VBox([self.verdict, widgets.HBox(list(self.rates.values()))])
        self.check.on_click(self._check)
        for name, button in self.rates.items():
            button.on_click(functools.partial(self._rate, name))
        self.sure.observe(lambda _: self._ask(), names="value")
        settings, files = self._settings(), self._files()
        super().__init__([
            widgets.HTML(CSS), settings, self.message, self.question, self.sure, self.clock,
            self.answer, self.count, self.check, self.feedback, self.points, self.rating, files,
        ])  # fmt: skip
        self.add_class("interview")
        self._day()
        self._show()

    def _settings(self) -> widgets.HBox:
        topics = sorted({item["topic"] for item in self.items})
        self.day = widgets.DatePicker(
            description="interview on", style={"description_width": "initial"}
        )
        self.topic = widgets.Dropdown(options=[EVERY, *topics], description="topic")
        levels = [(f"{level}: {name}", level) for level, name in cards.LEVELS.items()]
        self.level = widgets.Dropdown(options=levels, value=3, description="up to level")
        self.kind = widgets.Dropdown(options=list(KINDS), description="questions")
        self.minutes = widgets.BoundedIntText(15, 1, 120, description="minutes")
        self.start = widgets.Button(description="Begin a session", button_style="primary")
        self.day.observe(self._enter, names="value")
        self.start.on_click(self._begin)
        parts = [self.day, self.topic, self.level, self.kind, self.minutes, self.start]
        return widgets.HBox(parts)  # as many to a row as there is room for

    def _files(self) -> widgets.VBox:
        self.export, self.erase, self.sure_erase = (
            widgets.Button(description=text)
            for text in ("Export progress", "Erase progress", "Yes, erase it")
        )
        self.upload = widgets.FileUpload(accept=".json", description="Import progress")
        self.download = widgets.HTML()
        self.export.on_click(self._export)
        self.upload.observe(self._import, names="value")
        self.erase.on_click(lambda _: self._ask_erase(True))
        self.sure_erase.on_click(self._erase)
        self.sure_erase.layout.display = "none"
        row = widgets.HBox([self.export, self.upload, self.erase, self.sure_erase])
        return widgets.VBox([row, self.download]).add_class("room-files")

    def say(self, text: str) -> None:
        """Show a sentence above the card; it is read out."""
        self.message.value = shown(words(text), alert=True) if text.strip() else ""

    @property
    def schedule(self) -> schedule.Schedule:
        """What is kept, as the scheduler sees it now."""
        return schedule.Schedule(self.store.read())

    @guarded
    def _day(self) -> None:
        """Show the day that is kept, and what is wrong with it or with the file."""
        now = self.schedule
        self._entering = True  # what is shown is no entry
        self.day.value, self._entering = now.progress.interview, False
        self.say(f"{self.store.notice} {now.trouble}".strip() or WELCOME)

    @guarded
    def _enter(self, change: dict) -> None:
        if self._entering:
            return
        left = schedule.days_left(change["new"], date.today())
        self.store.enter(change["new"])
        self.say(f"{left} days to go: no card waits longer than that." if change["new"] else "")
        self._tell()

    def _tell(self) -> None:
        for listener in self.listeners:
            listener()

    @guarded
    def _begin(self, _button: object = None) -> None:
        topic = None if self.topic.value == EVERY else self.topic.value
        chosen = cards.pick(self.items, topic, self.level.value, KINDS[self.kind.value])
        self.session, self.done = self.schedule.plan(chosen, self.minutes.value), 0
        if not self.session:
            raise CourseError("There is no such card. Choose another topic, level or kind.")
        self.say(f"{self.store.notice} {self.schedule.trouble}")
        self._next()

    def _next(self) -> None:
        self.item = self.session[self.done] if self.done < len(self.session) else None
        self._show()
        if self.item:
            self.sure.focus()
        else:
            self.start.focus()
            self.question.value = shown(
                "<p><b>The session is over.</b> What is due tonight, and what you will know on the "
                "day, stands below.</p>"
            )

    def _show(self) -> None:
        """Show the card with nothing but the question and how sure one is."""
        item = self.item
        for part in (self.answer, self.check, self.points, self.rating):
            part.layout.display = "none"
        self.sure.layout.display = "" if item else "none"
        self.feedback.value = self.clock.value = self.count.value = ""
        if item is None:
            self.question.value = ""
            return
        self.sure.disabled, self.sure.value, self.check.disabled = False, None, False
        left = sum(map(schedule.seconds_for, self.session[self.done :])) / 60
        head = f"Card {self.done + 1} of {len(self.session)}, about {left:.0f} minutes left"
        about = f"{item['topic']}, level {item['level']}, {item['kind']}"
        self.question.value = shown(f"<p><small>{head}: {about}</small></p>",
                                    f"<h3>{line(item['question'])}</h3>",
                                    code(item["code"]) if item.get("code") else "")  # fmt: skip

    def _ask(self) -> None:
        """How sure one is has been said: now the answer."""
        if self.sure.value is None or self.sure.disabled:
            return
        if not self.answer.layout.display:  # only changed in mind
            return
        given, self.read = field(self.item, self.done)
        self.answer.children, self.began = [given], time.monotonic()
        self.answer.layout.display = self.check.layout.display = ""
        if self.item["kind"] == "spoken":
            self.clock.value = clock(self.item["words"] / schedule.SPEECH)
            given.observe(lambda _: self._count(), names="value")

    def _count(self) -> None:
        """Show how many words there are, and how fast they came."""
        n, seconds = len(self.read().split()), max(time.monotonic() - self.began, 1.0)
        pace = f"{30 * n / seconds:.0f} words per 30 s; 75 are usual"
        self.count.value = shown(f"<p>{n} of {self.item['words']} words in {seconds:.0f} s, {pace}")

    @guarded
    def _check(self, _button: object = None) -> None:
        item = self.item
        if item["kind"] == "spoken":
            self._compare()
            return
        outcome = cards.score(item, self.read())
        told = "".join(f"<li>{mark} <b>{line(text)}</b><br>{line(why)}</li>" if why else
                       f"<li>{line(text)}</li>" for text, mark, why in outcome.reasons)  # fmt: skip
        self.feedback.value = shown(f"<p><b>{outcome.said}</b></p><ul>{told}</ul>", where(item),
                                    alert=True)  # fmt: skip
        self._judge(outcome.right)

    def _judge(self, right: bool | None, said: str = "") -> None:
        """Let the learner rate; a wrong answer comes again."""
        self.right, self.sure.disabled, self.check.disabled = right, True, True
        rest = "The better you rate yourself, the longer it rests; Again asks it in this session."
        rest = "Again brings it back in this session." if right is False else rest
        self.verdict.value = shown(f"<p><b>{said}</b> {rest}</p>", alert=bool(said))
        for name, button in self.rates.items():
            button.disabled = right is False and name != "again"
            button.button_style = ""
        usual = "again" if right is False else "good" if (self.sure.value or 0) >= 50 else "hard"
        self.rates[usual].button_style = "primary"
        self.rating.layout.display = ""
        self.rates[usual].focus()

    def _compare(self) -> None:
        """Show three answers beside the learner's own, follow-ups, and the points to tick."""
        item = self.item
        models = "".join(f"<h3>{name}</h3>{words(item[name.lower()])}"
                         for name in ("Weak", "Solid", "Strong"))  # fmt: skip
        follow = "".join(
            f"<details><summary>{line(row['question'])}</summary>{words(row['answer'])}</details>"
            for row in item["follow_ups"]
        )
        self._count()
        self.clock.value = ""
        misses = f"<h3>What the weak one misses</h3>{words(item['weak_misses'])}"
        asked = f"<h3>And then they ask</h3>{follow}"
        self.feedback.value = shown(models, misses, asked, where(item))
        boxes, ticked = ticks(item["checklist"])
        done = widgets.Button(description="That is what I said", layout={"width": "auto"})
        done.on_click(lambda _: self._ticked(ticked()))
        title = widgets.HTML(shown("<p><b>Tick what you said.</b></p>"))
        self.points.children, self.points.layout.display = [title, boxes, done], ""
        self.check.disabled = self.sure.disabled = True
        self.answer.children[0].focus()  # the models stand below it, to be read before the boxes

    def _ticked(self, points: list[str]) -> None:
        outcome = cards.score(self.item, points)
        self._judge(outcome.right, outcome.said)
        self.points.children[-1].disabled = True

    @guarded
    def _rate(self, name: str, _button: object = None) -> None:
        rating = schedule.RATINGS[name]
        right = rating > 1 if self.right is None else self.right
        self.store.add(self.item["id"], rating, self.sure.value, right)
        if rating == 1:
            self.session.append(self.item)  # it comes back before the session is over
        self.done += 1
        self.say(self.store.notice)
        self._next()
        self._tell()

    @guarded
    def _export(self, _button: object = None) -> None:
        text = self.store.read().text()
        content, name = base64.b64encode(text.encode()).decode(), f"interview-{date.today()}.json"
        self.download.value = shown(f'<a download="{name}" href="data:application/json;base64,'
                                    f'{content}">Save {name}</a>')  # fmt: skip

    @guarded
    def _import(self, change: dict) -> None:
        if not change["new"]:
            return
        content = bytes(change["new"][0]["content"])
        self.upload.value = ()  # so that the same file can be chosen again
        new = self.store.take_in(content)
        self._day()
        self.say(f"{new} answers were new; they stand beside yours now. {self.schedule.trouble}")
        self._tell()

    def _ask_erase(self, asked: bool) -> None:
        self.sure_erase.layout.display = "" if asked else "none"
        if asked:
            n = len(self.schedule.progress.reviews)
            self.say(f"{n} answers and your date would be gone for good. Export them first?")
            self.sure_erase.focus()

    @guarded
    def _erase(self, _button: object = None) -> None:
        self._ask_erase(False)
        self.store.erase()
        self.session, self.done, self.download.value = [], 0, ""
        self.item = None
        self._show()
        self._day()
        self.say("Your progress is erased.")
        self._tell()
