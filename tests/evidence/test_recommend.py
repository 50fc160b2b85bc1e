"""The decision on made-up tables, where the right answer is known."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from helpers import plots
from helpers.errors import CourseError
from helpers.evidence import estimates, recommend, rules, similarity, tables, verdicts
from helpers.evidence.grid import BACKBONE, IMAGE_SIZE, TIMES_LONGER, epochs_for
from helpers.training import metrics

SECONDS = {"feature_extraction": 1, "partial_finetune_last1": 4, "partial_finetune": 8,
           "full_finetune": 30, "lp_ft": 20, "scratch": 40, "scratch_longer": 120}  # fmt: skip
SWINGS = list(itertools.permutations((-1, 0, 1)))  # of mean 0, no two arms alike
SIMILAR = {"far": 0.4, "middle": 0.5, "near": 0.8}


def rows(
    dataset: str, n: int, means: dict[str, float], *, noise=0.0, seeds=(0, 1, 2), by_image=1e-4
) -> list:
    """A cell of the table; `noise` moves the arms against each other from seed to seed.

    `by_image` is the half-width of each run's interval over the test images.
    """
    found = []
    for k, (arm, auc) in enumerate(means.items()):
        longer = arm.endswith(verdicts.LONGER_SUFFIX)
        for seed in seeds:
            # The shared part, large, must cancel in every paired difference.
            value = auc + 0.03 * (seed - 1) + noise * SWINGS[k % 6][seed] * (1 + k / 10)
            epochs = epochs_for(n) * (TIMES_LONGER if longer else 1)
            found.append(dict.fromkeys(tables.COLUMNS, 0) | {
                "dataset": dataset, "domain": "toy", "n_train": n, "epochs": epochs, "seed": seed,
                "backbone": BACKBONE, "image_size": IMAGE_SIZE, "auc": value,
                "strategy": arm.removesuffix(verdicts.LONGER_SUFFIX), "auc_lo": value - by_image,
                "auc_hi": value + by_image, "train_seconds": SECONDS[arm] * (1 + seed / 10),
            })  # fmt: skip
    return found


def flat(**best: float) -> dict[str, float]:
    """All arms at .8 but for those named."""
    return dict.fromkeys(SECONDS, 0.8) | best


def found(*cells: list, **options) -> verdicts.Evidence:
    return verdicts.evidence(pd.DataFrame(itertools.chain(*cells)), **options)


def test_the_interval_is_students_and_one_value_has_none():
    values = [0.01, 0.02, 0.03]
    mean, lo, hi = verdicts.interval(values)
    assert (lo, hi) == pytest.approx(stats.t.interval(0.95, 2, np.mean(values), stats.sem(values)))
    one, none = verdicts.interval([0.4]), verdicts.interval([])
    assert (mean, one.mean) == pytest.approx((0.02, 0.4))
    assert np.isnan([one.lo, one.hi, none.mean]).all()
    bounds = [(lo, hi), (0.01, 0.03), (-0.03, -0.01), (one.lo, one.hi)]
    assert [metrics.Interval(0.02, *ends).clear for ends in bounds] == [False, True, True, False]


def test_pairing_by_seed_cancels_what_the_seeds_share():
    cell = found(rows("d", 200, {"feature_extraction": 0.8, "full_finetune": 0.83}, noise=0.001))
    one = cell.cells.iloc[0]
    assert (one.winner, one.runner_up, one.clear) == ("full_finetune", "feature_extraction", True)
    assert one.margin == pytest.approx(0.03)
    assert one.margin_hi - one.margin_lo < 0.02
    arm = cell.arms.iloc[0]
    assert arm.hi - arm.lo > 0.1, "each arm alone swings with the seeds"


@pytest.mark.parametrize(
    ("gain", "noise", "worth", "clear", "choice"),
    [
        (0.005, 0.01, 0.01, False, "feature_extraction"),  # a tie goes to the cheap one
        (0.05, 0.03, 0.01, False, "feature_extraction"),  # however large, if it may be chance
        (0.05, 0.005, 0.01, True, "full_finetune"),  # clear, and more than it must be worth
        (0.05, 0.005, 0.06, True, "feature_extraction"),  # unless it is not worth it to the user
        (0.005, 0.0005, 0.01, True, "feature_extraction"),  # clear, but too small to pay for
    ],
)
def test_the_cheap_arm_is_chosen_unless_another_is_clearly_and_worthwhile_ahead(
    gain, noise, worth, clear, choice
):
    means = {"feature_extraction": 0.8, "full_finetune": 0.8 + gain}
    one = found(rows("d", 200, means, noise=noise), worth=worth).cells.iloc[0]
    assert (one.winner, one.clear, one.choice) == ("full_finetune", clear, choice)
    assert one.tied == (() if clear else ("feature_extraction",))


def test_clear_counts_the_test_images_too():
    """Seeds that agree are not enough: other test images could turn a small lead around."""
    means = {"feature_extraction": 0.8, "full_finetune": 0.83}
    for by_image, clear in ((0.03, False), (0.02, True)):
        one = found(rows("d", 200, means, noise=0.001, by_image=by_image)).cells.iloc[0]
        assert one.clear == clear
        half = np.hypot(verdicts.interval([0.029, 0.03, 0.031]).hi - 0.03, by_image * 2**0.5)
        assert one.margin_hi - one.margin == pytest.approx(half, abs=1e-3)


def test_with_one_seed_nothing_is_clear():
    means = {"feature_extraction": 0.8, "full_finetune": 0.9}
    one = found(rows("d", 200, means, seeds=(0,))).cells.iloc[0]
    assert (one.winner, one.clear, one.choice) == ("full_finetune", False, "feature_extraction")


def test_both_kinds_of_uncertainty_are_in_the_table_and_a_row_measured_twice_counts_once():
    cell = rows("d", 200, {"lp_ft": 0.8}, by_image=0.05)
    arm = found(cell, cell).arms.iloc[0]
    assert (arm.test_lo, arm.test_hi) == pytest.approx((0.75, 0.85))
    assert (arm.seeds, arm.seconds) == (3, pytest.approx(22))
    assert arm.lo < 0.75


def test_the_budgets_of_scratch_are_two_arms_and_others_do_not_count():
    cell = rows("d", 200, {"scratch": 0.6, "scratch_longer": 0.7, "lp_ft": 0.8})
    odd = [cell[-1] | {"epochs": 3, "auc": 0.99}, cell[-1] | {"image_size": 128, "auc": 0.99},
           cell[-1] | {"strategy": "lp_ft+mlp", "auc": 0.99},
           cell[-1] | {"backbone": "resnet18", "auc": 0.99}]  # fmt: skip
    evidence_ = found(cell, odd)
    assert evidence_.arms["arm"].tolist() == ["lp_ft", "scratch_longer", "scratch"]
    assert evidence_.arms["auc"].max() < 0.9


def test_arms_with_fewer_seeds_wait_until_they_are_measured():
    one = found(rows("d", 200, {"feature_extraction": 0.8, "partial_finetune": 0.79}),
                rows("d", 200, {"full_finetune": 0.95}, seeds=(2,))).cells.iloc[0]  # fmt: skip
    assert one.winner == "feature_extraction"
    assert "full_finetune" in one.missing
    assert one.seeds == 3


def test_an_empty_table_names_the_command():
    with pytest.raises(CourseError, match="make evidence"):
        verdicts.evidence(pd.DataFrame(columns=list(tables.COLUMNS)))


# Freezing wins at 50 and fine-tuning at 800, far from photographs much sooner than near.
GRID = found(*(
    rows(name, n, flat(feature_extraction=0.85, full_finetune=0.85 + gain * step), noise=0.0002)
    for name, gain in (("far", 0.06), ("middle", 0.04), ("near", 0.02))
    for n, step in ((50, -0.5), (200, 0.5), (800, 1.0))
))  # fmt: skip


def ask(n: int, **options) -> recommend.Recommendation:
    return recommend.recommend(n, **{"found": GRID, "similar": SIMILAR} | options)


def test_a_measured_cell_is_read_off():
    advice = ask(200, dataset="far")
    assert (advice.strategy, advice.runner_up) == ("full_finetune", "feature_extraction")
    assert advice.margin.mean == pytest.approx(0.03)
    assert advice.confidence == "high"
    assert not advice.extrapolated
    assert set(zip(advice.evidence["dataset"], advice.evidence["n"], strict=True)) == {("far", 200)}
    assert advice.evidence["weight"].eq(1).all()
    assert "0.030 AUC" in advice.why
    assert "far (n = 200)" in advice.why


@pytest.mark.parametrize(
    ("place", "weight", "cells", "margin"),
    [
        (dict(n=400, similarity=0.65), 1 / 4,
         {("middle", 200), ("middle", 800), ("near", 200), ("near", 800)},
         (0.02 + 0.04 + 0.01 + 0.02) / 4),
        (dict(n=200), 1 / 3, {("far", 200), ("middle", 200), ("near", 200)},
         0.5 * (0.06 + 0.04 + 0.02) / 3),
    ],
    ids=["between measured cells", "without a similarity"],
)  # fmt: skip
def test_the_neighbours_or_all_data_sets_count_alike(place, weight, cells, margin):
    advice = ask(**place)
    counted = advice.evidence.groupby(["dataset", "n"])["weight"].first()
    assert set(counted.index) == cells
    assert counted.tolist() == pytest.approx([weight] * len(cells), abs=1e-3)
    assert advice.margin.mean == pytest.approx(margin)


def test_the_choice_changes_where_the_curves_cross_and_the_price_of_haste_is_said():
    assert ask(50, dataset="far").strategy == "feature_extraction"
    assert ask(800, dataset="far").strategy == "full_finetune"
    said = " ".join(ask(50, dataset="far").what_would_change_it)
    assert "With more images" in said
    assert "full fine-tune" in said
    crossing = int("".join(c for c in said.split("about ")[1].split(",")[0] if c.isdigit()))
    assert 125 <= crossing <= 150, "two thirds of the way in log n the lead is .01, worth it"
    said = " ".join(ask(800, dataset="far").what_would_change_it)
    assert "In a hurry" in said
    assert "loses 0.060 AUC" in said


def test_a_tie_goes_to_the_cheap_arm_and_says_so():
    tie = found(rows("far", 200, flat(full_finetune=0.804), noise=0.01))
    advice = ask(200, dataset="far", found=tie)
    assert advice.strategy == "feature_extraction"
    assert advice.confidence == "moderate"
    assert advice.headline == "nobody is clearly ahead; start with feature extraction"
    assert "full fine-tune is best on average: 0.004 AUC" in advice.why
    assert "above feature extraction, at 30 times the computing" in advice.why
    others = set(advice.why.split("Not told apart: ")[1].removesuffix(".").split("; "))
    assert others == {plots.label_of(arm) for arm in verdicts.ARMS} - {"feature extraction"}
    said = " ".join(advice.what_would_change_it)
    assert "If a gain of 0.004 AUC, which may be chance" in said
    assert "similarity" not in said


@pytest.mark.parametrize(
    ("means", "choice", "headline"),
    [
        (flat(full_finetune=0.9), "full_finetune", "full fine-tune is clearly ahead"),
        (flat(full_finetune=0.9, lp_ft=0.9), "lp_ft",
         "feature extraction is clearly behind; start with LP-FT"),
        (flat(full_finetune=0.805), "feature_extraction", "full fine-tune is clearly ahead, but by "
         "too little to pay for; start with feature extraction"),
    ],
)  # fmt: skip
def test_a_clear_winner_is_named_and_so_is_what_is_clearly_behind(means, choice, headline):
    advice = ask(200, dataset="far", found=found(rows("far", 200, means, noise=0.0005)))
    assert (advice.strategy, advice.headline) == (choice, headline)
    assert str(advice).startswith(f"n = 200: {headline}. Of 7 arms")


def test_in_ties_neighbouring_sizes_get_the_same_advice():
    """Another arm leads by a little at every size; the advice stays, and so does its sentence."""
    leaders = ("full_finetune", "lp_ft", "partial_finetune", "partial_finetune_last1")
    tie = found(*(rows("far", n, flat(**{arm: 0.82}), noise=0.02)
                  for n, arm in zip((50, 200, 800, 3200), leaders, strict=True)))  # fmt: skip
    for n in np.geomspace(20, 40_000, 12).round().astype(int).tolist():
        advice = ask(n, dataset="far", found=tie)
        assert advice.headline == "nobody is clearly ahead; start with feature extraction"
        assert not any(s.startswith("With ") for s in advice.what_would_change_it)


def test_on_the_stored_tables_the_advice_leaves_feature_extraction_only_where_it_is_behind():
    now = verdicts.evidence()
    assert not now.cells["clear"].any(), "notebook 05 says: no clear winner in any cell"
    for name in now.sizes:
        for n in np.geomspace(30, 20_000, 7).round().astype(int).tolist():
            advice = recommend.recommend(n, dataset=name, found=now)
            if advice.strategy == "feature_extraction":
                assert "nobody is clearly ahead; start with feature" in advice.headline
            else:
                assert name == "flowers", "its most alike set, from 300 images on"
                assert n > 300
                assert "feature extraction is clearly behind" in advice.headline


@pytest.mark.parametrize("gap", ["partial_finetune", "scratch_longer"])
def test_missing_arms_are_named_and_lower_the_confidence(gap):
    means = flat(full_finetune=0.9)
    del means[gap]
    advice = ask(200, dataset="far", found=found(rows("far", 200, means, noise=0.001)))
    assert advice.strategy == "full_finetune"
    assert advice.confidence == "low"
    assert plots.label_of(gap) in advice.doubts[0]


def test_a_data_set_measured_at_this_size_is_preferred_to_a_nearer_small_one():
    small = found(rows("near", 50, flat()), rows("far", 50, flat()),
                  rows("far", 800, flat(lp_ft=0.9)))  # fmt: skip
    advice = ask(800, similarity=0.75, found=small)
    assert set(advice.evidence["dataset"]) == {"far"}
    assert advice.extrapolated, "0.75 is no similarity at which 800 images were measured"


@pytest.mark.parametrize(
    ("place", "says"),
    [
        (dict(n=20, dataset="far"), "outside the 50 to 800 images"),
        (dict(n=3000, dataset="far"), "outside the 50 to 800 images"),
        (dict(n=200, similarity=0.95), "outside the 0.40 to 0.80 of far, middle, near"),
        (dict(n=200, similarity=0.1), "outside the 0.40 to 0.80 of far, middle, near"),
        (dict(n=200, dataset="far", n_classes=40), "40 classes"),
        (dict(n=50, dataset="far", n_classes=20), "2.5 images of a class"),
    ],
)
def test_outside_the_measured_range_or_with_few_images_of_a_class_it_says_so(place, says):
    advice = ask(**place)
    assert advice.extrapolated
    assert advice.confidence == "low"
    assert says in " ".join(advice.doubts)


def test_a_neighbour_that_hardly_counts_is_left_out():
    """It may lack arms, and what it lacks could not compete."""
    near = found(rows("far", 200, flat()), rows("near", 200, {"lp_ft": 0.8, "scratch": 0.6}))
    for at, counted in ((0.42, {"far"}), (0.5, {"far", "near"}), (0.78, {"near"})):
        assert set(ask(200, similarity=at, found=near).evidence["dataset"]) == counted
    advice = ask(200, similarity=0.42, found=near)
    assert "Of 7 arms" in advice.why


def test_the_imagenet_caveat_stands_beside_the_set():
    only = found(rows("hymenoptera", 200, flat(lp_ft=0.9)))
    advice = ask(200, dataset="hymenoptera", found=only)
    assert "hymenoptera (n = 200; drawn from ImageNet)" in advice.why


def curve(*aucs: float, **others: float) -> verdicts.Evidence:
    """Full fine-tuning on 50, 200 and 800 images, and other arms that stand still."""
    sizes = zip((50, 200, 800), aucs, strict=True)
    return found(*(rows("far", n, flat(full_finetune=auc, **others), noise=1e-5)
                   for n, auc in sizes))  # fmt: skip


def test_above_the_measured_sizes_the_curves_are_continued_with_published_findings_beside():
    """An arm whose error halves with every fourfold n overtakes one that stands still."""
    climbing = curve(0.6, 0.8, 0.9, feature_extraction=0.91)
    assert ask(800, dataset="far", found=climbing).strategy == "feature_extraction"
    advice = ask(3200, dataset="far", found=climbing)
    assert advice.strategy == "full_finetune"
    assert advice.extrapolated
    assert "curve is continued to 3,200 images" in advice.why
    assert advice.published
    line = estimates.continued(climbing, "far", "full_finetune", 3200)
    assert np.mean(list(line.values())) == pytest.approx(0.95, abs=0.005)


def test_continuations_run_to_ten_times_the_largest_size_for_arms_with_a_curve():
    grid = found(rows("far", 100, flat()), rows("far", 400, flat(lp_ft=0.9)),
                 rows("far", 800, {"lp_ft": 0.92, "full_finetune": 0.85}))  # fmt: skip
    table = estimates.continuations(grid, "far", ["lp_ft", "scratch"])
    assert table.groupby("arm")["n"].agg(["min", "max"]).loc["lp_ft"].tolist() == [800, 8000]
    assert (table["lo"] <= table["auc"]).all()
    assert (table["auc"] <= table["hi"]).all()
    line = table[table["arm"] == "lp_ft"]
    assert line["auc"].iloc[-1] > line["auc"].iloc[0]
    only = found(rows("far", 100, {"lp_ft": 0.8, "scratch": 0.6}))
    assert estimates.continuations(only, "far", ["lp_ft"]).empty


def test_continued_curves_never_fall():
    falling = curve(0.9, 0.9, 0.7)
    near, far = (estimates.continued(falling, "far", "full_finetune", n) for n in (1_600, 8_000))
    assert far == pytest.approx(near)


def test_beyond_ten_times_our_sizes_but_below_others_the_curves_stand_still():
    near, far = ask(8_000, dataset="far"), ask(40_000, dataset="far")
    assert far.extrapolated
    assert far.margin == pytest.approx(near.margin)
    assert far.strategy == near.strategy


@pytest.mark.parametrize("n", [50_000, 600_000])
def test_far_above_others_measurements_decide(n):
    advice = ask(n, dataset="far")
    assert advice.strategy == "full_finetune"
    assert advice.extrapolated
    assert advice.confidence == "low"
    assert "extrapolation" in advice.why
    assert "800 images" in advice.why
    assert np.isnan(advice.margin.mean), "no measured margin is claimed"
    assert all(p.n_from <= n for p in advice.published)
    assert str(advice).count("(") >= len(advice.published)


def test_the_advice_prints_as_text_with_all_its_parts():
    text = str(ask(200, similarity=0.5))
    for part in ("n = 200: full fine-tune is clearly ahead.", "Confidence: high", "--race"):
        assert part in text


@pytest.mark.parametrize(
    ("place", "says"),
    [
        (dict(n=0), "number of training images"),
        (dict(n="many"), "number of training images"),
        (dict(n=100, dataset="fat"), "Did you mean 'far'"),
        (dict(n=100, dataset="far", similarity=0.5), "not both"),
        (dict(n=100, similarity=1.5), "runs from 0 to 1"),
        (dict(n=100, dataset="far", n_classes=1), "between 2 and n"),
        (dict(n=100, found=found(rows("far", 50, {"lp_ft": 0.8}))), "make evidence"),
        (dict(n=100, similarity=0.5, similar={}), "python -m measure similarity"),
    ],
)
def test_bad_input_or_too_little_evidence_is_said_in_a_sentence(place, says):
    with pytest.raises(CourseError, match=says):
        ask(**place)


@pytest.mark.parametrize(
    ("n", "similar", "advice"),
    [
        (999, True, "freeze"),
        (1_000, True, "last one or two"),
        (1_000, False, "more layers"),
        (50_000, False, "train everything"),
        (500_000, False, "from scratch"),
        (500_000, True, "train everything"),
    ],
)
def test_the_lessons_row_is_found(n, similar, advice):
    assert advice in rules.lesson_row(n, similar).advice


def test_the_lessons_rows_name_arms_of_the_grid():
    for row in rules.LESSON_TABLE:
        assert set(row.arms) <= set(verdicts.ARMS)
    assert set(plots.style.ARMS) == set(verdicts.ARMS)


def test_what_transfusion_measured_on_chest_x_rays():
    """ResNet-50's AUC in points: random start and pretrained, five findings (their table 2)."""
    pairs = [(79.52, 79.76), (75.23, 74.93), (85.49, 84.42), (88.34, 88.89), (88.70, 88.07)]
    gains = sorted(round(after - before, 2) for before, after in pairs)
    ahead = sum(gain > 0 for gain in gains)
    said = next(p.finding for p in rules.PUBLISHED if "findings" in p.finding)
    assert (ahead, gains[0], gains[-1]) == (2, -1.07, 0.55)
    assert "ahead of a random start in two findings and behind in three, by -1.07 to +.55" in said


def test_the_lesson_is_held_against_each_cell():
    """Below 1,000 it says: freeze. It wins at 50, loses at 800, and ties where noise is large.

    The better of its arms stands for it, and an arm with fewer seeds is no opponent yet.
    """
    cells = found(
        rows("far", 50, flat(feature_extraction=0.85), noise=0.001),
        rows("far", 800, flat(full_finetune=0.9), noise=0.001),
        rows("near", 200, {"feature_extraction": 0.8, "lp_ft": 0.7}, noise=0.001),
        rows("near", 200, {"full_finetune": 0.95}, seeds=(0, 1)),
        rows("near", 400, flat(full_finetune=0.802), noise=0.02),
        rows("near", 800, {"feature_extraction": 0.8}),
        rows("near", 2000, flat(partial_finetune=0.9), noise=0.001),
    )
    table = rules.against_lesson(cells, SIMILAR).set_index(["dataset", "n"])
    assert table["outcome"].to_dict() == {
        ("far", 50): "wins", ("far", 800): "loses", ("near", 200): "wins",
        ("near", 400): "no clear difference", ("near", 800): "not measured", ("near", 2000): "wins",
    }  # fmt: skip
    assert table.loc[("far", 800), "gain"] == pytest.approx(-0.1, abs=0.002)
    assert table.loc[("near", 200), "other"] == "lp_ft"
    assert table.loc[("near", 2000), "lesson_arm"] == "partial_finetune"
    assert rules.against_lesson(cells, {"far": 0.4})["dataset"].eq("far").all()


def test_a_contest_takes_the_best_of_each_side():
    grid = found(rows("far", 200, flat(lp_ft=0.9, scratch_longer=0.7, scratch=0.6), noise=0.001))
    tuned = ("full_finetune", "lp_ft")
    result = rules.contest(grid, "far", 200, tuned, ["scratch", "scratch_longer"])
    assert (result["arm"], result["other"]) == ("lp_ft", "scratch_longer")
    assert result["outcome"] == "wins"
    assert result["gain"] == pytest.approx(0.2, abs=0.002)
    alone = rules.contest(grid, "far", 200, tuned, ["nobody"])
    assert (alone["other"], alone["outcome"]) == (None, "not measured")
    assert np.isnan(alone["gain"])


def test_similarity_leaves_a_set_itself_and_gray_twins_out():
    distances = [("flowers", "flowers", 0), ("flowers", "hymenoptera", 1), ("elpv", "flowers", 2),
                 ("elpv", "hymenoptera", 4), ("flowers[gray]", "hymenoptera", 9)]  # fmt: skip
    table = pd.DataFrame(distances, columns=["dataset", "reference", "mean_distance"])
    assert recommend.similarities(table) == {"elpv": pytest.approx(0.25), "flowers": 0.5}


def test_the_stored_tables_can_be_asked_and_set_photographs_before_other_images():
    assert recommend.recommend(100, similarity=0.55).strategy in verdicts.ARMS
    assert similarity.read_similarity()["n_classes"].max() == recommend.MOST_CLASSES
    similar = recommend.similarities()
    assert min(similar["flowers"], similar["hymenoptera"]) >= rules.SIMILAR_FROM
    assert max(similar["elpv"], similar["chest_xray"]) < rules.SIMILAR_FROM
