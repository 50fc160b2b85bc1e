"""What `test_processes` runs under torchrun: each process writes down what it saw and got."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch

from helpers import files
from helpers.training import devices, strategies
from helpers.training.recipe import Recipe
from tests.conftest import make_dataset
from tests.training.conftest import fit, losses


def main(folder: Path) -> None:
    """Train the tiny network on 25 marked images for two epochs, with moving BatchNorm."""
    fabric, data, marks, draws = devices.start("cpu"), make_dataset(n=25), [], []
    data.train.images[:, 0, 0, 0] = range(25)

    def look(images: torch.Tensor) -> torch.Tensor:
        marks.extend(images[:, 0, 0, 0].tolist())
        draws.append(float(torch.rand(())))
        return images

    run = fit(data, strategies.full_finetune(batchnorm="train"), Recipe(epochs=2, batch_size=4),
              augment=look, fabric=fabric)  # fmt: skip
    weights = files.digest(*(value.numpy().tobytes() for value in run.model.state_dict().values()))
    found = {"marks": marks, "draws": draws, "losses": losses(run), "weights": weights}
    (folder / f"{fabric.global_rank}.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
