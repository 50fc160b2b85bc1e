from __future__ import annotations

import os
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers import datasets, files
from helpers.datasets import decode, leaks
from helpers.datasets.folder import KNOWN, cut, group_codes, load_folder
from helpers.datasets.listing import list_folder
from helpers.errors import CourseError
from tests.conftest import DATA, make_dataset

pytestmark = pytest.mark.usefixtures("private_cache")


def values(split) -> set[int]:
    """Return the gray values of images drawn in one colour."""
    return set(split.images[:, 0, 0, 0].tolist())


@pytest.mark.parametrize(
    ("counts", "sizes", "said"),
    [
        ({"a": 20, "b": 20}, (24, 6, 10),
         "test is 10 of the 40 images in images/; validation is 6 of the 30 others; drawn"),
        ({"train/a": 20, "train/b": 20}, (24, 6, 10), "test is 10 of the 40 images in train/"),
        ({"train/a": 10, "train/b": 10, "test/a": 4, "test/b": 3}, (16, 4, 7),
         "test is test/ as it came; validation is 4 of the 20 images in train/; drawn"),
        ({"train/a": 10, "train/b": 10, "valid/a": 2, "valid/b": 3, "test/a": 4, "test/b": 1},
         (20, 5, 5), "test is test/ as it came; validation is valid/ as it came"),
        ({"train/a": 10, "train/b": 10, "val/a": 4, "val/b": 3}, (16, 4, 7),
         "test is val/ as it came, because there is no test folder"),
    ],
)  # fmt: skip
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


def test_card_has_defaults_and_takes_facts_and_channels(fill):
    root = fill({"b": 5, "a": 5})
    card = load_folder(root, size=8).card
    assert (card.name, card.title, card.domain) == (f"folder:{root}", "images", "own images")
    assert (card.source, card.terms, card.caveat) == ("your folder", "yours to check", "")
    assert (card.classes, card.channels, card.size) == (("a", "b"), 1, 8)
    about = {"domain": "moths", "caveat": "few"}
    data = load_folder(root, size=8, name="moths", about=about, channels=3)
    card = data.card
    assert (card.name, card.domain, card.caveat, card.title) == ("moths", "moths", "few", "images")
    assert card.channels == data.test.images.shape[-1] == 3


def test_a_second_load_decodes_nothing_and_is_memory_mapped(fill, monkeypatch):
    root = fill({"a": 8, "b": 8})
    first = load_folder(root, size=8)
    monkeypatch.setattr(decode, "decode_files", None)
    second = load_folder(root, size=8)
    for part in ("train", "val", "test"):
        assert isinstance(getattr(second, part).images, np.memmap)
        np.testing.assert_array_equal(getattr(first, part).images, getattr(second, part).images)


@pytest.mark.parametrize(
    ("n", "options", "said"),
    [
        (5, {"channels": 2}, "channels is 2"),
        (5, {"val_fraction": 0}, "val_fraction is 0; a share"),
        (5, {"test_fraction": 0.6}, "test_fraction is 0.6; a share"),
        (5, {"size": 0}, "size is 0 pixels; ask for at least 8"),
        (5, {"size": 10_000}, "size is 10000 pixels; ask for at least 8 and at most 1,024"),
        (5, {"size": 64.5}, "size is 64.5 pixels; .* a whole number"),
        (5, {"size": "64"}, "a whole number"),
        (5, {"group_pattern": "p("}, "not a regular expression"),
        (5, {"group_pattern": "a{99999999999}"}, "not a regular expression .*too large"),
        (5, {"group_pattern": "(" * 10_000}, "not a regular expression"),
        (5, {"group_pattern": r"patient\d"}, r"matches none.*'000\.png'"),
        (3, {"group_pattern": "^000"}, "too few images to take a test part"),
    ],
)
def test_options_that_cannot_be_used_are_explained(fill, n, options, said):
    with pytest.raises(CourseError, match=said):
        datasets.load(f"folder:{fill({'a': n, 'b': n})}", **{"size": 8} | options)


@pytest.fixture
def patients(draw, root):
    """Return a function that draws three images per patient, each with the patient's number."""

    def save(part: str, numbers: range) -> Path:
        for number in numbers:
            for k in range(3):
                draw(f"{part}/{'ab'[number % 2]}/p{number:02d}_{k}.png", number)
        return root

    return save


@pytest.mark.parametrize("options", [{"group_pattern": r"p(\d+)_"},
                                     {"about": {"group_pattern": r"p\d+"}}])  # fmt: skip
@pytest.mark.parametrize("seed", range(3))
def test_a_group_is_never_torn(patients, seed, options):
    data = load_folder(patients(".", range(24)), size=8, seed=seed, **options)
    splits = (data.train, data.val, data.test)
    assert "one group stay on one side" in data.card.split_rule
    assert data.card.caveat == ""
    assert data.card.warnings == ()
    assert sum(len(values(split)) for split in splits) == 24
    pairs = {
        pair
        for split in splits
        for pair in zip(split.images[:, 0, 0, 0].tolist(), split.groups.tolist(), strict=True)
    }
    assert len(pairs) == len({group for _, group in pairs}) == 24


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
        (KNOWN["chest_xray"]["group_pattern"],
         ["person88_bacteria_29.jpeg", "person88_virus_16.jpeg", "person1000_virus_16.jpeg",
          "IM-0115-0001.jpeg", "IM-0115-0002.jpeg", "NORMAL2-IM-0115-0001-0002.jpeg"],
         [0, 0, 1, 2, 2, 3]),
    ],
)  # fmt: skip
def test_group_codes(pattern, names, groups):
    codes = group_codes([Path("p1 folder 1_a") / name for name in names], pattern)
    assert codes.dtype == np.int64
    np.testing.assert_array_equal(np.equal.outer(codes, codes), np.equal.outer(groups, groups))


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


@pytest.mark.parametrize(
    "counts",
    [{"a": 1000, "b": 3}, {"a": 4, "b": 4}, {"a": 3, "b": 3, "c": 3}, {"a": 20, "b": 3, "c": 3}],
)
def test_three_images_of_a_class_are_enough_for_three_parts(fill, counts):
    data = load_folder(fill(counts), size=8)
    assert min(min(part.values()) for part in data.counts().values()) > 0


@pytest.mark.parametrize(
    ("counts", "folders"),
    [
        ({"a": 3, "b": 4}, {"train": "images"}),
        ({"train": 3, "tram": 4}, {"train": "images"}),
        ({"train/a": 3, "train/b": 4}, {"train": "train"}),
        ({"train/a": 2, "train/b": 3, "test/a": 1, "test/b": 1},
         {"train": "train", "test": "test"}),
        ({"Train/a": 2, "Train/b": 1, "Validation/a": 1, "Validation/b": 1, "test/a": 1,
          "test/b": 1}, {"train": "Train", "val": "Validation", "test": "test"}),
        ({"train/a": 2, "train/b": 3, "valid/a": 1, "valid/b": 1},
         {"train": "train", "test": "valid"}),
    ],
)  # fmt: skip
def test_parts_and_classes_are_found(fill, counts, folders):
    listing = list_folder(fill(counts))
    assert {part: folder.name for part, folder in listing.folders.items()} == folders
    assert listing.classes == tuple(sorted({Path(name).name for name in counts}))
    assert len(listing.files) == sum(counts.values())
    for file, label, part in zip(listing.files, listing.labels, listing.origin, strict=True):
        assert file.parent == listing.folders[part] / listing.classes[label]


def test_images_are_found_by_their_suffix_and_others_counted_but_hidden_ones(root, fill, draw):
    fill({"a": 5, "b": 5})
    for name in ("a/notes.txt", "a/x.gif", "b/y.GIF", "b/scan", "a/.hidden.png", "labels.csv",
                 "loose.png", ".git/x.png", "__MACOSX/x.png", "a/Thumbs.db",
                 "b/desktop.ini", "b/DICOMDIR"):  # fmt: skip
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text("no image")
    ends = ("png", "jpg", "JPEG", "jpe", "bmp", "tif", "TIFF", "webp")
    drawn = {draw(f"a/x.{end}") for end in ends} | {draw("b/x.jfif", format="JPEG")}
    listing = list_folder(root)
    assert len(listing.files) == 10 + len(drawn)
    assert drawn <= set(listing.files)
    assert listing.skipped == {
        ".gif": 2, ".txt": 1, "no suffix": 1, ".png beside the class folders": 1
    }  # fmt: skip


def test_what_was_skipped_stands_in_the_warnings_and_in_the_error(root, fill):
    fill({"a": 5, "b": 5})
    for k in range(12):
        (root / "a" / f"{k}.gif").write_text("")
    card = load_folder(root, size=8).card
    assert card.warnings == (
        "Skipped files, by their names no images in a class folder: .gif (12).",
    )
    assert card.caveat == card.warnings[0]
    (root / "c").mkdir()
    (root / "c" / "x.nii").write_text("")
    with pytest.raises(CourseError, match=r"c holds no image \(.*\), but \.nii \(1\)\. Add"):
        list_folder(root)


NFC, NFD = (unicodedata.normalize(form, "Müll") for form in ("NFC", "NFD"))


@pytest.mark.parametrize(
    "counts",
    [
        {f"train/{NFC}": 4, "train/a": 4, f"test/{NFD}": 3, "test/a": 3},
        {f"train/{NFD}": 4, "train/a": 4, f"test/{NFC}": 3, "test/a": 3},
        {NFC: 4, NFD: 3, "a": 7},
    ],
)
def test_a_name_in_both_spellings_of_an_accent_is_one_class(fill, counts):
    data = load_folder(fill(counts), size=8)
    assert data.card.classes == (NFC, "a")
    total = [sum(part.values()) for part in data.counts().values()]
    assert sum(total) == 14
    assert sum(part[NFC] for part in data.counts().values()) == 7


def test_parts_whose_classes_differ_only_by_case_are_named(fill):
    counts = {"train/Cat": 4, "train/dog": 4, "test/cat": 1, "test/dog": 1}
    with pytest.raises(CourseError, match=r"has Cat, cat\."):
        list_folder(fill(counts))


@pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="every file name is UTF-8 there")
def test_names_that_are_not_utf8_are_shown_with_a_replacement(root, fill):
    odd = os.fsdecode(b"H\xfcte")
    fill({f"{odd}/{odd}": 5, f"{odd}/a": 5})
    card = load_folder(root / odd, size=8).card
    assert card.classes == ("H\ufffdte", "a")
    assert card.title == "H\ufffdte"
    assert card.name == f"folder:{root}/H\ufffdte"


def noise(path: Path, seed: int, **options) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (12, 12), dtype=np.uint8)
    Image.fromarray(pixels).save(path, **options)


def sides(data) -> list[set[bytes]]:
    """Return the images of each part, by their pixels."""
    return [{image.tobytes() for image in s.images} for s in (data.train, data.val, data.test)]


@pytest.mark.parametrize("ends", [("png", "png"), ("png", "bmp"), ("bmp", "tif")])
def test_copies_stay_on_one_side_also_as_another_file(root, ends):
    for k in range(24):
        for end, copy in zip(ends, "xy", strict=True):
            noise(root / "ab"[k % 2] / f"{k:02d}{copy}.{end}", k)
    data = load_folder(root, size=8)
    train, val, test = sides(data)
    assert not train & test | train & val | val & test
    assert len(train | val | test) == 24
    assert "the 48 images that have a copy stay with it" in data.card.split_rule
    assert data.card.warnings == ()
    for split in (data.train, data.val, data.test):
        assert len(np.unique(split.groups)) == len(split) / 2, "copies are one group"
    again = load_folder(root, size=8)
    np.testing.assert_array_equal(again.test.images, data.test.images)


def test_a_handful_of_copies_moves_nothing_else(root):
    for k in range(60):
        noise(root / "ab"[k % 2] / f"{k:02d}.png", k)
    before = sides(load_folder(root, size=8))
    for k, file in enumerate(sorted(root.glob("a/*.png"))[:6]):
        twin = file.with_name(f"z{k}.png")
        twin.write_bytes(file.read_bytes())
    plain = cut(list_folder(root), np.arange(66), {"test": 0.25, "val": 0.2}, 0)
    data = load_folder(root, size=8)
    assert sum(map(len, before)) == sum(map(len, sides(data))) == 60
    changed = sum(
        len(set(rows.tolist()) ^ set(split.groups.tolist()))
        for rows, split in zip(plain.values(), (data.train, data.val, data.test), strict=True)
    )
    assert changed <= 18, "at most the copies are elsewhere, counted in two parts each"


def test_copies_join_the_groups_of_file_names(root):
    for k in range(30):
        for view in range(2):
            noise(root / "ab"[k % 2] / f"p{k:02d}_{view}.png", 100 * k + view)
    first, other = root / "a/p00_0.png", root / "a/p02_1.png"
    other.write_bytes(first.read_bytes())  # one patient under two names
    for seed in range(3):
        data = load_folder(root, size=8, seed=seed, group_pattern=r"p\d+")
        groups = [set(split.groups.tolist()) for split in (data.train, data.val, data.test)]
        assert len(set.union(*groups)) == sum(map(len, groups)) == 29


def test_a_part_that_would_lose_a_class_to_its_copies_is_cut_anew(root):
    for name in ("a", "b"):
        for k in range(6):
            for copy in range(2):
                noise(root / name / f"{k}{copy}.png", k + 10 * (name == "b"))
    for seed in range(5):
        data = load_folder(root, size=8, seed=seed)
        assert min(min(part.values()) for part in data.counts().values()) > 0
        train, val, test = sides(data)
        assert not train & test | train & val | val & test


def test_a_set_of_nothing_but_one_image_is_refused(root):
    for k in range(40):
        noise(root / "ab"[k % 2] / f"{k}.png", k % 2)
    with pytest.raises(CourseError, match=r"Only 2 groups .* are copies"):
        load_folder(root, size=8)


def test_copies_in_given_parts_and_in_two_classes_are_named(root):
    for part, first in (("train", 0), ("test", 6)):
        for k in range(first, first + 12):
            noise(root / part / "ab"[k % 2] / f"{k:02d}.png", k)
    (root / "train/b/01.png").write_bytes((root / "train/a/00.png").read_bytes())
    card = load_folder(root, size=8).card
    assert card.warnings == (
        "6 of the 12 images in test/ are in train/ too, such as a/06.png (there a/06.png): scores "
        "on test/ are too good.",
        "2 images have a copy in another class, such as a/00.png and b/01.png: one of the labels "
        "must be wrong.",
    )
    assert card.caveat == " ".join(card.warnings)


def test_a_warm_load_reads_no_pixels_to_find_copies(fill, monkeypatch):
    root = fill({"a": 8, "b": 8})
    load_folder(root, size=8)
    monkeypatch.setattr(leaks, "_prints", lambda images: pytest.fail("read again"))
    load_folder(root, size=8)


def test_facts_of_a_known_set_are_not_told_of_another_one(fill, monkeypatch, tmp_path):
    (root := fill({"a": 8, "b": 8})).rename(tmp_path / "chest_xray")
    monkeypatch.setenv("COURSE_DATA_DIR", str(tmp_path))
    card = datasets.load("chest_xray", size=8).card
    assert (card.source, card.title) == ("your folder", "chest_xray")
    assert card.warnings == ("chest_xray has other classes than the known set of that name.",)
    assert not root.exists()


def test_a_set_of_the_evidence_keeps_the_split_that_was_measured(root):
    for k in range(40):
        noise(root / "ab"[k % 2] / f"{k:02d}.png", k // 4)
    data = load_folder(root, size=8, about={"measured": True})
    listing = list_folder(root)
    index = cut(listing, np.arange(40), {"test": 0.25, "val": 0.2}, 0)
    for part, rows in index.items():
        assert getattr(data, part).groups.tolist() == rows.tolist()
    assert "copy" not in data.card.split_rule
    assert "40 images have a copy in another class" in data.card.caveat


def test_a_folder_that_a_name_of_the_course_hides_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets, "load_elpv", lambda *, size: make_dataset())
    assert datasets.load("elpv").card.warnings == ()
    (tmp_path / "elpv").mkdir()
    monkeypatch.setenv("COURSE_DATA_DIR", str(tmp_path))
    card = datasets.load("elpv").card
    assert f"for {tmp_path / 'elpv'} write folder:{tmp_path / 'elpv'}." in card.warnings[0]
    assert card.caveat == card.warnings[0]
    monkeypatch.setenv("COURSE_DATA_DIR", "~nobodyhere/images")
    assert datasets.load("elpv").card.warnings == (), "it needs no such folder"


@pytest.mark.parametrize("name", ["folder:", "folder:  "])
def test_folder_without_a_path(name):
    with pytest.raises(CourseError, match="has no path; give 'folder:PATH'"):
        datasets.load(name)


def test_a_data_folder_that_may_not_be_listed(tmp_path, monkeypatch):
    def denied(self):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "iterdir", denied)
    monkeypatch.setenv("COURSE_DATA_DIR", str(tmp_path))
    with pytest.raises(CourseError, match=r"COURSE_DATA_DIR is .*cannot be listed: .*denied"):
        datasets.load("mine")


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


@pytest.fixture
def films(tmp_path) -> Path:
    """Two folders; the files of one name a second task, and two images of every person."""
    root = tmp_path / "chest_xray"
    for k in range(60):
        cause = ("bacteria", "virus")[k % 2]
        names = [f"sick/person{k // 4}_{cause}_{k}.png", f"well/IM-{k}.png"]
        for name in names:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((8, 8), 4 * k + ("IM" in name), np.uint8)).save(root / name)
    return root


def test_a_second_task_on_the_same_images_is_what_the_file_names_say(films):
    data = load_folder(films, size=8, class_pattern="bacteria|virus", group_pattern=r"person\d+")
    assert data.card.classes == ("bacteria", "virus")
    parts = (data.train, data.val, data.test)
    assert sorted(value for part in parts for value in values(part)) == list(range(0, 240, 4))
    for part in parts:
        assert (part.images[:, 0, 0, 0] // 4 % 2 == part.labels).all()
    assert not set(data.train.groups) & set(data.test.groups)


@pytest.mark.parametrize(
    ("pattern", "says"),
    [("(", "class_pattern '\\(' is not a regular"), ("tree", "matches none of the 120 file names"),
     ("virus", "finds only 'virus' in the file names")],
)  # fmt: skip
def test_a_pattern_that_finds_no_two_classes_is_refused(films, pattern, says):
    with pytest.raises(CourseError, match=says):
        load_folder(films, size=8, class_pattern=pattern)


def test_the_second_task_of_a_known_folder_has_a_name(films, monkeypatch):
    monkeypatch.setenv("COURSE_DATA_DIR", str(films.parent))
    assert "chest_xray_cause" in datasets.names()
    data = datasets.load("chest_xray_cause", size=8)
    assert (data.card.classes, data.card.terms) == (("bacteria", "virus"), "CC BY 4.0")
    films.rename(films.with_name("other"))
    assert "chest_xray_cause" not in datasets.names()


@pytest.mark.parametrize("name", ["COURSE_DATA_DIR", "COURSE_CACHE"])
def test_a_home_that_cannot_be_found_in_a_setting(name, monkeypatch):
    monkeypatch.setenv(name, "~nobodyhere/images")
    with pytest.raises(CourseError, match="home folder of a user that cannot be found"):
        datasets.names() if name == "COURSE_DATA_DIR" else files.folder("lab")


def test_what_the_crop_cuts_away_is_said_and_padding_keeps_it(tmp_path, private_cache):
    """The class stands at the end of a long strip, which a square in the middle does not show."""
    rng = np.random.default_rng(0)
    for name in ("spot", "none"):
        (tmp_path / "strips" / name).mkdir(parents=True)
        for i in range(10):
            strip = rng.integers(0, 60, (8, 64), dtype=np.uint8)
            strip[:, :8] += 150 * (name == "spot")
            Image.fromarray(strip).save(tmp_path / "strips" / name / f"{i}.png")
    cropped, again = (datasets.load(f"folder:{tmp_path / 'strips'}", size=32) for _ in range(2))
    sentence = "cuts away 88% of an image on average, 88% at most; fit='pad' (--fit pad) keeps all"
    for data in (cropped, again):  # the second from the cache
        assert sentence in data.card.warnings[0]
        assert sentence in data.card.caveat
    padded = datasets.load(f"folder:{tmp_path / 'strips'}", size=32, fit="pad")
    assert padded.card.warnings == ()
    shown = padded.train.images.max((1, 2, 3)) > 100
    assert np.array_equal(shown, padded.train.labels == padded.card.classes.index("spot"))
    with pytest.raises(CourseError, match="fit is 'stretch'; it can be 'crop' or 'pad'"):
        datasets.load(f"folder:{tmp_path / 'strips'}", size=32, fit="stretch")


def test_classes_that_would_be_shown_alike_are_refused(fill):
    root = fill({os.fsdecode(name): 8 for name in (b"caf\xe9", b"caf\xe8")})
    with pytest.raises(
        CourseError, match=r"Two class folders .* caf\ufffd, caf\ufffd\. Rename one"
    ):
        list_folder(root)
