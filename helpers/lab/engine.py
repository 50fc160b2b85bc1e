"""The lab as a state: what is set up, what is guessed, what runs, what came of it. No widgets.

>>> from helpers.lab import Lab
>>> lab = Lab()
>>> lab.load_prepared("400 images: freeze or not")
>>> lab.race()
>>> lab.wait()
>>> [(lane.label, lane.result.auc) for lane in lab.lanes]

Every method may be called from any thread and returns at once. What cannot be done becomes a
sentence in `message`, never an exception.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Literal

from helpers.errors import CourseError
from helpers.lab import races, worker
from helpers.lab.explain import NONE, explain, leader
from helpers.lab.race import OPEN, Clock, Lane, Race, Result, available
from helpers.lab.setup import Setup
from helpers.lab.store import Kept, Shelf

log = logging.getLogger(__name__)


Phase = Literal["idle", "running", "stopped", "done", "failed"]


class Lab:
    """The bench: one setup being prepared, one race running or shown, and a shelf of kept runs.

    Attributes
    ----------
    setup : what Race would run now. prepared : the prepared race it is, or None.
    predict_first : whether a guess is wanted before Race. guess : the one committed to, or None.
    use_stored : answer from the course's evidence where it has the very same arm.
    fresh : train again even where this machine kept the same run.
    phase : of the race that is shown. current : that race, or None before the first.
    showing : ``"race"``: `current` is on the page; ``"setup"``: what Race would run.
    message : a sentence for the user; "" when there is nothing to say.
    """

    def __init__(self, setup: Setup | None = None, shelf: Shelf | None = None) -> None:
        self._lock = threading.RLock()
        self._worker, self._listeners = worker.Worker(), []
        self._idle = threading.Event()
        self._idle.set()
        self.clock = Clock()
        self.shelf = shelf or Shelf()
        self.prepared: races.Prepared | None = None if setup else races.PREPARED[0]
        self.setup = setup or races.PREPARED[0].setup
        self.predict_first, self.use_stored, self.fresh = False, True, False
        self.guess: str | None = None
        self.phase: Phase = "idle"
        self.current: Race | None = None
        self.showing: Literal["setup", "race"] = "setup"
        self.message = ""

    def listen(self, listener: Callable[[Change], None]) -> None:
        """Have `listener` called after every change, from the thread that made it."""
        self._listeners.append(listener)

    def _tell(self, change: Change) -> None:
        for listener in self._listeners:
            try:
                listener(change)
            except Exception as error:  # a page that cannot be drawn must not end a race
                log.warning("the page could not be redrawn", exc_info=error)

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
        return ""

    def change(self, setup: Setup) -> None:
        """Set up another race; a running one is not touched. The guess was about the old one."""
        with self._lock:
            if setup == self.setup:
                return
            self._set_up(setup, None)
            try:
                setup.check()
            except CourseError as error:
                self.message = str(error)
        self._tell("setup")

    def load_prepared(self, name: str) -> None:
        """Set up the prepared race called `name`."""
        try:
            prepared = races.by_name(name)
        except CourseError as error:
            return self.say(str(error))
        with self._lock:
            self._set_up(prepared.setup, prepared)
        self._tell("setup")

    def _set_up(self, setup: Setup, prepared: races.Prepared | None) -> None:
        self.setup, self.prepared, self.guess, self.message = setup, prepared, None, ""
        if self.phase != "running":
            self.showing = "setup"

    def set_predict_first(self, wanted: bool) -> None:
        """Ask for a guess before every race, or stop asking."""
        with self._lock:
            self.predict_first, self.message = bool(wanted), ""
        self._tell("setup")

    def commit_guess(self, choice: str | None) -> None:
        """Commit to one of `choices`. It stands until the setup changes."""
        with self._lock:
            if self.guess is not None:
                self.message = (
                    f"The guess is made: {self.guess}. It stands until the setup changes."
                )
            elif choice not in self.choices:
                self.message = "Choose one of the answers, then commit to it."
            else:
                self.guess, self.message = choice, ""
        self._tell("setup")

    def say(self, sentence: str) -> None:
        """Show a sentence; "" takes it away."""
        with self._lock:
            self.message = sentence
        self._tell("setup")

    def race(self) -> bool:
        """Start the race that is set up; return whether it was started."""
        with self._lock:
            reason = self.why_not
            if not reason:
                try:
                    self.setup.check()
                except CourseError as error:
                    reason = str(error)
            if not reason:
                self._begin()
            else:
                self.message = reason
        self._tell("race" if not reason else "setup")
        return not reason

    def _begin(self) -> None:
        setup, prepared = self.setup, self.prepared
        known = available(setup) if self.use_stored else [None] * len(setup.arms)
        lanes = tuple(
            Lane(arm, label, setup.epochs) if result is None
            else Lane(arm, label, setup.epochs, "done", share=1.0, result=result)
            for arm, label, result in zip(setup.arms, setup.labels, known, strict=True)
        )  # fmt: skip
        number = self.current.number + 1 if self.current else 1
        self.current = Race(
            number, setup, lanes, self.question, self.guess,
            prepared.name if prepared else "", prepared.look_at if prepared else "",
        )  # fmt: skip
        self.message, self.showing = "", "race"
        places = [k for k, lane in enumerate(lanes) if lane.status == "waiting"]
        if not places:
            self.current, self.phase = judged(self.current), "done"
            return
        self.phase = "running"
        self.clock.start(setup, places)
        self._idle.clear()
        reports = Reports(self, number)
        self._worker.submit(lambda: self._work(setup, places, reports, self.fresh))

    def _work(self, setup: Setup, places: list[int], reports: Reports, fresh: bool) -> None:
        try:
            worker.race(setup, places, reports, fresh)
        finally:
            self._finish(reports.number)

    def _finish(self, number: int) -> None:
        race = self.current
        if race.number == number:
            race = judged(race)  # takes a moment: not while the lock is held
        with self._lock:
            ended = self.phase == "running" and self.current.number == number
            if ended:
                failed = all(lane.status == "failed" for lane in race.lanes)
                self.current, self.phase = race, "failed" if failed else "done"
                self.message = race.lanes[0].note if failed else ""
            last = self.current.number == number
        if ended:
            self._tell("race")
        if last:
            self._idle.set()

    def stop(self) -> None:
        """Stop at once. Arms that are done stay; what the worker still does is thrown away."""
        with self._lock:
            if self.phase != "running" or not any(lane.status in OPEN for lane in self.lanes):
                return
            self.phase = "stopped"
            lanes = tuple(_stopped(lane) if lane.status in OPEN else lane for lane in self.lanes)
            self.current = replace(self.current, lanes=lanes)
        self._tell("race")

    @property
    def time_left(self) -> float | None:
        """Seconds that the running race will take from now; None where nothing is known yet."""
        with self._lock:
            return self.clock.left(self.lanes) if self.phase == "running" else None

    def keep(self, name: str) -> bool:
        """Keep the race that is shown under a name; return whether that worked."""
        try:
            if self.current is None or self.phase == "running" or not self.current.results:
                raise CourseError("There is no finished race to keep yet. Press Race first.")
            self.shelf.add(Kept.of(name, self.current))
        except CourseError as error:
            self.say(str(error))
            return False
        self.say("")
        self._tell("kept")
        return True

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the worker is idle; return whether it is."""
        return self._idle.wait(timeout)


def judged(race: Race) -> Race:
    """Return a finished race with its leader and the explanation."""
    try:
        return replace(race, leader=leader(race.results), explanation=explain(race))
    except Exception as error:  # the scores stand, whatever is to be said of them
        log.warning("a result could not be explained", exc_info=error)
        return replace(race, explanation=("This result could not be explained.",))


def _stopped(lane: Lane) -> Lane:
    where = f" in epoch {len(lane.history) + 1} of {lane.epochs}" if lane.history else ""
    note = f"Stopped{where}: not scored, because test images are scored only after a whole run."
    return replace(lane, status="stopped", note=note)


Change = Literal["setup", "race", "progress", "kept"]


class Reports:
    """What the worker says of one race; once that race is over, nothing is heard any more."""

    def __init__(self, lab: Lab, number: int) -> None:
        self.lab, self.number = lab, number

    @property
    def wanted(self) -> bool:
        """Whether this race is still the one that runs."""
        lab = self.lab
        return lab.phase == "running" and lab.current.number == self.number

    def check(self) -> None:
        """Raise `worker.Abandoned` when this race is over."""
        if not self.wanted:
            raise worker.Abandoned

    def _change(self, place: int, kind: Change = "progress", **changes) -> None:
        lab = self.lab
        with lab._lock:
            self.check()
            lanes = list(lab.current.lanes)
            lanes[place] = replace(lanes[place], **changes)
            lab.current = replace(lab.current, lanes=tuple(lanes))
        lab._tell(kind)

    def status(self, place: int, status: str) -> None:
        """An arm begins to load, to run or to be scored."""
        self._change(place, "race", status=status)

    def step(self, place: int) -> None:
        """A training step is done."""
        lab = self.lab
        with lab._lock:
            self.check()
            share = lab.clock.step(place)
        self._change(place, share=share)

    def epoch(self, place: int, row: dict) -> None:
        """An epoch is done and validated."""
        history = (*self.lab.current.lanes[place].history, dict(row))
        last = len(history) == self.lab.current.lanes[place].epochs
        self._change(place, history=history, **({"status": "scoring"} if last else {}))

    def done(self, place: int, result: Result, history: list[dict]) -> None:
        """An arm is scored, or was kept from before."""
        self._change(
            place, "race", status="done", share=1.0, result=result,
            history=tuple(dict(row) for row in history),
        )  # fmt: skip

    def failed(self, place: int, sentence: str) -> None:
        """An arm cannot be finished."""
        self._change(place, "race", status="failed", note=sentence)
