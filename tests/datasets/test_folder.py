from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from helpers import datasets
from helpers.datasets import decode
from helpers.datasets.folder import KNOWN, group_codes, load_folder
from helpers.errors import CourseError

pytestmark = pytest.mark.usefixtures("private_cache")


def values(split) -> set[int]:
    """Return the gray values of images drawn in one colour."""
    return set(split.images[:, 0, 0, 0].tolist())


@pytest.mark.parametrize(
    ("counts", "sizes", "said"),
    [
        (
            {"a": 20, "b": 20},
            (24, 6, 10),
            "test is 10 of the 40 images in images/; validation is 6 of the 30 others; drawn",
        ),
        ({"train/a": 20, "train/b": 20}, (24, 6, 10), "test is 10 of the 40 images in train/"),
        (
            {"train/a": 10, "train/b": 10, "test/a": 4, "test/b": 3},
            (16, 4, 7),
            "test is test/ as it came; validation is 4 of the 20 images in train/; drawn",
        ),
        (
            {"train/a": 10, "train/b": 10, "valid/a": 2, "valid/b": 3, "test/a": 4, "test/b": 1},
            (20, 5, 5),
            "test is test/ as it came; validation is valid/ as it came",
        ),
        (
            {"train/a": 10, "train/b": 10, "val/a": 4, "val/b": 3},
            (16, 4, 7),
            "test is val/ as it came, because there is no test folder",
        ),
    ],
)
def test_layouts(fill, counts, sizes, said):
    data = load_folder(fill(counts), size=8)
    assert (len(data.train), len(data.val), len(data.test)) == sizes
    assert said in data.card.split_rule
    assert ("drawn" in data.card.split_rule) == (sizes != (20, 5, 5))
    assert "group" not in data.card.split_rule
    for per_class in data.counts().values():
        assert min(per_class.values()) > 0
    assert data.train.images.shape == (sizes[0], 8, 8, 1)
    assert data.train.images.dtype == np.uint8
    assert data.train.labels.dtype == data.train.groups.dtype == np.int64


def test_val_alone_becomes_the_test_part(fill, draw, root):
    fill({"train/a": 20, "train/b": 20})
    for k in range(100, 105):
        draw(f"val/a/{k}.png", k)
        draw(f"val/b/{k}.png", k)
    data = load_folder(root, size=8)
    assert values(data.test) == {100, 101, 102, 103, 104}
    assert values(data.train) | values(data.val) == set(range(20))


def test_images_labels_and_files_stay_together(draw, root):
    for k in range(12):
        draw(f"dark/{k}.png", k)
        draw(f"light/{k}.png", 200 + k)
    data = load_folder(root, size=8)
    seen = []
    for split in (data.train, data.val, data.test):
        np.testing.assert_array_equal(split.images[:, 4, 4, 0] >= 200, split.labels == 1)
        seen += split.images[:, 4, 4, 0].tolist()
    assert sorted(seen) == [*range(12), *range(200, 212)]


def test_seed_and_fractions_choose_the_split(fill):
    root = fill({"a": 20, "b": 20})
    first, again, other = (load_folder(root, size=8, seed=s).test.groups for s in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    data = load_folder(root, size=8, test_fraction=0.5, val_fraction=0.5)
    assert (len(data.train), len(data.val), len(data.test)) == (10, 10, 20)


def test_card_has_defaults_and_takes_facts(fill):
    root = fill({"b": 5, "a": 5})
    card = load_folder(root, size=8).card
    assert (card.name, card.title, card.domain) == (f"folder:{root}", "images", "own images")
    assert (card.source, card.terms, card.caveat) == ("your folder", "yours to check", "")
    assert (card.classes, card.channels, card.size) == (("a", "b"), 1, 8)
    card = load_folder(root, size=8, name="moths", about={"domain": "moths", "caveat": "few"}).card
    assert (card.name, card.domain, card.caveat, card.title) == ("moths", "moths", "few", "images")


def test_channels_reach_the_card(fill):
    root = fill({"a": 5, "b": 5})
    data = load_folder(root, size=8, channels=3)
    assert data.card.channels == data.test.images.shape[-1] == 3


def test_a_second_load_decodes_nothing(fill, monkeypatch):
    root = fill({"a": 8, "b": 8})
    first = load_folder(root, size=8)
    monkeypatch.setattr(decode, "decode_files", None)
    second = load_folder(root, size=8)
    for part in ("train", "val", "test"):
        np.testing.assert_array_equal(getattr(first, part).images, getattr(second, part).images)


@pytest.mark.parametrize(
    "option",
    [{"channels": 2}, {"val_fraction": 0}, {"test_fraction": 0.6}],
    ids=str,
)
def test_options_out_of_range(fill, option):
    (value,) = option.values()
    with pytest.raises(CourseError, match=re.escape(str(value))):
        load_folder(fill({"a": 5, "b": 5}), size=8, **option)


def test_images_of_no_size_are_refused(fill):
    with pytest.raises(CourseError, match="size is 0 pixels; ask for at least 8"):
        datasets.load(f"folder:{fill({'a': 5, 'b': 5})}", size=0)


@pytest.fixture
def patients(draw, root):
    """Return a function that draws three images per patient, each with the patient's number."""

    def save(part: str, numbers: range) -> Path:
        for number in numbers:
            for k in range(3):
                draw(f"{part}/{'ab'[number % 2]}/p{number:02d}_{k}.png", number)
        return root

    return save


@pytest.mark.parametrize("seed", range(3))
def test_a_group_is_never_torn(patients, seed):
    data = load_folder(patients(".", range(24)), size=8, group_pattern=r"p(\d+)_", seed=seed)
    splits = (data.train, data.val, data.test)
    assert "one group stay on one side" in data.card.split_rule
    assert data.card.caveat == ""
    assert sum(len(values(split)) for split in splits) == 24
    pairs = {
        pair
        for split in splits
        for pair in zip(split.images[:, 0, 0, 0].tolist(), split.groups.tolist(), strict=True)
    }
    assert len(pairs) == len({group for _, group in pairs}) == 24


def test_the_pattern_may_come_with_the_facts(patients):
    about = {"group_pattern": r"p\d+"}
    data = load_folder(patients(".", range(24)), size=8, about=about)
    assert not values(data.train) & values(data.test)


def test_groups_in_two_given_parts_are_counted(patients):
    patients("train", range(12))
    data = load_folder(patients("test", range(10, 22)), size=8, group_pattern=r"p\d+")
    assert values(data.test) == set(range(10, 22))
    assert len(set(data.test.groups) & {*data.train.groups, *data.val.groups}) == 2
    assert not set(data.train.groups) & set(data.val.groups)
    said = "2 groups of file names lie in both train/ and test/, with 6 of the 36 images"
    assert said in data.card.caveat


@pytest.mark.parametrize(
    ("pattern", "names", "groups"),
    [
        (None, ["a1", "a2", "a1"], [0, 1, 2]),
        (r"\d+", ["a1", "b1", "c2"], [0, 0, 1]),
        (r"(\d+)_(\w)", ["1_a0", "1_a9", "11_a", "1_b"], [0, 0, 2, 1]),
        (r"(\d+)_(\d+)", ["1_12", "11_2"], [0, 1]),
        (r"p(\d)|q(\d)", ["p1", "q1", "p2"], [0, 0, 1]),
        (r"p\d", ["p1", "no", "p1", "other"], [2, 0, 2, 1]),
        (r"\d*", ["x", "y", "1x", "1y"], [1, 2, 0, 0]),
    ],
)
def test_group_codes(pattern, names, groups):
    codes = group_codes([Path("p1 folder 1_a") / name for name in names], pattern)
    assert codes.dtype == np.int64
    np.testing.assert_array_equal(np.equal.outer(codes, codes), np.equal.outer(groups, groups))


@pytest.mark.parametrize(
    ("pattern", "said"),
    [("p(", "not a regular expression"), (r"patient\d", r"matches none.*'000\.png'")],
)
def test_a_useless_pattern_is_explained(fill, pattern, said):
    with pytest.raises(CourseError, match=said):
        load_folder(fill({"a": 5, "b": 5}), size=8, group_pattern=pattern)


@pytest.mark.parametrize(
    ("pattern", "said"),
    [(r"p\d+|^one", "no image of the class b.*group_pattern"), (r"^.", "Only 2 groups")],
)
def test_groups_too_large_for_three_parts(patients, root, pattern, said):
    patients(".", range(0, 24, 2))
    for k in range(6):
        (root / "b").mkdir(exist_ok=True)
        (root / "a" / f"p{2 * k:02d}_0.png").rename(root / "b" / f"one_{k}.png")
    with pytest.raises(CourseError, match=said):
        load_folder(root, size=8, group_pattern=pattern)


def test_too_few_images_for_groups(fill):
    with pytest.raises(CourseError, match="too few images to take a test part"):
        load_folder(fill({"a": 3, "b": 3}), size=8, group_pattern="^000")


@pytest.mark.parametrize(
    "counts",
    [{"a": 1000, "b": 3}, {"a": 4, "b": 4}, {"a": 3, "b": 3, "c": 3}, {"a": 20, "b": 3, "c": 3}],
)
def test_three_images_of_a_class_are_enough_for_three_parts(fill, counts):
    data = load_folder(fill(counts), size=1)
    assert min(min(part.values()) for part in data.counts().values()) > 0


@pytest.mark.parametrize(
    ("file", "group"),
    [
        ("person1000_bacteria_2931.jpeg", "person1000"),
        ("person88_virus_163.jpeg", "person88"),
        ("IM-0115-0001.jpeg", "IM-0115"),
        ("NORMAL2-IM-0115-0001-0002.jpeg", "NORMAL2-IM-0115"),
    ],
)
def test_chest_xray_names(file, group):
    assert re.search(KNOWN["chest_xray"]["group_pattern"], file).group() == group
