"""What is shown of a lab: plain rows, sentences, and which parts of the page are visible."""

from __future__ import annotations

from collections.abc import Sequence

from helpers.lab import race as lab_race
from helpers.lab.drawings import dashes
from helpers.lab.engine import Lab
from helpers.lab.explain import NONE, ranked
from helpers.lab.race import SOURCE_WORDS, Lane, Race, Result
from helpers.lab.setup import Setup

SCORES = ("auc", "auc_lo", "auc_hi", "accuracy", "trainable", "seconds")


LOOKS = ("curves", "network", "winner's errors", "kept runs")


STEPS = ("1 question", "2 network", "3 race", "4 explanation", "5 errors")


IN_STEP = {
    "1 question": {"question", "guess", "start"},
    "2 network": {"question", "network"},
    "3 race": {"start", "table", "curves"},
    "4 explanation": {"verdict", "table", "explanation"},
    "5 errors": {"errors"},
}


IN_LOOK = {"curves": "curves", "network": "network", "winner's errors": "errors",
           "kept runs": "kept"}  # fmt: skip


def visible(presenter: bool, step: str, look: str) -> set[str]:
    """Return the names of the parts of the page that are shown."""
    if presenter:
        return {"step", *IN_STEP[step]}
    return {"setup", "question", "guess", "start", "table", "verdict", "explanation", "look",
            IN_LOOK[look]}  # fmt: skip


def steps_html(step: str) -> str:
    """Return the steps of a presentation in a line, the present one in bold."""
    return " &nbsp; ".join(f"<b>{name}</b>" if name == step else name for name in STEPS)


def shown_setup(lab: Lab) -> Setup:
    """Return the setup of what is on the page: of the race that is shown, or of the next one."""
    return lab.current.setup if lab.showing == "race" else lab.setup


def rows(lab: Lab) -> list[dict]:
    """Return a row per arm as `helpers.lab.drawings.table` and `curves` take them."""
    lanes: Sequence[Lane] = lab.lanes
    if lab.showing == "setup":
        setup = lab.setup
        lanes = [
            Lane(arm, label, setup.epochs)
            for arm, label in zip(setup.arms, setup.labels, strict=True)
        ]
    patterns = dashes([lane.arm.strategy for lane in lanes])
    found = [_row(lane, dash) for lane, dash in zip(lanes, patterns, strict=True)]
    return found if lab.showing == "race" else [row | {"words": "ready"} for row in found]


def _row(lane: Lane, dash: str) -> dict:
    result = lane.result
    return {
        "arm": lane.label, "strategy": lane.arm.strategy, "dash": dash, "words": lane.words,
        "source": result.source if result else None, "share": lane.share, "note": lane.note,
        "history": lane.history,
        **{name: getattr(result, name) if result else None for name in SCORES},
    }  # fmt: skip


def network(lab: Lab) -> list[dict]:
    """Return the rows of the drawing of the network; raises CourseError for a setup that cannot be.

    See `helpers.lab.drawings.network`.
    """
    setup = shown_setup(lab)
    setup.check()
    patterns = dashes([arm.strategy for arm in setup.arms])
    return [row | {"dash": dash} for row, dash in zip(lab_race.rows(setup), patterns, strict=True)]


def question(lab: Lab) -> str:
    """Return what the race on the page asks."""
    return lab.current.question if lab.showing == "race" else lab.question


def facts(setup: Setup) -> str:
    """Return what all arms share, in a line."""
    n = f"{setup.n:,}" if setup.n else "all"
    arms = f"{setup.shared_strategy} in every arm; " if setup.shared_strategy else ""
    return (
        f"{arms}{setup.dataset}, {n} training images of {setup.image_size} x {setup.image_size} "
        f"pixels, {setup.backbone}, {setup.epochs} epochs, seed {setup.seed}. {setup.caveat}"
    ).strip()


def legend(lab: Lab) -> str:
    """Return what the marks in the table mean, for those that are there."""
    found = {row["source"] for row in rows(lab)}
    return "; ".join(f"{name}: {words}" for name, words in SOURCE_WORDS.items() if name in found)


def curves_note(lab: Lab) -> str:
    """Say why there are no curves, or fewer than arms; "" where there is nothing to say."""
    bare = [row["arm"] for row in rows(lab) if row["source"] == "stored"]
    if not bare:
        return ""
    which = "these arms" if len(bare) == len(rows(lab)) else ", ".join(bare)
    return f"No curves for {which}: a stored result is its scores alone."


def status(lab: Lab) -> str:
    """Return the line beside the buttons: what is going on, and how long it will take."""
    if lab.phase == "running":
        done = sum(lane.status in ("done", "failed") for lane in lab.lanes)
        left = lab.time_left
        about = "estimating the time" if left is None else f"about {max(1, round(left))} s left"
        later = "" if lab.setup == lab.current.setup else "; the knobs now set up the next race"
        return f"{done} of {len(lab.lanes)} arms done, {about}{later}"
    if lab.showing == "setup":
        return lab.why_not or ("" if lab.message else "Ready.")
    if lab.phase == "stopped":
        return "Stopped. Arms that were done keep their result."
    failed = sum(lane.status == "failed" for lane in lab.lanes)
    return f"Done; {failed} of {len(lab.lanes)} arms failed." if failed else "Done."


def verdict(lab: Lab) -> str:
    """Return the guess beside what was measured; "" while there is nothing to say."""
    race = lab.current
    if lab.showing == "setup":
        return f"Your guess: {lab.guess}." if lab.guess else ""
    if lab.phase != "done" or race.leader is None:
        return f"Your guess: {race.guess}." if race.guess else ""
    if race.guess is None:
        return ""
    right = "as you said" if race.guess == race.leader else f"you said: {race.guess}"
    return f"Measured: {race.leader}; {right}."


def explanation(lab: Lab) -> tuple[str, ...]:
    """Return the sentences below the table."""
    if lab.showing == "setup" or lab.phase not in ("done", "stopped"):
        return ()
    if lab.phase == "stopped":
        return ("A race that was stopped has no winner: its arms did not all run to the end.",)
    return lab.current.explanation


def winner(race: Race) -> tuple[str, Result] | None:
    """Return the arm with the best AUC and its result, clear or not; None without results."""
    order = ranked(race.results)
    return (order[0], race.results[order[0]]) if order else None


def errors_title(lab: Lab) -> str:
    """Say whose errors are shown, or why there are none."""
    if lab.showing == "setup" or lab.phase == "running":
        return "When the race is done, the errors of the winner are shown here."
    found = winner(lab.current)
    if found is None:
        return "No arm has a result."
    label, result = found
    if result.mistakes is None:
        return (
            f"{label} was answered from the stored evidence, which holds scores and no images. "
            "Take the tick from 'stored results' and race again to see its errors."
        )
    wrong = result.mistakes
    if not wrong.n_wrong:
        return f"{label} made no error on the {wrong.n:,} test images."
    clear = "" if lab.current.leader not in (None, NONE) else " (best AUC, though not clearly)"
    return (
        f"{label}{clear}: {wrong.n_wrong:,} of {wrong.n:,} test images wrong. The surest "
        f"{len(wrong.images)}, and in orange what spoke for the wrong answer (Grad-CAM)."
    )
