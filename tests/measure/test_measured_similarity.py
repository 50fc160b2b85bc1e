"""The tables of similarity and transferability: their cells, and the reference on disk."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from helpers import datasets
from helpers.datasets import Split
from helpers.evidence import grid
from helpers.evidence.similarity import load_reference, read_similarity
from helpers.evidence.transferability import read_transferability
from measure import runner, similarity, transferability
from tests.conftest import make_dataset


def test_a_reference_is_kept_and_one_not_written_to_its_end_leaves_the_old_one(
    tmp_path, monkeypatch
):
    path = tmp_path / "new" / "r.npz"
    parts = {"a": np.ones((3, 4)), "b": np.zeros((2, 4))}
    similarity.save_reference(parts, {"drawn": "by hand"}, path)
    assert json.loads(str(np.load(path)["facts"]))["drawn"] == "by hand"

    def half(file, **_arrays):
        # By its handle or, as once, by its name.
        (file.write if hasattr(file, "write") else file.write_bytes)(b"PK half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", half)
    with pytest.raises(OSError, match="No space left"):
        similarity.save_reference({"a": np.zeros((3, 4))}, {}, path)
    np.testing.assert_equal(load_reference(path), parts)
    assert list(path.parent.iterdir()) == [path]


@pytest.fixture
def toy_sets(monkeypatch, tmp_path, private_cache, one_process):
    """The tables on toy data: each set is 24 images in colour."""
    loads = []

    def load(name, size):
        loads.append(name)
        return make_dataset(24, size=32, channels=3)

    monkeypatch.setattr(datasets, "load", load)
    monkeypatch.setattr(grid, "SIZES", (12, None))
    transferability.seen_by_the_network.cache_clear()
    yield loads, tmp_path
    transferability.seen_by_the_network.cache_clear()


def other_network(path):
    facts = json.dumps({"backbone": "resnet18", "image_size": 96})
    np.savez(path, features=np.ones((2, 2)), origin=["a", "a"], facts=facts)


@pytest.mark.parametrize(
    "damage", [lambda path: None, lambda path: path.write_bytes(b"PK torn"), other_network]
)
def test_the_command_that_the_error_names_mends_the_reference(toy_sets, monkeypatch, damage):
    loads, folder = toy_sets
    path = folder / "r.npz"
    damage(path)
    monkeypatch.setattr("helpers.evidence.similarity.FRECHET_ROWS", 4)
    table = replace(similarity.TABLE, prepare=lambda: similarity.make_reference(path))
    for _ in range(2):
        assert runner.run(table, []) == 0
        assert load_reference(path)["flowers"].shape == (4, 1280)
    assert loads == ["flowers", "hymenoptera"], "the second time it was there"


def test_similarity_is_measured_once_per_variant_and_seed(toy_sets):
    _, folder = toy_sets
    table = replace(similarity.TABLE, path=folder / "similarity.csv")
    plan = similarity.cells(["flowers"])
    assert runner.run(table, plan) == 2 * 3, "variants, seeds"
    rows = read_similarity(table.path)
    assert set(rows["dataset"]) == {"flowers", "flowers[gray]"}
    assert len(rows) == 2 * 3 * 2, "variants, seeds, references"
    assert rows["n"].eq(24).all()
    cut = rows[~((rows["seed"] == 1) & (rows["dataset"] == "flowers"))]
    cut.to_csv(table.path, index=False)
    assert runner.run(table, plan) == 1
    again = read_similarity(table.path)
    keys = ["dataset", "seed", "reference"]
    pd.testing.assert_frame_equal(again.sort_values(keys, ignore_index=True),
                                  rows.sort_values(keys, ignore_index=True))  # fmt: skip


def test_transferability_is_measured_for_every_part_size_and_seed(toy_sets):
    _, folder = toy_sets
    table = replace(transferability.TABLE, path=folder / "transferability.csv")
    assert runner.run(table, transferability.cells(["elpv"])) == 3 + 1
    rows = read_transferability(table.path)
    assert set(rows["n_train"]) == {12, 24}
    assert (rows["n_train"] == 24).sum() == 8, "all images are the same for every seed"
    assert (rows["n_train"] == 12).sum() == 3 * 8
    assert rows["leep"].notna().sum() == 4, "LEEP belongs to the head, behind the last part"
    assert rows["probe_auc"].between(0, 1).all()
    assert runner.run(table, transferability.cells(["elpv"])) == 0


def test_taking_the_colour_away_keeps_brightness():
    images = np.zeros((1, 2, 2, 3), np.uint8)
    images[0, 0, 0] = (255, 255, 255)
    images[0, 0, 1] = (0, 255, 0)
    gray = similarity.without_colour(Split(images, np.zeros(1, np.int64), np.arange(1)))
    assert gray.images[0, 0].ravel().tolist() == [255, 150]


def test_a_probe_is_scored_on_images_it_has_not_seen():
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 2
    noise = rng.normal(size=(60, 80))

    def scored(x: np.ndarray) -> float:
        return transferability.probe_auc(x[:30], labels[:30], x[30:], labels[30:])

    assert abs(scored(noise) - 0.5) < 0.3
    assert scored(noise + 6 * labels[:, None]) == 1
