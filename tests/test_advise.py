"""``python -m helpers advise``: good folders, bad folders, odd files, the report and the race."""

import os
import re
import shlex
import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from helpers import advise, datasets, files
from helpers.__main__ import _parser, main
from helpers.errors import CourseError
from helpers.evidence import grid, recommend, tables, verdicts
from helpers.training import metrics, predict, strategies
from tests.conftest import make_split


def save(path, k: int, size=(40, 36), mode="L") -> None:
    rng = np.random.default_rng(list(path.name.encode()))
    pixels = (rng.integers(0, 100, (size[1], size[0], 3)) + 80 * k).astype(np.uint8)
    Image.fromarray(pixels).convert(mode).save(path)


@pytest.fixture
def folder(tmp_path, private_cache):
    """Two classes of 20 gray images; the second is brighter."""
    for k, name in enumerate(("dark", "light")):
        (tmp_path / "images" / name).mkdir(parents=True)
        for i in range(20):
            save(tmp_path / "images" / name / f"patient{i}_{k}.png", k)
    return tmp_path / "images"


def keep_only(class_folder, n: int) -> list:
    """Leave a class no more than `n` images; return them."""
    images = sorted(class_folder.iterdir())
    for file in images[n:]:
        file.unlink()
    return images[:n]


TIMED, ARM = advise.seconds_per_image, advise.arm


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Two epochs instead of forty, and no timed steps."""
    monkeypatch.setattr(advise, "arm", lambda name, n: (ARM(name, n)[0], 2))
    monkeypatch.setattr(advise, "seconds_per_image", lambda images: 0.01)


def said(folder, capsys, *options: str) -> str:
    assert main(["advise", str(folder), *options]) == 0
    return capsys.readouterr().out


def refused(path, capsys, *options: str) -> str:
    """Return the sentence of an error, which must be all there is but progress."""
    assert main(["advise", str(path), *options]) == 2
    *progress, error = capsys.readouterr().err.splitlines(keepends=True)
    assert error.startswith("error: ")
    assert all(line.endswith(" ...\n") for line in progress)
    return error


@pytest.fixture
def deny(monkeypatch):
    """Let a function refuse every path in which `pattern` is found; unlike `chmod`, root's too."""

    def install(owner, name, pattern):
        function = getattr(owner, name)

        def guarded(*arguments, **options):
            if any(re.search(pattern, str(given)) for given in (*arguments, *options.values())):
                raise PermissionError(13, "Permission denied")
            return function(*arguments, **options)

        monkeypatch.setattr(owner, name, guarded)

    return install


@pytest.fixture
def opened(monkeypatch):
    """The image files that were opened."""
    seen, image_open = set(), Image.open
    monkeypatch.setattr(
        Image, "open", lambda file, **options: seen.add(file) or image_open(file, **options)
    )
    return seen


def test_it_counts_measures_and_recommends(folder, tmp_path, capsys):
    text = said(folder, capsys, "--report", str(tmp_path / "report.md"))
    for fact in (
        "40 images by their names, 2 classes", "24 train, 6 val, 10 test",
        "Always saying dark would be right for 50.0%", "all 40 x 36 pixels",
        "the content is gray", "24 of 24 are smaller than 96 pixels", "For 24 training images",
        "Confidence:", "What would change it", "on this machine",
        "Every image counts as a patient or part of its own",
    ):  # fmt: skip
        assert fact in text
    assert re.search(r"Similarity to photographs: 0\.\d\d", text)
    assert "## Race" not in text
    arguments = parsed(text)
    assert arguments.strategy in strategies.STRATEGIES
    assert arguments.dataset == f"folder:{folder}"
    assert arguments.group_pattern is None
    written = (tmp_path / "report.md").read_text()
    assert written.startswith("# Which strategy")
    assert written in text


def parsed(text: str):
    """Read the command that a report ends with as the command line would."""
    line = re.search(r"python -m helpers (train .+)", text)[1]
    return _parser().parse_args(shlex.split(line))


def test_the_groups_go_with_the_command(folder, capsys):
    """Forgotten there, images of a patient would lie on both sides of the split after all."""
    odd = folder.rename(folder.with_name("it's $HOME"))
    text = said(odd, capsys, "--group-pattern", r"patient(\d+)")
    assert "They belong to 20 groups; no group lies on both sides of a split." in text
    arguments = parsed(text)
    assert arguments.group_pattern == r"patient(\d+)"
    assert arguments.dataset == f"folder:{odd}"


def test_a_race_and_a_page_of_it(folder, tmp_path, capsys):
    path = tmp_path / "report.html"
    text = said(folder, capsys, "--race", "--report", str(path))
    assert f"report: {path}" in text
    arms = re.findall(r"raced (\w+): AUC", text)
    assert 2 <= len(arms) <= 3
    assert "feature_extraction" in arms
    for fact in (
        "No verdict: of some class only 3 could be held out", "interval over the images",
        "14 images to train on and 7 to compare on", "recommendation is for 24 images",
    ):  # fmt: skip
        assert fact in text.split("## Race")[1]
    page = path.read_text()
    assert page.startswith("<!doctype html>")
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert "http" not in page, "it needs nothing but itself"
    for title in ("Your images", "How like photographs", "Recommendation", "Training time"):
        assert f"<h2>{title}" in page
    assert re.findall('<img src="data:image/png;base64,[^"]+" alt="(.+?)"', page) == [
        "test AUC of every strategy against the number of training images",
        "AUC of each strategy",
    ]


def test_no_file_of_validation_or_test_is_opened(folder, capsys, opened):
    """Which arm to take is a choice; the test part is for one score at the end."""
    assert "12 images to train on" in said(folder, capsys, "--race", "--race-images", "12")
    found = advise.look(folder)
    held_out = [found.listing.files[row] for part in ("val", "test") for row in found.index[part]]
    assert opened
    assert not opened & set(held_out)


def test_nothing_of_a_test_folder_is_opened(folder, tmp_path, capsys):
    """Its images need not even be any."""
    shutil.copytree(folder, tmp_path / "parts" / "train")
    for name in ("dark", "light"):
        (tmp_path / "parts" / "test" / name).mkdir(parents=True)
        (tmp_path / "parts" / "test" / name / "a.png").write_bytes(b"not a picture")
    text = said(tmp_path / "parts", capsys, "--race")
    assert "2 test. Opened: all 32 training images" in text
    assert "cannot be read" not in text


def test_the_others_are_behind_the_favourite_by_the_auc_difference_over_groups(folder, monkeypatch):
    """The favourite is right everywhere here, the other one nowhere."""
    turns, given = iter([np.eye(2), np.eye(2)[::-1]]), []
    monkeypatch.setattr(
        predict, "evaluate",
        lambda model, test, _: metrics.score(test.labels, next(turns)[test.labels], test.groups),
    )  # fmt: skip
    monkeypatch.setattr(
        advise, "auc_difference", lambda *a: given.append(a[3]) or metrics.auc_difference(*a)
    )
    data = advise.race_data(advise.look(folder, r"patient(\d+)"), 16)
    raced = advise.race(data, ["partial_finetune", "feature_extraction"])
    lead = raced["behind"]["feature extraction"]
    assert lead.mean == lead.hi == 1
    assert 0 < lead.lo < 1, "a handful of images is no certainty"
    assert raced["favourite"] == "partial fine-tune"
    assert np.array_equal(given[0], data.test.groups)
    assert len(np.unique(given[0])) < len(data.test), "two images of a patient"


def test_the_parts_of_a_race_share_no_group(folder):
    found = advise.look(folder, r"patient(\d+)")
    data = advise.race_data(found)
    groups = [set(part.groups.tolist()) for part in (data.train, data.val, data.test)]
    of_training = set(found.groups[found.index["train"]].tolist())
    assert len(set.union(*groups)) == sum(map(len, groups)), "each group in one part"
    assert set.union(*groups) == of_training
    final = datasets.load(f"folder:{folder}", size=96, group_pattern=r"patient(\d+)").test
    assert len(final) == len(found.index["test"]), "the part that training would score"


def mixed(folder):
    for i in range(8):
        save(folder / "dark" / f"big{i}.png", 0, size=(200, 120), mode="RGB")
        deep = np.random.default_rng(i).integers(0, 60_000, (50, 50)).astype(np.uint16)
        Image.fromarray(deep).save(folder / "light" / f"deep{i}.png")


def with_other_files(folder):
    for i in range(6):
        (folder / "dark" / f"broken{i}.png").write_bytes(b"not a picture %d" % i)
    for i in range(3):
        (folder / "light" / f"notes{i}.txt").write_text("hello")
    (folder / "light" / ".hidden").write_text("not counted")


def with_broken_links_and_huge_images(folder):
    for i in range(8):
        Image.new("L", (200, 200)).save(folder / "dark" / f"huge{i}.png")
        (folder / "dark" / f"broken_link{i}.png").symlink_to("nowhere")


@pytest.mark.parametrize(
    ("change", "patterns"),
    [
        (mixed, ["mixed, shorter side 36 to 120 pixels", r"\d of \d+ have more than 8 bits",
                 r"modes L \(\d+\), .*I;16 \(\d+\)", r"RGB \(", "the content is in colour"]),
        (with_other_files, [r"\b[1-6] of \d+ cannot be read",
                            r"By name: dark/broken\d\.png",
                            r"Skipped files, by their names no .*: \.txt \(3\)"]),
        # A broken link is an image by its name, and no file.
        (with_broken_links_and_huge_images,
         [r"\d of \d+ cannot be read .* larger than 0 million pixels", "!Skipped files"]),
        (lambda folder: keep_only(folder / "light", 4),
         ["uneven: 20 against 4. train weights the loss by class already",
          "Always saying dark would be right for 83.3%"]),
    ],
)  # fmt: skip
def test_what_is_odd_about_a_folder_is_said(folder, monkeypatch, capsys, recwarn, change, patterns):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 15_000)  # twice as many are refused
    change(folder)
    text = said(folder, capsys)
    for pattern in patterns:
        assert bool(re.search(pattern.lstrip("!"), text)) != pattern.startswith("!"), pattern
    assert not [w for w in recwarn if w.category is Image.DecompressionBombWarning]


def test_of_many_files_only_a_few_hundred_are_opened(tmp_path, private_cache, opened):
    for k, name in enumerate(("dark", "light")):
        (tmp_path / "many" / name).mkdir(parents=True)
        first = tmp_path / "many" / name / "0.png"
        save(first, k)
        for i in range(1, 5_000):  # what follows the end of a PNG is not read
            first.with_name(f"{i}.png").write_bytes(first.read_bytes() + b"%d" % i)
    facts = advise.overview(advise.look(tmp_path / "many"))
    assert (facts["n_files"], facts["opened"], len(opened)) == (10_000, 400, 400)


@pytest.mark.parametrize(
    ("name", "printed", "on_the_page"),
    [
        (os.fsdecode(b"M\xe4dchen"), "M\ufffddchen", "M\ufffddchen"),
        ("<b>*x*|y`", r"\<b\>\*x\*\|y\`", "&lt;b&gt;*x*|y`"),
    ],
    ids=["no UTF-8", "markup"],
)
def test_odd_names_are_shown(folder, tmp_path, capsys, name, printed, on_the_page):
    (folder / "dark").rename(folder / name)
    folder = folder.rename(folder.with_name(name))
    page = tmp_path / f"{name}.html"
    text = said(folder, capsys, "--report", str(page))
    assert f"Always saying {printed} would be right" in text
    assert f"report: {files.shown(page)}" in text
    for words in (f"Always saying {on_the_page} would be right", f"<td>{on_the_page}</td>"):
        assert words in page.read_text(encoding="utf-8")
    assert f"There is no folder {files.shown(name)}" in refused(name, capsys)


LONG = "x" * 300


@pytest.mark.parametrize(
    ("path", "options", "says"),
    [
        ("nowhere", "", "There is no folder"),
        ("", "", "PATH is empty"),
        (" ", "", "PATH is empty"),
        (LONG, "", "cannot be reached (File name too long)"),
        ("~nobodyhere/x", "", "user that cannot be found"),
        ("dark/patient0_0.png", "", "is a file; give the folder"),
        ("dark", "", "has no class folders"),
        (".", "--group-pattern nobody", "matches none"),
        (".", "--race --race-images 2", "give at least 8"),
        (".", "--seed -1", "seed is -1; give a whole number"),
        (".", "--seed 99999999999", "seed is 99999999999; give a whole number"),
        # A report that cannot be written is said before any work.
        ("nowhere", "--report report.pdf", "must end in .html or .htm or .md"),
        (
            "nowhere",
            "--report dark/patient0_0.png/report.md",
            "report.md cannot be written",
        ),
        ("nowhere", "--report .", "names no file"),
        ("nowhere", "--report ../here.html", "here.html is a folder. Give the name of a file"),
        ("nowhere", f"--report {LONG}.html", "cannot be reached (File name too long)"),
    ],
)
def test_what_cannot_be_asked(folder, monkeypatch, capsys, path, options, says):
    (folder.parent / "here.html").mkdir()
    monkeypatch.chdir(folder)
    assert says in refused(path, capsys, *options.split())


@pytest.mark.parametrize(
    ("dark", "light", "says"),
    [
        (20, 2, "The class light has 2 images"),
        (20, 0, ".webp), but .gif (20). Add images, convert what is there"),
        (3, 3, "Of 6 images 2 are left for training"),
        (20, None, "nothing to tell apart"),
        (None, None, "has no class folders"),
    ],
)
def test_too_few_images(folder, capsys, dark, light, says):
    for name, n in (("dark", dark), ("light", light)):
        for file in sorted((folder / name).iterdir())[n or 0 :]:
            file.rename(file.with_suffix(".gif"))
        if n is None:
            shutil.rmtree(folder / name)
    assert says in refused(folder, capsys)


def test_folders_that_may_not_be_listed_or_entered(folder, tmp_path, capsys, deny):
    for name in ("scandir", "listdir"):
        deny(os, name, "light$")
    assert "light cannot be listed (Permission denied)" in refused(folder, capsys)
    deny(os, "stat", "locked")
    assert "cannot be reached (Permission denied)" in refused(tmp_path / "locked/images", capsys)
    error = refused(folder, capsys, "--report", str(tmp_path / "locked/a.md"))
    assert "a.md cannot be reached (Permission denied)" in error


def test_files_that_may_not_be_read_are_not_called_damaged(folder, capsys, deny):
    deny(Image, "open", r"patient1\d?_")
    found = advise.look(folder)
    n = len(found.tried) - len(found.images)
    text = said(folder, capsys)
    assert f"{n} of 24 may not be read and were skipped. Check their" in text
    assert "damaged" not in text
    deny(Image, "open", "light")
    error = refused(folder, capsys)
    assert "Of the class light none of 12 files can be used" in error
    assert "PermissionError" in error


@pytest.mark.parametrize("seed", range(3))
def test_three_images_of_a_class_are_one_for_each_part(folder, seed):
    keep_only(folder / "light", 3)
    found = advise.look(folder, seed=seed)
    light = [found.listing.labels[rows].sum() for rows in found.index.values()]
    assert light == [1, 1, 1]


def test_another_seed_draws_another_sample_of_the_same_training_part(folder, monkeypatch):
    monkeypatch.setattr(advise, "SAMPLE", 12)
    one, other = (advise.look(folder, seed=seed) for seed in (0, 1))
    assert np.array_equal(one.index["train"], other.index["train"])
    assert not np.array_equal(one.images.images, other.images.images)


def test_a_rare_class_is_in_the_sample(folder, monkeypatch):
    monkeypatch.setattr(advise, "SAMPLE", 5)
    for i in range(160):
        save(folder / "dark" / f"more{i}.png", 0)
    found = advise.look(folder)
    assert set(found.images.labels.tolist()) == {0, 1}
    assert len(found.images) == 5


def test_patients_in_two_part_folders_are_not_said_to_lie_apart(folder, tmp_path, capsys):
    for part in ("train", "test"):
        shutil.copytree(folder, tmp_path / "parts" / part)
    text = said(tmp_path / "parts", capsys, "--group-pattern", r"patient(\d+)")
    assert "80 files have a copy, byte for byte" in text
    assert "40 of the 40 images in test/ are in train/ too, such as dark/patient0\\_0.png" in text
    assert "20 groups.\n" in text
    assert "groups of file names lie in both train/ and test/" in text
    assert "no group lies on both sides" not in text


def test_a_report_is_tried_first_and_an_old_one_stays(tmp_path, capsys, deny):
    (tmp_path / "a.md").write_text("old")
    to = ("--report", str(tmp_path / "a.md"))
    assert "a.md is there already" in refused(tmp_path / "nowhere", capsys, *to)
    assert "There is no folder" in refused(tmp_path / "nowhere", capsys, *to, "--overwrite")
    assert [path.name for path in tmp_path.iterdir()] == ["a.md"]
    assert (tmp_path / "a.md").read_text() == "old"
    deny(os, "open", "part$")
    error = refused(tmp_path / "nowhere", capsys, *to, "--overwrite")
    assert "a.md cannot be written (Permission denied)" in error


def test_a_race_that_cannot_be_held(folder, capsys):
    found = advise.look(folder)
    for row in found.index["train"]:
        if found.listing.labels[row] == 1:
            found.listing.files[row].write_bytes(b"not a picture %d" % row)
    with pytest.raises(CourseError, match="No race: the train part has no readable image of the"):
        advise.race_data(found)
    assert "Of the class light none of 12 files can be used" in refused(folder, capsys)
    for file in keep_only(folder / "light", 3):
        save(file, 1)
    with pytest.raises(CourseError, match=r"No race: the \d+ training images are too few of some"):
        advise.race_data(advise.look(folder))


def test_without_evidence_it_names_the_command(folder, capsys, monkeypatch):
    empty = pd.DataFrame(columns=list(tables.COLUMNS))
    monkeypatch.setattr(tables, "read_rows", lambda: empty)
    assert "make evidence" in refused(folder, capsys)


@pytest.mark.parametrize("name", verdicts.ARMS)
def test_every_arm_has_a_strategy_and_the_budget_of_the_grid(name):
    strategy, epochs = ARM(name, 100)
    assert epochs == grid.epochs_for(100) * (3 if name == "scratch_longer" else 1)
    assert strategy.pretrained == (not name.startswith("scratch"))
    assert strategy.key == name.removesuffix("_longer")


def test_times_are_passes_over_the_images_at_the_share_an_arm_takes(monkeypatch):
    monkeypatch.setattr(advise, "arm", ARM)
    full = advise.seconds_for("full_finetune", 500, 0.1)
    assert full == pytest.approx(500 * grid.epochs_for(500) * 0.1)
    assert advise.seconds_for("scratch_longer", 500, 0.1) == pytest.approx(3 * full)
    for name, share in grid.SHARE_OF_A_FULL_PASS.items():
        assert advise.seconds_for(name, 500, 0.1) == pytest.approx(share * full)
    assert isinstance(TIMED(make_split(8, size=96, channels=1)), float)


@pytest.mark.parametrize(
    ("leads", "word"),
    [
        ((0.1, 0.02, 0.2), "Confirmed"),
        ((-0.1, -0.2, -0.02), "Not confirmed: b"),
        ((0.1, -0.02, 0.2), "Not contradicted"),
    ],
)
def test_the_verdict_of_a_race(leads, word):
    behind = {"b": metrics.Interval(*leads)}
    assert advise.verdict("a", behind, rarest=5).startswith(word)
    assert advise.verdict("a", behind, rarest=4).startswith("No verdict: of some class")


@pytest.mark.parametrize("runner_up", ["feature_extraction", None, "scratch"])
def test_two_or_three_arms_race_with_the_favourite_first(folder, monkeypatch, runner_up):
    recommended = recommend.recommend
    monkeypatch.setattr(
        recommend, "recommend",
        lambda *place, **options: replace(
            recommended(*place, **options), strategy="lp_ft", runner_up=runner_up
        ),
    )  # fmt: skip
    given = []
    monkeypatch.setattr(advise, "race", lambda data, names, seed: given.extend(names) or {})
    advise.advise(folder, race_images=8)
    between = ["scratch"] if runner_up == "scratch" else []
    assert given == ["lp_ft", *between, "feature_extraction"]


def test_training_and_the_advisor_split_alike_where_files_have_copies(folder):
    for i in range(10):
        shutil.copy(folder / "dark" / f"patient{i}_0.png", folder / "dark" / f"again{i}.png")
    found = advise.look(folder)
    data = datasets.load(f"folder:{folder}", size=32)
    for part, rows in found.index.items():
        split = getattr(data, part)
        assert np.array_equal(split.groups, found.groups[rows])
        assert np.array_equal(split.labels, found.listing.labels[rows])
    kept = [set(found.copies[rows].tolist()) for rows in found.index.values()]
    assert sum(map(len, kept)) == len(set.union(*kept)) == 40


def test_a_format_a_mode_or_a_size_that_tells_the_class_is_shown(folder, capsys):
    assert "tells its class" not in said(folder, capsys)
    for i in range(20):
        path = folder / "light" / f"patient{i}_1.png"
        Image.open(path).convert("RGB").resize((90 + i, 88)).save(path.with_suffix(".jpg"))
        path.unlink()
    text = said(folder, capsys)
    for column in ("format", "mode", "shorter side"):
        assert f"The {column} of a file tells its class: that alone is right for 100%" in text
    assert re.search(r"\| format \| dark +\| light +\|", text)
    assert re.search(r"\| JPEG +\| 0 +\| 12 +\|", text)
    assert "The size of a file tells" not in text, "no two have the same"


def test_images_that_look_the_same_are_named(folder, capsys):
    assert "look the same" not in said(folder, capsys)
    found = advise.look(folder)
    row = next(row for row in found.index["train"] if found.listing.labels[row] == 0)
    with Image.open(found.listing.files[row]) as image:
        copies = [folder / "light" / f"copy{i}.png" for i in range(3)]
        for i, copy in enumerate(copies):
            image.point(lambda value, i=i: value + i + 1).save(copy)
    found = advise.look(folder)
    pairs = advise.overview(found)["alike"]
    assert pairs
    assert all("copy" in pair[0] + pair[1] for pair in pairs)


@pytest.mark.parametrize(
    ("system", "path", "command"),
    [
        ("posix", "/data/it's mine", """'folder:/data/it'"'"'s mine'"""),
        ("nt", r"C:\my images", r'"folder:C:\my images"'),
        ("nt", "D:\\", r'"folder:D:\\"'),
        ("nt", "C:\\x", r'"folder:C:\x"'),
    ],
)
def test_the_command_is_quoted_for_the_shell_at_hand(monkeypatch, system, path, command):
    monkeypatch.setattr(advise, "os", SimpleNamespace(name=system))
    text = advise.next_command(recommend.recommend(100, similarity=0.4), path, r"p(\d+)|q")
    assert f"--dataset {command} --strategy" in text
    quote = "'" if system == "posix" else '"'
    assert f"--group-pattern {quote}p(\\d+)|q{quote} --size" in text
