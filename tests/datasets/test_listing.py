from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from helpers import datasets, files
from helpers.datasets.folder import KNOWN, group_codes, list_folder
from helpers.errors import CourseError

DATA = Path(os.environ.get("COURSE_DATA_DIR") or Path(__file__).parents[3] / "shared" / "data")


@pytest.mark.parametrize(
    ("counts", "folders"),
    [
        ({"a": 3, "b": 4}, {"train": "images"}),
        ({"train": 3, "tram": 4}, {"train": "images"}),
        ({"train/a": 3, "train/b": 4}, {"train": "train"}),
        (
            {"train/a": 2, "train/b": 3, "test/a": 1, "test/b": 1},
            {"train": "train", "test": "test"},
        ),
        (
            {
                "Train/a": 2,
                "Train/b": 1,
                "Validation/a": 1,
                "Validation/b": 1,
                "test/a": 1,
                "test/b": 1,
            },
            {"train": "Train", "val": "Validation", "test": "test"},
        ),
        (
            {"train/a": 2, "train/b": 3, "valid/a": 1, "valid/b": 1},
            {"train": "train", "test": "valid"},
        ),
    ],
)
def test_parts_and_classes_are_found(fill, counts, folders):
    listing = list_folder(fill(counts))
    assert {part: folder.name for part, folder in listing.folders.items()} == folders
    assert listing.classes == tuple(sorted({Path(name).name for name in counts}))
    assert len(listing.files) == sum(counts.values())
    for file, label, part in zip(listing.files, listing.labels, listing.origin, strict=True):
        assert file.parent == listing.folders[part] / listing.classes[label]


def test_other_and_hidden_files_are_ignored(root, fill):
    fill({"a": 5, "b": 5})
    for name in ("a/notes.txt", "a/.hidden.png", "labels.csv", ".git/x.png", "__MACOSX/x.png"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text("no image")
    assert len(list_folder(root).files) == 10


@pytest.mark.parametrize("suffix", ["png", "jpg", "JPEG", "bmp", "tif", "TIFF", "webp"])
def test_suffixes(root, fill, draw, suffix):
    fill({"a": 3, "b": 3})
    assert draw(f"a/x.{suffix}") in list_folder(root).files


@pytest.mark.parametrize(
    ("counts", "empty", "said"),
    [
        ({}, ["."], "has no class folders"),
        ({".": 3}, [], "has no class folders"),
        ({"a": 5}, [], "single class folder, a"),
        ({"all/a": 5, "all/b": 5}, [], "holds 2 folders itself.* Give .*images/all as the path"),
        ({"a": 5, "b": 1}, [], "class b has 1 image in .*at least 3"),
        ({"a": 5, "b": 2}, [], "class b has 2 images in .*at least 3"),
        ({"train/a": 5, "train/b": 1, "test/a": 1, "test/b": 1}, [], "1 image in .*at least 2"),
        ({"a": 5}, ["b"], "class folder .*b holds no image"),
        ({"a/x": 5, "b/x": 5}, [], "holds a folder, x"),
        ({"train": 5, "test": 5}, [], "train has no class folders"),
        ({"val/a": 5, "test/a": 5}, [], "one train folder"),
        ({"train/a": 5, "train/b": 5, "val/a": 5, "valid/b": 5}, [], "at most one val"),
        ({"train/a": 5, "train/b": 5, "more/a": 5}, [], "no other"),
        ({"train/a": 5, "train/b": 5, "test/a": 5}, [], "same class folders.* has b"),
        ({"train/a": 5, "train/b": 5, "test/a": 5, "test/c": 1}, [], "has b, c"),
    ],
)
def test_a_folder_that_cannot_be_used_is_explained(root, fill, counts, empty, said):
    fill(counts)
    for name in empty:
        (root / name).mkdir(exist_ok=True)
    with pytest.raises(CourseError, match=said):
        list_folder(root)


def test_no_folder(root, draw):
    with pytest.raises(CourseError, match="There is no folder"):
        list_folder(root / "none")
    with pytest.raises(CourseError, match="is a file"):
        list_folder(draw("x.png"))


def test_links_that_lead_back_to_themselves(root, fill):
    fill({"a": 5, "b": 5})
    for name in ("loop", "a/loop.png"):
        (root / name).symlink_to(Path(name).name)
    listing = list_folder(root)
    assert listing.classes == ("a", "b")
    assert len(listing.files) == 11, "what opens the file says that it is none"
    with pytest.raises(CourseError, match="cannot be reached"):
        list_folder(root / "loop")


@pytest.mark.skipif(
    not (DATA / "chest_xray").is_dir(), reason=f"no chest_xray in {DATA} (set COURSE_DATA_DIR)"
)
def test_chest_xray_is_what_its_card_says():
    listing = list_folder(DATA / "chest_xray")
    assert listing.classes == ("NORMAL", "PNEUMONIA")
    test = listing.origin == "test"
    assert np.bincount(listing.labels[~test]).tolist() == [1341, 3875]
    assert np.bincount(listing.labels[test]).tolist() == [234, 390]
    groups = group_codes(listing.files, KNOWN["chest_xray"]["group_pattern"])
    assert len(np.intersect1d(groups[test], groups[~test])) == 170
    with_kind = group_codes(listing.files, r"person\d+_[a-z]+|(?:NORMAL2-)?IM-\d+")
    assert len(np.intersect1d(with_kind[test], with_kind[~test])) == 0


@pytest.mark.parametrize("name", ["COURSE_DATA_DIR", "COURSE_CACHE"])
def test_a_home_that_cannot_be_found_in_a_setting(name, monkeypatch):
    monkeypatch.setenv(name, "~nobodyhere/images")
    with pytest.raises(CourseError, match="home folder of a user that cannot be found"):
        datasets.names() if name == "COURSE_DATA_DIR" else files.folder("lab")
