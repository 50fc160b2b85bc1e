"""The lab as a state: what is set up, what is guessed, what runs, what came of it. No widgets.

>>> from helpers.lab.engine import Lab
>>> lab = Lab()
>>> lab.load_prepared("400 images: freeze or not")
>>> lab.race()
>>> lab.wait()
>>> [(lane.label, lane.result.auc) for lane in lab.lanes]

Every method may be called from any thread and returns at once. What cannot be done becomes a
sentence in `message`, never an exception.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Literal

from helpers.datasets import Dataset
from helpers.errors import CourseError, unknown_name
from helpers.lab import measured, races, store
from helpers.lab.explain import NONE, explain, leader
from helpers.lab.race import OPEN, Lane, Race, answered, n_steps, result_of, stopped, time_left
from helpers.lab.setup import Setup
from helpers.training import experiments

log = logging.getLogger(__name__)

Phase = Literal["idle", "running", "stopped", "done", "failed"]

Change = Literal["setup", "race", "progress", "kept"]

LOOK_AFTER, MOST_LEFT = 20, 40  # seconds: when a class's race is looked at, and may go on for


class Abandoned(BaseException):
    """Nobody waits for this race any more. Not an error of an arm, so no ``except`` takes it."""


class Lab:
    """The bench: one setup being prepared, one race running or shown.

    Attributes
    ----------
    setup : what Race would run now. prepared : the prepared race it is, or None.
    predict_first : whether a guess is wanted before Race. guess : the one committed to, or None.
    hands : how many of a class said each of `choices`, as the presenter has counted them.
    on_stage : whether a class waits: then a stored race takes the place of one that is too slow.
    phase : of the race that is shown. current : that race, or None before the first.
    showing : ``"race"``: `current` is on the page; ``"setup"``: what Race would run.
    message : a sentence for the user; "" when there is nothing to say.
    barred : why the knobs that are shown cannot be raced; "" where `setup` is what they show.
    """

    def __init__(self, setup: Setup | None = None) -> None:
        # Races train one after the other, each in a thread that ends with it: a thread that stayed
        # would keep its OpenMP team and its own share of the heap.
        self._lock, self._training = threading.RLock(), threading.Lock()
        self._thread: threading.Thread | None = None
        self._listeners: list[Callable[[Change], None]] = []
        self._began = 0.0
        self.prepared: races.Prepared | None = None if setup else races.PREPARED[0]
        self.setup = setup or races.PREPARED[0].setup
        self.predict_first = self.on_stage = False
        self.guess: str | None = None
        self.hands: Counter[str] = Counter()
        self.phase: Phase = "idle"
        self.current: Race | None = None
        self.showing: Literal["setup", "race"] = "setup"
        self.message = self.barred = ""

    def listen(self, listener: Callable[[Change], None]) -> None:
        """Have `listener` called after every change, from the thread that made it."""
        self._listeners.append(listener)

    def _tell(self, change: Change) -> None:
        for listener in self._listeners:
            try:
                listener(change)
            except Exception as error:  # a page that cannot be drawn must not end a race
                log.warning("the page could not be redrawn", exc_info=error)

    @contextlib.contextmanager
    def _changing(self, change: Change, told: str = "message") -> Iterator[None]:
        """Change the state, alone, and tell of it; a CourseError becomes what is `told`."""
        with self._lock:
            self.message = ""
            try:
                yield
            except CourseError as error:
                setattr(self, told, str(error))
        self._tell(change)

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """The arms of the race that is shown."""
        return self.current.lanes if self.current else ()

    @property
    def question(self) -> str:
        """What is asked before the race."""
        return self.prepared.question if self.prepared else races.QUESTION

    @property
    def choices(self) -> tuple[str, ...]:
        """The possible answers: the arms, or none of them clearly."""
        return (*self.setup.labels, NONE)

    @property
    def why_not(self) -> str:
        """Why Race cannot be pressed, in a sentence; "" when it can."""
        if self.phase == "running":
            return "A race is running; wait for it or stop it."
        if self.predict_first and self.guess is None:
            return "Commit to a guess first: then the result will teach you more."
        return self.barred

    @property
    def time_left(self) -> float | None:
        """Seconds that the running race will take from now; None where nothing is known yet."""
        with self._lock:
            seconds = time.perf_counter() - self._began
            return time_left(self.current, seconds) if self.phase == "running" else None

    def change(self, setup: Setup) -> None:
        """Set up another race; a running one is not touched. The guess was about the old one."""
        if setup != self.setup or self.barred:
            with self._changing("setup", told="barred"):
                if setup != self.setup:
                    self._set_up(setup, None)
                self.barred = ""
                setup.check()

    def put(self, **state: str | bool | Counter) -> None:
        """Set `message`, `barred`, `predict_first` or `hands`, and tell of it."""
        with self._changing("setup"):
            vars(self).update(state)

    def load_prepared(self, name: str) -> None:
        """Set up the prepared race called `name`."""
        with self._changing("setup"):
            known = {race.name: race for race in races.PREPARED}
            if name not in known:
                raise unknown_name("prepared race", name, known)
            self._set_up(known[name].setup, known[name])

    def _set_up(self, setup: Setup, prepared: races.Prepared | None) -> None:
        self.setup, self.prepared, self.guess, self.barred = setup, prepared, None, ""
        self.hands = Counter()
        if self.phase != "running":
            self.showing = "setup"

    def commit_guess(self, choice: str | None) -> None:
        """Commit to one of `choices`. It stands until the setup changes."""
        with self._changing("setup"):
            if self.guess is not None:
                raise CourseError(
                    f"The guess is made: {self.guess}. It stands until the setup changes."
                )
            if choice not in self.choices:
                raise CourseError("Choose one of the answers, then commit to it.")
            self.guess = choice

    def keep(self, name: str) -> bool:
        """Keep the race that is shown under a name; return whether that worked."""
        with self._changing("kept"):
            if self.current is None or self.phase == "running" or not self.current.results:
                raise CourseError("There is no finished race to keep yet. Press Race first.")
            store.keep(name, self.current)
        return not self.message

    def race(self, live: bool = False) -> bool:
        """Start the race that is set up; return whether it was started.

        With `live` every arm is trained now, whatever is stored or ran before.
        """
        started = False
        with self._changing("race"):
            if self.why_not:
                raise CourseError(self.why_not)
            self.setup.check()
            self._start(live)
            started = True
        return started

    def _start(self, live: bool) -> None:
        """Answer from the stored results what they hold, and have the other arms trained."""
        setup, prepared = self.setup, self.prepared
        known = [None] * len(setup.arms) if live else measured.available(setup)
        number = self.current.number + 1 if self.current else 1
        said = (prepared.look_at if prepared else "", setup.caveat)
        self.current = Race(
            number, setup, answered(setup, known), self.question, self.guess, *said,
            measured.baseline(setup),
        )  # fmt: skip
        self.showing = "race"
        if all(known):
            self.current, self.phase = concluded(self.current), "done"
            return
        self.phase, self._began = "running", time.perf_counter()
        self._thread = threading.Thread(
            target=self._train, args=(self.current, live), name="strategy lab", daemon=True
        )
        self._thread.start()
        if self.on_stage and not live:
            timer = threading.Timer(LOOK_AFTER, self._take_stored, [number])
            timer.daemon = True  # nobody waits for it when the program ends
            timer.start()

    def _take_stored(self, number: int) -> None:
        """Where race `number` would keep a class waiting, show the stored one, and say so."""
        with self._lock:
            race, left = self.current, self.time_left or MOST_LEFT + 1
            if self.phase != "running" or race.number != number or left <= MOST_LEFT:
                return
            known = [measured.whole(race.setup, arm, "spare") for arm in race.setup.arms]
            if all(known):
                about, day = (LOOK_AFTER + left) / 60, measured.whole_runs()["when"]
                self.message = (
                    f"This machine would take about {about:.0f} min or more. Shown is the stored "
                    f"race, measured on {day}; press Race live to run it here."
                )
                race = replace(race, lanes=answered(race.setup, known))
                self.current, self.phase = concluded(race), "done"
        self._tell("race")

    def _train(self, race: Race, live: bool) -> None:
        """Train the arms of `race` that wait, one after the other; errors become sentences.

        Every report, at least one a training step, raises `Abandoned` once the race was stopped.
        """
        places = [place for place, lane in enumerate(race.lanes) if lane.status == "waiting"]
        with self._training, contextlib.suppress(Abandoned):
            self._report(race, places[0], status="loading")
            try:
                data, few = race.setup.data()
                race.setup.check_data(data)
                card, caveat = data.card, f"{data.card.caveat} {few}".strip()
                guessing = measured.baseline_row(data.counts()["test"])
                facts = caveat, guessing, (card.channels, len(card.classes))
                self._report(race, places[0], facts)
            except Exception as error:
                for place in places:
                    self._report(race, place, status="failed", note=sentence_of(error))
                places = []
            for place in places:
                self._report(race, place, status="loading")
                try:
                    self._train_arm(race, place, data, live)
                except Exception as error:  # one arm's trouble is not the others'
                    self._report(race, place, status="failed", note=sentence_of(error))
            self._finish(race.number)

    def _train_arm(self, race: Race, place: int, data: Dataset, live: bool) -> None:
        """Train one arm and report on it, or show it at once where it ran here before."""
        arm, steps = race.setup.arms[place], n_steps(race.setup)
        key = store.key(race.setup, arm, data)
        known = None if live else store.read_arm(key)
        if known is None:
            history: list[dict] = []
            done = itertools.count(1)

            def on_step() -> bool:
                self._report(race, place, share=min(0.95, next(done) / steps))
                return False

            def on_epoch(row: dict) -> None:
                history.append(dict(row))
                last = {"status": "scoring"} if len(history) == race.setup.epochs else {}
                self._report(race, place, history=tuple(history), **last)

            self._report(race, place, status="running")
            outcome = experiments.measure(
                race.setup.experiment(arm), data=data, augment=arm.policy,
                on_epoch=on_epoch, should_stop=on_step,
            )  # fmt: skip
            self._report(race, place)
            known = result_of(outcome), outcome.run.history
            store.write_arm(key, *known)
        result, history = known
        self._report(race, place, status="done", share=1.0, result=result, history=tuple(history))

    def _report(self, race: Race, place: int, facts: tuple = (), **changes) -> None:
        """Write down what changed of an arm or its race; raises `Abandoned` once that is over."""
        with self._lock:
            if self.phase != "running" or self.current.number != race.number:
                raise Abandoned
            lanes = list(self.current.lanes)
            lanes[place] = replace(lanes[place], **changes)
            known = dict(zip(("caveat", "baseline", "shape"), facts, strict=False))
            self.current = replace(self.current, lanes=tuple(lanes), **known)
        self._tell("race" if "status" in changes else "progress")

    def _finish(self, number: int) -> None:
        race = concluded(self.current)  # takes a moment: not while the lock is held
        with self._lock:
            if self.phase != "running" or self.current.number != number:
                return
            failed = all(lane.status == "failed" for lane in race.lanes)
            self.current, self.phase = race, "failed" if failed else "done"
            self.message = race.lanes[0].note if failed else ""
            if failed and len({lane.note for lane in race.lanes}) == 1:  # said once, in the message
                lanes = tuple(replace(lane, note="see above") for lane in race.lanes)
                self.current = replace(race, lanes=lanes, explanation=())
        self._tell("race")

    def stop(self) -> None:
        """Stop at once. Arms that are done stay; what is still being trained is thrown away."""
        with self._lock:
            if self.phase != "running" or not any(lane.status in OPEN for lane in self.lanes):
                return
            self.phase = "stopped"
            lanes = tuple(stopped(lane) if lane.status in OPEN else lane for lane in self.lanes)
            self.current = replace(self.current, lanes=lanes)
        self._tell("race")

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until nothing is being trained any more; return whether it is so."""
        if self._thread is not None:
            self._thread.join(timeout)
        return self._thread is None or not self._thread.is_alive()


def concluded(race: Race) -> Race:
    """Return a finished race with its leader and the explanation."""
    try:
        return replace(race, leader=leader(race.results), explanation=explain(race))
    except Exception as error:  # the scores stand, whatever is to be said of them
        log.warning("a result could not be explained", exc_info=error)
        return replace(race, explanation=(sentence_of(error),))


def sentence_of(error: Exception) -> str:
    """Return what went wrong for people, also where nobody thought of it."""
    if isinstance(error, CourseError):
        return str(error)
    log.debug("an arm of a race failed", exc_info=error)
    text = str(error).strip().splitlines()
    return (
        f"Something unexpected went wrong ({type(error).__name__}"
        f"{': ' + text[0][:200] if text else ''}). Try again; if it comes back, report it with "
        "the settings above."
    )
