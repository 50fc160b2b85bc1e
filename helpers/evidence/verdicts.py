"""What the measured grid says, cell by cell: means, paired intervals, winners, ties.

Two kinds of chance. Of an arm, `lo` .. `hi` is a t-interval over the seeds: another draw of the
training images (none where all train), another start, another order. `test_lo` .. `test_hi` is the
bootstrap over the test images, the mean of the runs' own bounds. An arm is *clearly* ahead of
another where the interval of their difference leaves 0 out; that interval counts both (`ahead`).
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from helpers.errors import CourseError
from helpers.evidence import grid, tables
from helpers.training.metrics import Interval

WORTH = 0.01  # AUC that a dearer strategy has to bring before it is chosen over a cheaper one

LONGER_SUFFIX = "_longer"  # marks an arm with more epochs than the others of its cell

ARMS = tuple(
    arm.key + longer
    for arm in grid.ARMS
    for longer in (("",) if arm.pretrained else ("", LONGER_SUFFIX))
)


@dataclass(frozen=True, eq=False)
class Evidence:
    """The grid as tables.

    Attributes
    ----------
    runs : a row per run: those of the results table that belong to the grid, with the arm's name
        in `arm` (the strategy's, with ``_longer`` for the longer budget of scratch).
    arms : a row per data set, n and arm, best first: ``auc, lo, hi`` over seeds, ``test_lo,
        test_hi`` over test images, ``seconds`` (mean processor time), ``seeds``, ``epochs``,
        ``strategy``, ``trainable_params``.
    cells : a row per data set and n: ``winner`` (highest mean AUC), ``runner_up``, their
        ``margin, margin_lo, margin_hi`` (`ahead`), ``clear`` (it excludes 0), ``choice`` (see
        `choose`), ``tied`` (arms that the winner does not clearly beat), ``seeds``, and
        ``missing``: arms not measured yet or with fewer seeds than the others, which take no part.
    """

    runs: pd.DataFrame
    arms: pd.DataFrame
    cells: pd.DataFrame

    @functools.cached_property
    def auc(self) -> dict[tuple[str, int], dict[str, dict[int, float]]]:
        """``{(data set, n): {arm: {seed: AUC}}}``."""
        return {
            (dataset, int(n)): _by_arm_and_seed(rows)
            for (dataset, n), rows in self.runs.groupby(["dataset", "n"])
        }

    @functools.cached_property
    def by_image(self) -> dict[tuple[str, int], dict[str, float]]:
        """``{(data set, n): {arm: half-width of its interval over test images}}``."""
        return {
            (dataset, int(n)): _by_image(rows)
            for (dataset, n), rows in self.runs.groupby(["dataset", "n"])
        }

    @functools.cached_property
    def seconds(self) -> dict[tuple[str, int, str], float]:
        """``{(data set, n, arm): mean processor seconds}``."""
        keys = zip(self.arms["dataset"], self.arms["n"].astype(int), self.arms["arm"], strict=True)
        return dict(zip(keys, self.arms["seconds"], strict=True))

    @functools.cached_property
    def sizes(self) -> dict[str, list[int]]:
        """``{data set: training sizes}`` at which two arms or more can be compared, ascending."""
        found: dict[str, list[int]] = {}
        for (dataset, n), arms in sorted(self.auc.items()):
            if len(complete(arms)) > 1:
                found.setdefault(dataset, []).append(n)
        return found


def evidence(table: pd.DataFrame | None = None, worth: float = WORTH) -> Evidence:
    """Read the measured grid.

    Parameters
    ----------
    table : rows of `helpers.evidence.tables.COLUMNS`; None: data/results/strategies.csv. Rows of
        another network, size or training budget than the grid's are left out: they are no fair
        opponents.
    worth : of `choose`.

    Raises
    ------
    CourseError
        When no row of the grid has been measured yet.
    """
    runs = _runs_of_the_grid(tables.read_rows() if table is None else table)
    if runs.empty:
        raise CourseError(
            "There is no evidence yet: data/results/strategies.csv holds no row of the grid. "
            "Measure it with make evidence (it can be stopped and started again)."
        )
    arms = []
    for (dataset, n, arm), rows in runs.groupby(["dataset", "n", "arm"], sort=False):
        mean, lo, hi = interval(rows["auc"])
        first = rows.iloc[0]
        arms.append({
            "dataset": dataset, "domain": first["domain"], "n": n, "arm": arm,
            "strategy": first["strategy"], "epochs": first["epochs"], "auc": mean, "lo": lo,
            "hi": hi, "test_lo": rows["auc_lo"].mean(), "test_hi": rows["auc_hi"].mean(),
            "seconds": rows["train_seconds"].mean(), "seeds": len(rows),
            "trainable_params": first["trainable_params"],
        })  # fmt: skip
    cells = []
    for (dataset, n), rows in runs.groupby(["dataset", "n"]):
        auc = complete(_by_arm_and_seed(rows))
        seconds = rows.groupby("arm")["train_seconds"].mean().to_dict()
        by_image = _by_image(rows)
        choice, best, tied = choose(auc, by_image, seconds, worth)
        second, margin = runner_up(auc, by_image, best)
        cells.append({
            "dataset": dataset, "domain": rows["domain"].iloc[0], "n": n, "winner": best,
            "runner_up": second, "margin": margin.mean, "margin_lo": margin.lo,
            "margin_hi": margin.hi, "clear": margin.clear, "choice": choice, "tied": tied,
            "missing": tuple(arm for arm in ARMS if arm not in auc), "seeds": len(auc[best]),
        })  # fmt: skip
    best_first = pd.DataFrame(arms).sort_values(
        ["dataset", "n", "auc"], ascending=[True, True, False], ignore_index=True
    )
    return Evidence(runs, best_first, pd.DataFrame(cells))


def _by_image(rows: pd.DataFrame) -> dict[str, float]:
    return ((rows["auc_hi"] - rows["auc_lo"]) / 2).groupby(rows["arm"]).mean().to_dict()


def _runs_of_the_grid(table: pd.DataFrame) -> pd.DataFrame:
    here = (table["backbone"] == grid.BACKBONE) & (table["image_size"] == grid.IMAGE_SIZE)
    rows = table[here].rename(columns={"n_train": "n"})
    names = []
    for strategy, epochs, n in zip(rows["strategy"], rows["epochs"], rows["n"], strict=True):
        budget = grid.epochs_for(int(n))
        name = {budget: strategy, budget * grid.TIMES_LONGER: strategy + LONGER_SUFFIX}.get(epochs)
        names.append(name if name in ARMS else None)
    rows = rows.assign(arm=names).dropna(subset=["arm", "auc"])
    return rows.drop_duplicates(["dataset", "n", "arm", "seed"], keep="last", ignore_index=True)


def _by_arm_and_seed(rows: pd.DataFrame) -> dict[str, dict[int, float]]:
    return {
        arm: dict(zip(part["seed"].astype(int), part["auc"].astype(float), strict=True))
        for arm, part in rows.groupby("arm")
    }


def complete(auc: Mapping[str, Mapping[int, float]]) -> dict[str, Mapping[int, float]]:
    """Return the arms with as many seeds as any: means over different seeds cannot be compared."""
    most = max(map(len, auc.values()), default=0)
    return {arm: by_seed for arm, by_seed in auc.items() if len(by_seed) == most}


def means(auc: Mapping[str, Mapping[int, float]]) -> dict[str, float]:
    """Return the mean AUC of each arm over its seeds."""
    return {arm: float(np.mean(list(by_seed.values()))) for arm, by_seed in auc.items()}


def choose(
    auc: Mapping[str, Mapping[int, float]], by_image: Mapping[str, float],
    seconds: Mapping[str, float], worth: float = WORTH,
) -> tuple[str, str, tuple[str, ...]]:  # fmt: skip
    """Return (choice, best arm, arms tied with the best), from AUCs by arm and seed.

    Tied is an arm that the best is not clearly `ahead` of. The choice is the cheapest arm that is
    tied, or whose mean AUC is at most `worth` below. With one seed nothing is clear.
    """
    mean = means(auc)
    best = max(mean, key=mean.get)
    ranked = sorted((arm for arm in auc if arm != best), key=mean.get, reverse=True)
    tied = tuple(arm for arm in ranked if not ahead(auc, by_image, best, arm).lo > 0)
    fair = [arm for arm in auc if arm == best or arm in tied or mean[best] - mean[arm] <= worth]
    return min(fair, key=seconds.get), best, tied


def ahead(
    auc: Mapping[str, Mapping[int, float]], by_image: Mapping[str, float], arm: str, other: str
) -> Interval:
    """Return how far `arm` is ahead of `other` in AUC, with an interval over both kinds of chance.

    Paired by seed; the test images count as if each arm had its own, because the table keeps no
    predictions to pair. So the interval is rather too wide, and what it calls clear is.
    """
    over_seeds = paired(auc[arm], auc[other])
    return widened(over_seeds, np.hypot(by_image[arm], by_image[other]))


def runner_up(
    auc: Mapping[str, Mapping[int, float]], by_image: Mapping[str, float], arm: str
) -> tuple[str | None, Interval]:
    """Return the best arm but `arm`, and how far `arm` is ahead of it; None where it is alone."""
    mean = means(auc)
    other = max((name for name in auc if name != arm), key=mean.get, default=None)
    return other, interval(()) if other is None else ahead(auc, by_image, arm, other)


def interval(values: Iterable[float], level: float = 0.95) -> Interval:
    """Return the mean of `values` with Student's t-interval.

    With three seeds the quantile is 4.3, not 1.96: three runs say little about their spread.
    """
    values = np.asarray(list(values), dtype=float)
    if not len(values):
        return Interval(np.nan, np.nan, np.nan)
    mean = float(values.mean())
    if len(values) == 1:
        return Interval(mean, np.nan, np.nan)
    # Not scipy's t.interval: it has no answer for equal values, ours is an interval of no width.
    half = float(stats.t.ppf((1 + level) / 2, len(values) - 1) * stats.sem(values))
    return Interval(mean, mean - half, mean + half)


def paired(a: Mapping[int, float], b: Mapping[int, float]) -> Interval:
    """Return ``a - b`` with its interval, over the seeds that both have."""
    return interval(a[seed] - b[seed] for seed in sorted(set(a) & set(b)))


def widened(over_seeds: Interval, by_image: float) -> Interval:
    """Return an interval over seeds widened by the chance of the test images.

    The two are different sources of chance, so their half-widths add up in squares.

    Parameters
    ----------
    by_image : half-width of the bootstrap interval over test images.
    """
    half = float(np.hypot(over_seeds.hi - over_seeds.mean, by_image))
    return Interval(over_seeds.mean, over_seeds.mean - half, over_seeds.mean + half)


def over_seeds_and_images(rows: pd.DataFrame, column: str) -> Interval:
    """Return the mean of a column over seeds; its 95 % interval counts both sources of chance.

    The seeds (Student's t) and the test images (mean half-width of the paired bootstraps in
    ``column_lo`` and ``column_hi``), added in squares.
    """
    by_image = (rows[f"{column}_hi"] - rows[f"{column}_lo"]).mean() / 2
    return widened(interval(rows[column]), by_image)


def summary(table: pd.DataFrame, by: Sequence[str], column: str) -> pd.DataFrame:
    """Return the mean of a column over seeds with its 95 % interval, a row per case of `by`.

    Student's t over the seeds; where the table has ``column_lo`` and ``column_hi``, the chance of
    the test images is added (`over_seeds_and_images`).

    Returns
    -------
    Indexed by `by`: ``seeds``, ``mean``, ``lo``, ``hi``.
    """
    found = []
    for case, rows in table.groupby(list(by), sort=False):
        images = f"{column}_lo" in table
        mean = over_seeds_and_images(rows, column) if images else interval(rows[column])
        found.append((*case, len(rows), *mean))
    return pd.DataFrame(found, columns=[*by, "seeds", "mean", "lo", "hi"]).set_index(list(by))


TUNED, BUDGETS = "full_finetune", ("scratch", "scratch" + LONGER_SUFFIX)


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
        gaps = {budget: paired(arms[TUNED], arms[budget]) for budget in BUDGETS}
        if np.isnan([gap.mean for gap in gaps.values()]).any():
            continue  # no seed has both
        scratch = min(gaps, key=lambda budget: gaps[budget].mean)
        here = found.arms[(found.arms["dataset"] == dataset) & (found.arms["n"] == n)]
        ends = here.set_index("arm").loc[[TUNED, scratch], ["test_lo", "test_hi"]]
        by_image = np.linalg.norm((ends["test_hi"] - ends["test_lo"]) / 2)
        seeds = len(set(arms[TUNED]) & set(arms[scratch]))
        rows.append((n, *widened(gaps[scratch], by_image), seeds, scratch))
    columns = ["n", "gap", "lo", "hi", "seeds", "scratch"]
    return pd.DataFrame(rows, columns=columns).set_index("n")


def gap_in_words(gaps: pd.DataFrame) -> str:
    """Say in a sentence what `gap_by_n` found, and no more than its intervals allow."""
    known = gaps.dropna()
    if known.empty:
        return "no size has full fine-tuning and both budgets of scratch with two seeds yet"
    groups = {
        "pretrained clearly ahead": known["lo"] > 0,
        "not told apart": (known["lo"] <= 0) & (known["hi"] >= 0),
        "scratch clearly ahead": known["hi"] < 0,
    }
    parts = [f"{what} at {', '.join(f'{n:,}' for n in known.index[chosen])}"
             for what, chosen in groups.items() if chosen.any()]  # fmt: skip
    if len(known) > 1 and known["lo"].max() > 0:
        shrinks = known["hi"].iloc[-1] < known["lo"].max()  # some smaller n is clearly above
        grows = known["lo"].iloc[-1] > known["hi"].min()
        unsure = "the gap grows" if grows else "shrinking not shown"
        parts.append("the gap shrinks" if shrinks else unsure)
    return "; ".join(parts)
