"""The recipe to take along stands alone, fits a page, and scores what the package scores."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from helpers import datasets
from helpers.training import loop, predict, strategies
from helpers.training.recipe import Recipe
from tests.conftest import draw_classes, script

PATH = Path(__file__).parents[1] / "docs" / "recipe.py"
EPOCHS, SIZE, N_TRAIN = 4, 96, 200


@pytest.fixture(scope="module")
def recipe():
    return script(PATH)


def test_it_fits_a_page_and_needs_nothing_of_this_course():
    text = PATH.read_text()
    assert len(text.splitlines()) <= 120
    assert not re.search(r"^\s*(from|import) (helpers|tests|measure)", text, re.M)
    for name in re.findall(r"--[a-z]+", PATH.with_suffix(".md").read_text()):
        assert name[2:] in text, f"{name} is no option"


def test_it_reaches_the_packages_auc_within_its_interval(recipe, tmp_path, capsys):
    data = datasets.load("elpv", size=SIZE).take(N_TRAIN)
    strategy = strategies.feature_extraction()
    net = strategies.build(strategy, "efficientnet_lite0", n_classes=2, channels=1)
    loop.fit(net, data, strategy, Recipe(epochs=EPOCHS))
    ours = predict.evaluate(net, data.test)
    for name in ("train", "val", "test"):
        split = getattr(data, name)
        for k, label in enumerate(split.labels):
            file = tmp_path / name / data.card.classes[label] / f"{k:04d}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(split.images[k].squeeze()).save(file)
    out = tmp_path / "recipe.pt"
    recipe.main([str(tmp_path), f"--size={SIZE}", f"--epochs={EPOCHS}", f"--out={out}"])
    said = capsys.readouterr().out
    found, low, high, n = map(float, re.search(
        r"test AUC ([\d.]+) \[([\d.]+), ([\d.]+)\], n = (\d+)", said
    ).groups())  # fmt: skip
    assert n == ours.n
    assert ours.auc_lo < found < ours.auc_hi
    assert (low, high) == pytest.approx((ours.auc_lo, ours.auc_hi), abs=0.04), "as wide as ours"
    kept = torch.load(out, weights_only=True)
    again = recipe.load_network(len(kept["classes"]))
    again.load_state_dict(kept["net"])
    assert kept["classes"] == sorted(data.card.classes)


def test_one_folder_is_split_by_groups(recipe, tmp_path):
    folder = draw_classes(tmp_path, 30, 8)
    for path in sorted(folder.rglob("*.png")):
        path.rename(path.with_name(f"patient{int(path.stem) // 3}_{path.name}"))
    paths, classes, labels, groups, parts = recipe.split(folder, r"(\w+.patient\d+)_", 0)
    assert [classes[label] for label in labels] == [path.parent.name for path in paths]
    assert sorted(np.concatenate(parts)) == list(range(60))
    assert [len(part) for part in parts] == [36, 12, 12]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert not set(groups[parts[one]]) & set(groups[parts[other]])
    assert all(set(labels[part]) == {0, 1} for part in parts)


def test_a_folder_below_a_class_is_no_class(recipe, tmp_path):
    """One sub-folder a patient: the patients are not what is to be told apart."""
    folder = draw_classes(tmp_path, 12, 8)
    for path in sorted(folder.rglob("*.png")):
        (path.parent / "site").mkdir(exist_ok=True)
        path.rename(path.parent / "site" / path.name)
    assert list(recipe.split(folder, "(.+)", 0)[1]) == ["dark", "light"]


@pytest.mark.parametrize(
    ("change", "pattern", "says"),
    [
        (lambda folder: shutil.rmtree(folder), "(.+)", "no folders of two or more classes"),
        (lambda folder: shutil.rmtree(folder / "dark"), "(.+)", "no folders of two or more"),
        (lambda folder: (folder / "light" / "0.png").unlink(), "(.+)", "10 or more images"),
        (lambda folder: (folder / "dark").rename(folder / "train"), "(.+)", "no folders of two"),
        (lambda folder: None, r"patient(\d+)", "does not match"),
    ],
)
def test_a_folder_it_cannot_use_is_told(recipe, tmp_path, change, pattern, says):
    folder = draw_classes(tmp_path, 10, 8)
    change(folder)
    with pytest.raises(SystemExit, match=says):
        recipe.main([str(folder), "--group", pattern])


def test_an_image_that_cannot_be_read_is_named_before_the_training(recipe, tmp_path):
    folder = draw_classes(tmp_path, 10, 8)
    (folder / "dark" / "3.png").write_text("no picture")
    with pytest.raises(OSError, match=r"3\.png"):
        recipe.main([str(folder)])


def test_what_cannot_be_written_is_told_before_the_training(recipe, tmp_path):
    with pytest.raises(OSError, match="away"):
        recipe.main([str(draw_classes(tmp_path, 10, 8)), f"--out={tmp_path}/away/recipe.pt"])


@pytest.mark.parametrize(("last", "trained"), [(0, 2), (1, 14), (8, 149)])
def test_what_trains_and_what_rests(recipe, last, trained):
    torch.manual_seed(0)
    net = recipe.load_network(2)
    groups = recipe.parameter_groups(net, last)
    assert len(groups) == trained == sum(p.requires_grad for p in net.parameters())
    assert all((group["weight_decay"] > 0) == (group["params"][0].ndim > 1) for group in groups)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    batches = [(torch.randn(4, 3, 32, 32), torch.tensor([0, 1, 0, 1]))]
    recipe.train(net, batches, batches, groups, None, epochs=1)
    norms = [name for name, module in net.named_modules() if isinstance(module, nn.BatchNorm2d)]
    assert all(torch.equal(net.state_dict()[f"{name}.running_mean"], before[f"{name}.running_mean"])
               for name in norms)  # fmt: skip
    moved = sum(not torch.equal(p, before[name]) for name, p in net.named_parameters())
    assert 0 < moved <= trained
