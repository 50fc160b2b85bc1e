"""The thread that trains: one arm after the other, so that the page goes on answering."""

from __future__ import annotations

import collections
import contextlib
import logging
import os
import threading
from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np

from helpers.datasets import Dataset
from helpers.errors import CourseError
from helpers.inspection.gradcam import gradcam
from helpers.lab import memo
from helpers.lab.race import Mistakes, Result
from helpers.lab.setup import Arm, Setup
from helpers.plots.images import confident_errors
from helpers.training import experiments
from helpers.training.experiments import Outcome

SHOWN_MISTAKES = 12


log = logging.getLogger(__name__)


class Abandoned(Exception):
    """Nobody waits for this race any more."""


class Report(Protocol):
    """Where a worker says how far an arm is; `check` raises `Abandoned` once it is not wanted."""

    def check(self) -> None: ...
    def status(self, place: int, status: str) -> None: ...
    def epoch(self, place: int, row: dict) -> None: ...
    def step(self, place: int) -> None: ...
    def done(self, place: int, result: Result, history: list[dict]) -> None: ...
    def failed(self, place: int, sentence: str) -> None: ...


class Worker:
    """Does one job after the other in a thread, which ends when there is nothing left to do.

    A thread that stayed would keep what it once needed: its OpenMP team, and its own share of the
    heap, from which `helpers.training.devices` gives nothing back.
    """

    def __init__(self) -> None:
        self._lock, self._jobs = threading.Lock(), collections.deque()
        self._working = False

    def submit(self, job: Callable[[], None]) -> None:
        """Do `job` once everything submitted before it has ended."""
        with self._lock:
            self._jobs.append(job)
            if not self._working:
                self._working = True
                threading.Thread(target=self._serve, name="strategy lab", daemon=True).start()

    def _serve(self) -> None:
        while True:
            with self._lock:
                if not self._jobs:
                    self._working = False
                    return
                job = self._jobs.popleft()
            try:
                job()
            except Exception as error:  # the next job must find the thread alive
                log.warning("a job of the lab failed", exc_info=error)


def race(setup: Setup, places: list[int], report: Report, fresh: bool = False) -> None:
    """Train the arms at `places`, one after the other, and report; errors become sentences.

    Parameters
    ----------
    fresh : train even where this machine has kept the very same run.
    """
    with _no_progress_bars(), contextlib.suppress(Abandoned):
        report.check()
        report.status(places[0], "loading")
        try:
            data = setup.experiment(setup.arms[places[0]]).data()
            setup.check_data(data)
        except Exception as error:
            for place in places:
                report.failed(place, _sentence(error))
            return
        for place in places:
            report.check()
            report.status(place, "loading")
            try:
                result, history = measure(setup, setup.arms[place], data, place, report, fresh)
                report.done(place, result, history)
            except Abandoned:
                raise
            except Exception as error:  # one arm's trouble is not the others'
                report.failed(place, _sentence(error))


def measure(
    setup: Setup, arm: Arm, data: Dataset, place: int, report: Report, fresh: bool
) -> tuple[Result, list[dict]]:
    """Return the result and the history of one arm, trained now or kept from before."""
    key = memo.key(setup, arm, data)
    known = None if fresh else memo.read(key)
    if known is not None:
        return known

    def should_stop() -> bool:
        report.step(place)
        report.check()
        return False

    report.status(place, "running")
    outcome = experiments.measure(
        setup.experiment(arm), data=data, augment=arm.policy,
        on_epoch=lambda row: report.epoch(place, row), should_stop=should_stop,
    )  # fmt: skip
    report.check()
    result = _result(outcome)
    memo.write(key, result, outcome.run.history)
    return result, outcome.run.history


def _result(outcome: Outcome) -> Result:
    score, run, data = outcome.score, outcome.run, outcome.data
    return Result(
        score.auc, score.auc_lo, score.auc_hi, score.accuracy, run.trainable, run.seconds, "live",
        score, data.test.groups, mistakes(outcome), run.best_epoch, tuple(data.card.classes),
        len(data.train), experiments.versions(),
    )  # fmt: skip


def mistakes(outcome: Outcome, most: int = SHOWN_MISTAKES) -> Mistakes:
    """Return the surest wrong answers of a finished run, and what spoke for them.

    It is done at once, so that nobody has to hold on to the network.
    """
    labels, probabilities = outcome.score.labels, outcome.score.probabilities
    index = confident_errors(labels, probabilities, most)
    images = np.asarray(outcome.data.test.images[index])
    said = probabilities[index].argmax(axis=1)
    heat = gradcam(outcome.run.model, images, said) if len(index) else np.zeros(images.shape[:3])
    n_wrong = int((probabilities.argmax(axis=1) != labels).sum())
    return Mistakes(index, images, heat.astype(np.float32), n_wrong, len(labels))


def _sentence(error: Exception) -> str:
    if isinstance(error, CourseError):
        return str(error)
    log.debug("an arm of a race failed", exc_info=error)
    text = str(error).strip().splitlines()
    return (
        f"Something unexpected went wrong ({type(error).__name__}"
        f"{': ' + text[0][:200] if text else ''}). Try again; if it comes back, report it with "
        "the settings above."
    )


@contextlib.contextmanager
def _no_progress_bars() -> Iterator[None]:
    """Silence tqdm: its bars would be written to the page from this thread."""
    before = os.environ.get("TQDM_DISABLE")
    os.environ["TQDM_DISABLE"] = "1"
    try:
        yield
    finally:
        if before is None:
            os.environ.pop("TQDM_DISABLE", None)
        else:
            os.environ["TQDM_DISABLE"] = before
