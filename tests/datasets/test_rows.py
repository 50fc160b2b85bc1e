import numpy as np
import pytest

from helpers.datasets import Split, dataset
from helpers.training.predict import batch

IMAGES = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 1), dtype=np.uint8)


@pytest.fixture
def on_disk(tmp_path) -> Split:
    np.save(tmp_path / "images.npy", IMAGES)
    images = np.load(tmp_path / "images.npy", mmap_mode="r")
    return Split(images, np.arange(20) % 2, np.arange(20))


@pytest.fixture
def _nothing_fits(monkeypatch):
    monkeypatch.setattr(dataset, "IN_MEMORY_BYTES", 0)


def test_small_parts_are_copied_into_memory(on_disk):
    taken = on_disk.subset([3, 1]).images
    assert type(taken) is np.ndarray
    assert np.array_equal(taken, IMAGES[[3, 1]])


@pytest.mark.usefixtures("_nothing_fits")
@pytest.mark.parametrize("key", [2, slice(1, 4), np.array([4, 0])])
def test_large_parts_stay_on_disk_and_read_the_same(on_disk, key):
    index = np.array([9, 1, 5, 19, 7])
    lazy = on_disk.subset(index).images
    assert isinstance(lazy, dataset.Rows)
    assert (lazy.shape, lazy.dtype) == ((5, 8, 8, 1), np.uint8)
    assert np.array_equal(lazy[key], IMAGES[index][key])
    assert np.array_equal(np.array(lazy), IMAGES[index])


def test_a_part_of_a_part_is_copied_once_it_is_small(on_disk, monkeypatch):
    monkeypatch.setattr(dataset, "IN_MEMORY_BYTES", 4 * IMAGES[0].nbytes)
    large = on_disk.subset(np.arange(10, 20))
    assert np.array_equal(large.subset([3, 5, 7, 8, 9]).images[:], IMAGES[[13, 15, 17, 18, 19]])
    small = large.subset([3, 5]).images
    assert type(small) is np.ndarray
    assert np.array_equal(small, IMAGES[[13, 15]])


@pytest.mark.usefixtures("_nothing_fits")
def test_a_split_on_disk_gives_the_same_batches(on_disk):
    lazy = on_disk.subset(np.arange(5, 15))
    expected = Split(IMAGES, on_disk.labels, on_disk.groups).subset(np.arange(5, 15))
    index = np.array([4, 2, 8])
    assert batch(lazy, index).equal(batch(expected, index))
