import numpy as np
import pandas as pd
import pytest

from helpers.evidence import grid, tables, verdicts

NOT_YET = "no size has full fine-tuning and both budgets of scratch with two seeds yet"


def row(strategy, n, seed, auc, longer=1, half=0.02, dataset="elpv"):
    return dict.fromkeys(tables.COLUMNS, 0) | {
        "dataset": dataset, "domain": "toy", "backbone": grid.BACKBONE,
        "image_size": grid.IMAGE_SIZE, "strategy": strategy, "n_train": n, "seed": seed,
        "epochs": longer * grid.epochs_for(n), "auc": auc, "auc_lo": auc - half,
        "auc_hi": auc + half,
    }  # fmt: skip


def gaps(*rows, dataset="elpv"):
    table = pd.DataFrame([one for part in rows for one in part])
    return verdicts.gap_by_n(verdicts.evidence(table), dataset)


def both(n, tuned, scratch, **options):
    """A row per seed of either arm; scratch with both its budgets."""
    rows = [row("full_finetune", n, k, auc, **options) for k, auc in enumerate(tuned)]
    rows += [
        row("scratch", n, k, auc, grid.TIMES_LONGER, **options) for k, auc in enumerate(scratch)
    ]
    return rows + [row("scratch", n, k, 0.5, **options) for k in range(3)]


def test_the_gap_is_paired_by_seed():
    found = gaps(both(50, [0.80, 0.82, 0.81], [0.70, 0.72, 0.71], half=0.0)).loc[50]
    assert (found["gap"], found["lo"], found["hi"]) == pytest.approx((0.1, 0.1, 0.1))
    assert found["seeds"] == 3


@pytest.mark.parametrize(("longer", "taken"), [(0.7, "scratch_longer"), (0.4, "scratch")])
def test_scratch_counts_with_its_better_budget(longer, taken):
    found = gaps(both(50, [0.8, 0.8, 0.8], [longer] * 3, half=0.0)).loc[50]
    assert found["gap"] == pytest.approx(0.8 - max(longer, 0.5))
    assert found["scratch"] == taken


def test_the_interval_adds_seeds_and_test_images_in_squares():
    found = gaps(both(50, [0.80, 0.84], [0.70, 0.70], half=0.03)).loc[50]
    by_seed, by_image = 12.706 * 0.02, np.hypot(0.03, 0.03)
    assert found["gap"] == pytest.approx(0.12)
    assert found["hi"] - found["gap"] == pytest.approx(np.hypot(by_seed, by_image), rel=1e-3)


def test_cells_and_seeds_that_are_not_measured_are_left_out():
    rows = [both(50, [0.80, 0.82, 0.81], [0.70]), both(200, [0.9], []), both(800, [], [0.9]),
            both(50, [0.9, 0.9], [0.1, 0.1], dataset="flowers")]  # fmt: skip
    found = gaps(*rows)
    assert list(found.index) == [50]
    assert found.loc[50, "seeds"] == 1
    assert np.isnan(found.loc[50, "lo"]), "one seed has no interval"
    assert gaps(*rows, dataset="chest_xray").empty
    other_seed = [row("scratch", 50, 1, 0.7, grid.TIMES_LONGER), row("full_finetune", 50, 0, 0.8)]
    assert gaps(other_seed).empty, "no seed has both"


@pytest.mark.parametrize(
    ("cells", "says"),
    [
        ([], NOT_YET),
        ([(50, 0.1, np.nan)], NOT_YET),
        ([(50, 0.1, 0.02)], "pretrained clearly ahead at 50"),
        ([(50, 0.1, 0.02), (1574, 0.01, 0.02)],
         "pretrained clearly ahead at 50; not told apart at 1,574; the gap shrinks"),
        ([(50, 0.1, 0.02), (800, 0.09, 0.02)],
         "pretrained clearly ahead at 50, 800; shrinking not shown"),
        ([(50, 0.05, 0.01), (800, 0.2, 0.01)],
         "pretrained clearly ahead at 50, 800; the gap grows"),
        ([(50, 0.1, 0.2), (200, 0.1, 0.02), (800, 0.05, 0.02)],
         "pretrained clearly ahead at 200, 800; not told apart at 50; the gap shrinks"),
        ([(50, 0.1, 0.2), (800, -0.1, 0.02)],
         "not told apart at 50; scratch clearly ahead at 800"),
    ],
)  # fmt: skip
def test_the_verdict_says_what_the_intervals_allow(cells, says):
    table = pd.DataFrame(
        [(n, gap, gap - half, gap + half, 3) for n, gap, half in cells],
        columns=["n", "gap", "lo", "hi", "seeds"],
    ).set_index("n")
    assert verdicts.gap_in_words(table) == says


def test_the_committed_table_can_be_read_whatever_it_holds():
    found = verdicts.evidence()
    for dataset in set(found.arms["dataset"]):
        measured = verdicts.gap_by_n(found, dataset)
        assert isinstance(verdicts.gap_in_words(measured), str)
        known = measured.dropna()
        assert (known["lo"] <= known["gap"]).all()
