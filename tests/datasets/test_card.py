from __future__ import annotations

import numpy as np
import pytest

from helpers.datasets.dataset import Card, Dataset, Split, stratified_sample
from helpers.errors import CourseError


def make_split(n: int, share: float = 0.25, start: int = 0) -> Split:
    """Images whose every pixel is their number, so that an order can be seen."""
    images = np.broadcast_to(np.arange(n, dtype=np.uint8)[:, None, None, None], (n, 4, 4, 1)).copy()
    labels = (np.arange(n) < share * n).astype(np.int64)
    return Split(images, labels, start + np.arange(n))


@pytest.fixture
def data() -> Dataset:
    card = Card("toy", "toys", "toys", ("no", "yes"), 1, 4, "as drawn", "here", "none")
    return Dataset(card, make_split(200), make_split(80), make_split(60))


def test_subset_keeps_the_order_and_the_rows_together():
    part = make_split(10).subset([7, 2, 2])
    assert part.images[:, 0, 0, 0].tolist() == [7, 2, 2]
    assert part.labels.tolist() == [0, 1, 1]
    assert part.groups.tolist() == [7, 2, 2]
    assert len(part) == 3


@pytest.mark.parametrize("n", [4, 40, 100, 199, 200])
def test_sample_is_stratified_and_without_repeats(n):
    sample = make_split(200).sample(n, seed=1)
    assert len(np.unique(sample.groups)) == n
    assert sample.labels.sum() == pytest.approx(n / 4, abs=1)


def test_sample_follows_the_seed():
    first, again, other = (make_split(200).sample(50, seed).groups for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(
    ("n", "said"), [(201, "Asked for 201 images, but this split has 200"), (1, "raise n")]
)
def test_impossible_samples_are_refused(n, said):
    with pytest.raises(CourseError, match=said):
        stratified_sample(make_split(200).labels, n, seed=0)


@pytest.mark.parametrize(("n", "n_val"), [(40, 32), (128, 32), (160, 40), (200, 50)])
def test_take_shrinks_validation_with_training(data, n, n_val):
    small = data.take(n)
    assert (len(small.train), len(small.val)) == (n, n_val)
    assert small.test is data.test
    assert small.card is data.card
    assert set(small.train.groups) <= set(data.train.groups)


def test_take_cannot_enlarge_validation(data):
    few = Dataset(data.card, data.train, make_split(20), data.test)
    assert len(few.take(200).val) == 20


def test_take_more_than_there_are(data):
    with pytest.raises(CourseError, match="Ask for 200 or fewer"):
        data.take(1000)


def test_counts_name_parts_and_classes(data):
    assert data.counts() == {
        "train": {"no": 150, "yes": 50},
        "val": {"no": 60, "yes": 20},
        "test": {"no": 45, "yes": 15},
    }


@pytest.mark.parametrize("n", [3, 10, 60])
def test_a_class_too_rare_for_its_share_still_gets_an_image(n):
    labels = np.repeat([0, 1, 2], [500, 400, 2])
    for seed in range(5):
        index = stratified_sample(labels, n, seed)
        assert len(np.unique(index)) == n
        assert set(labels[index]) == {0, 1, 2}
    assert len(stratified_sample(labels, 901, 0)) == 901
    single = np.repeat([0, 1], [50, 1])
    assert set(single[stratified_sample(single, 2, 0)]) == {0, 1}
