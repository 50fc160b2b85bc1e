"""Where transfer lives, as measured: linear probes on every part of a network, and CKA.

``python -m measure probes`` and ``python -m measure cka`` fill the two tables.
"""

from __future__ import annotations

import pandas as pd

from helpers.evidence import tables

PROBES = tables.FOLDER / "layer_probes.csv"

CKA = tables.FOLDER / "cka.csv"

PROBE_COLUMNS = (
    "dataset", "domain", "n_train", "n_val", "n_test", "backbone", "image_size", "weights", "seed",
    "part", "depth", "channels", "auc", "auc_lo", "auc_hi", "strength", "versions",
)  # fmt: skip

CKA_COLUMNS = (
    "dataset", "domain", "n_train", "n_images", "backbone", "image_size", "strategy", "epochs",
    "kept_epoch", "test_auc", "seed", "part", "depth", "cka", "cka_lo", "cka_hi", "cka_biased",
    "versions",
)  # fmt: skip


def read_probes() -> pd.DataFrame:
    """Return the measured probes, a row per data set, weights, seed and part."""
    return tables.read(PROBES, PROBE_COLUMNS)


def read_cka() -> pd.DataFrame:
    """Return the measured CKA with the pretrained network, a row per strategy, seed and part."""
    return tables.read(CKA, CKA_COLUMNS)
