"""Build the handout, one page to print: ``python course.py handout``.

Its numbers are read from data/results as the notebooks read them; its words stand in
theme/handout.html. The PDF needs Chromium; without it the page is there to be printed by hand.
"""

from __future__ import annotations

import sys
from pathlib import Path

import jinja2

import browser
import sources
from helpers.errors import CourseError
from helpers.evidence import gray, recommend, rules, tables, trust, verdicts
from helpers.plots.style import label_of
from helpers.training.metrics import Interval
from sources import SITE

HERE = Path(__file__).parent
SETS = {"elpv": "solar cells", "chest_xray": "chest X-rays", "flowers": "flowers"}
ARMS = ("scratch", "feature_extraction", "partial_finetune_last1", "full_finetune")
SIZE = 200  # images; beside it, all that a set has


def build(folder: Path) -> list[Path]:
    """Write the page into `folder`, and its PDF where Chromium is installed; return both."""
    folder.mkdir(parents=True, exist_ok=True)
    loader = jinja2.FileSystemLoader(HERE / "theme")
    template = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined
    ).get_template("handout.html")
    page, printed = folder / "index.html", folder / "handout.pdf"
    printed.unlink(missing_ok=True)  # where it cannot be printed anew it would show older numbers
    page.write_text(template.render(
        **numbers(), terms=sources.TERMS, citation=sources.citation()
    ), "utf-8")  # fmt: skip
    made = [page]
    try:
        made.append(browser.print_pdf(page, printed))
    except CourseError as missing:
        print(f"No PDF of the handout: {missing}", file=sys.stderr)
    return made


def numbers() -> dict[str, object]:
    """Return what the page shows, from the measured tables: texts by name."""
    found = verdicts.evidence()
    compared = found.cells.dropna(subset="margin")
    advice = rules.against_lesson(found, recommend.similarities())
    fed = gray.summary(gray.read())
    leaks = verdicts.summary(
        tables.read(trust.LEAKS, trust.LEAK_COLUMNS), ["dataset", "leak", "strategy"], "gap"
    )
    repeated = leaks.xs("oversampled", level="leak")["mean"]
    changes = fed.loc["elpv", "feature_extraction", "eval"][["change", "change_lo", "change_hi"]]
    return {
        "arms": [label_of(arm) for arm in ARMS],
        "rows": list(measured(found)),
        "advice": [(row, outcome(advice[advice["advice"] == row.advice]))
                   for row in rules.LESSON_TABLE],
        "cells": len(compared),
        "clear": int(compared["clear"].sum()),
        "worth": bare(verdicts.WORTH),
        "seeds": int(found.cells["seeds"].min()),
        "moving": moving(),
        "gray": {how: shown(Interval(*row)) for how, row in changes.iterrows()},
        "repeated": f"{bare(repeated.min())} to {bare(repeated.max())}",
    }  # fmt: skip


def measured(found: verdicts.Evidence) -> list[dict[str, object]]:
    """Return a row per data set and size: its name, n, AUC by arm, price, and where to start."""
    rows = []
    for name in SETS:
        for n in (SIZE, max(found.sizes[name])):
            runs = found.runs[(found.runs["dataset"] == name) & (found.runs["n"] == n)]
            cell = found.cells[(found.cells["dataset"] == name) & (found.cells["n"] == n)].iloc[0]
            price = found.seconds[name, n, ARMS[-1]] / found.seconds[name, n, ARMS[1]]
            auc = [verdicts.over_seeds_and_images(runs[runs["arm"] == arm], "auc") for arm in ARMS]
            rows.append({"set": SETS[name], "n": f"{n:,}", "price": f"{price:.0f} times",
                         "auc": [shown(value, signed=False) for value in auc],
                         "start": label_of(cell["choice"])})  # fmt: skip
    return rows


def moving() -> dict[str, object]:
    """Return what BatchNorm that moves costs a frozen network on solar cells, over seeds."""
    table = gray.read().query(
        "dataset == 'elpv' and gray == 'sum' and strategy == 'feature_extraction'"
    )
    auc = table.pivot(index="seed", columns="batchnorm", values="auc").dropna()
    cost = verdicts.interval(auc["train"] - auc["eval"])
    return {"cost": shown(cost), "seeds": len(auc), "n": table["n_train"].iloc[0]}


def outcome(cells) -> str:
    """Return in how many measured cells an advice won, lost, or neither."""
    if cells.empty:
        return "not measured: others"
    counts = cells["outcome"].value_counts()
    return ", ".join(f"{what} in {n}" for what, n in counts.items()) + f" of {len(cells)}"


def shown(value: Interval, signed: bool = True) -> str:
    """Return a number with its interval, two decimals each, as the course writes it.

    Without a sign it is an AUC: its interval ends at 1.
    """
    hi = value.hi if signed else min(value.hi, 1.0)
    mean, lo, hi = (bare(x, signed) for x in (value.mean, value.lo, hi))
    return f"{mean} [{lo}, {hi}]"


def bare(x: float, signed: bool = False) -> str:
    """Return two decimals without the 0 before the point, with a true minus sign."""
    text = f"{x:+.2f}" if signed else f"{x:.2f}"
    return text.replace("0.", ".", 1).replace("-", "−")


def main(words: list[str]) -> int:
    """Build the handout into the folder that the words name; return the exit code."""
    return sources.run(
        words, SITE / "handout", build,
        lambda made, _: f"the handout: {' '.join(map(str, made))}",
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
