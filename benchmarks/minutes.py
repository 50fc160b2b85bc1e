"""What a minute of one core buys: ``python -m benchmarks.minutes``, resumable; extra "bench".

First, the course's own grid (data/results/strategies.csv): the arm with the highest mean test AUC
among those that cost no more than a budget; bold where it is clearly ahead of the cheapest. Second,
the course beside fastai and Lightning on the same images: each trains for several numbers of
epochs, so that each has a curve of AUC over core seconds (minutes.json, minutes.png).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

from benchmarks.run import write_readme
from helpers import files
from helpers.evidence import verdicts
from helpers.evidence.budgets import SECONDS, bought
from helpers.plots import color_of, label_of
from helpers.plots.style import INK, RC

HERE = Path(__file__).parent
STORED, PICTURE = HERE / "minutes.json", HERE / "minutes.png"
SEEDS = range(3)
OURS = {"feature_extraction": (3, 10, 30), "partial_finetune": (3, 10), "full_finetune": (2, 5, 10)}
PEERS = {"fastai": (2, 5), "lightning": (2, 5)}
MARKERS = {"fastai": "s", "lightning": "^"}
TICKS = (10, 20, 50, 100)
RUNS = [("ours", task, epochs) for task, many in OURS.items() for epochs in many]
RUNS += [(peer, "full_finetune", epochs) for peer, many in PEERS.items() for epochs in many]


def measure(who: str, task: str, epochs: int, seed: int) -> dict:
    """Run a contender in a process of its own, on one thread and with an empty cache."""
    with tempfile.TemporaryDirectory() as cache:
        settings = {
            "COURSE_CACHE": cache, "OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1",
            "BENCH_CLOCK": "core", "BENCH_EPOCHS": str(epochs), "BENCH_SEED": str(seed),
        }  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.contenders", who, task], cwd=HERE.parent,
            env=os.environ | settings, check=True, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
    return {"who": who, "task": task, "epochs": epochs, "seed": seed,
            **json.loads(done.stdout.splitlines()[-1])}  # fmt: skip


def collect() -> pd.DataFrame:
    """Run what is missing, seed by seed and the contenders in turn; return all runs."""
    rows = json.loads(STORED.read_text()) if STORED.is_file() else []
    done = {(row["who"], row["task"], row["epochs"], row["seed"]) for row in rows}
    for seed in SEEDS:
        for run in RUNS:
            if (*run, seed) not in done:
                rows.append(measure(*run, seed))
                print(rows[-1], flush=True)
                with files.atomic_path(STORED) as temporary:
                    temporary.write_text(json.dumps(rows, indent=1) + "\n")
    return pd.DataFrame(rows)


def curves(runs: pd.DataFrame) -> pd.DataFrame:
    """Return a row per contender and number of epochs: core seconds and AUC with its interval.

    `gain` is against the first row, the cheapest training, paired by seed.
    """
    found, cheapest = [], None
    for case, rows in runs.groupby(["who", "task", "epochs"], sort=False):
        auc = rows.set_index("seed").auc
        cheapest = auc if cheapest is None else cheapest
        gain = verdicts.interval(auc - cheapest)
        found.append((*case, len(rows), rows.seconds.mean(), *verdicts.interval(auc), *gain))
    columns = ["who", "task", "epochs", "seeds", "seconds", "auc", "lo", "hi"]
    columns += ["gain", "gain_lo", "gain_hi"]
    return pd.DataFrame(found, columns=columns)


def draw(table: pd.DataFrame) -> None:
    """Draw AUC over core seconds, a line per contender."""
    with plt.rc_context(RC):
        figure, axes = plt.subplots(figsize=(9, 5))
        for (who, task), rows in table.groupby(["who", "task"], sort=False):
            ours = who == "ours"
            axes.errorbar(
                rows.seconds, rows.auc, [rows.auc - rows.lo, rows.hi - rows.auc], capsize=3,
                color=color_of(task) if ours else INK, marker="o" if ours else MARKERS[who],
                ls="-" if ours else "--", label=label_of(task) if ours else f"{who}, all stages",
            )  # fmt: skip
        axes.set(xscale="log", xticks=TICKS, xticklabels=TICKS,
                 xlabel="core seconds, from files on disk to a validated network",
                 ylabel=f"validation AUC, 95 % interval over {len(SEEDS)} seeds")  # fmt: skip
        axes.minorticks_off()
        axes.legend()
        figure.savefig(PICTURE, dpi=100)
    plt.close(figure)


def peers_table(table: pd.DataFrame) -> str:
    """Return the curves as Markdown."""
    lines = [
        "| who | what trains | epochs | core seconds | AUC, 3 seeds [95 %] | minus the first row |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {r.who} | {label_of(r.task)} | {r.epochs} | {r.seconds:.0f} | "
        f"{r.auc:.3f} [{r.lo:.3f}, {r.hi:.3f}] | "
        f"{r.gain:+.3f} [{r.gain_lo:+.3f}, {r.gain_hi:+.3f}] |"
        for r in table.itertuples()
    ]
    return "\n".join(lines)


def budget_table() -> str:
    """Return the arm with the highest mean test AUC within each budget, as Markdown.

    Bold: clearly ahead of what the smallest budget buys (95 %, paired over seeds and images).
    """
    found = verdicts.evidence()
    lines = ["| images | n | " + " | ".join(f"{b} s" for b in SECONDS) + " |",
             "|---|---|" + "---|" * len(SECONDS)]  # fmt: skip
    for (dataset, n), auc in found.auc.items():
        seconds = {arm: found.seconds[dataset, n, arm] for arm in auc}
        cells = dict.fromkeys(SECONDS, "-")
        for row in bought(auc, found.by_image[dataset, n], seconds):
            told = f"{label_of(row.arm)} {row.auc:.3f}"
            cells[row.budget] = f"**{told}**" if row.lead.lo > 0 else told
        lines.append(f"| {dataset} | {n:,} | {' | '.join(cells.values())} |")
    return "\n".join(lines)


def main() -> None:
    """Measure what is missing and write it down; ``--budgets``: the first table alone."""
    if "--budgets" not in sys.argv[1:]:
        table = curves(collect())
        draw(table)
        write_readme(minutes=peers_table(table))
    write_readme(budgets=budget_table())


if __name__ == "__main__":
    main()
