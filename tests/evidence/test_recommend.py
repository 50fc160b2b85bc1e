"""The decision on made-up tables, where the right answer is known."""

import itertools

import numpy as np
import pandas as pd
import pytest

from helpers.errors import CourseError
from helpers.evidence import estimates, recommend, rules, similarity, tables, verdicts
from helpers.evidence.grid import BACKBONE, IMAGE_SIZE, TIMES_LONGER, epochs_for
from helpers.training import metrics

SECONDS = {"feature_extraction": 1, "partial_finetune_last1": 4, "partial_finetune": 8,
           "full_finetune": 30, "lp_ft": 20, "scratch": 40, "scratch_longer": 120}  # fmt: skip
SWINGS = list(itertools.permutations((-1, 0, 1)))  # of mean 0, no two arms alike
SIMILAR = {"far": 0.4, "middle": 0.5, "near": 0.8}


def rows(dataset: str, n: int, means: dict[str, float], *, noise=0.0, seeds=(0, 1, 2)) -> list:
    """A cell of the table; `noise` moves the arms against each other from seed to seed."""
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
                "strategy": arm.removesuffix(verdicts.LONGER_SUFFIX), "auc_lo": value - 0.05,
                "auc_hi": value + 0.05, "train_seconds": SECONDS[arm] * (1 + seed / 10),
            })  # fmt: skip
    return found


def flat(**best: float) -> dict[str, float]:
    """All arms at .8 but for those named."""
    return dict.fromkeys(SECONDS, 0.8) | best


def found(*cells: list, **options) -> verdicts.Evidence:
    return verdicts.evidence(pd.DataFrame(itertools.chain(*cells)), **options)


# --- the statistics


def test_the_interval_is_students():
    mean, lo, hi = verdicts.interval([0.01, 0.02, 0.03])
    half = 4.302653 * 0.01 / np.sqrt(3)
    assert (mean, lo, hi) == pytest.approx((0.02, 0.02 - half, 0.02 + half))
    assert not metrics.Interval(mean, lo, hi).clear
    assert metrics.Interval(0.02, 0.01, 0.03).clear
    assert metrics.Interval(-0.02, -0.03, -0.01).clear


def test_one_value_has_no_interval_and_is_never_clear():
    one = verdicts.interval([0.4])
    assert one.mean == 0.4
    assert np.isnan(one.lo)
    assert not one.clear
    assert np.isnan(verdicts.interval([]).mean)


def test_pairing_by_seed_cancels_what_the_seeds_share():
    cell = found(rows("d", 200, {"feature_extraction": 0.8, "full_finetune": 0.83}, noise=0.001))
    one = cell.cells.iloc[0]
    assert (one.winner, one.runner_up, one.clear) == ("full_finetune", "feature_extraction", True)
    assert one.margin == pytest.approx(0.03)
    assert one.margin_hi - one.margin_lo < 0.02
    arm = cell.arms.iloc[0]
    assert arm.hi - arm.lo > 0.1, "each arm alone swings with the seeds"


def test_a_tie_has_no_clear_winner_and_the_cheap_one_is_chosen():
    means = {"feature_extraction": 0.8, "full_finetune": 0.805}
    one = found(rows("d", 200, means, noise=0.01)).cells.iloc[0]
    assert one.winner == "full_finetune"
    assert not one.clear
    assert one.tied == ("feature_extraction",)
    assert one.choice == "feature_extraction"


def test_an_unclear_but_large_gain_is_not_given_away():
    means = {"feature_extraction": 0.8, "full_finetune": 0.85}
    one = found(rows("d", 200, means, noise=0.03)).cells.iloc[0]
    assert not one.clear
    assert one.choice == "full_finetune"
    dear = found(rows("d", 200, means, noise=0.03), worth=0.06).cells.iloc[0]
    assert dear.choice == "feature_extraction", "unless the user says it is not worth it"


def test_a_small_but_clear_gain_is_taken():
    means = {"feature_extraction": 0.8, "full_finetune": 0.805}
    assert found(rows("d", 200, means, noise=0.0005)).cells.iloc[0].choice == "full_finetune"


def test_both_kinds_of_uncertainty_are_in_the_table():
    arm = found(rows("d", 200, {"lp_ft": 0.8})).arms.iloc[0]
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


def test_a_row_measured_twice_counts_once():
    cell = rows("d", 200, {"lp_ft": 0.8})
    assert found(cell, cell).arms.iloc[0].seeds == 3


def test_an_empty_table_names_the_command():
    with pytest.raises(CourseError, match="make evidence"):
        verdicts.evidence(pd.DataFrame(columns=list(tables.COLUMNS)))


# --- the recommendation


def grid() -> verdicts.Evidence:
    """Freezing wins at 50 and fine-tuning at 800, far from photographs much sooner than near."""
    cells = []
    for dataset, gain in (("far", 0.06), ("middle", 0.04), ("near", 0.02)):
        for n, step in ((50, -0.5), (200, 0.5), (800, 1.0)):
            means = flat(feature_extraction=0.85, full_finetune=0.85 + gain * step)
            cells.append(rows(dataset, n, means, noise=0.0002))
    return found(*cells)


GRID = grid()


def ask(n: int, **options) -> recommend.Recommendation:
    return recommend.recommend(n, found=GRID, similar=SIMILAR, **options)


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


def test_between_measured_cells_both_neighbours_count():
    advice = ask(400, similarity=0.65)
    weights = advice.evidence.groupby(["dataset", "n"])["weight"].first().round(3).to_dict()
    assert weights == {("middle", 200): 0.25, ("middle", 800): 0.25, ("near", 200): 0.25,
                       ("near", 800): 0.25}  # fmt: skip
    expected = 0.25 * (0.02 + 0.04 + 0.01 + 0.02)
    assert advice.margin.mean == pytest.approx(expected)


def test_without_a_similarity_all_data_sets_count_alike():
    advice = ask(200)
    assert advice.margin.mean == pytest.approx(0.5 * (0.06 + 0.04 + 0.02) / 3)
    assert set(advice.evidence["dataset"]) == {"far", "middle", "near"}


def test_the_choice_changes_where_the_curves_cross():
    assert ask(50, dataset="far").strategy == "feature_extraction"
    assert ask(800, dataset="far").strategy == "full_finetune"
    said = " ".join(ask(50, dataset="far").what_would_change_it)
    assert "With more images" in said
    assert "full fine-tuning" in said
    crossing = int("".join(c for c in said.split("about ")[1].split(",")[0] if c.isdigit()))
    assert 100 <= crossing <= 125, "half way between 50 and 200 in log n"


def test_the_price_of_haste_is_said():
    said = " ".join(ask(800, dataset="far").what_would_change_it)
    assert "In a hurry" in said
    assert "loses 0.060 AUC" in said


def test_a_tie_goes_to_the_cheap_arm_and_says_so():
    tie = found(rows("far", 200, flat(full_finetune=0.804), noise=0.01))
    advice = recommend.recommend(200, dataset="far", found=tie)
    assert advice.strategy == "feature_extraction"
    assert advice.confidence == "moderate"
    assert "no clear winner" in advice.why
    assert "1/30 of the time" in advice.why
    assert any("If a gain of 0.004" in s for s in advice.what_would_change_it)


@pytest.mark.parametrize("gap", ["partial_finetune", "scratch_longer"])
def test_missing_arms_are_named_and_lower_the_confidence(gap):
    means = flat(full_finetune=0.9)
    del means[gap]
    advice = recommend.recommend(
        200, dataset="far", found=found(rows("far", 200, means, noise=0.001))
    )
    assert advice.strategy == "full_finetune"
    assert advice.confidence == "low"
    assert recommend.NAMES[gap] in advice.doubts[0]


def test_a_data_set_measured_at_this_size_is_preferred_to_a_nearer_small_one():
    small = found(rows("near", 50, flat()), rows("far", 50, flat()),
                  rows("far", 800, flat(lp_ft=0.9)))  # fmt: skip
    advice = recommend.recommend(800, similarity=0.75, found=small, similar=SIMILAR)
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
    ],
)
def test_outside_the_measured_range_it_says_so(place, says):
    advice = ask(**place)
    assert advice.extrapolated
    assert advice.confidence == "low"
    assert says in " ".join(advice.doubts)


def test_few_images_of_a_class_are_a_doubt():
    advice = ask(50, dataset="far", n_classes=20)
    assert "2.5 images of a class" in " ".join(advice.doubts)


def test_a_neighbour_that_hardly_counts_is_left_out():
    """It may lack arms, and what it lacks could not compete."""
    near = found(rows("far", 200, flat()), rows("near", 200, {"lp_ft": 0.8, "scratch": 0.6}))
    similar = {"far": 0.4, "near": 0.8}
    weights, _ = estimates.weights_of(near, 200, 0.42, similar)
    assert weights == {"far": 1.0}
    assert estimates.weights_of(near, 200, 0.78, similar)[0] == {"near": 1.0}
    assert set(estimates.weights_of(near, 200, 0.5, similar)[0]) == {"far", "near"}
    advice = recommend.recommend(200, similarity=0.42, found=near, similar=similar)
    assert "Of 7 arms" in advice.why


def test_the_imagenet_caveat_stands_beside_the_set():
    only = found(rows("hymenoptera", 200, flat(lp_ft=0.9)))
    advice = recommend.recommend(200, dataset="hymenoptera", found=only)
    assert "hymenoptera (n = 200; drawn from ImageNet)" in advice.why


def test_above_the_measured_sizes_the_curves_are_continued_with_published_findings_beside():
    """An arm whose error halves with every fourfold n overtakes one that stands still."""
    cells = [
        rows("far", n, flat(feature_extraction=0.93, full_finetune=1 - e), noise=1e-5)
        for n, e in ((50, 0.4), (200, 0.2), (800, 0.1))
    ]
    climbing = found(*cells)
    assert recommend.recommend(800, dataset="far", found=climbing).strategy == "feature_extraction"
    advice = recommend.recommend(3200, dataset="far", found=climbing)
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


def test_continued_curves_stop_growing_and_never_fall():
    cells = [
        rows("far", n, flat(full_finetune=auc)) for n, auc in ((50, 0.9), (200, 0.9), (800, 0.7))
    ]
    falling = found(*cells)
    at = [
        np.mean(list(estimates.continued(falling, "far", "full_finetune", n).values()))
        for n in (1_600, 8_000, 80_000)
    ]
    assert at[0] == pytest.approx(at[1])
    assert at[1] == at[2]


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
    for part in ("full fine-tuning for n = 200", "Confidence: high", "--race"):
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
    ],
)
def test_bad_input_is_said_in_a_sentence(place, says):
    with pytest.raises(CourseError, match=says):
        ask(**place)


def test_too_little_evidence_is_said():
    single = found(rows("far", 50, {"feature_extraction": 0.8}))
    with pytest.raises(CourseError, match="make evidence"):
        recommend.recommend(100, found=single)
    with pytest.raises(CourseError, match=r"python -m measure similarity"):
        recommend.recommend(100, similarity=0.5, found=GRID, similar={})


# --- the lesson's table


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
    assert set(recommend.NAMES) == set(verdicts.ARMS)


def test_the_lesson_is_held_against_each_cell():
    """Below 1,000 it says: freeze. It wins at 50, loses at 800, and ties where noise is large."""
    noisy = rows("near", 400, flat(full_finetune=0.802), noise=0.02)
    one = rows("near", 800, {"feature_extraction": 0.8})
    cells = [rows("far", 50, flat(feature_extraction=0.85), noise=0.001), noisy, one,
             rows("far", 800, flat(full_finetune=0.9), noise=0.001)]  # fmt: skip
    table = rules.against_lesson(found(*cells), SIMILAR).set_index(["dataset", "n"])
    assert table["verdict"].to_dict() == {
        ("far", 50): "wins", ("far", 800): "loses", ("near", 400): "no clear difference",
        ("near", 800): "not measured",
    }  # fmt: skip
    assert table.loc[("far", 800), "gain"] == pytest.approx(-0.1, abs=0.002)
    assert rules.against_lesson(found(*cells), {"far": 0.4})["dataset"].eq("far").all()


def test_a_contest_takes_the_best_of_each_side():
    grid = found(rows("far", 200, flat(lp_ft=0.9, scratch_longer=0.7, scratch=0.6), noise=0.001))
    tuned = ("full_finetune", "lp_ft")
    result = rules.contest(grid, "far", 200, tuned, ["scratch", "scratch_longer"])
    assert (result["arm"], result["other"]) == ("lp_ft", "scratch_longer")
    assert result["verdict"] == "wins"
    assert result["gain"] == pytest.approx(0.2, abs=0.002)
    alone = rules.contest(grid, "far", 200, tuned, ["nobody"])
    assert (alone["other"], alone["verdict"]) == (None, "not measured")
    assert np.isnan(alone["gain"])


def test_an_arm_with_fewer_seeds_is_no_opponent_yet():
    cells = [rows("far", 200, {"feature_extraction": 0.8, "lp_ft": 0.7}, noise=0.001),
             rows("far", 200, {"full_finetune": 0.95}, seeds=(0, 1))]  # fmt: skip
    assert rules.against_lesson(found(*cells), SIMILAR).iloc[0].other == "lp_ft"


def test_of_the_lessons_arms_the_better_one_stands_for_it():
    means = flat(partial_finetune=0.9)
    table = rules.against_lesson(found(rows("near", 2000, means, noise=0.001)), SIMILAR)
    assert table.iloc[0].lesson_arm == "partial_finetune"
    assert table.iloc[0].verdict == "wins"


# --- similarities


def distance_rows(dataset: str, reference: str, distance: float) -> dict:
    empty = dict.fromkeys(similarity.SIMILARITY_COLUMNS, 0)
    return empty | {"dataset": dataset, "reference": reference, "mean_distance": distance}


def test_similarity_leaves_a_set_itself_and_gray_twins_out():
    table = pd.DataFrame([
        distance_rows("flowers", "flowers", 0), distance_rows("flowers", "hymenoptera", 1),
        distance_rows("elpv", "flowers", 2), distance_rows("elpv", "hymenoptera", 4),
        distance_rows("flowers[gray]", "hymenoptera", 9),
    ])  # fmt: skip
    assert recommend.similarities(table) == {"elpv": pytest.approx(0.25), "flowers": 0.5}


# --- the stored evidence


def test_the_stored_tables_can_be_asked():
    advice = recommend.recommend(100, similarity=0.55)
    assert advice.strategy in verdicts.ARMS
    classes = similarity.read_similarity()["n_classes"]
    assert classes.max() == recommend.MOST_CLASSES


def test_stored_similarity_orders_photographs_before_other_images():
    similar = recommend.similarities()
    assert min(similar["flowers"], similar["hymenoptera"]) >= rules.SIMILAR_FROM
    assert max(similar["elpv"], similar["chest_xray"]) < rules.SIMILAR_FROM
