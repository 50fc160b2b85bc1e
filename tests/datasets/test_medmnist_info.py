from __future__ import annotations

import pytest

from helpers.datasets.medmnist_info import MEDMNIST, SIZES


@pytest.mark.parametrize("name", MEDMNIST)
def test_the_table_is_consistent(name):
    info = MEDMNIST[name]
    assert info.task in ("binary-class", "multi-class", "ordinal-regression")
    assert (len(info.classes) == 2) == (info.task == "binary-class")
    assert len(set(info.classes)) == len(info.classes)
    assert info.channels in (1, 3)
    assert len(info.md5) == len(SIZES) == 4
    assert all(len(md5) == 32 and int(md5, 16) for md5 in info.md5)


def test_every_file_has_its_own_checksum():
    sums = [md5 for info in MEDMNIST.values() for md5 in info.md5]
    assert len(set(sums)) == len(sums) == 44
