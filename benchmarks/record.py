"""The best recipe of the course, against published results on the same images.

``python -m measure recipe`` tries the steps on validation, trains the last recipe and scores the
test images (``make record`` does both). This writes what came out to README.md.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.metrics import roc_curve

from benchmarks.run import write_readme
from helpers import datasets
from helpers.datasets.elpv import soft_targets
from helpers.evidence import recipe, tables
from helpers.evidence.recipe import BORROWED, answers, averages, final, members
from helpers.training import metrics

TITLES = {"elpv": "solar cells (ELPV)", "chest_xray": "chest X-rays"}
N_TEST = {"elpv": 656, "chest_xray": 624}
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


def our_line(who: str, labels: np.ndarray, said: list[np.ndarray], minutes: float) -> str:
    """Return accuracy at p >= .5 and AUC of several seeds, ``(N, 2)`` each, as a Markdown row."""
    scores = [metrics.score(labels, p) for p in said]
    accuracy = np.mean([score.accuracy for score in scores])
    half = 1.96 * np.sqrt(accuracy * (1 - accuracy) / len(labels))
    auc, low, high = (np.mean([getattr(s, k) for s in scores]) for k in ("auc", "auc_lo", "auc_hi"))
    each = sorted({f"{score.accuracy:.1%}" for score in scores})
    return (
        f"| **ours**: {who} | {accuracy:.1%} ± {half:.1%} ({', '.join(each)}) | "
        f"{auc:.3f} [{low:.3f}, {high:.3f}] | {minutes:.0f} |"
    )


def our_lines(table: pd.DataFrame, dataset: str) -> list[str]:
    """Return the rows of the first recipe, of the last, and of the borrowed one if there is one.

    The last stands there with its averages, and again as learned from the validation images, too.
    """
    start, last = recipe.rows_of(table, dataset, "test", "start"), members(table, dataset, "test")
    if start.empty or not last:
        return []
    labels, lines, name = start.labels.iloc[0], [], "the first recipe"
    if start.setup.iloc[0] != next(iter(last.values())).setup.iloc[0]:
        minutes = start.core_seconds.mean() / 60
        lines, name = [our_line(name, labels, answers(start), minutes)], "the last"
    others = {BORROWED: recipe.rows_of(table, dataset, "test", BORROWED)}
    for who, nets in ((name, last), (name, members(table, dataset, "all")), (BORROWED, others)):
        n_train = [rows.n_train.iloc[0] for rows in nets.values() if not rows.empty]
        if n_train:
            minutes = recipe.costs(nets)
            lines += [our_line(f"{who}, {n_train[0]:,} images, {what}", labels, said, minutes[what])
                      for what, said in averages(nets).items()]  # fmt: skip
    return lines


def accuracy_at(labels: np.ndarray, p: np.ndarray, cut: float) -> float:
    """Return the share of right answers when ``p >= cut`` says yes."""
    return float(((p >= cut) == labels).mean())


def best_cut(labels: np.ndarray, p: np.ndarray) -> float:
    """Return the threshold with the highest accuracy."""
    _, _, cuts = roc_curve(labels, p, drop_intermediate=False)
    return max(cuts, key=lambda cut: accuracy_at(labels, p, cut))


def thresholds(table: pd.DataFrame, dataset: str) -> str:
    """Say what a threshold from validation gives on test, mean over the seeds."""
    val, test = (members(table, dataset, part) for part in ("validation", "test"))
    (val_rows, test_rows) = (next(iter(found.values())) for found in (val, test))
    name, after = final(test)
    pairs = zip(averages(val)[name], after, strict=True)
    labels = val_rows.labels.iloc[0], test_rows.labels.iloc[0]
    found = [accuracy_at(labels[1], after[:, 1], best_cut(labels[0], before[:, 1]))
             for before, after in pairs]  # fmt: skip
    return (
        f"With the threshold that is best on the {len(labels[0])} validation images, "
        f"{np.mean(found):.1%} are right ({name})."
    )


def certainty(table: pd.DataFrame) -> str:
    """Say how the errors on ELPV divide over sure and unsure experts."""
    test = datasets.load("elpv", size=32).test
    probability = soft_targets(test)[:, 1]
    sure = (probability == 0) | (probability == 1)
    name, said = final(members(table, "elpv", "all") or members(table, "elpv", "test"))
    right = np.array([p.argmax(axis=1) == test.labels for p in said])
    n, n_sure = len(sure), int(sure.sum())
    share = (~right[:, ~sure]).sum() / (~right).sum()
    hard = right[:, ~sure].mean()
    return (
        f"At .5 ({name}) {right[:, sure].mean():.1%} are right of the {n_sure} test cells whose "
        f"experts were sure (p is 0 or 1) and {hard:.1%} of the other {n - n_sure}, which hold "
        f"{share:.0%} of all errors. With the latter as they are, 90 % of all would take "
        f"{(0.9 * n - hard * (n - n_sure)) / n_sure:.1%} of the former."
    )


def scored_before(dataset: str) -> int:
    """Count the rows of data/results in which a network met these test images."""
    count = 0
    for path in tables.FOLDER.glob("*.csv"):
        rows = pd.read_csv(path)
        if "auc" in rows and "dataset" in rows and path != recipe.RECIPE:
            tested = rows.get("n_test", pd.Series(N_TEST[dataset], rows.index)) == N_TEST[dataset]
            count += int(((rows.dataset == dataset) & tested).sum())
    return count


def record_table(table: pd.DataFrame) -> str:
    """Return our test scores beside the published ones, as Markdown."""
    parts = []
    for dataset, published in PUBLISHED.items():
        lines = our_lines(table, dataset)
        parts += [
            f"**{TITLES[dataset]}**, n = {N_TEST[dataset]}", "",
            "| who | accuracy at p >= .5 | AUC | core minutes |", "|---|---|---|---|", *lines,
            *(f"| {who} | {accuracy:.1%} | {'' if auc is None else f'{auc:.3f}'} | |"
              for who, accuracy, auc in published), "",
        ]  # fmt: skip
        if not lines:
            parts += ["The last recipe is not measured on these images.", ""]
            continue
        parts.append(thresholds(table, dataset))
        if dataset == "elpv":
            parts.append(certainty(table))
        parts += [
            f"Other rows of data/results scored these test images {scored_before(dataset):,} "
            "times; none of them chose a step of this recipe.", "",
        ]  # fmt: skip
    return "\n".join(parts).rstrip()


def steps_table(table: pd.DataFrame) -> str:
    """Return what was tried on validation, as Markdown."""
    lines = [
        "| data | step | option | AUC | gain [95 %] | core minutes | |",
        "|---|---|---|---|---|---|---|",
    ]
    for dataset in PUBLISHED:
        lines += [
            f"| {dataset} | {t.step} | {t.option} | {t.auc:.3f} | {t.gain.mean:+.3f} "
            f"[{t.gain.lo:+.3f}, {t.gain.hi:+.3f}] | {t.core_minutes:.1f} | {'chosen' * t.chosen} |"
            for t in recipe.climb(table, dataset)
        ]
    return "\n".join(lines)


if __name__ == "__main__":
    measured = recipe.read_recipe()
    write_readme(record=record_table(measured), record_tried=steps_table(measured))
