"""A data set's splits: drawn from, shrunk, held out; read from the disk where they are large."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.datasets import dataset
from helpers.datasets.dataset import Card, Dataset, Split, holdout, stratified_sample
from helpers.errors import CourseError
from helpers.training.predict import batch


def numbered(n: int) -> Split:
    """Images whose every pixel is their number, so that an order can be seen; a quarter is 1."""
    images = np.broadcast_to(np.arange(n, dtype=np.uint8)[:, None, None, None], (n, 4, 4, 1)).copy()
    return Split(images, (np.arange(n) < n / 4).astype(np.int64), np.arange(n))


def toys(n_val: int = 80) -> Dataset:
    card = Card("toy", "toys", "toys", ("no", "yes"), 1, 4, "as drawn", "here", "none")
    return Dataset(card, numbered(200), numbered(n_val), numbered(60))


def test_subset_keeps_the_order_and_the_rows_together():
    part = numbered(10).subset([7, 2, 2])
    assert part.images[:, 0, 0, 0].tolist() == [7, 2, 2]
    assert part.labels.tolist() == [0, 1, 1]
    assert part.groups.tolist() == [7, 2, 2]
    assert len(part) == 3


@pytest.mark.parametrize("n", [4, 40, 100, 199, 200])
def test_sample_is_stratified_without_repeats_and_follows_the_seed(n):
    sample, again, other = (numbered(200).sample(n, seed) for seed in (1, 1, 2))
    assert len(np.unique(sample.groups)) == n
    assert sample.labels.sum() == pytest.approx(n / 4, abs=1)
    assert np.array_equal(sample.groups, again.groups)
    assert np.array_equal(sample.groups, other.groups) == (n == 200)


@pytest.mark.parametrize(
    ("counts", "n"), [((500, 400, 2), 3), ((500, 400, 2), 10), ((500, 400, 2), 901), ((50, 1), 2)]
)
def test_a_class_too_rare_for_its_share_still_gets_an_image(counts, n):
    labels = np.repeat(np.arange(len(counts)), counts)
    for seed in range(5):
        index = stratified_sample(labels, n, seed)
        assert len(np.unique(index)) == n
        assert set(labels[index]) == set(labels)


@pytest.mark.parametrize(
    ("n", "of", "n_val"), [(40, 80, 32), (128, 80, 32), (160, 80, 40), (200, 80, 50), (200, 20, 20)]
)
def test_take_shrinks_validation_with_training_and_leaves_the_test_part_whole(n, of, n_val):
    data = toys(of)
    small = data.take(n)
    assert (len(small.train), len(small.val)) == (n, n_val)
    assert small.test is data.test
    assert small.card is data.card
    assert set(small.train.groups) <= set(data.train.groups)


def test_counts_name_parts_and_classes():
    assert toys().counts() == {
        "train": {"no": 150, "yes": 50},
        "val": {"no": 60, "yes": 20},
        "test": {"no": 45, "yes": 15},
    }


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5])
@pytest.mark.parametrize("counts", [(50, 50), (180, 20), (40, 40, 20)])
def test_holdout_is_a_stratified_partition_by_the_seed(counts, fraction):
    strata = np.repeat(np.arange(len(counts)), counts)
    kept, held_out = holdout(strata, fraction, seed=0)
    np.testing.assert_array_equal(np.sort(np.r_[kept, held_out]), np.arange(len(strata)))
    np.testing.assert_array_equal(held_out, np.sort(held_out))
    np.testing.assert_allclose(np.bincount(strata[held_out]), fraction * np.array(counts), atol=1)
    single = np.arange(len(strata))
    np.testing.assert_array_equal(holdout(strata, fraction, 0, single)[1], held_out)
    assert not np.array_equal(holdout(strata, fraction, seed=1)[1], held_out)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("counts", "fraction"),
    [((20, 3), 0.2), ((1000, 2), 0.2), ((50, 2, 2, 2), 0.2), ((3, 3), 0.2), ((2,) * 9, 0.2),
     ((10, 10, 10), 0.01)],
)  # fmt: skip
def test_a_class_too_rare_for_its_share_is_on_both_sides(counts, fraction, seed):
    strata = np.repeat(np.arange(len(counts)), counts)
    kept, held_out = holdout(strata, fraction, seed)
    np.testing.assert_array_equal(np.sort(np.r_[kept, held_out]), np.arange(len(strata)))
    assert len(held_out) == max(round(fraction * len(strata)), len(counts))
    assert set(strata[kept]) == set(strata[held_out]) == set(range(len(counts)))


@pytest.mark.parametrize("seed", range(3))
def test_groups_are_not_torn(seed):
    groups = np.repeat(np.arange(40), 5)
    strata = groups % 2
    kept, held_out = holdout(strata, 0.2, seed, groups)
    assert not set(groups[kept]) & set(groups[held_out])
    assert len(kept) + len(held_out) == len(groups)
    assert len(held_out) == pytest.approx(0.2 * len(groups), abs=10)
    assert strata[held_out].mean() == pytest.approx(0.5, abs=0.15)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: numbered(200).sample(201), "Asked for 201 images, but this split has 200"),
        (lambda: numbered(200).sample(1), "raise n"),
        (lambda: toys().take(1000), "Ask for 200 or fewer"),
        (lambda: holdout(np.array(["cat"] * 9 + ["dog"]), 0.2, 0), "Class dog has a single image"),
        (lambda: holdout(np.arange(20) % 2, 0.2, 0, np.arange(20) // 10), "Only 2 groups"),
    ],
)
def test_what_cannot_be_drawn_is_said(call, says):
    with pytest.raises(CourseError, match=says):
        call()


IMAGES = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 1), dtype=np.uint8)


@pytest.fixture
def on_disk(tmp_path, monkeypatch) -> Split:
    """20 images in a memory-mapped file, of which four may be copied into memory."""
    monkeypatch.setattr(dataset, "IN_MEMORY_BYTES", 4 * IMAGES[0].nbytes)
    np.save(tmp_path / "images.npy", IMAGES)
    images = np.load(tmp_path / "images.npy", mmap_mode="r")
    return Split(images, np.arange(20) % 2, np.arange(20))


@pytest.mark.parametrize("key", [2, slice(1, 4), np.array([4, 0])])
def test_large_parts_stay_on_disk_and_read_the_same(on_disk, key):
    index = np.array([9, 1, 5, 19, 7])
    lazy = on_disk.subset(index)
    assert isinstance(lazy.images, dataset.Rows)
    assert (lazy.images.shape, lazy.images.dtype) == ((5, 8, 8, 1), np.uint8)
    assert np.array_equal(lazy.images[key], IMAGES[index][key])
    assert np.array_equal(np.array(lazy.images), IMAGES[index])
    whole, some = Split(IMAGES, on_disk.labels, on_disk.groups), np.array([4, 2, 3])
    assert batch(lazy, some).equal(batch(whole.subset(index), some))


def test_the_bytes_of_images_come_in_pieces(on_disk):
    pieces = [*dataset.content(on_disk.subset(np.arange(10)).images, 4)]
    assert len(pieces) == 3
    assert b"".join(pieces) == IMAGES[:10].tobytes()
    assert [*dataset.content(IMAGES, 10, b"+")] == [
        IMAGES[:10].tobytes(), b"+" + IMAGES[10:].tobytes()
    ]  # fmt: skip


def test_a_part_is_copied_into_memory_once_it_is_small(on_disk):
    large = on_disk.subset(np.arange(10, 20))
    assert np.array_equal(large.subset([3, 5, 7, 8, 9]).images[:], IMAGES[[13, 15, 17, 18, 19]])
    for small, index in ((on_disk.subset([3, 1]), [3, 1]), (large.subset([3, 5]), [13, 15])):
        assert type(small.images) is np.ndarray
        assert np.array_equal(small.images, IMAGES[index])
