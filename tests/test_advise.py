"""``python -m helpers advise``: good folders, bad folders, odd files, the report and the race."""

import os
import re
import shlex
import shutil
import time

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from helpers import datasets, plots
from helpers.__main__ import _parser, main
from helpers.advise import census, command, race, sections
from helpers.errors import CourseError
from helpers.evidence import grid, report, tables, verdicts
from helpers.training import metrics, predict, strategies
from tests.conftest import make_split


def save(path, k: int, rng, size=(40, 36), mode="L") -> None:
    pixels = (rng.integers(0, 100, (size[1], size[0], 3)) + 80 * k).astype(np.uint8)
    image = Image.fromarray(pixels)
    image.convert(mode).save(path)


@pytest.fixture
def folder(tmp_path, private_cache):
    """Two classes of 20 gray images; the second is brighter."""
    rng = np.random.default_rng(0)
    for k, name in enumerate(("dark", "light")):
        (tmp_path / "images" / name).mkdir(parents=True)
        for i in range(20):
            save(tmp_path / "images" / name / f"patient{i}_{k}.png", k, rng)
    return tmp_path / "images"


@pytest.fixture
def quick(monkeypatch):
    """Two epochs instead of forty."""
    arm = race.arm
    monkeypatch.setattr(race, "arm", lambda name, n: (arm(name, n)[0], 2))


def said(folder, capsys, *options: str) -> str:
    assert main(["advise", str(folder), *options]) == 0
    return capsys.readouterr().out


def refused(path, capsys, *options: str) -> str:
    """Return the sentence of an error, which must be all there is."""
    assert main(["advise", str(path), *options]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert "Traceback" not in error
    assert error.count("\n") == 1
    return error


# --- a good folder


def test_it_counts_measures_and_recommends(folder, capsys):
    text = said(folder, capsys)
    assert "40 images by their names, 2 classes" in text
    assert "24 train, 6 val, 10 test" in text
    assert "Always saying dark would be right for 50.0%" in text
    assert "all 40 x 36 pixels" in text
    assert "the content is gray" in text
    assert "24 of 24 are smaller than 96 pixels" in text
    assert re.search(r"Similarity to photographs: 0\.\d\d", text)
    assert "Recommended" in text
    assert "Confidence:" in text
    assert "What would change it" in text
    assert "on this machine" in text
    assert "## Race" not in text


def test_the_command_it_ends_with_parses(folder, capsys):
    text = said(folder, capsys)
    arguments = parsed(text)
    assert arguments.strategy in strategies.STRATEGIES
    assert arguments.dataset == f"folder:{folder}"
    assert arguments.group_pattern is None
    assert "Every image counts as a patient or part of its own" in text


def parsed(text: str):
    line = re.search(r"python -m helpers (train .+)", text)[1]
    return _parser().parse_args(shlex.split(line))


def test_the_groups_go_with_the_command(folder, capsys):
    """Forgotten there, images of a patient would lie on both sides of the split after all."""
    odd = folder.rename(folder.with_name("it's $HOME"))
    text = said(odd, capsys, "--group-pattern", r"patient(\d+)")
    assert "They belong to 20 groups" in text
    arguments = parsed(text)
    assert arguments.group_pattern == r"patient(\d+)"
    assert arguments.dataset == f"folder:{odd}"


def test_the_html_report_needs_nothing_but_itself(folder, tmp_path, capsys):
    path = tmp_path / "report.html"
    assert f"report: {path}" in said(folder, capsys, "--report", str(path))
    page = path.read_text()
    assert page.startswith("<!doctype html>")
    assert "data:image/png;base64," in page
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert "http" not in page
    for title in ("Your images", "How like photographs", "Recommendation", "Training time"):
        assert title in page


def test_the_markdown_report_says_the_same(folder, tmp_path, capsys):
    path = tmp_path / "report.md"
    printed = said(folder, capsys, "--report", str(path))
    written = path.read_text()
    assert written.startswith("# Which strategy")
    assert written in printed


def test_the_race_measures_the_recommended_arm_against_the_baseline(folder, capsys, quick):
    text = said(folder, capsys, "--race")
    lanes = re.findall(r"raced (\w+): AUC", text)
    assert 2 <= len(lanes) <= 3
    assert "feature_extraction" in lanes
    race_part = text.split("## Race")[1]
    assert "No verdict: of some class only 3 could be held out" in race_part
    assert "14 images to train on and 7 to compare on" in race_part
    assert "interval over the images" in race_part
    assert "recommendation is for 24 images" in race_part


def test_the_others_are_behind_the_favourite_by_the_difference_of_the_aucs(
    folder, quick, monkeypatch
):
    """The favourite is right everywhere here, the other one nowhere."""
    turns = iter([np.eye(2), np.eye(2)[::-1]])
    monkeypatch.setattr(
        predict, "evaluate",
        lambda model, test: metrics.score(test.labels, next(turns)[test.labels], test.groups),
    )  # fmt: skip
    found = census.take(folder, 32)
    raced = race.run(found, ["partial_finetune", "feature_extraction"], 16, say=lambda line: None)
    assert raced.behind == {"feature_extraction": (1, 1, 1)}


def test_a_race_keeps_its_hands_off_the_test_part(folder):
    """Which arm to take is a choice; the test part is for one score at the end."""
    found = census.take(folder, 96, r"patient(\d+)")
    own = race._own_parts(found, seed=3)
    rows = np.concatenate(list(own.values()))
    assert sorted(rows.tolist()) == found.index["train"].tolist()
    groups = {part: set(found.groups[index].tolist()) for part, index in own.items()}
    assert not groups["train"] & groups["test"]
    assert not groups["train"] & groups["val"]
    assert not groups["val"] & groups["test"]
    final = datasets.load(f"folder:{folder}", size=96, group_pattern=r"patient(\d+)").test
    assert not groups["test"] & set(found.groups[found.index["test"]].tolist())
    assert len(final) == len(found.index["test"]), "the part that training would score"


def test_a_race_compares_by_groups(folder, quick, monkeypatch):
    given = []
    monkeypatch.setattr(
        metrics, "auc_difference",
        lambda labels, before, after, groups: given.append(groups) or metrics.Interval(0, 0, 0),
    )  # fmt: skip
    found = census.take(folder, 32, r"patient(\d+)")
    race.run(found, ["feature_extraction", "partial_finetune"], 16, say=lambda line: None)
    expected = race.sample(found, 16).test.groups
    assert np.array_equal(given[0], expected)
    assert len(np.unique(expected)) < len(expected), "two images of a patient"


def test_a_race_with_fewer_images_says_so(folder, capsys, quick):
    text = said(folder, capsys, "--race", "--race-images", "12")
    assert "12 images to train on and 7 to compare on" in text
    assert "The recommendation is for 24 images" in text


def test_a_race_needs_images(folder, capsys):
    assert "give at least 8" in refused(folder, capsys, "--race", "--race-images", "2")


def test_images_of_a_patient_stay_together(folder):
    found = census.take(folder, 96, r"patient(\d+)")
    train, test = (set(found.groups[found.index[part]].tolist()) for part in ("train", "test"))
    assert not train & test


# --- odd folders that work


def test_mixed_sizes_and_depths_work_and_are_said(folder, capsys):
    rng = np.random.default_rng(1)
    for i in range(8):
        save(folder / "dark" / f"big{i}.png", 0, rng, size=(200, 120))
    for i in range(8):
        deep = rng.integers(0, 60_000, (50, 50)).astype(np.uint16)
        Image.fromarray(deep).save(folder / "light" / f"deep{i}.png")
    text = said(folder, capsys)
    assert "mixed, shorter side 36 to 120 pixels" in text
    assert re.search(r"\d of \d+ have more than 8 bits", text)
    assert re.search(r"modes L \(\d+\), I;16 \(\d+\)", text)


def test_colour_among_gray_makes_colour(folder, capsys):
    rng = np.random.default_rng(1)
    for i in range(12):
        save(folder / "dark" / f"rgb{i}.png", 0, rng, mode="RGB")
    text = said(folder, capsys)
    assert "the content is in colour" in text
    assert "RGB (" in text


def test_what_is_no_image_is_skipped_and_counted(folder, capsys):
    for i in range(6):
        (folder / "dark" / f"broken{i}.png").write_bytes(b"not a picture")
    for i in range(3):
        (folder / "light" / f"notes{i}.txt").write_text("hello")
    (folder / "light" / ".hidden").write_text("not counted")
    text = said(folder, capsys)
    counted = int(re.search(r"(\d+) of \d+ cannot be read", text)[1])
    assert 1 <= counted <= 6
    assert "3 other files lie beside the images and were skipped" in text
    found = census.take(folder, 96)
    assert found.unreadable == counted
    assert len(found.images) == len(found.looks) - counted


def test_damaged_empty_and_huge_files_are_skipped(folder, capsys):
    whole = (folder / "dark" / "patient0_0.png").read_bytes()
    (folder / "dark" / "cut.png").write_bytes(whole[: len(whole) // 2])
    (folder / "dark" / "empty.png").write_bytes(b"")
    (folder / "dark" / "broken_link.png").symlink_to("nowhere")
    Image.new("1", (20_000, 10_000)).save(folder / "light" / "huge.png")
    names = ("cut", "empty", "broken_link", "huge")
    found = census.take(folder, 96)
    odd = [census.look_at(file, 96) for file in found.listing.files if file.stem in names]
    assert [look.pixels for look in odd] == [None] * 4
    assert found.other_files == 0, "a broken link is an image by its name, and no file"
    assert "million pixels" in " ".join(sections.overview(found).points)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "x.png")
    assert census.look_at(tmp_path / "x.png", 16).pixels is None


def test_large_images_are_read_without_a_warning(folder, monkeypatch, recwarn):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)  # twice as many are refused
    assert census.take(folder, 32).unreadable == 0
    assert not [w for w in recwarn if w.category is Image.DecompressionBombWarning]


@pytest.mark.parametrize(
    ("make", "remark"),
    [
        (lambda p: Image.new("RGBA", (30, 30), (9, 9, 9, 100)).save(p), "transparent pixels"),
        (lambda p: Image.new("I;16", (30, 30), 300).save(p), "more than 8 bits"),
        (lambda p: Image.new("L", (30, 30), 7).save(
            p, save_all=True, append_images=[Image.new("L", (30, 30))]), "several pages"),
        (lambda p: Image.new("L", (30, 30), 7).save(p), ""),
    ],
)  # fmt: skip
def test_what_the_loader_refuses_is_read_for_the_overview(tmp_path, make, remark):
    path = tmp_path / ("a.tif" if remark == "several pages" else "a.png")
    make(path)
    look = census.look_at(path, 16)
    assert look.remark == remark
    assert look.pixels.shape == (16, 16, 3)
    assert (look.width, look.height) == (30, 30)


def test_sixteen_bits_are_read_in_the_window_of_the_image(tmp_path):
    values = np.linspace(100, 300, 64 * 64).reshape(64, 64).astype(np.uint16)
    Image.fromarray(values).save(tmp_path / "a.png")
    pixels = census.look_at(tmp_path / "a.png", 64).pixels
    assert (pixels.min(), pixels.max()) == (0, 255)


def test_uneven_classes_are_said(folder, capsys):
    for file in sorted((folder / "light").iterdir())[4:]:
        file.unlink()
    text = said(folder, capsys)
    assert "uneven: 20 against 4" in text
    assert "Always saying dark would be right for 83.3%" in text


def test_a_hundred_thousand_files_are_sampled_in_seconds(tmp_path, private_cache):
    """Only names are listed; a few hundred files are opened."""
    rng = np.random.default_rng(0)
    for k, name in enumerate(("dark", "light")):
        (tmp_path / "many" / name).mkdir(parents=True)
        first = tmp_path / "many" / name / "0.png"
        save(first, k, rng)
        for i in range(1, 50_000):
            os.link(first, first.with_name(f"{i}.png"))
    began = time.process_time()
    found = census.take(tmp_path / "many", 96)
    assert time.process_time() - began < 15
    assert found.n == 100_000
    assert len(found.looks) == census.SAMPLE
    section = sections.overview(found)
    assert "100,000 images by their names" in section.text[0]
    assert "a sample of 400 training images" in section.text[0]


def test_names_that_are_not_utf_8_are_shown_somehow(folder, tmp_path, capsys):
    odd = os.fsdecode(b"M\xe4dchen")
    (folder / "dark").rename(folder / odd)
    folder = folder.rename(folder.with_name(odd))
    target = tmp_path / f"{odd}.html"
    text = said(folder, capsys, "--report", str(target))
    assert "Always saying M\ufffddchen would be right" in text
    assert "M\ufffddchen.html" in text
    assert "<td>M\ufffddchen</td>" in target.read_text(encoding="utf-8")
    assert "There is no folder M\ufffddchen" in refused(odd, capsys)


# --- bad folders: one clear sentence each


def test_no_such_path(tmp_path, capsys):
    assert "There is no folder" in refused(tmp_path / "nowhere", capsys)


@pytest.mark.parametrize("path", ["", " "])
def test_an_empty_path_is_not_the_current_folder(path, capsys):
    assert "PATH is empty" in refused(path, capsys)


def test_a_file(tmp_path, capsys):
    (tmp_path / "a.png").write_bytes(b"")
    assert "is a file; give the folder" in refused(tmp_path / "a.png", capsys)


def test_no_images(tmp_path, capsys):
    assert "has no class folders" in refused(tmp_path, capsys)
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "notes.txt").write_text("hello")
    assert "holds no image" in refused(tmp_path, capsys)


def test_a_folder_that_may_not_be_read(folder, capsys, monkeypatch):
    scandir = os.scandir

    def guarded(path):
        if str(path).endswith("light"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", guarded)
    assert "light cannot be listed (Permission denied)" in refused(folder, capsys)


def test_images_in_another_format_are_no_images(folder, capsys):
    for file in (folder / "light").iterdir():
        file.rename(file.with_suffix(".dcm"))
    assert "light holds no image (.bmp, .jpeg" in refused(folder, capsys)


def test_images_without_class_folders(folder, capsys):
    assert "has no class folders" in refused(folder / "dark", capsys)


def test_one_class(folder, capsys):
    for file in (folder / "light").iterdir():
        file.unlink()
    (folder / "light").rmdir()
    assert "nothing to tell apart" in refused(folder, capsys)


@pytest.mark.parametrize("seed", range(3))
def test_three_images_of_a_class_are_one_for_each_part(folder, seed):
    for file in sorted((folder / "light").iterdir())[3:]:
        file.unlink()
    found = census.take(folder, 32, seed=seed)
    light = [found.listing.labels[rows].sum() for rows in found.index.values()]
    assert light == [1, 1, 1]


def test_a_class_with_two_images(folder, capsys):
    for file in sorted((folder / "light").iterdir())[2:]:
        file.unlink()
    assert "The class light has 2 images" in refused(folder, capsys)


def test_files_that_may_not_be_read_are_not_called_damaged(folder, capsys, monkeypatch):
    opened, forbidden = Image.open, r"patient1\d?_"

    def guarded(file, *arguments):
        if re.search(forbidden, str(file)):
            raise PermissionError(13, "Permission denied")
        return opened(file, *arguments)

    monkeypatch.setattr(Image, "open", guarded)
    found = census.take(folder, 96)
    assert (found.unreadable, found.forbidden) == (0, len(found.looks) - len(found.images))
    points = " ".join(sections.overview(found).points)
    assert f"{found.forbidden} of 24 may not be read and were skipped. Check their" in points
    assert "damaged" not in points
    forbidden = "light"
    error = refused(folder, capsys)
    assert re.search(r"class light .*; 12 of 12 may not be: check their permissions", error)


def test_a_class_of_which_nothing_can_be_read(folder, capsys):
    for file in (folder / "light").iterdir():
        file.write_bytes(b"not a picture")
    assert "None of the files of the class light" in refused(folder, capsys)


def test_too_few_readable_images(folder, capsys):
    for name in ("dark", "light"):
        for file in sorted((folder / name).iterdir())[3:]:
            file.unlink()
    error = refused(folder, capsys)
    assert "Of 6 images 2 are left for training" in error


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("report.pdf", "must end in .html or .md"),
        ("nowhere/report.md", "There is no folder"),
        (".", "must end in"),
        ("here.html", "here.html is a folder; give the name of a file"),
        (f"{'x' * 300}.html", "cannot be reached (File name too long)"),
        (f"{'x' * 245}.html", "cannot be reached (File name too long)"),
    ],
)
def test_a_report_that_cannot_be_written_is_said_before_any_work(tmp_path, capsys, name, says):
    (tmp_path / "here.html").mkdir()
    assert says in refused(tmp_path / "no images either", capsys, "--report", str(tmp_path / name))


def test_another_seed_draws_another_sample_of_the_same_training_part(folder, monkeypatch):
    monkeypatch.setattr(census, "SAMPLE", 12)
    one, other = (census.take(folder, 32, seed=seed) for seed in (0, 1))
    assert np.array_equal(one.index["train"], other.index["train"])
    assert not np.array_equal(one.images.images, other.images.images)


def test_a_seed_out_of_range_is_not_blamed_on_the_images(folder, capsys):
    for seed in ("-1", "99999999999"):
        assert f"seed is {seed}; give a whole number" in refused(folder, capsys, "--seed", seed)


def test_a_rare_class_is_in_the_sample(folder, monkeypatch):
    monkeypatch.setattr(census, "SAMPLE", 4)
    rng = np.random.default_rng(1)
    for i in range(160):
        save(folder / "dark" / f"more{i}.png", 0, rng)
    found = census.take(folder, 32)
    assert set(found.images.labels.tolist()) == {0, 1}
    assert len(found.images) == 4


def test_patients_in_two_part_folders_are_not_said_to_lie_apart(folder, tmp_path, capsys):
    for part in ("train", "test"):
        (tmp_path / "parts" / part).parent.mkdir(exist_ok=True)
        shutil.copytree(folder, tmp_path / "parts" / part)
    text = said(tmp_path / "parts", capsys, "--group-pattern", r"patient(\d+)")
    assert "20 groups.\n" in text
    assert "groups of file names lie in both train/ and test/" in text
    assert "no group lies on both sides" not in text
    whole = said(folder, capsys, "--group-pattern", r"patient(\d+)")
    assert "20 groups; no group lies on both sides of a split." in whole


def test_a_report_where_nothing_may_be_written(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
    error = refused(tmp_path / "images", capsys, "--report", str(tmp_path / "a.md"))
    assert f"The folder {tmp_path} may not be written to" in error


@pytest.fixture
def locked(tmp_path, monkeypatch):
    """A folder that may not be entered, for root neither."""
    status = os.stat

    def guarded(path, *arguments, **options):
        if "locked" in str(path):
            raise PermissionError(13, "Permission denied")
        return status(path, *arguments, **options)

    monkeypatch.setattr(os, "stat", guarded)
    return tmp_path / "locked"


def test_folders_that_may_not_be_entered(tmp_path, locked, capsys):
    assert "cannot be reached (Permission denied)" in refused(locked / "images", capsys)
    error = refused(tmp_path / "images", capsys, "--report", str(locked / "a.md"))
    assert "locked cannot be reached (Permission denied)" in error


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("x" * 300, "cannot be reached (File name too long)"),
        ("~nobodyhere/x", "user that cannot be found"),
    ],
)
def test_paths_that_cannot_be(path, says, capsys):
    assert says in refused(path, capsys)


def test_a_pattern_that_matches_nothing(folder, capsys):
    assert "matches none" in refused(folder, capsys, "--group-pattern", "nobody")


def test_a_race_with_a_part_that_cannot_be_read(folder):
    found = census.take(folder, 96)
    for row in race._own_parts(found, 0)["test"]:
        if found.listing.labels[row] == 1:
            found.listing.files[row].write_bytes(b"not a picture")
    with pytest.raises(CourseError, match="No race: the test part has no readable image of the"):
        race.sample(found)


def test_without_evidence_it_names_the_command(folder, capsys, monkeypatch):
    empty = pd.DataFrame(columns=list(tables.COLUMNS))
    monkeypatch.setattr(tables, "read_rows", lambda: empty)
    assert "make evidence" in refused(folder, capsys)


# --- the parts


@pytest.mark.parametrize("name", verdicts.ARMS)
def test_every_arm_has_a_strategy_and_the_budget_of_the_grid(name):
    strategy, epochs = race.arm(name, 100)
    assert epochs == grid.epochs_for(100) * (3 if name == "scratch_longer" else 1)
    assert strategy.pretrained == (not name.startswith("scratch"))
    assert strategy.key == name.removesuffix("_longer")


def test_times_add_up(monkeypatch):
    """Ahead once an image; then per epoch a step for each training image, a pass for the others."""
    monkeypatch.setattr(race, "_time_a_step", lambda model, images, start: (100.0, 10.0, 1.0))
    images, epochs = make_split(8, size=96), grid.epochs_for(500)
    once, per_epoch = (500 + 70) * 100, 500 * 10 + 70
    times = {name: race.seconds_for(name, images, 500, 70, 2) for name in verdicts.ARMS}
    assert times["full_finetune"] == once + epochs * per_epoch
    assert times["scratch_longer"] == once + 3 * epochs * per_epoch
    assert times["lp_ft"] == 2 * once + epochs * per_epoch, "two phases"


def test_what_is_frozen_is_timed_ahead_and_trains_faster():
    images = make_split(32, size=96)
    model = strategies.build(strategies.feature_extraction(), n_classes=2, channels=1)
    ahead, step, check = race._time_a_step(model, images, "head")
    assert ahead > 20 * check
    assert ahead > 5 * step
    model = strategies.build(strategies.full_finetune(), n_classes=2, channels=1)
    assert race._time_a_step(model, images, "stem")[0] == 0


@pytest.mark.parametrize(
    ("leads", "word"),
    [
        ([(0.1, 0.02, 0.2)], "Confirmed"),
        ([(-0.1, -0.2, -0.02)], "Not confirmed: b"),
        ([(0.1, -0.02, 0.2)], "Not contradicted"),
    ],
)
def test_the_verdict_of_a_race(leads, word):
    lanes = tuple(race.Lane(name, None, 1.0, 1, 1) for name in "ab")
    behind = {"b": metrics.Interval(*leads[0])}
    assert race.Race(lanes, {}, behind, rarest=5).verdict.startswith(word)
    assert race.Race(lanes, {}, behind, rarest=4).verdict.startswith("No verdict: of some class")


def test_a_report_escapes_what_the_user_named(tmp_path):
    table = pd.DataFrame({"class": ["<b>", "x|y"], "images": [1, 2]})
    section = report.Section("A <title>", ["1 < 2"], ["a & b"], table)
    page = report.as_html("T", [section])
    assert "<b>" not in page
    assert "1 &lt; 2" in page
    assert "x\\|y" in report.as_markdown("T", [section])


def test_a_report_shows_its_figures(tmp_path):
    figure = plots.intervals({"a": (0.8, 0.7, 0.9)}, "AUC")
    page = report.section_html(report.Section("", figure=figure, alt="an <interval>"))
    assert 'alt="an &lt;interval&gt;"' in page
    assert "data:image/png;base64," in page


def test_contenders_are_two_or_three_with_the_favourite_first():
    class Chosen:
        strategy, runner_up = "lp_ft", "feature_extraction"

    assert command._contenders(Chosen) == ["lp_ft", "feature_extraction"]
    Chosen.runner_up = None
    assert command._contenders(Chosen) == ["lp_ft", "feature_extraction"]
    Chosen.runner_up = "scratch"
    assert command._contenders(Chosen) == ["lp_ft", "scratch", "feature_extraction"]
