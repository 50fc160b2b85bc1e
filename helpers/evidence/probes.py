"""Where transfer lives, as measured: linear probes on every part of a network, and CKA.

``python -m measure probes`` and ``python -m measure cka`` fill the two tables.
"""

from __future__ import annotations

import pandas as pd

from helpers.evidence import tables
from helpers.evidence.verdicts import over_seeds_and_images

PROBES = tables.FOLDER / "layer_probes.csv"

CKA = tables.FOLDER / "cka.csv"

PROBE_COLUMNS = (
    "dataset", "domain", "n_train", "n_val", "n_test", "backbone", "image_size", "weights", "seed",
    "part", "depth", "channels", "auc", "auc_lo", "auc_hi",
    "gain", "gain_lo", "gain_hi", "strength", "versions",
)  # fmt: skip

CKA_COLUMNS = (
    "dataset", "domain", "n_train", "n_images", "backbone", "image_size", "strategy", "epochs",
    "kept_epoch", "test_auc", "seed", "part", "depth", "cka", "cka_lo", "cka_hi", "cka_biased",
    "versions",
)  # fmt: skip


def read_probes() -> pd.DataFrame:
    """Return the measured probes, a row per data set, weights, seed and part.

    ``gain, gain_lo, gain_hi``: the pretrained network's AUC minus this row's, on the same test
    images; nothing in the pretrained network's own rows.
    """
    return tables.read(PROBES, PROBE_COLUMNS)


def read_cka() -> pd.DataFrame:
    """Return the measured CKA with the pretrained network, a row per strategy, seed and part."""
    return tables.read(CKA, CKA_COLUMNS)


def gains_by_part(probes: pd.DataFrame, dataset: str, against: str = "random") -> pd.DataFrame:
    """Return how far the pretrained network's probes are ahead on one data set.

    Parameters
    ----------
    probes : of `read_probes`.
    against : ``"random"``, or ``"random_calibrated"``: random weights whose BatchNorm statistics
        were taken from the training images.

    Returns
    -------
    Indexed by part, stem to last stage: ``gap, lo, hi``, the mean over the seeds and its 95 %
    interval over seeds and test images (`helpers.evidence.verdicts.over_seeds_and_images`).
    """
    here = (probes["dataset"] == dataset) & (probes["weights"] == against) & (probes["depth"] > 0)
    rows = probes[here].sort_values("depth").groupby("part", sort=False)
    found = {part: over_seeds_and_images(of_part, "gain") for part, of_part in rows}
    return pd.DataFrame(found, index=["gap", "lo", "hi"]).T


def begins(gains: pd.DataFrame) -> str | None:
    """Return the part of `gains_by_part` from which on, to the last, the interval is above 0."""
    last = gains.index[~(gains["lo"] > 0)]
    behind = gains.index if last.empty else gains.loc[last[-1] :].index[1:]
    return None if behind.empty else behind[0]
