"""The race on the page: question, guess, Race and Stop, table, curves, explanation, errors."""

from __future__ import annotations

import base64

import ipywidgets as widgets

from helpers.errors import CourseError
from helpers.lab import drawings, store, view
from helpers.lab.drawings import safe
from helpers.lab.engine import Lab
from helpers.lab.store import Kept, Shelf


class GuessPanel(widgets.VBox):
    """The possible answers, and a button that commits to one."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.choice = widgets.RadioButtons(options=lab.choices, value=None,
                                           layout={"width": "auto"})  # fmt: skip
        self.commit = widgets.Button(
            description="Commit to this guess",
            layout={"width": "auto", "align_self": "flex-start"},
        )
        self.commit.on_click(lambda _: lab.commit_guess(self.choice.value))
        super().__init__([self.choice, self.commit])

    def draw(self) -> None:
        """Show the answers to the question that is set up, and lock them once one is chosen."""
        choices, guess = self.lab.choices, self.lab.guess
        if tuple(self.choice.options) != choices:
            self.choice.options = choices
            self.choice.value = None
        if guess is None and self.choice.disabled:  # another race, another guess
            self.choice.value = None
        if guess is not None:
            self.choice.value = guess
        self.choice.disabled = self.commit.disabled = guess is not None


class StartPanel(widgets.VBox):
    """Race, Stop, what is going on, and what is wrong."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.race = widgets.Button(description="Race", button_style="primary")
        self.stop = widgets.Button(description="Stop", disabled=True)
        self.status, self.message = widgets.HTML(), widgets.HTML()
        self.race.on_click(lambda _: lab.race())
        self.stop.on_click(lambda _: lab.stop())
        row = widgets.HBox([self.race, self.stop, self.status])
        row.layout = widgets.Layout(align_items="center", grid_gap="0 12px")
        super().__init__([row, self.message])

    def draw(self) -> None:
        """Show the state."""
        self.race.disabled = bool(self.lab.why_not)
        self.stop.disabled = self.lab.phase != "running"
        self.status.value = safe(view.status(self.lab))
        self.message.value = f'<div class="lab-error">{safe(self.lab.message)}</div>'


class Pictures:
    """The parts of the page that only show: each an HTML box, by its name in `view.visible`."""

    NAMES = ("question", "table", "verdict", "explanation", "curves", "network", "errors")

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.boxes = {name: widgets.HTML() for name in self.NAMES}
        self._errors_of: object = None

    def draw(self, change: str) -> None:
        """Show the state; while training only what can have changed."""
        lab, boxes = self.lab, self.boxes
        rows = view.rows(lab)
        boxes["table"].value = drawings.table(rows) + _remark(view.legend(lab))
        boxes["curves"].value = _remark(view.curves_note(lab)) + self._curves(rows)
        if change == "progress":
            return
        boxes["question"].value = (
            f"<h2>{safe(view.question(lab))}</h2>"
            f'<p class="lab-quiet">{safe(view.facts(view.shown_setup(lab)))}</p>'
        )
        boxes["verdict"].value = f"<h2>{safe(view.verdict(lab))}</h2>" if view.verdict(lab) else ""
        said = "".join(f"<p>{safe(sentence)}</p>" for sentence in view.explanation(lab))
        if said and lab.current.look_at:
            said += f'<p class="lab-quiet">Look: {safe(lab.current.look_at)}</p>'
        boxes["explanation"].value = f"<h3>Explain this result</h3>{said}" if said else ""
        boxes["network"].value = self._network()
        self._draw_errors()

    def _curves(self, rows: list[dict]) -> str:
        if all(row["source"] == "stored" for row in rows):
            return ""
        return drawings.curves(rows, view.shown_setup(self.lab).epochs)

    def _network(self) -> str:
        try:
            return drawings.network(view.network(self.lab))
        except CourseError:
            return ""  # the message says what is wrong

    def _draw_errors(self) -> None:
        lab = self.lab
        shown = (lab.showing, lab.phase, lab.current.number if lab.current else 0)
        if shown == self._errors_of:  # pictures are made once
            return
        self._errors_of = shown
        title = f"<p>{safe(view.errors_title(lab))}</p>"
        found = (
            view.winner(lab.current) if lab.showing == "race" and lab.phase != "running" else None
        )
        grid = ""
        if found is not None and found[1].mistakes is not None:
            result = found[1]
            wrong, score = result.mistakes, result.score
            grid = drawings.mistakes(
                wrong.images, wrong.heat, score.labels[wrong.index],
                score.probabilities[wrong.index], result.classes,
            )  # fmt: skip
        self.boxes["errors"].value = title + grid


def _remark(sentence: str) -> str:
    return f'<p class="lab-quiet">{safe(sentence)}</p>' if sentence else ""


class ShelfPanel(widgets.VBox):
    """A name and Keep; a list of kept races, their comparison, Export and Remove."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.name = widgets.Text(placeholder="a name for this race", layout={"width": "22em"})
        self.keep = widgets.Button(description="Keep this race", layout={"width": "auto"})
        self.choice = widgets.SelectMultiple(layout={"width": "24em", "height": "8em"})
        self.folder = widgets.Text(
            placeholder="folder (empty: the course's cache)", layout={"width": "22em"}
        )
        self.export = widgets.Button(description="Export CSV and page", layout={"width": "auto"})
        self.remove = widgets.Button(description="Remove", layout={"width": "auto"})
        self.text, self.comparison, self.damaged = (widgets.HTML() for _ in range(3))
        self.keep.on_click(lambda _: self._keep())
        self.export.on_click(lambda _: self._export())
        self.remove.on_click(lambda _: self._remove())
        self.choice.observe(lambda _: self._compare(), names="value")
        hint = widgets.HTML(
            '<span class="lab-quiet">Kept races: choose one, or several with Shift or Ctrl, to '
            "lay them side by side.</span>"
        )
        left = widgets.VBox([
            widgets.HBox([self.name, self.keep]), hint, self.choice,
            self.damaged, widgets.HBox([self.folder, self.export, self.remove]), self.text,
        ])  # fmt: skip
        super().__init__([left, self.comparison])
        self.refresh()

    def refresh(self) -> None:
        """List what is kept now."""
        chosen = self.choice.value
        names = [kept.name for kept in self.lab.shelf.all()]
        self.damaged.value = _damaged(self.lab.shelf)
        self.choice.options = names
        self.choice.value = tuple(name for name in chosen if name in names)

    def _keep(self) -> None:
        self.text.value = ""
        if self.lab.keep(self.name.value):
            self.text.value = f"Kept as {safe(' '.join(self.name.value.split()))}."
            self.name.value = ""

    def _chosen(self) -> list[Kept]:
        return [self.lab.shelf.get(name) for name in self.choice.value]

    def _compare(self) -> None:
        runs = self._chosen()
        table = store.comparison(runs).to_html(index=False, border=0) if len(runs) > 1 else ""
        self.comparison.value = table + "".join(store.run_html(run) for run in runs)

    def _export(self) -> None:
        try:
            runs = self._chosen()
            paths = store.save(runs, self.folder.value)
        except CourseError as error:
            self.text.value = ""
            return self.lab.say(str(error))
        self.lab.say("")
        self.text.value = (
            f"Written: {safe(paths[0])} and {safe(paths[1].name)}. Or download: "
            + _link("strategy_lab.csv", "text/csv", store.as_csv(runs)) + ", "
            + _link("strategy_lab.html", "text/html", store.as_html(runs))
        )  # fmt: skip

    def _remove(self) -> None:
        for name in self.choice.value:
            self.lab.shelf.remove(name)
        self.refresh()
        self._compare()


def _damaged(shelf: Shelf) -> str:
    if not (paths := shelf.unreadable()):
        return ""
    names = ", ".join(safe(path.name) for path in paths)
    return (
        f'<span class="lab-quiet">Not listed, because they cannot be read: {names} in '
        f"{safe(shelf.folder)}. Delete them, or put a copy in their place.</span>"
    )


def _link(name: str, kind: str, text: str) -> str:
    data = base64.b64encode(text.encode()).decode()
    return f'<a download="{name}" href="data:{kind};base64,{data}">{name}</a>'
