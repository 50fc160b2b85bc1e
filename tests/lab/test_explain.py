"""The rules that explain a race, each on a toy result that calls for it."""

from dataclasses import replace

import numpy as np
import pytest

from helpers.errors import CourseError
from helpers.evidence.verdicts import Evidence
from helpers.lab.explain import (
    NONE,
    because,
    below_the_baseline,
    difference,
    explain,
    leader,
    outcome,
    recommendation,
)
from helpers.lab.measured import baseline_row
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
         ["In this one run full fine-tune is clearly ahead of feature extraction by",
          "on the same 300 test images"]),
        ([(PROBE, BEHIND), (FULL, EVEN)], NONE,
         ["No clear winner: full fine-tune is ahead", "includes 0 on the same 300 test images",
          "!Take", "!ecommend"]),
        ([(PROBE, result(0.2, 1)), (PARTIAL, BEHIND), (FULL, EVEN), (MEAN, result(1.0, 3))], NONE,
         ["Not told apart from it either: ", "Clearly behind: feature extraction"]),
        # A row of scores has no predictions to pair.
        ([(PROBE, row_only(1.0)), (FULL, result(1.02))], NONE, ["wider than a paired one"]),
    ],
)  # fmt: skip
def test_the_outcome_names_a_winner_or_says_that_there_is_none(arms, leads, words):
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
        (FULL, {}, "full_finetune", "full fine-tune"),
        (FULL, {}, "full_finetune", "seeds on elpv (20 epochs at n = 200): full fine-tune is"),
        (FULL, {}, "full_finetune", "does not speak against it"),
        (FULL, {}, "feature_extraction", ". That full fine-tune clearly beat it in this one run"),
        (Arm("scratch"), {}, "full_finetune", "That arm was not in this race"),
        # Where the table says nothing this race does.
        (FULL, {"backbone": "resnet18"}, "full_finetune", "full fine-tune. It is one run"),
        (MOVES, {}, "full_finetune", "BN moves. It is one run"),
    ],
)
def test_one_arm_is_recommended(arm, changes, wins, says):
    said = recommendation(race((PROBE, FAR), (arm, AHEAD), **changes), grid(wins))
    assert says in said
    assert said.startswith("Recommended")
    assert said.count("ecommend") == 1


def test_in_a_tie_of_this_race_alone_the_cheapest_is_recommended():
    said = recommendation(race((FULL, EVEN), (PROBE, BEHIND), backbone="resnet18"), None)
    assert "nobody is clearly ahead; start with feature extraction" in said


def test_of_equally_dear_arms_the_usual_one_is_recommended():
    """Notebook 03 warns of the mean: a lead by chance must not recommend it."""
    mean = Arm(gray="mean")
    said = recommendation(race((mean, EVEN), (PROBE, BEHIND), backbone="resnet18"), None)
    assert "nobody is clearly ahead; start with gray sum" in said


def test_without_evidence_the_race_speaks_for_itself(monkeypatch):
    def none_yet():
        raise CourseError("no evidence yet")

    monkeypatch.setattr("helpers.evidence.verdicts.evidence", none_yet)
    assert "one run of each arm" in recommendation(race((PROBE, FAR), (FULL, AHEAD)), None)


def test_who_is_right_less_often_than_guessing_is_named():
    raced = race((PROBE, replace(AHEAD, accuracy=0.56)), (FULL, EVEN))
    assert below_the_baseline(raced) == ""  # nobody knows what guessing comes to
    guessing = baseline_row({"intact": 69, "defective": 31})
    said = below_the_baseline(replace(raced, baseline=guessing))
    assert "Right no more often than always 'intact' (69.0%): feature extraction (56.0%)." in said
    assert said in explain(replace(raced, baseline=guessing), grid("full_finetune"))


def test_explanations_are_short_and_end_with_the_recommendation():
    raced = race((PROBE, result(2.0, 1)), (MOVES, result(0.3)))
    sentences = explain(raced, grid("full_finetune"))
    assert len(sentences) == 3
    assert [s.startswith("Recommended") for s in sentences] == [False, False, True]
