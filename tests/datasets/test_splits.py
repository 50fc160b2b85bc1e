from __future__ import annotations

import numpy as np
import pytest

from helpers.datasets.dataset import holdout
from helpers.errors import CourseError


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5])
@pytest.mark.parametrize("counts", [(50, 50), (180, 20), (40, 40, 20)])
def test_holdout_is_a_stratified_partition(counts, fraction):
    strata = np.repeat(np.arange(len(counts)), counts)
    kept, held_out = holdout(strata, fraction, seed=0)
    np.testing.assert_array_equal(np.sort(np.r_[kept, held_out]), np.arange(len(strata)))
    np.testing.assert_array_equal(held_out, np.sort(held_out))
    np.testing.assert_allclose(np.bincount(strata[held_out]), fraction * np.array(counts), atol=1)


def test_seed_chooses_the_split():
    strata = np.repeat([0, 1], 50)
    first, again, other = (holdout(strata, 0.2, seed)[1] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_each_class_is_held_out_however_small_the_fraction():
    strata = np.repeat([0, 1, 2], 10)
    _, held_out = holdout(strata, 0.01, seed=0)
    assert set(strata[held_out]) == {0, 1, 2}


@pytest.mark.parametrize("seed", range(3))
def test_groups_are_not_torn(seed):
    groups = np.repeat(np.arange(40), 5)
    strata = groups % 2
    kept, held_out = holdout(strata, 0.2, seed, groups)
    assert not set(groups[kept]) & set(groups[held_out])
    assert len(kept) + len(held_out) == len(groups)
    assert len(held_out) == pytest.approx(0.2 * len(groups), abs=10)
    assert strata[held_out].mean() == pytest.approx(0.5, abs=0.15)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("counts", [(20, 3), (1000, 2), (50, 2, 2, 2), (3, 3), (2,) * 9])
def test_a_class_too_rare_for_its_share_is_on_both_sides(counts, seed):
    strata = np.repeat(np.arange(len(counts)), counts)
    kept, held_out = holdout(strata, 0.2, seed)
    np.testing.assert_array_equal(np.sort(np.r_[kept, held_out]), np.arange(len(strata)))
    assert len(held_out) == max(round(0.2 * len(strata)), len(counts))
    assert set(strata[kept]) == set(strata[held_out]) == set(range(len(counts)))


def test_groups_of_one_image_are_no_groups():
    strata = np.repeat([0, 1], 20)
    for mine, plain in zip(
        holdout(strata, 0.25, 3, np.arange(40)), holdout(strata, 0.25, 3), strict=True
    ):
        np.testing.assert_array_equal(mine, plain)


@pytest.mark.parametrize(
    ("strata", "groups", "said"),
    [
        (["cat"] * 9 + ["dog"], None, "Class dog has a single image"),
        ([0, 1] * 10, np.arange(20) // 10, "Only 2 groups"),
    ],
)
def test_what_cannot_be_split_is_said(strata, groups, said):
    with pytest.raises(CourseError, match=said):
        holdout(np.array(strata), 0.2, 0, groups)
