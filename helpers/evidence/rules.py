"""The usual advice that the course puts to the test, and what others published beyond its reach.

`LESSON_TABLE` is the usual advice as data: six rows by size and likeness. `PUBLISHED` is what is
known where no laptop can measure (data/published.json).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from helpers import files
from helpers.evidence.verdicts import ARMS, Evidence, ahead, complete, interval, means

# The measured sets leave a gap here: photographs of other things lie above, solar cells below.
SIMILAR_FROM = 0.6


@dataclass(frozen=True)
class LessonRow:
    """One row of the table of the lesson.

    Attributes
    ----------
    n_from, n_to : training images, ``n_from <= n < n_to``.
    likeness : of the images to those of the pretraining: "similar", "different", "any" or "very
        different".
    advice : what the row recommends, in a line.
    arms : the arms of our grid that follow it; empty where none does.
    """

    n_from: int
    n_to: float
    likeness: str
    advice: str
    arms: tuple[str, ...]


LESSON_TABLE = (
    LessonRow(0, 1_000, "similar", "freeze the backbone, train a head", ("feature_extraction",)),
    LessonRow(0, 1_000, "different", "freeze the backbone, or start the early layers anew",
              ("feature_extraction",)),
    LessonRow(1_000, 50_000, "similar", "train the last one or two stages and the head",
              ("partial_finetune_last1", "partial_finetune")),
    LessonRow(1_000, 50_000, "different", "train more layers, the backbone at lower rates",
              ("full_finetune", "lp_ft")),
    LessonRow(50_000, np.inf, "any", "train everything at rates that fall towards the image",
              ("full_finetune", "lp_ft")),
    LessonRow(500_000, np.inf, "very different", "from scratch, or pretrain on the own domain",
              ("scratch", "scratch_longer")),
)  # fmt: skip


@dataclass(frozen=True)
class Published:
    """A finding of others, for sizes we cannot measure.

    Attributes
    ----------
    n_from : shown to those who have at least so many training images.
    finding, source : a sentence, and where it stands.
    """

    n_from: int
    finding: str
    source: str


PUBLISHED = tuple(Published(**row) for row in json.loads(
    files.resource("published.json").read_text("utf-8")
))  # fmt: skip


def lesson_row(n: int, similar: bool) -> LessonRow:
    """Return the row of the lesson's table for `n` images; of two that fit, the more special."""
    likeness = {"any", "similar"} if similar else {"any", "different", "very different"}
    fitting = [r for r in LESSON_TABLE if r.n_from <= n < r.n_to and r.likeness in likeness]
    return max(fitting, key=lambda row: row.n_from)


def published_for(n: int) -> tuple[Published, ...]:
    """Return the findings to show to those with `n` training images, of large sets first."""
    return tuple(sorted((p for p in PUBLISHED if p.n_from <= n), key=lambda p: -p.n_from))


def against_lesson(found: Evidence, similarity: Mapping[str, float]) -> pd.DataFrame:
    """Hold the lesson's advice against each measured cell.

    Parameters
    ----------
    similarity : data set -> similarity in 0..1 (`helpers.evidence.recommend.similarities`); from
        `SIMILAR_FROM` on a set counts as similar. Sets without a value are left out.

    Returns
    -------
    A row per cell: the ``likeness`` and the lesson's ``advice``, the best of its arms
    (``lesson_arm``), the best of the ``other`` arms, and what the lesson's arm gains over that,
    as `contest` puts it. The best of several opponents is picked by its test AUC, which flatters
    it: a lost cell is weaker evidence than a won one.
    """
    rows = []
    for cell in found.cells.itertuples():
        if cell.dataset in similarity:
            similar = similarity[cell.dataset] >= SIMILAR_FROM
            row = lesson_row(int(cell.n), similar)
            others = set(ARMS) - set(row.arms)
            rows.append({
                "dataset": cell.dataset, "n": cell.n, "advice": row.advice,
                "likeness": "similar" if similar else "different",
                **contest(found, cell.dataset, cell.n, row.arms, others),
            })  # fmt: skip
    return pd.DataFrame(rows).rename(columns={"arm": "lesson_arm"})


def contest(
    found: Evidence, dataset: str, n: int, ours: Collection[str], others: Collection[str]
) -> dict:
    """Compare the best of some arms with the best of others in one measured cell.

    Returns
    -------
    ``arm`` and ``other`` (None where none is measured with all seeds), the ``gain, gain_lo,
    gain_hi`` in AUC of the first over the second (`helpers.evidence.verdicts.ahead`), and the
    ``outcome``: "wins" or "loses" where the interval excludes 0, else "no clear difference"; "not
    measured" where one side is missing. Of twenty true ties one looks clear.
    """
    auc = complete(found.auc[dataset, n])
    ranked = sorted(auc, key=means(auc).get, reverse=True)
    arm, other = (next((a for a in ranked if a in side), None) for side in (ours, others))
    if arm is None or other is None:
        gain, outcome = interval(()), "not measured"
    else:
        gain = ahead(auc, found.by_image[dataset, n], arm, other)
        outcome = "no clear difference"
        if gain.clear:
            outcome = "wins" if gain.mean > 0 else "loses"
    return {"arm": arm, "other": other, "gain": gain.mean, "gain_lo": gain.lo,
            "gain_hi": gain.hi, "outcome": outcome}  # fmt: skip
