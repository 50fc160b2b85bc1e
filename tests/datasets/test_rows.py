import numpy as np
import pytest

from helpers.datasets import Split, dataset
from helpers.training.predict import batch

IMAGES = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 1), dtype=np.uint8)


@pytest.fixture
def on_disk(tmp_path):
    np.save(tmp_path / "images.npy", IMAGES)
    return np.load(tmp_path / "images.npy", mmap_mode="r")


@pytest.fixture
def _nothing_fits(monkeypatch):
    monkeypatch.setattr(dataset, "IN_MEMORY_BYTES", 0)


def test_small_parts_are_copied_into_memory(on_disk):
    taken = dataset.take_rows(on_disk, np.array([3, 1]))
    assert not isinstance(taken, np.memmap)
    assert np.array_equal(taken, IMAGES[[3, 1]])


@pytest.mark.usefixtures("_nothing_fits")
@pytest.mark.parametrize("key", [2, slice(1, 4), np.array([4, 0])])
def test_large_parts_stay_on_disk_and_read_the_same(on_disk, key):
    index = np.array([9, 1, 5, 19, 7])
    lazy = dataset.take_rows(on_disk, index)
    assert isinstance(lazy, dataset.Rows)
    assert lazy.shape == (5, 8, 8, 1)
    assert np.array_equal(lazy[key], IMAGES[index][key])


@pytest.mark.usefixtures("_nothing_fits")
def test_a_part_of_a_part_reads_from_the_first_array(on_disk):
    lazy = dataset.take_rows(dataset.take_rows(on_disk, np.arange(10, 20)), np.array([3, 5]))
    assert lazy.base is on_disk
    assert np.array_equal(lazy[:], IMAGES[[13, 15]])


@pytest.mark.usefixtures("_nothing_fits")
def test_a_split_on_disk_gives_the_same_batches(on_disk):
    labels = np.arange(20) % 2
    split = Split(on_disk, labels, np.arange(20)).subset(np.arange(5, 15))
    assert isinstance(split.images, dataset.Rows)
    expected = Split(IMAGES, labels, np.arange(20)).subset(np.arange(5, 15))
    index = np.array([4, 2, 8])
    assert batch(split, index).equal(batch(expected, index))
