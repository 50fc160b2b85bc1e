"""``python -m helpers advise PATH``: look at a folder of images and say how to start on it."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from helpers import files
from helpers.advise import race as advise_race
from helpers.advise.census import Census, take
from helpers.advise.race import Race, seconds_for
from helpers.advise.sections import costs, likeness, next_step, outcome, overview
from helpers.errors import CourseError
from helpers.evidence import recommend, report, similarity
from helpers.evidence.estimates import passes
from helpers.evidence.recommend import Recommendation
from helpers.evidence.report import Section

BASELINE = "feature_extraction"  # raced in any case: cheap, and what the others must beat


TITLE = "Which strategy for these images?"


@dataclass(frozen=True)
class Advice:
    """Everything that was found out about a folder, and the report on it."""

    census: Census
    distances: similarity.Distances
    recommendation: Recommendation
    seconds: dict[str, float]
    race: Race | None
    sections: tuple[Section, ...]


def advise(
    path: Path | str, *, race_images: int = 0, pattern: str | None = None, seed: int = 0,
    say: Callable[[str], None] = print,
) -> Advice:  # fmt: skip
    """Look at a folder of images, measure, and recommend a strategy.

    Parameters
    ----------
    path : ``path/class/image`` or ``path/{train,val,test}/class/image``.
    race_images : also train the recommended arm and one or two others on a sample of at most so
        many images; 0: no race.
    pattern : expression for the part of a file name that is the group, e.g. the patient.
    say : told what happens, a line at a time.

    Raises
    ------
    CourseError
        When there is no path, the seed is out of range, or the folder cannot be trained on; the
        sentence says what to do.
    """
    if not str(path).strip():  # Path("") would be the current folder
        raise CourseError("PATH is empty. Give the folder that holds the class folders.")
    if not 0 <= seed < 2**32:
        raise CourseError(f"seed is {seed}; give a whole number from 0 to 4,294,967,295.")
    root = files.expanded(path)
    say(f"looking at {files.shown(root)} ...")
    found = take(root, similarity.IMAGE_SIZE, pattern, seed)
    _check_sample(found)
    n, n_classes = len(found.index["train"]), len(found.listing.classes)
    distances = similarity.measure(found.images, seed=seed)
    similar = recommend.similarities()
    chosen = recommend.recommend(
        n, similarity=distances.similarity, n_classes=n_classes, similar=similar
    )
    names = _contenders(chosen)
    say("timing a few training steps ...")
    seconds = {
        name: seconds_for(name, found.images, n, len(found.index["val"]), n_classes)
        for name in names
    }
    raced = None
    if race_images:
        rough = sum(seconds.values()) * passes(min(n, race_images)) / passes(n)
        say(f"racing {len(names)} arms, about {max(1, round(rough / 60))} min ...")
        raced = advise_race.run(found, names, race_images, seed, say)
    sections = [
        overview(found), likeness(distances, similar),
        recommend.recommendation(chosen), costs(seconds, n),
        *([outcome(raced, n)] if raced else []), next_step(chosen, root, pattern),
    ]  # fmt: skip
    return Advice(found, distances, chosen, seconds, raced, tuple(sections))


def _check_sample(found: Census) -> None:
    if len(found.images) < 5:
        raise CourseError(
            f"Of {found.n} images {len(found.images)} are left for training, without those for "
            "validation and test and those that cannot be read; at least 5 are needed to compare "
            "them with photographs. Add images."
        )


def _contenders(chosen: Recommendation) -> list[str]:
    """Return the recommended arm first, the runner-up, and the cheap baseline, each once."""
    names = [chosen.strategy, chosen.runner_up, BASELINE]
    return list(dict.fromkeys(name for name in names if name is not None))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    add = parser.add_argument
    add("path", metavar="PATH", help="folder with one sub-folder per class")
    add("--race", action="store_true", help="confirm it: train two or three arms on a sample")
    add("--race-images", type=int, default=advise_race.RACE_IMAGES, metavar="N",
        help="training images of the race, at most (%(default)s)")  # fmt: skip
    add("--report", type=Path, metavar="FILE", help="also write it as .html or .md")
    add("--group-pattern", default=os.environ.get("COURSE_GROUP_PATTERN") or None,
        help="expression for the part of a file name that is the group (patient)")  # fmt: skip
    add("--seed", type=int, default=0, help="%(default)s")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Run the command: print the report, and write it where asked."""
    report.check_target(arguments.report)
    if arguments.race_images < 8:
        raise CourseError(f"--race-images is {arguments.race_images}; give at least 8.")
    found = advise(
        arguments.path, race_images=arguments.race_images if arguments.race else 0,
        pattern=arguments.group_pattern, seed=arguments.seed,
    )  # fmt: skip
    print(report.as_markdown(TITLE, found.sections))
    if arguments.report:
        report.write(arguments.report, TITLE, found.sections)
        print("report:", files.shown(arguments.report))
