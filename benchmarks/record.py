"""The record recipe: the best of the course, against published results on the same images.

``python -m benchmarks.record elpv`` (or ``chest_xray``) trains with three seeds, scores the test
split once each and writes what came out to record.json and README.md. ``--try`` scores variants on
the validation split instead; every choice below was made there.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.run import write_readme
from helpers import files
from helpers.datasets import Dataset, Split, load
from helpers.datasets import views as datasets_views
from helpers.datasets.elpv import soft_targets
from helpers.datasets.views import Seen, View
from helpers.networks.backbones import Backbone
from helpers.training import loop, metrics, strategies
from helpers.training.predict import Inputs, predict
from helpers.training.recipe import Recipe

HERE = Path(__file__).parent
RECORD, TRIED = HERE / "record.json", HERE / "record_tried.json"


@dataclass(frozen=True)
class Setup:
    """One recipe.

    Attributes
    ----------
    last : how many of the last stages train; the front is computed once per view.
    views : ``dihedral`` or ``nudged``: fixed views to train on, and to average predictions over.
    n_views : how many of them.
    soft : learn the experts' probability instead of the label (ELPV only).
    epochs, average : train so long, keep the mean of the weights of the last epochs.
    """

    dataset: str
    size: int = 160
    last: int = 5
    views: str = "dihedral"
    n_views: int = 8
    soft: bool = True
    class_weights: bool = False
    epochs: int = 16
    average: int = 4
    head_lr: float = 2e-3
    backbone_lr: float = 5e-4
    decay: float = 0.8
    weight_decay: float = 1e-2

    @property
    def strategy(self) -> strategies.Strategy:
        """Partial fine-tuning of the last stages, later ones faster."""
        return strategies.partial_finetune(
            self.last, self.head_lr, self.backbone_lr, self.decay, weight_decay=self.weight_decay
        )

    @property
    def looks(self) -> list[View]:
        """The views themselves."""
        return getattr(datasets_views, self.views)(self.n_views)


RECIPES = {
    "elpv": Setup("elpv"),
    "chest_xray": Setup(
        "chest_xray", views="nudged", n_views=4, soft=False, class_weights=True, epochs=4, average=2
    ),
}
VARIANTS = {
    "elpv": {
        "recipe": {},
        "labels instead of probabilities": {"soft": False},
        "224 px": {"size": 224},
        "class weights": {"class_weights": True},
        "last 3 stages": {"last": 3},
        "last 3 stages, 224 px": {"last": 3, "size": 224},
        "one view": {"n_views": 1},
    },
    "chest_xray": {
        "recipe": {},
        "128 px": {"size": 128},
        "last 3 stages": {"last": 3},
        "one view": {"n_views": 1},
    },
}


def joined(data: Dataset) -> Dataset:
    """Return the data with validation images in the training split too: nothing is chosen now."""
    train, val = data.train, data.val
    both = Split(*(
        np.concatenate([getattr(train, name)[:], getattr(val, name)[:]])
        for name in ("images", "labels", "groups")
    ))  # fmt: skip
    return replace(data, train=both)


def fit(setup: Setup, data: Dataset, seed: int) -> Backbone:
    """Train one network by the recipe."""
    model = strategies.build(
        setup.strategy, n_classes=len(data.card.classes), channels=data.card.channels, seed=seed
    )
    recipe = Recipe(epochs=setup.epochs, average=setup.average, class_weights=setup.class_weights)
    targets = soft_targets(data.train) if setup.soft else None
    run = loop.fit(
        model, data, setup.strategy, recipe, seed=seed, views=setup.looks, targets=targets
    )
    return run.model


def score(setup: Setup, model: Backbone, split: Split) -> metrics.Score:
    """Score the mean of the predictions over the views that the network was trained on."""
    looks = [Inputs(Seen(split.images, view), split.labels) for view in setup.looks]
    probabilities = np.mean([predict(model, look) for look in looks], axis=0)
    return metrics.score(split.labels, probabilities, split.groups)


def run(setup: Setup, seed: int, final: bool) -> dict:
    """Train once; score the test split (final), or the validation split."""
    start, start_processor = time.perf_counter(), time.process_time()
    data = load(setup.dataset, size=setup.size)
    split = data.test if final else data.val
    model = fit(setup, joined(data) if final else data, seed)
    found = score(setup, model, split)
    return {
        "dataset": setup.dataset, "split": "test" if final else "validation", "seed": seed,
        "n": len(split), "accuracy": found.accuracy, "auc": found.auc,
        "auc_lo": found.auc_lo, "auc_hi": found.auc_hi,
        **(by_certainty(split, found) if setup.dataset == "elpv" else {}),
        "seconds": time.perf_counter() - start,
        "processor_seconds": time.process_time() - start_processor, "setup": asdict(setup),
    }  # fmt: skip


def by_certainty(split: Split, found: metrics.Score) -> dict:
    """Return ELPV's accuracy where the experts were sure (p is 0 or 1), and where they were not."""
    probability = soft_targets(split)[:, 1]
    sure = (probability == 0) | (probability == 1)
    right = found.probabilities.argmax(axis=1) == split.labels
    return {
        "n_sure": int(sure.sum()),
        "accuracy_sure": float(right[sure].mean()),
        "accuracy_unsure": float(right[~sure].mean()),
    }


def collect(path: Path, jobs: list[tuple[Setup, int, bool]]) -> list[dict]:
    """Run what `path` does not hold yet; a run is kept as soon as it is done."""
    rows = rows_of(path)
    for setup, seed, final in jobs:
        if any(row["setup"] == asdict(setup) and row["seed"] == seed for row in rows):
            continue
        rows.append(run(setup, seed, final))
        print({k: v for k, v in rows[-1].items() if k != "setup"}, flush=True)
        with files.atomic_path(path) as temporary:
            temporary.write_text(json.dumps(rows, indent=1) + "\n")
    return rows


PUBLISHED = {
    "elpv": (
        ("SVM, Deitsch et al. 2019", 0.8244, None),
        ("VGG-19 in two stages, Deitsch et al. 2019", 0.8842, None),
    ),
    "chest_xray": (
        (
            "ResNet-18 from scratch, 28 px images enlarged (MedMNIST v2, Yang et al. 2023)",
            0.864,
            0.956,
        ),
        ("Google AutoML (the same)", 0.946, 0.991),
        ("ResNet-18 pretrained, 224 px (MedMNIST+, Doerrich et al. 2025)", 0.9113, 0.9804),
        ("linear probe on DINO ViT-B/16, 224 px (the same)", 0.9156, 0.9892),
    ),
}


def record_table(rows: list[dict]) -> str:
    """Return our test scores beside the published ones, as Markdown."""
    lines = ["| data | who | accuracy | AUC | core minutes a seed |", "|---|---|---|---|---|"]
    for name, published in PUBLISHED.items():
        ours = [row for row in rows if row["dataset"] == name]
        if ours:
            lines.append(_our_line(name, ours))
        lines += [
            f"| {name} | {who} | {accuracy:.1%} | {'' if auc is None else f'{auc:.3f}'} | |"
            for who, accuracy, auc in published
        ]
    certain = [row for row in rows if "n_sure" in row]
    return "\n".join([*lines, "", certainty(certain)] if certain else lines)


def certainty(rows: list[dict]) -> str:
    """Say how accuracy on ELPV divides over sure and unsure experts, mean of the seeds."""
    sure, unsure = (np.mean([row[f"accuracy_{k}"] for row in rows]) for k in ("sure", "unsure"))
    n, n_sure = rows[0]["n"], rows[0]["n_sure"]
    return (
        f"On ELPV, {len(rows)} seeds: {sure:.1%} of the {n_sure} test cells whose experts were "
        f"sure (p is 0 or 1), {unsure:.1%} of the other {n - n_sure}. With the latter as they are, "
        f"91.0 % of all would take {(0.91 * n - unsure * (n - n_sure)) / n_sure:.1%} of the former."
    )


def _our_line(name: str, rows: list[dict]) -> str:
    accuracy, auc, low, high = (
        np.mean([row[key] for row in rows]) for key in ("accuracy", "auc", "auc_lo", "auc_hi")
    )
    # A machine that does other things too has slow clocks on the wall, but honest processor time.
    seconds = np.nanmedian([row.get("processor_seconds", np.nan) for row in rows])
    half = 1.96 * np.sqrt(accuracy * (1 - accuracy) / rows[0]["n"])
    each = ", ".join(f"{row['accuracy']:.1%}" for row in rows)
    return (
        f"| {name} | **ours**, {len(rows)} seeds, n = {rows[0]['n']} | {accuracy:.1%} ± {half:.1%} "
        f"({each}) | {auc:.3f} [{low:.3f}, {high:.3f}] | {seconds / 60:.0f} |"
    )


def tried_table(rows: list[dict]) -> str:
    """Return what was tried on the validation split, as Markdown."""
    lines = ["| data | variant | seeds | accuracy | AUC | n |", "|---|---|---|---|---|---|"]
    for name, variants in VARIANTS.items():
        for label, change in variants.items():
            setup = asdict(replace(RECIPES[name], **change))
            found = [row for row in rows if row["setup"] == setup]
            if found:
                accuracy, auc = (np.mean([r[k] for r in found]) for k in ("accuracy", "auc"))
                lines.append(
                    f"| {name} | {label} | {len(found)} | {accuracy:.1%} | {auc:.3f} | "
                    f"{found[0]['n']} |"
                )
    return "\n".join(lines)


def rows_of(path: Path) -> list[dict]:
    """Return the runs that `path` holds."""
    return json.loads(path.read_text()) if path.is_file() else []


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.record", description=__doc__)
    parser.add_argument("dataset", choices=RECIPES)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--try", dest="variants", nargs="*", help="names of variants, or all")
    arguments = parser.parse_args()
    setup, seeds = RECIPES[arguments.dataset], range(arguments.seeds)
    if arguments.variants is None:
        collect(RECORD, [(setup, seed, True) for seed in seeds])
    else:
        variants = VARIANTS[arguments.dataset]
        names = arguments.variants or list(variants)
        collect(TRIED, [(replace(setup, **variants[n]), s, False) for n in names for s in seeds])
    write_readme(record=record_table(rows_of(RECORD)), record_tried=tried_table(rows_of(TRIED)))


if __name__ == "__main__":
    main()
