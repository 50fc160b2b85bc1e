import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from helpers.errors import CourseError
from helpers.training import metrics


def predictions(n: int = 200, classes: int = 2, seed: int = 0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n)
    raw = rng.random((n, classes)) + 0.5 * np.eye(classes)[labels]
    return labels, (raw / raw.sum(axis=1, keepdims=True)).round(2)  # rounding makes ties


def test_weighted_auc_is_scikit_learns():
    labels, probabilities = predictions()
    weights = np.random.default_rng(1).integers(0, 4, (5, len(labels))).astype(float)
    ours = metrics.weighted_auc(labels == 1, probabilities[:, 1], weights)
    theirs = [roc_auc_score(labels, probabilities[:, 1], sample_weight=w) for w in weights]
    assert ours == pytest.approx(theirs)


@pytest.mark.parametrize("classes", [2, 5])
def test_interval_holds_the_value_and_narrows_with_n(classes):
    small, large = (metrics.score(*predictions(n, classes)) for n in (100, 1600))
    for score in (small, large):
        assert score.auc_lo < score.auc < score.auc_hi
        assert score.accuracy_lo < score.accuracy < score.accuracy_hi
    ratio = (large.auc_hi - large.auc_lo) / (small.auc_hi - small.auc_lo)
    assert 0.15 < ratio < 0.45  # 1/sqrt(16) = .25


def test_multiclass_auc_is_the_macro_mean():
    labels, probabilities = predictions(classes=4)
    expected = np.mean([roc_auc_score(labels == k, probabilities[:, k]) for k in range(4)])
    assert metrics.score(labels, probabilities).auc == pytest.approx(expected)


def test_interval_covers_the_truth_about_95_times_in_100():
    """Scores N(1, 1) against N(0, 1) have a true AUC of Phi(1 / sqrt 2) = .760."""
    hits = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        labels = np.arange(120) % 2
        scores = rng.normal(labels)
        score = metrics.score(labels, np.stack([-scores, scores], axis=1))
        hits += score.auc_lo <= 0.760 <= score.auc_hi
    assert 88 <= hits <= 99


def test_resampling_groups_widens_the_interval():
    labels, probabilities = predictions(50)
    labels, probabilities = np.repeat(labels, 8), np.repeat(probabilities, 8, axis=0)
    alone = metrics.score(labels, probabilities)
    grouped = metrics.score(labels, probabilities, groups=np.repeat(np.arange(50), 8))
    assert grouped.n_groups == 50
    assert grouped.auc_hi - grouped.auc_lo > 2 * (alone.auc_hi - alone.auc_lo)


def test_a_missing_class_is_said():
    labels, probabilities = predictions()
    with pytest.raises(CourseError, match="No image of class 1"):
        metrics.score(np.zeros_like(labels), probabilities)


def test_nan_predictions_are_said():
    labels, probabilities = predictions()
    probabilities[3] = np.nan
    with pytest.raises(CourseError, match="NaN"):
        metrics.score(labels, probabilities)


def test_text_has_value_interval_and_n():
    text = str(metrics.score(*predictions(100)))
    assert "AUC 0." in text
    assert "[" in text
    assert text.endswith("n = 100")
