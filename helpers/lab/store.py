"""Finished arms and kept races, as files: shown again at once, listed, compared, exported.

An arm is two files: KEY.json with scores and curves, KEY.npz with predictions and the surest
errors. The key holds all that decides a result, so nothing stale can be read. A race that somebody
keeps is one JSON file of its own, which stays until it is removed.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import os
import platform
import re
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from helpers import files
from helpers.datasets import Dataset
from helpers.datasets.dataset import content
from helpers.errors import CourseError
from helpers.lab import drawings
from helpers.lab.race import NUMBERS, Kept, Mistakes, Race, Result
from helpers.lab.setup import Arm, Setup
from helpers.plots.style import label_of
from helpers.training import experiments
from helpers.training.metrics import Score

FORMAT = 4  # raise it when what is stored, or the same settings, would mean something else
MOST = 300  # finished arms, about 100 kB each; those used longest ago go first
LONGEST_NAME = 60
RESULT = (*NUMBERS, "n_train", "classes")
CSV = ("run", "when", "dataset", "n", "image_size", "backbone", "epochs", "seed", "arm", "strategy",
       *NUMBERS, "caveat")  # fmt: skip
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")  # a cell of text that begins so is run by Excel
TITLE = "Strategy lab: kept races"
NOTE = (
    "AUC on the test images with a 95 % interval; one run of each arm. live: trained in "
    "that race; stored: measured for the course; earlier: the same run, trained there before; "
    "baseline: the commonest class of the test images, always."
)


def key(setup: Setup, arm: Arm, data: Dataset) -> str:
    """Return the name of `arm` on `data`: a digest of everything that decides its result.

    That is: settings, images, labels, starting weights, versions, and the machine's arithmetic (a
    cache may be shared, and another processor rounds differently, so it is another run).
    """
    experiment = setup.experiment(arm)
    model = experiment.model(data)
    machine = (platform.machine(), torch.backends.cpu.get_cpu_capability(),
               torch.get_num_threads(), torch.cuda.is_available())  # fmt: skip
    weights = [value.contiguous().numpy().tobytes() for value in model.state_dict().values()]
    images = [content(array) for part in (data.train, data.val, data.test)
              for array in (part.images, part.labels, part.groups)]  # fmt: skip
    return files.digest(
        FORMAT, repr(experiment), repr(arm.policy), data.card.classes, experiments.versions(),
        machine, model.mean.tolist(), model.std.tolist(), *weights, *images,
    )  # fmt: skip


def read_arm(key: str) -> tuple[Result, list[dict]] | None:
    """Return a finished arm and its curves; None when there is none, or it is damaged."""
    path = files.folder("lab", "results", f"{key}.json")
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        packed = path.with_suffix(".npz").read_bytes()
        if facts.pop("digest") != files.digest(json.dumps(facts), packed):
            raise ValueError("one of the two files is damaged, or of another run")
        with np.load(io.BytesIO(packed), allow_pickle=False) as arrays:
            score = Score(
                **facts["score"], probabilities=arrays["probabilities"], labels=arrays["labels"]
            )
            wrong = Mistakes(*(arrays[k] for k in ("index", "images", "heat")), *facts["wrong"])
            numbers = facts["result"] | {"classes": tuple(facts["result"]["classes"])}
            result = Result(**numbers, score=score, groups=arrays["groups"], mistakes=wrong)
    except FileNotFoundError:
        return None
    except Exception:  # a damaged file raises a dozen different types; the arm is trained again
        files.remove(path)
        return None
    files.touch(path.with_suffix(".npz"))
    return replace(result, source="earlier"), facts["history"]


def write_arm(key: str, result: Result, history: list[dict]) -> None:
    """Keep an arm that was trained just now; where nothing can be written, do without."""
    score, wrong = result.score, result.mistakes
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer, probabilities=score.probabilities, labels=score.labels, groups=result.groups,
        index=wrong.index, images=wrong.images, heat=wrong.heat,
    )  # fmt: skip
    facts = {
        "result": {name: getattr(result, name) for name in RESULT},
        "score": {k: v for k, v in vars(score).items() if not isinstance(v, np.ndarray)},
        "wrong": [wrong.n_wrong, wrong.n], "history": history,
    }  # fmt: skip
    digest = files.digest(json.dumps(facts), buffer.getvalue())
    path = files.folder("lab", "results", f"{key}.json")
    with contextlib.suppress(OSError, CourseError):
        with files.atomic_path(path.with_suffix(".npz")) as temporary:
            temporary.write_bytes(buffer.getvalue())
        files.write_text(path, json.dumps({"digest": digest, **facts}))
        entries = sorted(path.parent.glob("*.npz"), key=lambda path: path.stat().st_mtime)
        for old in entries[:-MOST]:
            files.remove(old)
            files.remove(old.with_suffix(".json"))


def keep(name: str, race: Race) -> None:
    """Keep a race that has results under a name; whole or not at all.

    Raises
    ------
    CourseError
        When the name is empty, too long or taken, or the folder cannot be written to.
    """
    name = files.shown(" ".join(str(name).split()))
    if len(name) > LONGEST_NAME or not re.search(r"\w", name):
        raise CourseError(
            f"Give the run a name of 1 to {LONGEST_NAME} characters, with a letter or a digit in "
            "it."
        )
    if files.mode(_path(name)):
        raise CourseError(
            f"A run is already kept as {name!r}. Choose another name, or remove that one."
        )
    rows = tuple(lane.row for lane in race.lanes if lane.result is not None)
    rows += (race.baseline,) if race.baseline else ()
    when = datetime.now().isoformat(timespec="seconds")
    kept = Kept(name, when, asdict(race.setup), rows, race.explanation, race.guess,
                race.caveat)  # fmt: skip
    files.write_text(_path(name), json.dumps(asdict(kept), indent=1))


def kept() -> tuple[list[Kept], list[Path]]:
    """Return the kept races, the oldest first, and the files there that cannot be read."""
    found = {path: _read(path) for path in sorted(files.folder("lab", "kept").glob("*.json"))}
    races = [race for race in found.values() if race]
    return (sorted(races, key=lambda race: (race.when, race.name)),
            [path for path, race in found.items() if not race])  # fmt: skip


def forget(name: str) -> None:
    """Remove a kept race, where it is still there; raises CourseError when that is not allowed."""
    with files.writing(_path(name)):
        _path(name).unlink(missing_ok=True)


def _path(name: str) -> Path:
    # The digest keeps apart what looks the same once odd characters are gone.
    readable = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")[:40] or "run"
    return files.folder("lab", "kept", f"{readable}-{files.digest(name)[:8]}.json")


def _read(path: Path) -> Kept | None:
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        fields |= {name: tuple(fields[name]) for name in ("rows", "explanation")}
        race = Kept(**fields)
        race.name.encode()
        as_html([race, race]), as_csv([race])  # what cannot be shown is damaged, whatever it is
        return race if _path(race.name) == path else None  # None: a copy, which has no own name
    except Exception:
        return None


def comparison(races: Sequence[Kept]) -> str:
    """Return a table, a row per arm and a column per race: test AUC with its interval."""
    cells: dict[str, dict[str, str]] = {}
    for race in races:
        for row in race.rows:
            name, family = row["arm"], label_of(row["strategy"])
            if not name.startswith(family):  # a race of one strategy leaves it out
                name = f"{family}, {name}"
            interval = f"{row['auc']:.3f} [{row['auc_lo']:.3f}, {row['auc_hi']:.3f}]"
            cells.setdefault(name, {})[race.name] = interval
    names = [race.name for race in races]
    lines = [(arm, *(found.get(name, "") for name in names)) for arm, found in cells.items()]
    head, body = _line("th", ("arm", *names)), "".join(_line("td", line) for line in lines)
    return f"<table><thead>{head}</thead><tbody>{body}</tbody></table>"


def _line(tag: str, cells: Sequence[str]) -> str:
    return "<tr>" + "".join(f"<{tag}>{drawings.safe(cell)}</{tag}>" for cell in cells) + "</tr>"


def as_csv(races: Sequence[Kept]) -> str:
    """Return a line per arm of every race, with the settings in front."""
    lines = [{"run": race.name, "when": race.when, "caveat": race.caveat, **race.setup, **row}
             for race in races for row in race.rows]  # fmt: skip
    # As objects, so that 400 stays 400 where another race has no n.
    table = pd.DataFrame(lines, columns=CSV, dtype=object)
    return table.map(_cell).to_csv(index=False, lineterminator="\n")


def _cell(value: object) -> object:
    """Return a value of a CSV such that no spreadsheet runs it; numbers stay numbers."""
    text = "" if pd.isna(value) else files.shown(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(FORMULA) else text


def as_html(races: Sequence[Kept]) -> str:
    """Return one self-contained page: style and drawings are in it, nothing is fetched."""
    both = comparison(races) if len(races) > 1 else ""
    body = "\n".join(drawings.kept_race(race) for race in races)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{TITLE}</title>'
        f'<style>{drawings.STYLE}</style></head>\n<body class="lab"><h1>{TITLE}</h1>\n'
        f"<p>{NOTE}</p>{both}\n{body}\n</body></html>\n"
    )


def save(races: Sequence[Kept], folder: str) -> tuple[Path, Path]:
    """Write the CSV and the page into `folder`; an empty name is the lab's own folder.

    Files that are there stay: then the new ones have a number behind their name.

    Returns
    -------
    csv, page : whole paths.

    Raises
    ------
    CourseError
        When nothing is chosen, or that folder is not there or cannot be written to.
    """
    if not races:
        raise CourseError("Choose one or more kept runs to export.")
    own = folder.strip()
    target = Path(os.path.abspath(files.expanded(own) if own else files.folder("lab", "exports")))
    if own and not files.is_folder(target):
        raise CourseError(f"There is no folder {str(target)!r}. Make it first, or choose another.")
    for number in itertools.count(1):
        name = "strategy_lab" if number == 1 else f"strategy_lab-{number}"
        written = target / f"{name}.csv", target / f"{name}.html"
        if not any(map(os.path.lexists, written)):
            break
    files.write_text(written[0], as_csv(races))
    files.write_text(written[1], as_html(races))
    return written
