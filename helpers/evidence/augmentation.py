"""What augmentation is worth, as measured; ``python -m measure augmentation`` fills the tables.

``gain`` is the difference in test AUC to the same run without augmentation, on the same test
images. `AGREEMENT` holds how many predictions of a trained network survive each policy.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pandas as pd

from helpers.datasets import augment
from helpers.evidence import tables
from helpers.evidence.verdicts import over_seeds_and_images

RESULTS = tables.FOLDER / "augmentation.csv"

# X-rays as they stood until November 2026: AUCs from probabilities in single precision.
SINGLE = tables.FOLDER / "augmentation_single.csv"

AGREEMENT = tables.FOLDER / "augmentation_agreement.csv"

KEY = ("dataset", "n_train", "policy", "seed")

COLUMNS = (
    *KEY, "backbone", "image_size", "strategy", "epochs", "n_test", "auc", "auc_lo", "auc_hi",
    "gain", "gain_lo", "gain_hi", "train_seconds", "versions",
)  # fmt: skip

AGREEMENT_COLUMNS = (*KEY, "n_images", "draws", "agreement", "agreement_lo", "agreement_hi",
                     "commoner", "versions")  # fmt: skip

DATASETS = ("elpv", "chest_xray")

SIZES = (100, 400)

# Three say little about a gain of a few hundredths. The X-rays were measured anew in November 2026.
SEEDS = {"elpv": range(6), "chest_xray": range(3)}

# "none" first: the others are compared with it. A turn of 10 degrees is a part of "radiograph".
POLICIES = tuple(name for name in augment.POLICIES | augment.SINGLES if name != "rotation_10")


def planned(names: Sequence[str] = DATASETS) -> list[tuple]:
    """Return the `KEY` of every run of the grid, seed by seed, ``"none"`` before what needs it."""
    order = itertools.product(range(max(map(len, SEEDS.values()))), SIZES, names, POLICIES)
    return [(name, n, policy, seed) for seed, n, name, policy in order if seed in SEEDS[name]]


def findings(runs: pd.DataFrame) -> pd.DataFrame:
    """Return what each policy adds to the AUC: a row per data set, size and policy.

    Returns
    -------
    Columns ``dataset, n_train, policy``; ``gain``, the mean over the seeds, with the 95 % interval
    ``gain_lo, gain_hi`` of `over_seeds_and_images`; ``n_test``, ``seeds``, ``ups`` (seeds with a
    gain above 0) and ``effect``: ``"helps"`` or ``"hurts"`` where the interval leaves out 0, else
    ``"not distinguishable"``; ``"unfinished"`` where a seed is not measured yet.
    """
    by, found = ["dataset", "n_train", "policy"], []
    for key, rows in runs[runs["policy"] != "none"].groupby(by, sort=False):
        gain, seeds = over_seeds_and_images(rows, "gain"), rows["seed"].nunique()
        effect = "not distinguishable"
        if seeds < len(SEEDS[key[0]]):
            effect = "unfinished"
        elif gain.clear:
            effect = "helps" if gain.mean > 0 else "hurts"
        ups = int((rows["gain"] > 0).sum())
        found.append((*key, *gain, int(rows["n_test"].mean()), seeds, ups, effect))
    columns = [*by, "gain", "gain_lo", "gain_hi", "n_test", "seeds", "ups", "effect"]
    return pd.DataFrame(found, columns=columns)


def scored_twice() -> pd.DataFrame:
    """Return the X-ray runs of both tables, a row each; columns of `SINGLE` end in ``_before``."""
    tables_read = (tables.read(path, COLUMNS) for path in (RESULTS, SINGLE))
    return pd.merge(*tables_read, on=list(KEY), suffixes=("", "_before"))


def kept_predictions(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the agreement per data set and policy, mean over seeds, as the plot takes it.

    ``commoner``: the share of the answer that the networks give more often to unchanged images.
    """
    rows = rows[rows["policy"] != "none"]
    names = {"agreement": "value", "agreement_lo": "lo", "agreement_hi": "hi", "n_images": "n",
             "commoner": "commoner"}  # fmt: skip
    means = rows.groupby(["dataset", "policy"], sort=False)[list(names)].mean()
    return means.rename(columns=names).astype({"n": int}).reset_index()


def describe(policy: str, dataset: str, found: pd.DataFrame, kept: pd.DataFrame) -> str:
    """Return in one line what was measured of a policy on a data set.

    Parameters
    ----------
    found, kept : what `findings` and `kept_predictions` return.
    """
    this = "policy == @policy and dataset == @dataset"
    found, kept = found.query(this), kept.query(this)
    parts = [f"{row.value:.0%} of answers kept" for row in kept.itertuples()]
    parts += [
        f"n={row.n_train} {row.gain:+.3f} [{row.gain_lo:+.3f}, {row.gain_hi:+.3f}], "
        f"up in {row.ups} of {row.seeds}, {row.effect}"
        for row in found.itertuples()
    ]
    return "; ".join(parts) or "not measured yet"
