"""What the commands that measure share: which data sets are here, and how an error ends."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

from helpers import datasets
from helpers.__main__ import exit_code


def add_datasets(parser: argparse.ArgumentParser, names: Sequence[str]) -> None:
    """Add ``--datasets``: some of `names`."""
    parser.add_argument("--datasets", nargs="+", choices=names, help="(all that are found)")


def here(names: Sequence[str]) -> list[str]:
    """Return which of these data sets are found on this machine; print which are left out."""
    found = set(datasets.names())
    if absent := [name for name in names if name not in found]:
        print(f"left out: {', '.join(absent)}. Set COURSE_DATA_DIR to the folder that holds them.")
    return [name for name in names if name in found]


def measure_all(
    argv: Sequence[str] | None, prog: str, doc: str, names: Sequence[str],
    run: Callable[[list[str]], object],
) -> int:  # fmt: skip
    """Parse ``--datasets``, run a measurement on them (or all found); return the exit code."""
    parser = argparse.ArgumentParser(prog=prog, description=doc)
    add_datasets(parser, names)
    chosen = parser.parse_args(argv).datasets
    return exit_code(lambda: run(chosen or here(names)))
