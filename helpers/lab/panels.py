"""The parts of the page: guess, Race and Stop, what is shown of a race, and the kept races.

Apart from page.py, which arranges them, because both together are too long to be read at once.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Callable

import ipywidgets as widgets

from helpers.errors import CourseError
from helpers.lab import drawings, measured, store
from helpers.lab.drawings import remark, safe
from helpers.lab.engine import Lab, sentence_of
from helpers.lab.explain import NONE, ranked
from helpers.lab.knobs import field
from helpers.lab.race import SOURCE_WORDS, Kept, network_rows, waiting


class GuessPanel(widgets.VBox):
    """The possible answers, a button that commits to one, and on stage the hands for each."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.choice = widgets.RadioButtons(layout={"width": "auto"})
        self.commit = widgets.Button(
            description="Commit to this guess", layout={"width": "auto", "align_self": "flex-start"}
        )
        self.commit.on_click(lambda _: lab.commit_guess(self.choice.value))
        self.poll = widgets.VBox()
        self.poll.add_class("lab-poll")
        super().__init__([widgets.HBox([self.choice, self.poll]), self.commit])

    def _row(self, choice: str) -> widgets.HBox:
        """Return a hand less, a hand more, and room for the count with its bar."""
        less, more = (widgets.Button(description=sign, tooltip=f"{sign} a hand for {choice}")
                      for sign in "\u2212+")  # fmt: skip
        less.on_click(lambda _: self.lab.put(hands=self.lab.hands - Counter([choice])))
        more.on_click(lambda _: self.lab.put(hands=self.lab.hands + Counter([choice])))
        return widgets.HBox([less, more, widgets.HTML()])

    def draw(self) -> None:
        """Show the answers to the question that is set up, and lock them once one is chosen."""
        choices, guess = self.lab.choices, self.lab.guess
        if tuple(self.choice.options) != choices:
            self.choice.options = choices
            self.choice.value = None
            self.poll.children = [self._row(choice) for choice in choices]
        if guess is not None or self.choice.disabled:  # another race, another guess
            self.choice.value = guess
        self.choice.disabled = self.commit.disabled = guess is not None
        for row, choice in zip(self.poll.children, choices, strict=True):
            count = self.lab.hands[choice]
            share = count / max(1, self.lab.hands.total())
            row.children[-1].value = f'<b>{count}</b><i style="width:{share:.0%}"></i>'


class StartPanel(widgets.VBox):
    """Race, Stop, what is going on, and what is wrong.

    Parameters
    ----------
    begun : called with nothing when a click has started a race.
    """

    def __init__(self, lab: Lab, begun: Callable[[], None]) -> None:
        self.lab = lab
        self.race, self.live, self.stop = (
            widgets.Button(description=words, layout={"width": "auto"})
            for words in ("Race", "Race live", "Stop")
        )
        self.race.button_style, self.live.tooltip = "primary", "Train every arm now, stored or not"
        self.status, self.message = widgets.HTML(), widgets.HTML()
        self.status.add_class("lab-status")
        self.race.on_click(lambda _: lab.race() and begun())
        self.live.on_click(lambda _: lab.race(live=True) and begun())
        self.stop.on_click(lambda _: lab.stop())
        row = widgets.HBox([self.race, self.live, self.stop, self.status])
        row.layout = widgets.Layout(align_items="center", grid_gap="0 12px")
        super().__init__([row, self.message])

    def draw(self) -> None:
        """Show the state."""
        self.race.disabled = self.live.disabled = bool(self.lab.why_not)
        self.stop.disabled = self.lab.phase != "running"
        self.status.value = safe(self._status())
        self.message.value = drawings.remark(self.lab.message or self.lab.barred, "error")

    def _status(self) -> str:
        """Return what is going on, and how long it will take."""
        lab, states = self.lab, [lane.status for lane in self.lab.lanes]
        failed = states.count("failed")
        if lab.phase == "running":
            left = lab.time_left
            about = "estimating the time" if left is None else f"about {max(1, round(left))} s left"
            later = "" if lab.setup == lab.current.setup else "; the knobs now set up the next race"
            return f"{states.count('done') + failed} of {len(states)} arms done, {about}{later}"
        if lab.showing == "setup":
            return "" if lab.barred else lab.why_not or ("" if lab.message else "Ready.")
        if lab.phase == "stopped":
            return "Stopped. Arms that were done keep their result."
        return f"Done; {failed} of {len(states)} arms failed." if failed else "Done."


class Pictures:
    """The parts of the page that only show, each an HTML box.

    What is shown is the race, or, while another one is being set up, what Race would run.
    """

    NAMES = ("question", "table", "outcome", "explanation", "curves", "network", "errors")

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.boxes = {name: widgets.HTML() for name in self.NAMES}

    def draw(self, change: str) -> None:
        """Show the state; while training only what can have changed."""
        lab = self.lab
        race = lab.current if lab.showing == "race" else None
        setup = race.setup if race else lab.setup
        rows = [lane.row for lane in (race.lanes if race else waiting(setup))]
        if not race:
            rows = [row | {"words": "ready"} for row in rows]
        guessing = race.baseline if race else measured.baseline(setup)
        rows += [guessing] if guessing else []
        self._draw_rows(rows, setup.epochs, race.caveat if race else setup.caveat)
        if change == "progress":
            return
        used = max((result.n_train for result in race.results.values()), default=0) if race else 0
        facts = drawings.facts(vars(setup), used)
        if setup.shared_strategy:
            facts = f"{setup.shared_strategy} in every arm; {facts}"
        question = race.question if race else lab.question
        self.boxes["question"].value = f"<h2>{safe(question)}</h2>{remark(facts)}"
        outcome = self._outcome()
        self.boxes["outcome"].value = f"<h2>{safe(outcome)}</h2>" if outcome else ""
        self.boxes["explanation"].value = self._explanation()
        try:
            setup.check()
            self.boxes["network"].value = drawings.network(network_rows(setup, race and race.shape))
        except CourseError:
            self.boxes["network"].value = ""  # the message says what is wrong
        self.boxes["errors"].value = self._errors()

    def _draw_rows(self, rows: list[dict], epochs: int, caveat: str) -> None:
        sources = {row["source"] for row in rows}
        arms = [row for row in rows if row["strategy"] != "baseline"]
        legend = "; ".join(f"{k}: {words}" for k, words in SOURCE_WORDS.items() if k in sources)
        below = remark(legend, "quiet lab-legend") + remark(caveat, "caveat")
        self.boxes["table"].value = drawings.table(rows) + below
        bare = [r["arm"] for r in arms if r["source"] == "stored" and not r["history"]]
        all_bare = len(bare) == len(arms)
        which = "these arms" if all_bare else "; ".join(bare)
        note = f"No curves for {which}: a stored result is its scores alone." if bare else ""
        drawn = "" if all_bare else drawings.curves(arms, epochs)
        self.boxes["curves"].value = remark(note) + drawn

    def _outcome(self) -> str:
        """Return the guess beside what was measured; "" while there is nothing to say."""
        lab, race = self.lab, self.lab.current
        guess = lab.guess if lab.showing == "setup" else race.guess
        if guess is None:
            return ""
        if lab.showing == "setup" or lab.phase != "done" or race.leader is None:
            return f"Your guess: {guess}."
        if lab.hands and race.setup == lab.setup:
            return polled(lab.hands, race.leader)
        said = "as you said" if guess == race.leader else f"you said: {guess}"
        return f"Measured: {race.leader}; {said}."

    def _explanation(self) -> str:
        lab = self.lab
        if lab.showing == "setup" or lab.phase not in ("done", "stopped"):
            return ""
        sentences = lab.current.explanation
        if lab.phase == "stopped":
            sentences = (
                "A race that was stopped has no winner: its arms did not all run to the end.",
            )
        said = "".join(f"<p>{safe(sentence)}</p>" for sentence in sentences)
        look_at = lab.current.look_at
        look = remark(look_at and f"Look: {look_at}", "quiet lab-look")
        return f"<h3>Explain this result</h3>{said}{look}"

    def _errors(self) -> str:
        """Return the errors of the arm with the best AUC, clear or not, or why there are none."""
        lab = self.lab
        if lab.showing == "setup" or lab.phase == "running":
            return "<p>When the race is done, the errors of the winner are shown here.</p>"
        results = lab.current.results
        if not results:
            return "<p>No arm has a result.</p>"
        label = ranked(results)[0]
        wrong = results[label].mistakes
        if wrong is None:
            return (
                f"<p>{safe(label)} was answered from the stored evidence, which holds no images. "
                "Press <b>Race live</b> to train it here and see its errors.</p>"
            )
        if not wrong.n_wrong:
            return f"<p>{safe(label)} made no error on the {wrong.n:,} test images.</p>"
        clear = "" if lab.current.leader not in (None, NONE) else " (best AUC, though not clearly)"
        return (
            f"<p>{safe(label)}{clear}: {wrong.n_wrong:,} of {wrong.n:,} test images wrong. Here "
            "are the surest, and in orange what spoke for the wrong answer (Grad-CAM).</p>"
        ) + drawings.mistakes(results[label])


def polled(hands: Counter[str], leader: str) -> str:
    """Return what most of a class said, beside what the race says."""
    most = max(hands.values())
    said = ", as many as ".join(choice for choice, count in hands.items() if count == most)
    return f"The class: {most} of {hands.total()} said {said}; the race says {leader}."


class KeptPanel(widgets.VBox):
    """A name and Keep; a list of kept races, their comparison, Export and Remove."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.name = field("name", "of this race")
        self.folder = field("folder", "empty: the course's cache")
        self.choice = widgets.SelectMultiple(description="kept races", layout={
            "width": "24em", "height": "8em"})  # fmt: skip
        self.keep, self.export, self.remove = (
            widgets.Button(description=words, layout={"width": "auto"})
            for words in ("Keep this race", "Export CSV and page", "Remove")
        )
        self.text, self.comparison, self.damaged = (widgets.HTML() for _ in range(3))
        self.keep.on_click(lambda _: self._do(self._keep))
        self.export.on_click(lambda _: self._do(self._export))
        self.remove.on_click(lambda _: self._do(self._remove))
        self.choice.observe(lambda _: self._do(self._compare), names="value")
        hint = widgets.HTML(
            '<span class="lab-quiet">Kept races: choose one, or several with Shift or Ctrl, to '
            "lay them side by side.</span>"
        )
        left = widgets.VBox([
            widgets.HBox([self.name, self.keep]), hint, self.choice,
            self.damaged, widgets.HBox([self.folder, self.export, self.remove]), self.text,
        ])  # fmt: skip
        super().__init__([left, self.comparison])
        self._do(self.refresh)

    def refresh(self) -> None:
        """List what is kept now, and name the files that cannot be read."""
        chosen, (races, damaged) = self.choice.value, store.kept()
        names = ", ".join(path.name for path in damaged)
        self.damaged.value = remark(
            f"Not listed, because they cannot be read: {names} in {damaged[0].parent}. Delete "
            "them, or put a copy in their place." if damaged else ""
        )  # fmt: skip
        self.choice.options = [race.name for race in races]
        self.choice.value = tuple(name for name in chosen if name in self.choice.options)

    def _do(self, action: Callable[[], None]) -> None:
        """Do what was clicked; what goes wrong becomes a sentence in the page."""
        self.text.value = ""
        try:
            action()
        except Exception as error:  # nobody sees the traceback of a click
            self.lab.put(message=sentence_of(error))

    def _chosen(self) -> list[Kept]:
        """Return the races that are chosen; raises CourseError when one is no longer there."""
        races = {race.name: race for race in store.kept()[0]}
        if gone := [name for name in self.choice.value if name not in races]:
            self.refresh()
            said = ", ".join(map(repr, gone))
            raise CourseError(
                f"Another window has removed {said}. Choose from those that are left."
            )
        return [races[name] for name in races if name in self.choice.value]

    def _keep(self) -> None:
        if self.lab.keep(self.name.value):
            self.text.value = f"Kept as {safe(' '.join(self.name.value.split()))}."
            self.name.value = ""

    def _compare(self) -> None:
        races = self._chosen()
        table = store.comparison(races) if len(races) > 1 else ""
        self.comparison.value = table + "".join(map(drawings.kept_race, races))

    def _export(self) -> None:
        paths = store.save(self._chosen(), self.folder.value)
        self.lab.put(message="")
        links = []
        for path, kind in zip(paths, ("text/csv", "text/html"), strict=True):
            data = base64.b64encode(path.read_bytes()).decode()
            links.append(
                f'<a download="{path.name}" href="data:{kind};base64,{data}">{path.name}</a>'
            )
        self.text.value = (
            f"Written: {safe(paths[0])} and {safe(paths[1].name)}. Or download: {', '.join(links)}"
        )

    def _remove(self) -> None:
        for name in self.choice.value:
            store.forget(name)
        self.refresh()
        self._compare()
