"""A recipe climbs step by step: validation chooses, and a step waits for all its seeds."""

import numpy as np
import pandas as pd
import pytest

from helpers.evidence import recipe
from helpers.evidence.recipe import COLUMNS, SEEDS, STEPS, Setup
from helpers.training import metrics

LABELS = np.arange(40) % 2


def rows(step, option, quality, seeds=SEEDS, dataset="chest_xray"):
    """Answers that are right to a degree; the higher `quality`, the higher the AUC."""
    rng = np.random.default_rng(0)
    noise = 2 * rng.normal(size=len(LABELS))
    made = []
    for seed in seeds:
        logits = quality * (LABELS - 0.5) + noise + 0.01 * seed
        auc = metrics.auc(LABELS, recipe.as_probabilities(logits))
        made.append(dict.fromkeys(COLUMNS, "") | {
            "dataset": dataset, "step": step, "option": option, "seed": seed,
            "part": "validation", "auc": auc, "core_seconds": 60.0, "labels": LABELS,
            "logits": logits, "view_logits": np.array([]),
        })  # fmt: skip
    return made


def table(*groups):
    return pd.DataFrame([row for group in groups for row in group], columns=list(COLUMNS))


def all_of(step, **quality):
    """Every option of a step; those not named have the quality 1."""
    return [row for option in recipe.options("chest_xray", step)
            for row in rows(step, option, quality.get(option, 1.0))]  # fmt: skip


def test_nothing_is_chosen_before_anything_is_measured():
    tried, setup, step = recipe.choices(table(), "chest_xray")
    assert (tried, setup, step) == ([], Setup(), "start")


def test_a_step_waits_until_all_options_have_all_seeds():
    measured = table(all_of("start"), rows("depth", "the last five stages", 2.0),
                     rows("depth", "LP-FT, all stages", 2.0, seeds=[0, 1]))  # fmt: skip
    tried, _, step = recipe.choices(measured, "chest_xray")
    assert step == "depth"
    assert [t.step for t in tried] == ["start"]


def test_the_best_option_is_kept_and_the_next_step_stands_on_it():
    depth = all_of("depth", **{"LP-FT, all stages": 3.0})
    measured = table(all_of("start"), depth, all_of("augmentation", **{"fixed views": 2.0}))
    tried, setup, step = recipe.choices(measured, "chest_xray")
    chosen = [t.option for t in tried if t.chosen]
    assert chosen == ["the last two stages", "LP-FT, all stages"]
    assert (setup.strategy, setup.views, step) == ("lp_ft", False, "class weights")
    # The views are compared with LP-FT, which was chosen, not with the start.
    climbed = recipe.climb(measured, "chest_xray")
    assert [t.option for t in climbed] == [t.option for t in tried]
    assert climbed[-1].gain.mean == pytest.approx(
        np.mean([row["auc"] for row in rows("", "", 2.0)])
        - np.mean([row["auc"] for row in rows("", "", 3.0)])
    )
    assert climbed[-1].gain.mean < 0


def test_what_is_no_better_is_not_kept():
    _, setup, _ = recipe.choices(table(all_of("start"), all_of("depth")), "chest_xray")
    assert setup == Setup()


def test_near_an_auc_of_1_nothing_is_chosen_any_more():
    start = all_of("start", **{"the last two stages": 20.0})
    measured = table(start, all_of("depth", **{"LP-FT, all stages": 30.0}))
    assert measured.auc.iloc[0] >= recipe.SATURATED
    assert recipe.choices(table(start), "chest_xray")[1:] == (Setup(), None)
    tried, setup, step = recipe.choices(measured, "chest_xray")
    assert (setup, step) == (Setup(), None)  # what was measured is shown, and no more asked for
    assert [t.chosen for t in tried] == [True, False, False]


def test_every_change_is_a_field_of_a_setup_and_only_cells_have_experts():
    for options in STEPS.values():
        for change in options.values():
            Setup(**change)
    assert "experts' probabilities" in recipe.options("elpv", "targets")
    assert "experts' probabilities" not in recipe.options("chest_xray", "targets")


def measured_whole(networks=tuple(recipe.MEMBERS)):
    """All steps, of which the last five stages and then 224 pixels are best; and `networks`."""
    steps = [all_of(step, **{"the last five stages": 1.2, "224 px": 1.5}) for step in STEPS]
    others = [rows("network", name, 4.0) for name in networks[1:]]
    final = [rows("test", name, 5.0) for name in ("start", *networks)]
    return table(*steps, *others, *final)


def test_choices_can_end_before_a_step():
    whole, setup, _ = recipe.choices(measured_whole(), "chest_xray")
    tried, before, step = recipe.choices(measured_whole(), "chest_xray", "size")
    assert (before.size, setup.size, setup.last) == (128, 224, 5)
    assert step is None
    assert [t.option for t in tried] == [t.option for t in whole[: len(tried)]]


def test_nothing_is_averaged_before_the_last_step_is_measured():
    assert recipe.members(table(all_of("start")), "chest_xray", "validation") == {}


def test_the_networks_to_average_have_one_recipe():
    found = recipe.members(measured_whole(), "chest_xray", "validation")
    assert [(rows.step.iloc[0], rows.option.iloc[0]) for rows in found.values()] == [
        ("size", "224 px"), ("network", "EfficientNet-Lite1"), ("network", "EfficientNet-Lite2"),
    ]  # fmt: skip
    tested = recipe.members(measured_whole(), "chest_xray", "test")
    assert [rows.option.iloc[0] for rows in tested.values()] == list(recipe.MEMBERS)
    assert recipe.members(measured_whole(), "chest_xray", "all") == {}


def test_an_average_is_the_mean_of_probabilities():
    found = recipe.members(measured_whole(), "chest_xray", "validation")
    mixed = recipe.averages(found)
    single = recipe.answers(found["EfficientNet-Lite0"])
    assert np.array_equal(mixed["one network"], single)
    assert "its mean over the fixed views" not in mixed  # it learned from none
    assert np.allclose(mixed["its three seeds"][2], np.mean(single, axis=0))
    of_seed_1 = [recipe.answers(rows)[1] for rows in found.values()]
    assert np.allclose(mixed["three networks"][1], np.mean(of_seed_1, axis=0))
    nine = [answer for rows in found.values() for answer in recipe.answers(rows)]
    assert np.allclose(mixed["three networks, three seeds"][0], np.mean(nine, axis=0))


def test_the_mean_over_views_stands_in_where_there_is_one():
    found = recipe.members(measured_whole(), "chest_xray", "validation")
    for rows in found.values():
        rows["view_logits"] = [logits + 1 for logits in rows.logits]
    mixed = recipe.averages(found)
    assert mixed["its mean over the fixed views"][0][0, 1] > mixed["one network"][0][0, 1]


def test_networks_not_measured_yet_are_left_out():
    found = measured_whole(["EfficientNet-Lite0"])
    for part in ("validation", "test"):
        assert list(recipe.members(found, "chest_xray", part)) == ["EfficientNet-Lite0"]
    assert [t.option for t in recipe.together(found, "chest_xray")] == ["its three seeds"]
    one = recipe.members(found, "chest_xray", "test")
    assert recipe.final(one)[0] == "one network"
    one["EfficientNet-Lite0"]["view_logits"] = one["EfficientNet-Lite0"].logits
    assert recipe.final(one)[0] == "its mean over the fixed views"
    whole = recipe.members(measured_whole(), "chest_xray", "test")
    assert recipe.final(whole)[0] == "three networks"


def test_averages_are_held_against_one_network():
    assert recipe.together(table(all_of("start")), "chest_xray") == []
    found = recipe.together(measured_whole(), "chest_xray")
    assert [t.option for t in found][-2:] == ["three networks", "three networks, three seeds"]
    assert [t.core_minutes for t in found] == [3, 3, 9]
    assert found[-1].gain.mean > 0 == found[0].gain.mean
    one = recipe.rows_of(measured_whole(), "chest_xray", "size", "224 px").auc.mean()
    assert all(t.auc - t.gain.mean == pytest.approx(one) for t in found)


def test_the_stored_aucs_are_those_of_the_stored_answers():
    for row in recipe.read_recipe().itertuples():
        told = metrics.auc(row.labels, recipe.as_probabilities(row.logits))
        assert row.auc == pytest.approx(told, abs=6e-4)  # log odds have three decimals


def test_where_nothing_was_chosen_the_last_recipe_is_the_first():
    measured = table(*[all_of(step) for step in STEPS], rows("test", "start", 5.0))
    tested = recipe.members(measured, "chest_xray", "test")
    assert [found.option.iloc[0] for found in tested.values()] == ["start"]


def test_what_the_x_rays_were_given_without_a_choice_is_not_told_apart():
    """As notebook 05 says, and benchmarks/README."""
    table, name = recipe.read_recipe(), "chest_xray"
    first = recipe.rows_of(table, name, "test", "start")
    borrowed = recipe.rows_of(table, name, "test", recipe.BORROWED)
    everything = recipe.rows_of(table, name, "all", "EfficientNet-Lite0")
    networks = recipe.averages(recipe.members(table, name, "test"))["three networks"]
    labels = first.labels.iloc[0]
    for said, expected in (
        (recipe.answers(everything), (0.003, -0.016, 0.022)),
        (networks, (0.003, -0.007, 0.013)),
        (recipe.answers(borrowed, "view_logits"), (0.005, -0.006, 0.016)),
    ):
        gain = recipe.gain(labels, said, recipe.answers(first))
        assert gain[:3] == pytest.approx(expected, abs=0.0006)
    for rows, called_ill in ((first, 0.52), (borrowed, 0.43)):
        shares = [np.mean(p[labels == 0, 1] >= 0.5) for p in recipe.answers(rows)]
        assert np.mean(shares) == pytest.approx(called_ill, abs=0.005)


def test_three_networks_are_not_told_apart_from_one_on_solar_cells():
    table = recipe.read_recipe()
    rows = recipe.members(table, "elpv", "validation")
    mixed, labels = recipe.averages(rows), next(iter(rows.values())).labels.iloc[0]
    gain = recipe.gain(labels, mixed["three networks"], mixed["its mean over the fixed views"])
    assert gain[:3] == pytest.approx((0.001, -0.007, 0.009), abs=0.0006)
    costs = recipe.costs(rows)
    assert round(costs["three networks"] / costs["one network"]) == 4
