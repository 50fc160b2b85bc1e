"""One process beside two: ``python -m benchmarks.processes`` (minutes, two cores, CPU and gloo).

The same runs, with the same images in every step: by one process with batches of 32, by two with
16 each. With BatchNorm at rest only rounding may differ. Where it moves, each process normalises
with the statistics of its own half of the batch, and it is another training. Writes
``processes.json`` and its table in ``README.md``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import nn

from benchmarks.run import write_readme
from helpers.datasets import load
from helpers.evidence.verdicts import interval
from helpers.training import devices, loop, metrics, predict, strategies
from helpers.training.recipe import Recipe

HERE = Path(__file__).parent
N, SIZE, EPOCHS, BATCH, SEEDS = 125, 64, 4, 32, range(5)  # 32 images a step, all together
POLICIES = {"rests": "eval", "moves": "train"}


def train(fabric: Fabric) -> list[dict]:
    """Fine-tune with either policy and every seed; return losses by epoch and the test AUC."""
    rows, full = [], load("elpv", size=SIZE)
    for seed in SEEDS:
        data = full.take(N, seed)
        for name, policy in POLICIES.items():
            strategy = strategies.full_finetune(batchnorm=policy)
            model = strategies.build(strategy, n_classes=2, channels=1, seed=seed)
            recipe = Recipe(epochs=EPOCHS, batch_size=BATCH // fabric.world_size)
            run = loop.fit(model, data, strategy, recipe, seed=seed, fabric=fabric)
            losses = {k: [row[k] for row in run.history] for k in ("train_loss", "val_loss")}
            auc = metrics.auc(data.test.labels, predict.predict(model, data.test, fabric))
            rows.append({"batchnorm": name, "seed": seed, **losses, "auc": auc})
            print(fabric.world_size, rows[-1], file=sys.stderr, flush=True)
    return rows


def synchronised() -> str:
    """Return what SyncBatchNorm says to a batch on the CPU."""
    try:
        nn.SyncBatchNorm(4)(torch.zeros(2, 4, 3, 3))
    except ValueError as error:
        return str(error)
    return "works"


def run(processes: int) -> dict:
    """Return what `processes` processes give, under torchrun, with a thread each."""
    command = ["torch.distributed.run", "--standalone", "--nproc-per-node", str(processes), "-m",
               "benchmarks.processes", "train"]  # fmt: skip
    environment = os.environ | {"OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1"}
    done = subprocess.run([sys.executable, "-m", *command], cwd=HERE.parent, env=environment,
                          stdout=subprocess.PIPE, text=True, check=True)  # fmt: skip
    return json.loads(done.stdout.splitlines()[-1])


def compared(one: list[dict], two: list[dict]) -> list[dict]:
    """Return a row per policy: how far two processes end from one."""
    rows = []
    for name in POLICIES:
        pairs = [(a, b) for a, b in zip(one, two, strict=True) if a["batchnorm"] == name]
        gaps = [abs(a["auc"] - b["auc"]) for a, b in pairs]
        row = {"batchnorm": name, "auc_one": float(np.mean([a["auc"] for a, _ in pairs])),
               "auc_gap": interval(gaps), "auc_gap_max": max(gaps)}  # fmt: skip
        for loss in ("train_loss", "val_loss"):
            apart = np.abs([np.subtract(a[loss], b[loss]) for a, b in pairs])  # (seeds, epochs)
            row[loss] = {"first": float(apart[:, 0].max()), "any": float(apart.max())}
        rows.append(row)
    return rows


def table(rows: list[dict], **_) -> str:
    """Return the comparison as Markdown."""
    lines = [
        f"Full fine-tuning of EfficientNet-Lite0 on {N} solar cells of {SIZE} px, {EPOCHS} epochs, "
        f"{BATCH} images a step; {len(SEEDS)} seeds; AUC on the 656 test images.",
        "",
        "| BatchNorm | largest gap of a training loss, epoch 1 | any epoch | of a validation loss, "
        "epoch 1 | any epoch | gap of the AUC, mean over seeds [95 %] | largest | AUC, one process "
        "|",
        "|---|---|---|---|---|---|---|---|",
    ]
    for r in rows:
        mean, lo, hi = r["auc_gap"]
        lines.append(
            f"| {r['batchnorm']} | {r['train_loss']['first']:.1g} | {r['train_loss']['any']:.1g} "
            f"| {r['val_loss']['first']:.1g} | {r['val_loss']['any']:.1g} | {mean:.4f} "
            f"[{max(lo, 0):.4f}, {hi:.4f}] | {r['auc_gap_max']:.4f} | {r['auc_one']:.3f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Compare one process with two, or, under torchrun, do one of the two halves."""
    if sys.argv[1:] == ["train"]:
        fabric = devices.start("cpu")
        found = {"runs": train(fabric), "sync_batchnorm": synchronised()}
        if fabric.global_rank == 0:
            print(json.dumps(found))
        return
    one, two = run(1), run(2)
    found = {"rows": compared(one["runs"], two["runs"]), "sync_batchnorm": two["sync_batchnorm"],
             "one": one["runs"], "two": two["runs"]}  # fmt: skip
    (HERE / "processes.json").write_text(json.dumps(found, indent=1) + "\n")
    write_readme(processes=table(**found))


if __name__ == "__main__":
    main()
