"""Measure the evidence of the course, resumable: ``python -m measure``."""

from __future__ import annotations

import argparse
import os
import sys

from helpers.__main__ import exit_code
from helpers.evidence import grid
from measure import strategies
from measure.commands import add_datasets, here


def main(argv: list[str] | None = None) -> int:
    """Measure what is missing of data/results/strategies.csv; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m measure", description=__doc__)
    add = parser.add_argument
    add("--workers", type=int, default=os.cpu_count() or 1, help="cells at a time (%(default)s)")
    add_datasets(parser, grid.DATASETS)
    arguments = parser.parse_args(argv)
    return exit_code(lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> None:
    names = arguments.datasets or here(grid.DATASETS)
    strategies.run(grid.cells(names), max(1, arguments.workers))


if __name__ == "__main__":
    sys.exit(main())
