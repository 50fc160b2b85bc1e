"""Temperature, reliability and the calibration error, against values that are known."""

import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from helpers.training import calibration


@pytest.fixture
def true() -> tuple[np.ndarray, np.ndarray]:
    """Log odds that mean what they say, and labels drawn from them."""
    rng = np.random.default_rng(0)
    logits = rng.normal(-0.5, 2, 20_000)
    return logits, (rng.random(len(logits)) < calibration.probability(logits)).astype(int)


@pytest.mark.parametrize("times", [0.5, 1.0, 4.0])
def test_the_temperature_takes_back_what_logits_were_multiplied_by(true, times):
    logits, labels = true
    found = calibration.temperature(times * logits, labels)
    assert found == pytest.approx(times, rel=0.05)
    after = calibration.probability(times * logits, found)
    assert roc_auc_score(labels, after) == pytest.approx(roc_auc_score(labels, logits))


def test_no_other_temperature_has_a_smaller_log_loss(true):
    logits, labels = true
    best = calibration.temperature(2 * logits, labels)
    losses = [log_loss(labels, calibration.probability(2 * logits, t))
              for t in (best, 0.9 * best, 1.1 * best)]  # fmt: skip
    assert losses[0] == min(losses)


def test_bins_hold_equally_many_images_and_their_intervals_the_truth(true):
    logits, labels = true
    table = calibration.reliability(labels, calibration.probability(logits))
    assert table["n"].tolist() == [2000] * 10
    assert table["said"].is_monotonic_increasing
    inside = (table["lo"] <= table["said"]) & (table["said"] <= table["hi"])
    assert inside.sum() >= 8
    assert (table["lo"] <= table["true"]).all()
    assert (table["true"] <= table["hi"]).all()


def test_the_error_is_the_mean_gap_between_said_and_true():
    said = np.repeat([0.1, 0.9], 10)
    labels = np.r_[np.zeros(10, int), np.ones(5, int), np.zeros(5, int)]
    assert calibration.calibration_error(labels, said, bins=2) == pytest.approx((0.1 + 0.4) / 2)


def test_few_images_make_perfect_probabilities_look_wrong(true):
    logits, labels = true
    few = slice(200)
    p = calibration.probability(logits[few])
    mean, high = calibration.error_by_chance(p)
    drawn = np.random.default_rng(1)
    by_hand = [calibration.calibration_error((drawn.random(200) < p).astype(int), p)
               for _ in range(200)]  # fmt: skip
    assert mean == pytest.approx(np.mean(by_hand), abs=0.005)
    assert high == pytest.approx(np.percentile(by_hand, 97.5), abs=0.015)
    assert mean > 3 * calibration.error_by_chance(calibration.probability(logits))[0]
    assert calibration.calibration_error(labels[few], 1 - p) > high
