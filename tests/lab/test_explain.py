"""The rules that explain a race, each on a toy result that calls for it."""

import numpy as np
import pandas as pd
import pytest

from helpers.evidence import tables
from helpers.evidence.verdicts import evidence
from helpers.lab.explain import (
    NONE,
    because,
    beside_the_evidence,
    difference,
    explain,
    leader,
    outcome,
)
from helpers.lab.race import Lane, Race, Result
from helpers.lab.setup import Arm, Setup
from helpers.training import metrics

N = 300
LABELS = np.arange(N) % 2


def predictions(skill: float, seed: int = 0, labels: np.ndarray = LABELS) -> np.ndarray:
    """Return probabilities that follow the labels as well as `skill` says."""
    noise = np.random.default_rng(seed).normal(size=len(labels))
    p = 1 / (1 + np.exp(-(skill * (2 * labels - 1) + noise)))
    return np.stack([1 - p, p], axis=1)


def result(skill: float, seed: int = 0, seconds: float = 1.0, labels=LABELS, **changes) -> Result:
    score = metrics.score(labels, predictions(skill, seed, labels))
    facts = {
        "auc": score.auc, "auc_lo": score.auc_lo, "auc_hi": score.auc_hi,
        "accuracy": score.accuracy, "trainable": 10, "seconds": seconds, "source": "live",
        "score": score, "groups": np.arange(len(labels)), "n_train": 200,
    }  # fmt: skip
    return Result(**facts | changes)


def row_only(skill: float, seconds: float = 60.0) -> Result:
    return result(skill, seconds=seconds, score=None, groups=None, source="stored")


def race(*arms: tuple[Arm, Result], **changes) -> Race:
    setup = Setup(tuple(arm for arm, _ in arms), n=200, **changes)
    lanes = tuple(
        Lane(arm, label, 5, "done", result=found)
        for (arm, found), label in zip(arms, setup.labels, strict=True)
    )
    return Race(1, setup, lanes)


PROBE, FULL = Arm("feature_extraction"), Arm("full_finetune")


def test_a_clear_winner_is_named_with_its_lead():
    raced = race((PROBE, result(0.3)), (FULL, result(2.0, 1)))
    assert leader(raced.results) == "full fine-tune"
    sentence = outcome(raced)
    assert sentence.startswith("Clear winner: full fine-tune, ahead of feature extraction by")
    assert "on the same 300 test images" in sentence


def test_without_a_winner_the_cheaper_arm_is_advised_though_it_is_behind():
    raced = race((PROBE, result(1.0, 7, seconds=2)), (FULL, result(1.0, 0, seconds=60)))
    assert leader(raced.results) == NONE
    assert outcome(raced).startswith("No clear winner: full fine-tune is ahead")
    assert "includes 0. Take feature extraction: it is the cheaper one, 30 times as fast" in (
        outcome(raced)
    )


def test_without_a_winner_the_best_is_advised_where_it_is_the_cheapest():
    raced = race((PROBE, result(1.0, 0)), (FULL, result(1.0, 7)))
    assert "It is also the cheapest of those that cannot be told apart" in outcome(raced)


def test_a_clear_lead_that_is_too_small_to_pay_for_is_said_to_be():
    raced = race((PROBE, result(1.0, 0)), (FULL, result(1.02, 0)))
    assert "Clear winner: full fine-tune" in outcome(raced)
    assert "less than the 0.01 that the decision table asks" in outcome(raced)
    cheap = race((PROBE, result(1.02, 0)), (FULL, result(1.0, 0)))
    assert "decision table asks" not in outcome(cheap)


def test_an_arm_that_is_clearly_behind_is_not_advised_for_being_cheap():
    partial = Arm("partial_finetune")
    raced = race((PROBE, result(0.2, 1)), (partial, result(1.0, 7)), (FULL, result(1.0, 0)))
    assert leader(raced.results) == NONE
    assert "Take partial fine-tune" in outcome(raced)
    assert outcome(raced).endswith("Clearly behind: feature extraction.")


def test_arms_that_cost_the_same_are_not_told_apart_by_cost():
    raced = race((PROBE, result(1.0, 0)), (Arm(gray="mean"), result(1.0, 7)))
    assert "They cost the same, so either will do." in outcome(raced)


def test_seconds_that_were_taken_differently_are_not_compared():
    raced = race((PROBE, row_only(1.0)), (FULL, result(1.02, seconds=600)))
    assert "trains 10 parameters instead of 10" in outcome(raced)
    assert "as fast" not in outcome(raced)


def test_rows_without_predictions_are_compared_as_if_independent():
    paired = difference(result(1.1, 0), result(1.0, 0))
    apart = difference(row_only(1.1), row_only(1.0))
    assert apart.mean == pytest.approx(paired.mean)
    assert apart.hi - apart.lo > paired.hi - paired.lo


def test_three_classes_are_paired_too():
    labels = np.arange(90) % 3
    sharp = np.eye(3)[labels] * 0.8 + 0.1
    dull = np.full((90, 3), 1 / 3) + np.random.default_rng(0).normal(0, 0.01, (90, 3))
    facts = [
        Result(0.9, 0.8, 1.0, 0.9, 1, 1.0, "live", metrics.score(labels, p), np.arange(90))
        for p in (sharp, dull)
    ]
    assert metrics.auc(labels, sharp) == 1.0
    assert difference(*facts).lo > 0


def test_fewer_than_two_results_are_nothing_to_compare():
    alone = race((PROBE, result(1.0)), (FULL, result(1.0)))
    lanes = (alone.lanes[0], Lane(FULL, "full fine-tune", 5, "failed"))
    sentences = explain(Race(1, alone.setup, lanes))
    assert "nothing to compare" in sentences[0]
    assert leader({"one": result(1.0)}) is None


MOVES = Arm("feature_extraction", batchnorm="train")


def test_the_batchnorm_trap_is_named_when_it_cost_something():
    raced = race((PROBE, result(2.0, 1)), (MOVES, result(0.3)))
    assert "BatchNorm's doing" in because(raced)
    assert "followed small batches" in because(raced)


def test_moving_statistics_that_cost_nothing_or_helped_are_not_blamed():
    assert "no difference" in because(race((PROBE, result(1.0, 7)), (MOVES, result(1.0, 0))))
    assert "helped" in because(race((PROBE, result(0.3)), (MOVES, result(2.0, 1))))


def test_sum_and_mean():
    mean = Arm(gray="mean")
    assert "a third of what they expect" in because(
        race((PROBE, result(2.0, 1)), (mean, result(0.3)))
    )
    assert "no loss of AUC" in because(race((PROBE, result(1.0)), (mean, result(1.0))))
    assert "mean did better" in because(race((mean, result(2.0, 1)), (PROBE, result(0.3))))


def test_augmentation():
    turned = Arm(augment="dihedral")
    assert "dihedral clearly hurt" in because(race((PROBE, result(2.0, 1)), (turned, result(0.3))))
    assert "clearly helped" in because(race((turned, result(2.0, 1)), (PROBE, result(0.3))))
    assert "brought nothing" in because(race((PROBE, result(1.0)), (turned, result(1.0))))


def test_two_knobs_at_once_have_no_single_cause():
    both = Arm(batchnorm="train", gray="mean")
    assert because(race((PROBE, result(2.0, 1)), (both, result(0.3)))) == ""


def test_few_test_images_are_mentioned():
    labels = np.arange(40) % 2
    few = [(arm, result(1.0, labels=labels)) for arm in (PROBE, FULL)]
    assert "With 40 test images" in because(race(*few))


def grid(winner: str) -> pd.DataFrame:
    rows = []
    for seed in range(3):
        for name in ("feature_extraction", "full_finetune"):
            auc = (0.9 if name == winner else 0.7) + seed / 1000
            rows.append({
                "dataset": "elpv", "domain": "cells", "n_train": 200,
                "backbone": "efficientnet_lite0", "image_size": 96, "strategy": name,
                "epochs": 20, "seed": seed, "auc": auc, "auc_lo": auc - 0.05, "auc_hi": auc + 0.05,
                "accuracy": 0.8, "train_seconds": 5 if name == "feature_extraction" else 60,
                "trainable_params": 10, "versions": "x",
            })  # fmt: skip
    return pd.DataFrame(rows, columns=list(tables.COLUMNS))


def test_the_decision_table_is_set_beside_the_race():
    raced = race((PROBE, result(0.3)), (FULL, result(2.0, 1)))
    agrees = beside_the_evidence(raced, evidence(grid("full_finetune")))
    assert "recommends full fine-tune at n = 200 on elpv" in agrees
    assert "does not speak against it" in agrees
    differs = beside_the_evidence(raced, evidence(grid("feature_extraction")))
    assert "here full fine-tune clearly beat it, in one run" in differs


def test_an_arm_that_was_not_raced_is_said_to_be_missing():
    raced = race((PROBE, result(0.3)), (Arm("scratch"), result(2.0, 1)))
    sentence = beside_the_evidence(raced, evidence(grid("full_finetune")))
    assert "that arm was not in this race" in sentence


def test_where_the_table_says_nothing_one_run_is_one_run():
    raced = race((PROBE, result(0.3)), (FULL, result(2.0, 1)), backbone="resnet18")
    assert "another seed" in beside_the_evidence(raced, evidence(grid("full_finetune")))
    assert "another seed" in beside_the_evidence(raced, None)
    knob = race((PROBE, result(0.3)), (MOVES, result(2.0, 1)))
    assert "another seed" in beside_the_evidence(knob, evidence(grid("full_finetune")))


def test_it_is_two_or_three_sentences_in_all():
    raced = race((PROBE, result(2.0, 1)), (MOVES, result(0.3)))
    assert len(explain(raced, evidence(grid("full_finetune")))) == 3
