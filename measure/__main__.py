"""Measure what is missing of the course's numbers: ``python -m measure [TABLE]``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from helpers import datasets
from helpers.__main__ import exit_code
from measure import (
    augmentation,
    broken,
    cka,
    forgetting,
    gallery,
    gray,
    leaks,
    medical,
    predictions,
    probes,
    races,
    recipe,
    runner,
    shift,
    shipping,
    similarity,
    strategies,
    transferability,
)

TABLES: dict[str, runner.Table] = {
    "strategies": strategies.TABLE,
    "augmentation": augmentation.TABLE,
    "gray": gray.TABLE,
    "similarity": similarity.TABLE,
    "transferability": transferability.TABLE,
    "probes": probes.TABLE,
    "cka": cka.TABLE,
    "predictions": predictions.TABLE,
    "leaks": leaks.TABLE,
    "shift": shift.TABLE,
    "forgetting": forgetting.TABLE,
    "broken": broken.TABLE,
    "shipping": shipping.TABLE,
    "medical": medical.TABLE,
    "recipe": recipe.TABLE,
}
WHOLE = {"gallery": gallery, "races": races}  # made in one go


def main(argv: Sequence[str] | None = None) -> int:
    """Measure one table, the lab's whole runs, or make the gallery's pictures; return the code."""
    parser = argparse.ArgumentParser(prog="python -m measure", description=__doc__)
    add = parser.add_argument
    add("table", nargs="?", choices=[*TABLES, *WHOLE], default="strategies",
        help="%(choices)s (%(default)s)", metavar="TABLE")  # fmt: skip
    add("--workers", type=int, help="cells at a time (strategies: one a core; others: 1)")
    add("--datasets", nargs="+", metavar="NAME", help="(all of the table's that are found)")
    arguments = parser.parse_args(argv)
    if arguments.table in WHOLE:
        if arguments.workers or arguments.datasets:
            parser.error(f"{arguments.table} takes neither --workers nor --datasets")
        return exit_code(lambda: WHOLE[arguments.table].make())
    table = TABLES[arguments.table]
    names = arguments.datasets or []
    if odd := set(names) - set(table.datasets):
        parser.error(
            f"argument --datasets: invalid choice: {', '.join(sorted(odd))} (choose from "
            f"{', '.join(table.datasets)})"
        )
    workers = max(1, arguments.workers or table.workers)
    names = names or here(table.datasets)

    def go() -> None:
        # Again, where what comes next hangs on what came out.
        while runner.run(table, table.cells(names), workers) and table.goes_on:
            pass

    return exit_code(go)


def here(names: Sequence[str]) -> list[str]:
    """Return which of these data sets are found on this machine; print which are left out."""
    found = set(datasets.names())
    if absent := [name for name in names if name not in found]:
        print(f"left out: {', '.join(absent)}. Set COURSE_DATA_DIR to the folder that holds them.")
    return [name for name in names if name in found]


if __name__ == "__main__":
    os.environ.setdefault("TQDM_DISABLE", "1")
    sys.exit(main())
