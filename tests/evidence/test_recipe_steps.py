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
    noise = rng.normal(size=len(LABELS))
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
    tried, setup, step = recipe.climb(table(), "chest_xray")
    assert (tried, setup, step) == ([], Setup(), "start")


def test_a_step_waits_until_all_options_have_all_seeds():
    measured = table(all_of("start"), rows("depth", "the last five stages", 2.0),
                     rows("depth", "LP-FT, all stages", 2.0, seeds=[0, 1]))  # fmt: skip
    tried, _, step = recipe.climb(measured, "chest_xray")
    assert step == "depth"
    assert [t.step for t in tried] == ["start"]


def test_the_best_option_is_kept_and_the_next_step_stands_on_it():
    depth = all_of("depth", **{"LP-FT, all stages": 3.0})
    measured = table(all_of("start"), depth, all_of("augmentation", **{"fixed views": 2.0}))
    tried, setup, step = recipe.climb(measured, "chest_xray")
    chosen = [t.option for t in tried if t.chosen]
    assert chosen == ["the last two stages", "LP-FT, all stages"]
    assert (setup.strategy, setup.views, step) == ("lp_ft", False, "epochs")
    # The views are compared with LP-FT, which was chosen, not with the start.
    assert tried[-1].gain.mean == pytest.approx(
        np.mean([row["auc"] for row in rows("", "", 2.0)])
        - np.mean([row["auc"] for row in rows("", "", 3.0)])
    )
    assert tried[-1].gain.mean < 0


def test_what_is_no_better_is_not_kept():
    _, setup, _ = recipe.climb(table(all_of("start"), all_of("depth")), "chest_xray")
    assert setup == Setup()


def test_every_change_is_a_field_of_a_setup_and_only_cells_have_experts():
    for options in STEPS.values():
        for change in options.values():
            Setup(**change)
    assert "experts' probabilities" in recipe.options("elpv", "targets")
    assert "experts' probabilities" not in recipe.options("chest_xray", "targets")
