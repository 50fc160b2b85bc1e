"""The rules that explain a race, each on a toy result that calls for it."""

from dataclasses import replace

import numpy as np
import pytest

from helpers.evidence.verdicts import Evidence
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
from tests.evidence.test_recommend import found, rows

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
        Lane(arm, label, 5, "done", result=measured)
        for (arm, measured), label in zip(arms, setup.labels, strict=True)
    )
    return Race(1, setup, lanes)


PROBE, FULL, PARTIAL = Arm(), Arm("full_finetune"), Arm("partial_finetune")
MEAN, MOVES, TURNED = Arm(gray="mean"), Arm(batchnorm="train"), Arm(augment="dihedral")
BOTH = Arm(batchnorm="train", gray="mean")
# Two that are as good as each other (the second a little behind), one far ahead, one far behind.
EVEN, BEHIND, AHEAD, FAR = result(1.0, 0), result(1.0, 7), result(2.0, 1), result(0.3)


@pytest.mark.parametrize(
    ("arms", "leads", "words"),
    [
        ([(PROBE, FAR), (FULL, AHEAD)], "full fine-tune",
         ["Clear winner: full fine-tune, ahead of feature extraction by",
          "on the same 300 test images"]),
        # The cheaper arm is advised though it is behind.
        ([(PROBE, replace(BEHIND, seconds=2)), (FULL, replace(EVEN, seconds=60))], NONE,
         ["No clear winner: full fine-tune is ahead", "includes 0. Take feature extraction: it is "
          "the cheaper one, 30 times as fast"]),
        # Unless the best is the cheapest.
        ([(PROBE, EVEN), (FULL, BEHIND)], NONE,
         ["It is also the cheapest of those that cannot be told apart"]),
        # A clear lead may be too small to pay for; it is not where it costs nothing.
        ([(PROBE, EVEN), (FULL, result(1.02, 0))], "full fine-tune",
         ["Clear winner: full fine-tune", "less than the 0.01 that the decision table asks"]),
        ([(PROBE, result(1.02, 0)), (FULL, EVEN)], "feature extraction",
         ["!decision table asks"]),
        # An arm that is clearly behind is not advised for being cheap.
        ([(PROBE, result(0.2, 1)), (PARTIAL, BEHIND), (FULL, EVEN)], NONE,
         ["Take partial fine-tune", "Clearly behind: feature extraction."]),
        ([(PROBE, EVEN), (MEAN, BEHIND)], NONE, ["They cost the same, so either will do."]),
        # Seconds that were taken differently are not compared.
        ([(PROBE, row_only(1.0)), (FULL, result(1.02, seconds=600))], NONE,
         ["trains 10 parameters instead of 10", "!as fast"]),
    ],
)  # fmt: skip
def test_the_outcome_names_a_winner_or_what_to_take(arms, leads, words):
    raced = race(*arms)
    assert leader(raced.results) == leads
    for says in words:
        assert (says.lstrip("!") in outcome(raced)) != says.startswith("!"), says


@pytest.mark.parametrize(
    ("arms", "says"),
    [
        (
            [(PROBE, AHEAD), (MOVES, FAR)],
            "BatchNorm's doing. Its statistics followed small",
        ),
        ([(PROBE, BEHIND), (MOVES, EVEN)], "no difference"),
        ([(PROBE, FAR), (MOVES, AHEAD)], "helped"),
        ([(PROBE, AHEAD), (MEAN, FAR)], "a third of what they expect"),
        ([(PROBE, EVEN), (MEAN, EVEN)], "no loss of AUC"),
        ([(MEAN, AHEAD), (PROBE, FAR)], "mean did better"),
        ([(PROBE, AHEAD), (TURNED, FAR)], "dihedral clearly hurt"),
        ([(TURNED, AHEAD), (PROBE, FAR)], "clearly helped"),
        ([(PROBE, EVEN), (TURNED, EVEN)], "brought nothing"),
        ([(PROBE, AHEAD), (BOTH, FAR)], None),  # two knobs at once have no single cause
        ([(arm, result(1.0, labels=LABELS[:40])) for arm in (PROBE, FULL)], "With 40 test images"),
    ],
)
def test_what_a_single_knob_did_is_named(arms, says):
    because_of = because(race(*arms))
    assert says in because_of if says else because_of == ""


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


def grid(winner: str) -> Evidence:
    means = {"feature_extraction": 0.7, "full_finetune": 0.7} | {winner: 0.9}
    return found(rows("elpv", 200, means, noise=0.001))


@pytest.mark.parametrize(
    ("arm", "changes", "wins", "says"),
    [
        (FULL, {}, "full_finetune", "recommends full fine-tune at n = 200 on elpv"),
        (FULL, {}, "full_finetune", "does not speak against it"),
        (FULL, {}, "feature_extraction", "here full fine-tune clearly beat it, in one run"),
        (Arm("scratch"), {}, "full_finetune", "that arm was not in this race"),
        # Where the table says nothing one run is one run.
        (FULL, {"backbone": "resnet18"}, "full_finetune", "another seed"),
        (FULL, {}, None, "another seed"),
        (MOVES, {}, "full_finetune", "another seed"),
    ],
)
def test_the_decision_table_is_set_beside_the_race(arm, changes, wins, says):
    raced = race((PROBE, FAR), (arm, AHEAD), **changes)
    assert says in beside_the_evidence(raced, wins and grid(wins))


def test_it_is_two_or_three_sentences_in_all():
    raced = race((PROBE, result(2.0, 1)), (MOVES, result(0.3)))
    assert len(explain(raced, grid("full_finetune"))) == 3
