"""The steps of a recipe are measured in order, each on what was chosen before."""

from dataclasses import replace

import numpy as np
import pytest

from helpers import datasets
from helpers.evidence import recipe as read
from helpers.evidence.recipe import Setup
from measure import recipe
from tests.conftest import make_dataset


def test_the_first_cells_are_the_first_recipe_with_every_seed(monkeypatch, tmp_path):
    monkeypatch.setattr(read, "RECIPE", tmp_path / "recipe.csv")
    assert recipe.cells(["elpv"]) == [
        recipe.Cell("elpv", "start", "the last two stages", seed) for seed in read.SEEDS
    ]


def test_after_the_last_step_the_first_and_the_last_recipe_are_tested(monkeypatch):
    monkeypatch.setattr(read, "choices", lambda *_, **__: ([], Setup(size=224), None))
    cells = recipe.cells(["elpv"])
    assert list(dict.fromkeys((cell.step, cell.option) for cell in cells)) == [
        ("test", "start"), ("test", "EfficientNet-Lite0"), ("all", "EfficientNet-Lite0"),
        ("network", "EfficientNet-Lite1"), ("network", "EfficientNet-Lite2"),
    ]  # fmt: skip
    assert recipe.setup_of(recipe.Cell("elpv", "test", "start", 0)) == Setup()
    for step in ("network", "test"):
        lite2 = recipe.setup_of(recipe.Cell("elpv", step, "EfficientNet-Lite2", 0))
        assert lite2 == Setup(size=224, backbone="efficientnet_lite2")


def test_without_validation_images_no_epoch_is_chosen(monkeypatch):
    for chosen, average in ((0, 1), (3, 3)):
        setup = Setup(size=224, average=chosen)
        monkeypatch.setattr(read, "choices", lambda *_, found=setup, **__: ([], found, None))
        cell = recipe.Cell("elpv", "all", "EfficientNet-Lite0", 0)
        assert recipe.setup_of(cell) == replace(setup, average=average)


def test_at_the_end_the_validation_images_are_learned_from_and_the_test_images_answered(
    monkeypatch, toy, private_cache
):
    setup = Setup(epochs=1, average=1)
    monkeypatch.setattr(read, "choices", lambda *_, **__: ([], setup, None))
    turned = replace(toy.test, labels=1 - toy.test.labels)
    monkeypatch.setattr(datasets, "load", lambda *_, **__: replace(toy, test=turned))
    (row,) = recipe.measure(recipe.Cell("elpv", "all", "EfficientNet-Lite0", 0))
    assert row["n_train"] == len(toy.train) + len(toy.val)
    assert (row["part"], row["labels"]) == ("test", "".join(map(str, turned.labels)))


def test_where_nothing_can_be_chosen_the_solar_cells_recipe_is_tested(monkeypatch):
    found = {"elpv": Setup(size=224), "chest_xray": Setup()}
    monkeypatch.setattr(read, "choices", lambda _, name, **__: ([], found[name], None))
    borrowed = {name: [cell for cell in recipe.cells([name]) if cell.option == read.BORROWED]
                for name in found}  # fmt: skip
    assert (len(borrowed["elpv"]), len(borrowed["chest_xray"])) == (0, 3)
    larger = [cell for cell in recipe.cells(["chest_xray"]) if cell.option.endswith("Lite2")]
    assert {cell.step for cell in larger} == {"network", "test"}
    assert recipe.setup_of(borrowed["chest_xray"][0]) == found["elpv"]


def test_a_smoothed_label_leaves_a_twentieth_to_the_other_class():
    split = make_dataset().train
    smoothed = recipe.targets(split, "smoothed")
    assert recipe.targets(split, "labels") is None
    assert np.array_equal(smoothed.argmax(1), split.labels)
    assert smoothed.min() == pytest.approx(0.05)
    assert np.allclose(smoothed.sum(1), 1)


def test_x_rays_are_never_turned_or_mirrored():
    image = np.zeros((1, 64, 64, 1), np.uint8)
    image[:, :32, :32] = 200  # a bright upper left quarter stays one
    for view in recipe.looks("chest_xray", Setup(views=True)):
        seen = view(image)[0]
        assert seen[:16, :16].mean() > 100 > max(seen[48:].mean(), seen[:, 48:].mean())
    assert not recipe.looks("chest_xray", Setup())


def test_a_row_holds_the_answers_to_the_validation_images(
    monkeypatch, tmp_path, toy, private_cache
):
    monkeypatch.setattr(read, "RECIPE", tmp_path / "recipe.csv")
    turned = replace(toy.test, labels=1 - toy.test.labels)
    monkeypatch.setattr(datasets, "load", lambda *_, **__: replace(toy, test=turned))
    (row,) = recipe.measure(recipe.Cell("elpv", "start", "the last two stages", 0))
    assert row["part"] == "validation"
    assert row["n"] == len(toy.val) == len(row["labels"]) == len(row["logits"].split())
    assert row["labels"] == "".join(map(str, toy.val.labels))
    assert row["view_logits"] == ""


def test_the_test_images_meet_the_network_that_was_chosen(monkeypatch, toy, private_cache):
    trained = []
    fit = recipe.loop.fit
    monkeypatch.setattr(
        recipe.loop, "fit", lambda *args, **kwargs: trained.append(1) or fit(*args, **kwargs)
    )
    once, seconds = recipe.trained(Setup(epochs=1), toy, 0, kept=False)
    again, same = recipe.trained(Setup(epochs=1), toy, 0, kept=True)
    assert (len(trained), same) == (1, seconds)
    images = recipe.Inputs(toy.val.images, toy.val.labels)
    assert np.allclose(
        recipe.predict.predict(once, images), recipe.predict.predict(again, images), atol=1e-5
    )
    recipe.trained(Setup(epochs=1), toy, 1, kept=True)
    recipe.trained(Setup(epochs=1), toy, 0, kept=False)  # a step measured anew is trained anew
    assert len(trained) == 3
