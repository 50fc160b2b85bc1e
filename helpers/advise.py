"""``python -m helpers advise PATH``: look at a folder of images and say how to start on it.

Only files of the training part are opened: which strategy to take is a choice, and the test part
is for one score at the end. What is found out is put into words by data/templates/advice.md.
"""

from __future__ import annotations

import argparse
import base64
import io
import os
import re
import shlex
import subprocess
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import jinja2
import mistune
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from helpers import files, plots
from helpers.datasets import Card, Dataset, Split, leaks
from helpers.datasets.decode import Problem
from helpers.datasets.folder import cut, group_codes, keep_together, read_rows, sample_rows
from helpers.datasets.listing import Listing, list_folder, tally
from helpers.datasets.problems import together
from helpers.errors import CourseError
from helpers.evidence import budgets, grid, recommend, similarity
from helpers.evidence.grid import IMAGE_SIZE
from helpers.evidence.verdicts import LONGER_SUFFIX
from helpers.plots import label_of
from helpers.training import devices, experiments, predict, strategies
from helpers.training.metrics import Interval, auc_difference
from helpers.training.recipe import Recipe
from helpers.training.strategies import Strategy

SAMPLE = 400  # images that are opened for the overview, at most
SPLIT, SPLIT_SEED = {"test": 0.25, "val": 0.2}, 0  # as `load` cuts it, whatever seed draws samples
BASELINE = "feature_extraction"  # raced in any case: cheap, and what the others must beat
RACE_IMAGES, TEST_IMAGES = 240, 400  # at most; a minute or two for an arm that trains everything
RACE_SPLIT = {"test": 0.3, "val": 0.2}  # of the training part, of what is left of it
LEAST = 5  # images or groups of each class to compare on, for a verdict


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    add = parser.add_argument
    add("path", metavar="PATH", help="folder with one sub-folder per class")
    add("--race", action="store_true", help="confirm it: train two or three arms on a sample")
    add("--race-images", type=int, default=RACE_IMAGES, metavar="N",
        help="training images of the race, at most (%(default)s)")  # fmt: skip
    add("--report", type=files.expanded, metavar="FILE", help="also write it as .html or .md")
    add("--overwrite", action="store_true", help="replace the report if it is there already")
    add("--group-pattern", default=os.environ.get("COURSE_GROUP_PATTERN") or None,
        help="expression for the part of a file name that is the group (patient)")  # fmt: skip
    add("--seed", type=int, default=0, help="%(default)s")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Run the command: print the report, and write it where asked."""
    if arguments.report:
        files.check_target(  # before any work is done
            arguments.report, suffixes=(".html", ".htm", ".md"), overwrite=arguments.overwrite
        )
    if arguments.race_images < 8:
        raise CourseError(f"--race-images is {arguments.race_images}; give at least 8.")
    with warnings.catch_warnings():  # Pillow warns of large images on the way to refusing huge ones
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        facts = advise(
            arguments.path, race_images=arguments.race_images if arguments.race else 0,
            pattern=arguments.group_pattern, seed=arguments.seed,
        )  # fmt: skip
    text = report(facts)
    try:
        if arguments.report:
            page = arguments.report.suffix.lower() != ".md"
            files.write_text(arguments.report, report(facts, page=True) if page else text)
            text += f"\nreport: {files.shown(arguments.report)}"
    finally:
        print(text)


def advise(
    path: Path | str, *, race_images: int = 0, pattern: str | None = None, seed: int = 0
) -> dict[str, object]:
    """Look at a folder of images, measure, and recommend a strategy; return the facts of `report`.

    Parameters
    ----------
    path : ``path/class/image`` or ``path/{train,val,test}/class/image``.
    race_images : also train the recommended arm and one or two others on a sample of at most so
        many images; 0: no race.
    pattern : expression for the part of a file name that is the group, e.g. the patient.

    Raises
    ------
    CourseError
        When there is no path, the seed is out of range, or the folder cannot be trained on.
    """
    if not str(path).strip():  # Path("") would be the current folder
        raise CourseError("PATH is empty. Give the folder that holds the class folders.")
    if not 0 <= seed < 2**32:
        raise CourseError(f"seed is {seed}; give a whole number from 0 to 4,294,967,295.")
    root = files.expanded(path)
    print(f"looking at {files.shown(root)} ...", file=sys.stderr)
    found = look(root, pattern, seed)
    distances, similar = similarity.measure(found.images, seed=seed), recommend.similarities()
    n = len(found.index["train"])
    chosen = recommend.recommend(
        n, similarity=distances.similarity, n_classes=len(found.listing.classes), similar=similar
    )
    names = list(dict.fromkeys(filter(None, [chosen.strategy, chosen.runner_up, BASELINE])))
    print("timing a few training steps ...", file=sys.stderr)
    per_image = seconds_per_image(found.images)
    seconds = [seconds_for(name, n, per_image) for name in names]
    text, points = recommend.sentences(chosen)
    named = {plots.set_label(name): value for name, value in similar.items()}
    named = pd.Series(named | {"your images": distances.similarity}).sort_values(ascending=False)
    facts = {
        **overview(found), "pixels": IMAGE_SIZE, "distances": distances,
        "likeness": named.round(2).rename_axis("data set").reset_index(name="similarity"),
        "text": text, "points": points, "evidence": recommend.evidence_table(chosen),
        "bought": budgets.budget_table(chosen.bought),
        "curves": plots.arm_curves(chosen.evidence, n),
        "times": pd.DataFrame({
            "strategy": [label_of(name) for name in names],
            "epochs": [arm(name, n)[1] for name in names],
            "on this machine": [f"{s:.0f} s" if s < 90 else f"{s / 60:,.0f} min" for s in seconds],
        }),
        "command": next_command(chosen, root, pattern),
    }  # fmt: skip
    if race_images:
        rough = sum(seconds_for(name, min(n, race_images), per_image) for name in names) / 60
        print(f"racing {len(names)} arms, about {max(1, round(rough))} min ...", file=sys.stderr)
        facts |= race(race_data(found, race_images, seed), names, seed)
    return facts


@dataclass(frozen=True)
class Found:
    """A folder of images, and what was seen of a sample of its training part.

    Attributes
    ----------
    listing : all image files by name.
    named, copies : ``(N,)``, groups of the file names and of files with the same bytes; `groups`:
        both joined.
    index : part -> positions in the listing, as training would split them.
    tried, rows : positions that were opened, and those of them that could be read.
    images : of `rows`, `IMAGE_SIZE` pixels, gray where all are.
    problems : what training would refuse of what was tried.
    """

    listing: Listing
    named: np.ndarray
    copies: np.ndarray
    groups: np.ndarray
    index: dict[str, np.ndarray]
    tried: np.ndarray
    rows: np.ndarray
    images: Split
    problems: list[Problem]


def look(root: Path, pattern: str | None = None, seed: int = 0) -> Found:
    """List a folder, split it as training would, and open a sample of its training images.

    Raises
    ------
    CourseError
        When the folder cannot be trained on, or of some class nothing can be read.
    """
    listing = list_folder(root)
    named, copies = group_codes(listing.files, pattern), leaks.same_files(listing.files)
    groups = leaks.joined(named, copies)
    index = cut(listing, named, SPLIT, SPLIT_SEED)
    index = keep_together(listing, index, groups, SPLIT, SPLIT_SEED)
    tried = sample_rows(listing, index["train"], SAMPLE, seed)
    rows, images, problems = read_rows(listing, groups, tried, IMAGE_SIZE)
    for label in np.setdiff1d(listing.labels, images.labels)[:1]:
        name, n = listing.classes[label], (listing.labels[tried] == label).sum()
        own = {listing.files[row] for row in tried if listing.labels[row] == label}
        lost = together([problem for problem in problems if problem.file in own])
        raise CourseError(f"Of the class {name} none of {n:,} files can be used. {lost}")
    if len(images) < 5:
        raise CourseError(
            f"Of {len(listing.files)} images {len(images)} are left for training, without those "
            "for validation and test and those that cannot be read; at least 5 are needed to "
            "compare them with photographs. Add images."
        )
    return Found(listing, named, copies, groups, index, tried, rows, images, problems)


def overview(found: Found) -> dict[str, object]:
    """Return how many images there are, of what classes, sizes and depths, and what is odd."""
    listing = found.listing
    headers = leaks.headers([listing.files[row] for row in found.rows])
    sizes = headers["size"].tolist()
    sides = np.min(sizes, axis=1)
    counts = dict(zip(listing.classes, np.bincount(listing.labels).tolist(), strict=True))
    return {
        "n_files": len(listing.files), "counts": counts, "opened": len(found.tried),
        "parts": {part: len(rows) for part, rows in found.index.items()},
        "largest": max(counts, key=counts.get), "smallest": min(counts, key=counts.get),
        "n_groups": len(np.unique(found.named)),
        "n_copies": int(leaks.with_copies(found.copies).sum()),
        "warnings": leaks.warnings_of(listing, found.named, found.copies),
        "telling": leaks.telling(headers, np.array(listing.classes)[found.images.labels]),
        "alike": [
            [leaks.short(listing.files[found.rows[row]]) for row in pair]
            for pair in leaks.alike(found.images.images, found.groups[found.rows])
        ],
        "one_size": sizes[0] if len(set(sizes)) == 1 else None,
        "sides": sides, "middle": np.median(sides), "small": int((sides < IMAGE_SIZE).sum()),
        "formats": Counter(headers["format"]), "modes": Counter(headers["mode"]),
        "gray": found.images.images.shape[-1] == 1,
        "problems": {
            problem.kind: [leaks.short(p.file) for p in found.problems if p.kind == problem.kind]
            for problem in found.problems
        },
        "million": f"{2 * Image.MAX_IMAGE_PIXELS / 1e6:.0f}",  # Pillow opens no larger ones
        "classes": pd.DataFrame({"class": counts.keys(), "images": counts.values()}),
    }  # fmt: skip


def arm(name: str, n: int) -> tuple[Strategy, int]:
    """Return the strategy of an arm of the evidence, and its number of epochs at `n` images."""
    strategy = next(s for s in grid.ARMS if s.key == name.removesuffix(LONGER_SUFFIX))
    return strategy, grid.epochs_for(n) * (grid.TIMES_LONGER if name.endswith(LONGER_SUFFIX) else 1)


def seconds_per_image(images: Split) -> float:
    """Return how long this machine takes to train the whole network on one image, in seconds."""
    device = devices.start().device
    model = strategies.build(
        strategies.full_finetune(), grid.BACKBONE, n_classes=2, channels=images.images.shape[-1]
    ).to(device)
    n, seconds = Recipe().batch_size, []
    x = predict.batch(images, np.arange(n) % len(images), device)
    for _ in range(4):
        began = time.perf_counter()
        model(x).logsumexp(dim=1).sum().backward()
        next(model.parameters()).grad.sum().item()  # waits for a GPU
        seconds.append(time.perf_counter() - began)
    return min(seconds[1:]) / n


def seconds_for(name: str, n: int, per_image: float) -> float:
    """Return about how long an arm trains on `n` images; `per_image` is `seconds_per_image`."""
    strategy, epochs = arm(name, n)
    return n * epochs * per_image * grid.SHARE_OF_A_FULL_PASS.get(strategy.name, 1.0)


def next_command(advice: recommend.Recommendation, root: Path, pattern: str | None = None) -> str:
    """Return the command that trains the recommended strategy on all images."""
    strategy, epochs = arm(advice.strategy, advice.n)
    base, _, last = strategy.name.partition("_last")
    return (
        f"python -m helpers train --dataset {quoted(f'folder:{root}')} --strategy {base}"
        + (f" --last {last}" if last else "")
        + (f" --group-pattern {quoted(pattern)}" if pattern else "")
        + f" --size {IMAGE_SIZE} --epochs {epochs} --checkpoint net.safetensors"
    )


def quoted(text: str) -> str:
    """Return `text` as one word for the shell of this system (on Windows cmd and PowerShell)."""
    if os.name != "nt":
        return shlex.quote(text)
    # Always in double quotes: parentheses and bars mean something to both shells, and single
    # quotes nothing to cmd. Only text with a space in it is quoted by list2cmdline.
    return '"' + subprocess.list2cmdline([f" {text}"])[2:]


def race_data(found: Found, most: int = RACE_IMAGES, seed: int = 0) -> Dataset:
    """Cut three parts for a race out of the folder's training part, groups whole, and read them.

    At most `most` images train; validation, which chooses the epoch, gets a quarter as many,
    ``test`` at most 400. The folder's own validation and test parts are not touched.

    Raises
    ------
    CourseError
        When a part is left without a class.
    """
    listing, pool = found.listing, found.index["train"]
    own = Listing(
        {"train": listing.folders["train"]}, listing.classes, [listing.files[row] for row in pool],
        listing.labels[pool], listing.origin[pool],
    )  # fmt: skip
    try:
        index = cut(own, found.groups[pool], RACE_SPLIT, seed)
    except CourseError as error:
        raise CourseError(
            f"No race: the {len(pool):,} training images are too few of some class, or of too few "
            "groups, to hold some out. Add images, or leave --race out."
        ) from error
    parts, channels = {}, found.images.images.shape[-1]
    for part, limit in (("train", most), ("val", most // 4), ("test", TEST_IMAGES)):
        rows = sample_rows(listing, pool[index[part]], limit, seed)
        _, parts[part], _ = read_rows(listing, found.groups, rows, IMAGE_SIZE, channels)
        for label, name in enumerate(listing.classes):
            if label not in parts[part].labels:
                raise CourseError(
                    f"No race: the {part} part has no readable image of the class {name}. Add "
                    "images, or leave --race out."
                )
    card = Card(
        "own images", "your folder", "own images", listing.classes, channels, IMAGE_SIZE,
        "a sample of the training part, for a race", "your folder", "yours to check",
    )  # fmt: skip
    return Dataset(card, **parts)


def race(data: Dataset, names: Iterable[str], seed: int = 0) -> dict[str, object]:
    """Train the arms `names`, the favourite first; return their scores and how far they are behind.

    The intervals are bootstrapped over the same held-out images for both arms, in whole groups.
    """
    raced, test = {}, data.test
    for name in names:
        strategy, epochs = arm(name, len(data.train))
        experiment = experiments.Experiment(
            strategy, data.card.name, None, grid.BACKBONE, IMAGE_SIZE, Recipe(epochs=epochs), seed
        )
        measured = experiments.measure(experiment, data=data)
        raced[name] = measured.score, measured.run.seconds
        print(f"raced {name}: {measured.score}, {measured.run.seconds:.0f} s")
    (favourite, (first, _)), *others = raced.items()
    behind = {
        label_of(name): auc_difference(
            test.labels, score.probabilities, first.probabilities, test.groups
        )
        for name, (score, _) in others
    }
    rarest = min(len(np.unique(test.groups[test.labels == k])) for k in np.unique(test.labels))
    rows = [
        (label_of(name), f"{s.auc:.3f} ({s.auc_lo:.3f} to {s.auc_hi:.3f})", f"{s.accuracy:.1%}",
         f"{seconds:.0f}")
        for name, (s, seconds) in raced.items()
    ]  # fmt: skip
    return {
        "raced": pd.DataFrame(rows, columns=["strategy", "AUC", "accuracy", "seconds"]),
        "verdict": verdict(label_of(favourite), behind, rarest), "favourite": label_of(favourite),
        "behind": behind, "n_raced": len(data.train), "n_held_out": len(test),
        "finish": plots.intervals(
            {label_of(name): (s.auc, s.auc_lo, s.auc_hi) for name, (s, _) in raced.items()},
            f"AUC, 95 % bootstrap interval (n = {len(test)} held-out images, one seed)",
            {label_of(name): plots.color_of(name.removesuffix(LONGER_SUFFIX)) for name in raced},
        ),
    }  # fmt: skip


def verdict(favourite: str, behind: Mapping[str, Interval], rarest: int) -> str:
    """Say whether a race confirms its favourite.

    `behind` has the AUC of the favourite minus that of each other arm, with its 95 % interval;
    `rarest` is the number of held-out images (or groups) of the rarest class.
    """
    if rarest < LEAST:
        return (
            f"No verdict: of some class only {rarest} could be held out to compare on; {LEAST} are "
            "the least that says anything."
        )
    for name, lead in behind.items():
        if lead.hi < 0:
            return f"Not confirmed: {name} clearly beats {favourite} here."
    if behind and all(lead.lo > 0 for lead in behind.values()):
        return f"Confirmed: {favourite} is clearly better than the others here."
    return (
        f"Not contradicted: no arm is clearly better than {favourite} on these images, and they do "
        "not tell all of them apart."
    )


def report(facts: Mapping[str, object], *, page: bool = False) -> str:
    """Put the facts of `advise` into words: Markdown that can be read as plain text, too.

    With `page` it is one self-contained HTML page: pictures and style are in it.
    """
    words = jinja2.Environment(
        loader=jinja2.FileSystemLoader(files.resource("templates")), trim_blocks=True,
        undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    words.filters |= {
        "n": "{:,}".format, "table": _table, "picture": _picture, "name": _literally,
        "tally": tally,
    }  # fmt: skip
    text = words.get_template("advice.md").render(facts, page=page)
    if page:
        body = mistune.create_markdown(escape=True, plugins=["table"])(text)
        text = words.get_template("advice.html").render(body=body)
    return files.shown(text)


def _table(table: pd.DataFrame) -> str:
    rows = [list(table), *table.astype(str).to_numpy().tolist()]
    rows = [[_literally(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rows.insert(1, ["-" * width for width in widths])
    return "\n".join(f"| {' | '.join(map(str.ljust, row, widths))} |" for row in rows)


def _literally(text: str) -> str:
    """Return a name that means nothing to Markdown."""
    return re.sub(r"([\\`*_&<>|\[\]])", r"\\\1", text)


def _picture(figure: Figure) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100, bbox_inches="tight")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
