"""What augmentation is worth, measured: ``python -m helpers.augment_evidence``.

Every policy, with few images, on solar cells and on chest X-rays: test AUC, its difference to no
augmentation on the same images and seed, and whether a trained network keeps its prediction.
Killed and started again it goes on where it was; a finished run is a row of augmentation.csv.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from tqdm.auto import tqdm

from helpers import augment, cache, commands, experiments, paired, strategies, tables
from helpers.datasets import Dataset
from helpers.experiments import Experiment, Outcome
from helpers.runs import Recipe
from helpers.verdicts import interval, widened

RESULTS = tables.FOLDER / "augmentation.csv"
AGREEMENT = tables.FOLDER / "augmentation_agreement.csv"
KEY = ("dataset", "n_train", "policy", "seed")
COLUMNS = (
    *KEY, "backbone", "image_size", "strategy", "epochs", "n_test", "auc", "auc_lo", "auc_hi",
    "gain", "gain_lo", "gain_hi", "train_seconds", "versions",
)  # fmt: skip
FINDING = ("gain", "gain_lo", "gain_hi", "n_test", "seeds", "ups", "verdict")
AGREEMENT_COLUMNS = (*KEY, "n_images", "draws", "agreement", "agreement_lo", "agreement_hi",
                     "versions")  # fmt: skip

DATASETS = ("elpv", "chest_xray")
SIZES = (100, 400)
SEEDS = (0, 1, 2, 3, 4, 5)  # three say too little about a gain of a few hundredths
# "none" first: the others are compared with it. A turn of 10 degrees is a part of "radiograph".
POLICIES = tuple(name for name in augment.POLICIES | augment.SINGLES if name != "rotation_10")
IMAGE_SIZE = 96
STRATEGY = strategies.partial_finetune(last=2)
AGREEMENT_IMAGES, AGREEMENT_DRAWS = 300, 2


@dataclass(frozen=True)
class Cell:
    """One run: a policy on `n_train` images of a data set, with a seed."""

    dataset: str
    n_train: int
    policy: str
    seed: int

    @property
    def key(self) -> tuple:
        """The values of `KEY`."""
        return (self.dataset, self.n_train, self.policy, self.seed)

    @property
    def experiment(self) -> Experiment:
        """The same budget for every policy; the mean of the last epochs, so no lucky choice.

        With 25 to 100 validation images, choosing the best epoch would add noise of its own.
        """
        epochs = 30 if self.n_train <= 100 else 15
        return Experiment(
            STRATEGY, self.dataset, self.n_train, image_size=IMAGE_SIZE,
            recipe=Recipe(epochs=epochs, average=3), seed=self.seed,
        )  # fmt: skip


def cells(names: Sequence[str] = DATASETS) -> list[Cell]:
    """Return every run of the grid, one seed after the other, ``"none"`` before what needs it."""
    return [
        Cell(name, n, policy, seed)
        for seed in SEEDS
        for n in SIZES
        for name in names
        for policy in POLICIES
    ]


def measure(cell: Cell, path: Path = AGREEMENT) -> dict:
    """Train one cell on one thread and return its row.

    The run without augmentation also asks its network which predictions survive each policy, and
    writes that to `path`, once.

    Raises
    ------
    CourseError
        When the data set cannot be loaded or the table at `path` cannot be read.
    """
    torch.set_num_threads(1)
    policy = augment.by_name(cell.policy)
    data = cell.experiment.data()
    outcome = experiments.measure(cell.experiment, data=data, augment=policy)
    if cell.policy == "none":
        _keep(cell, outcome.score.probabilities)
        if cell.n_train == max(SIZES):
            _add_agreement(agreement_rows(cell, outcome), path)
    return _row(cell, outcome, _without(cell, data, outcome))


def _add_agreement(rows: list[dict], path: Path) -> None:
    """Write what is not there yet: a run killed before its own row was written comes twice."""
    there = set(tables.read(path, AGREEMENT_COLUMNS)[list(KEY)].itertuples(index=False, name=None))
    if new := [row for row in rows if tuple(row[name] for name in KEY) not in there]:
        tables.append(new, path, AGREEMENT_COLUMNS)


def _row(cell: Cell, outcome: Outcome, without: np.ndarray) -> dict:
    score, groups = outcome.score, outcome.data.test.groups
    gain = paired.auc_difference(score.labels, without, score.probabilities, groups)
    found = {
        **dict(zip(KEY, cell.key, strict=True)), "n_test": score.n,
        "gain": round(gain.mean, 4), "gain_lo": round(gain.lo, 4), "gain_hi": round(gain.hi, 4),
        "train_seconds": round(outcome.run.processor_seconds, 1),
    }  # fmt: skip
    row = outcome.row() | found
    return {name: row[name] for name in COLUMNS}


def _store(cell: Cell) -> Path:
    plain = Cell(cell.dataset, cell.n_train, "none", cell.seed)
    key = cache.digest(plain.key, plain.experiment, experiments.versions())
    return cache.folder("augmentation", f"{key}.npy")


def _keep(cell: Cell, probabilities: np.ndarray) -> None:
    with cache.atomic_path(_store(cell)) as temporary, temporary.open("wb") as file:
        np.save(file, probabilities)


def _without(cell: Cell, data: Dataset, outcome: Outcome) -> np.ndarray:
    """Return the test probabilities without augmentation: kept, or measured again."""
    if cell.policy == "none":
        return outcome.score.probabilities
    if not _store(cell).is_file():
        plain = experiments.measure(cell.experiment, data=data, augment=augment.by_name("none"))
        _keep(cell, plain.score.probabilities)
    return np.load(_store(cell))


def agreement_rows(cell: Cell, outcome: Outcome) -> list[dict]:
    """Ask the trained network of `outcome` which of its predictions survive each policy."""
    test = outcome.data.test
    n = min(AGREEMENT_IMAGES, len(test))
    images = test.sample(n, cell.seed).images
    rows = []
    for name in augment.POLICIES | augment.SINGLES:
        share = augment.agreement(
            outcome.run.model, images, augment.by_name(name), AGREEMENT_DRAWS, cell.seed
        )
        rows.append({
            **dict(zip(KEY, cell.key, strict=True)), "policy": name, "n_images": n,
            "draws": AGREEMENT_DRAWS, "agreement": round(share.value, 4),
            "agreement_lo": round(share.lo, 4), "agreement_hi": round(share.hi, 4),
            "versions": experiments.versions(),
        })  # fmt: skip
    return rows


def missing(plan: Sequence[Cell], table: pd.DataFrame) -> list[Cell]:
    """Return the cells of `plan` that have no row in `table` yet."""
    done = set(table[list(KEY)].itertuples(index=False, name=None))
    return [cell for cell in plan if cell.key not in done]


def run(plan: Sequence[Cell], path: Path = RESULTS, agreement: Path = AGREEMENT) -> int:
    """Measure what `path` does not hold yet, one cell after the other; return how many."""
    todo = missing(plan, tables.read(path, COLUMNS))
    print(f"{len(plan) - len(todo)} of {len(plan)} runs are measured", flush=True)
    for cell in tqdm(todo, unit="run"):
        row = measure(cell, agreement)
        tables.append([row], path, COLUMNS)
        print(f"{cell.dataset} n={cell.n_train} {cell.policy} seed {cell.seed}: AUC "
              f"{row['auc']:.3f}, gain {row['gain']:+.3f}, {row['train_seconds']:.0f} s",
              flush=True)  # fmt: skip
    return len(todo)


def findings(runs: pd.DataFrame) -> pd.DataFrame:
    """Return what each policy adds to the AUC: a row per data set, size and policy.

    Returns
    -------
    Columns ``dataset, n_train, policy``; ``gain``, the mean over the seeds, with its 95 % interval
    ``gain_lo, gain_hi``, which adds two sources of chance in squares: the seeds (Student's t) and
    the test images (mean half-width of the paired bootstrap); ``n_test``, ``seeds``, ``ups`` (seeds
    with a gain above 0) and ``verdict``: ``"helps"`` or ``"hurts"`` where the interval leaves out
    0, else ``"not distinguishable"``; ``"unfinished"`` where a seed is not measured yet.
    """
    columns = ["dataset", "n_train", "policy"]
    groups = runs[runs["policy"] != "none"].groupby(columns, sort=False)
    rows = [dict(zip(columns, key, strict=True)) | _finding(part) for key, part in groups]
    return pd.DataFrame(rows, columns=[*columns, *FINDING])


def _finding(rows: pd.DataFrame) -> dict:
    by_image = (rows["gain_hi"] - rows["gain_lo"]).mean() / 2
    gain, seeds = widened(interval(rows["gain"]), by_image), rows["seed"].nunique()
    verdict = "not distinguishable"
    if seeds < len(SEEDS):
        verdict = "unfinished"
    elif gain.clear:
        verdict = "helps" if gain.mean > 0 else "hurts"
    values = *gain, int(rows["n_test"].mean()), seeds, int((rows["gain"] > 0).sum()), verdict
    return dict(zip(FINDING, values, strict=True))


def kept_predictions(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the agreement per data set and policy, mean over seeds, as the plot takes it."""
    rows = rows[rows["policy"] != "none"]
    names = {"agreement": "value", "agreement_lo": "lo", "agreement_hi": "hi", "n_images": "n"}
    means = rows.groupby(["dataset", "policy"], sort=False)[list(names)].mean()
    return means.rename(columns=names).astype({"n": int}).reset_index()


def describe(policy: str, dataset: str, found: pd.DataFrame, kept: pd.DataFrame) -> str:
    """Return in one line what was measured of a policy on a data set.

    Parameters
    ----------
    found, kept : what `findings` and `kept_predictions` return.
    """
    found, kept = (
        table[(table["policy"] == policy) & (table["dataset"] == dataset)]
        for table in (found, kept)
    )
    parts = [f"{row.value:.0%} of answers kept" for row in kept.itertuples()]
    parts += [
        f"n={row.n_train} {row.gain:+.3f} [{row.gain_lo:+.3f}, {row.gain_hi:+.3f}], "
        f"up in {row.ups} of {row.seeds}, {row.verdict}"
        for row in found.itertuples()
    ]
    return "; ".join(parts) or "not measured yet"


def main(argv: list[str] | None = None) -> int:
    """Measure what is missing; return the exit code."""
    prog = "python -m helpers.augment_evidence"
    return commands.measure_all(argv, prog, __doc__, DATASETS, lambda names: run(cells(names)))


if __name__ == "__main__":
    sys.exit(main())
