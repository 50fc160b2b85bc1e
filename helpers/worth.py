"""What pretraining is worth as n grows: full fine-tuning minus scratch, from the measured grid."""

from __future__ import annotations

import numpy as np
import pandas as pd

from helpers.verdicts import LONGER, Evidence, interval, widened

TUNED = "full_finetune"
BUDGETS = ("scratch", "scratch" + LONGER)


def gap_by_n(found: Evidence, dataset: str) -> pd.DataFrame:
    """Return the gap in test AUC at every n where full fine-tuning and both budgets are measured.

    Scratch counts with whichever of its budgets has the higher mean AUC there. That choice looks
    at the test images and so flatters scratch: a gap that is left is no matter of the epochs.
    Compared seed by seed, that is, on the same training images.

    Returns
    -------
    Indexed by ``n``: ``gap``, ``lo``, ``hi``, ``seeds`` and ``scratch``, the arm compared with.
    The 95 % interval adds two sources of chance in squares: the seeds (Student's t) and the test
    images (the bootstraps of both arms as if they were scored on different images, so it is
    rather too wide). NaN with one seed.
    """
    rows = []
    for (name, n), arms in sorted(found.auc.items()):
        if name != dataset or not {TUNED, *BUDGETS} <= set(arms):
            continue
        gaps = {budget: found.differences(dataset, n, TUNED, budget) for budget in BUDGETS}
        if not all(len(by_seed) for by_seed in gaps.values()):
            continue
        scratch = min(gaps, key=lambda budget: np.mean(gaps[budget]))
        change = interval(gaps[scratch])
        here = found.arms[(found.arms["dataset"] == dataset) & (found.arms["n"] == n)]
        ends = here.set_index("arm").loc[[TUNED, scratch], ["test_lo", "test_hi"]]
        by_image = np.linalg.norm((ends["test_hi"] - ends["test_lo"]) / 2)
        rows.append((n, *widened(change, by_image), len(gaps[scratch]), scratch))
    columns = ["n", "gap", "lo", "hi", "seeds", "scratch"]
    return pd.DataFrame(rows, columns=columns).set_index("n")


def verdict(gaps: pd.DataFrame) -> str:
    """Say in a sentence what the gaps show, and no more than their intervals allow."""
    known = gaps.dropna()
    if known.empty:
        return "no size has full fine-tuning and both budgets of scratch with two seeds yet"
    groups = {
        "pretrained clearly ahead": known["lo"] > 0,
        "not told apart": (known["lo"] <= 0) & (known["hi"] >= 0),
        "scratch clearly ahead": known["hi"] < 0,
    }
    parts = [
        f"{what} at {', '.join(f'{n:,}' for n in known.index[chosen])}"
        for what, chosen in groups.items()
        if chosen.any()
    ]
    if len(known) > 1 and known["lo"].max() > 0:
        shrinks = known["hi"].iloc[-1] < known["lo"].max()  # some smaller n is clearly above
        grows = known["lo"].iloc[-1] > known["hi"].min()
        unsure = "the gap grows" if grows else "whether it shrinks is within chance"
        parts.append("the gap shrinks" if shrinks else unsure)
    return "; ".join(parts)
