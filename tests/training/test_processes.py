"""Several processes: the same images in a step, the same loss and one network, as with one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from helpers.__main__ import main
from helpers.evidence import tables
from helpers.training import checkpoints, loop
from helpers.training.recipe import Recipe
from tests.conftest import draw_classes, make_dataset

N, BATCH = 27, 5  # images that two processes cannot share evenly; images a step and process


def torchrun(*command: str) -> str:
    """Run a module in two processes on this machine; return what they print."""
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2",
              "--master-addr", "127.0.0.1", "--master-port", "0", "--rdzv-backend", "c10d",
              "--rdzv-endpoint", "127.0.0.1:0", "-m", "--"]  # fmt: skip
    done = subprocess.run(
        [*launch, *command], capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.parametrize("strategy", ["feature_extraction", "lp_ft"])
def test_two_processes_train_the_network_that_one_trains(tmp_path, private_cache, strategy):
    """With BatchNorm at rest and the same images in a step nothing but rounding may differ."""
    folder = draw_classes(tmp_path / "images", n=40, size=32)
    one, two = tmp_path / "one", tmp_path / "two"

    def command(where: Path, batch_size: int) -> list[str]:
        return ["train", "--dataset", f"folder:{folder}", "--size", "32", "--n", str(N), "--epochs",
                "3", "--accelerator", "cpu", "--strategy", strategy, "--folder", str(where),
                "--results", str(where / "rows.csv"), "--batch-size", str(batch_size)]  # fmt: skip

    assert main(command(one, 2 * BATCH)) == 0
    assert torchrun("helpers", *command(two, BATCH)).count("AUC") == 2, "both of one process"
    alone, shared = (checkpoints.weights.content(where / checkpoints.STATE) for where in (one, two))
    for name in ("train_loss", "val_loss", "val_auc"):
        values = [[row[name] for row in state["run"]["history"]] for state in (alone, shared)]
        assert values[1] == pytest.approx(values[0], abs=1e-5), name
    for name, value in alone["kept"].items():
        torch.testing.assert_close(shared["kept"][name], value, rtol=0, atol=1e-4)
    (row,), (same,) = (tables.read_rows(where / "rows.csv").itertuples() for where in (one, two))
    assert (row.auc, row.auc_lo, row.auc_hi) == (same.auc, same.auc_lo, same.auc_hi)
    # Half the batch is another run for one process, but with all of it the run may go on.
    assert shared["fingerprint"] == alone["fingerprint"]


def test_two_processes_share_the_images_draw_apart_and_end_with_one_network(tmp_path):
    """Also where BatchNorm moves, and each process has statistics of its own images."""
    torchrun("tests.training.two_processes", str(tmp_path))
    one, two = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1))
    assert sorted(one["marks"] + two["marks"]) == sorted([*range(25)] * 2), "two epochs"
    assert not set(one["draws"]) & set(two["draws"])
    assert one["losses"] == two["losses"]
    assert one["weights"] == two["weights"]


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize(("n", "world"), [(27, 2), (24, 2), (25, 3), (50, 4)])
def test_the_parts_of_a_batch_add_up_to_the_batch_of_one_process(n, world, soft):
    labels = np.arange(n) % 5 // 4  # one class is rare
    weight = loop.class_weights(labels, 2)
    targets = np.eye(2, dtype=np.float32)[labels] if soft else labels
    per_image, data = torch.rand(n, 2), make_dataset(n)

    def batches(rank: int, world: int, batch_size: int) -> list[tuple[np.ndarray, float]]:
        training = SimpleNamespace(
            data=data, targets=targets, fabric=SimpleNamespace(global_rank=rank, world_size=world),
            run=SimpleNamespace(seed=0, recipe=Recipe(batch_size=batch_size)),
            loss_of=torch.nn.CrossEntropyLoss(weight),
        )  # fmt: skip
        return loop._Training.batches(training, epoch=3)

    def loss(index: np.ndarray) -> float:
        wanted = torch.from_numpy(targets[index])
        return float(torch.nn.functional.cross_entropy(per_image[index], wanted, weight))

    whole, parts = batches(0, 1, 4 * world), [batches(rank, world, 4) for rank in range(world)]
    assert all(factor == 1 for _, factor in whole)
    for (every, _), *own in zip(whole, *parts, strict=True):
        assert sorted(np.concatenate([part for part, _ in own])) == sorted(every)
        assert min(len(part) for part, _ in own) > 1
        mean = np.mean([factor * loss(part) for part, factor in own])
        assert mean == pytest.approx(loss(every), rel=1e-5)
