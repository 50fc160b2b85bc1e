"""Likeness to photographs: the stored reference, the measures on toys, the resumable command."""

import functools
import json

import numpy as np
import pandas as pd
import pytest
import torch

from helpers import datasets
from helpers.datasets import Split
from helpers.errors import CourseError
from helpers.evidence import grid, similarity, transferability
from measure import commands
from measure import similarity as command
from tests.conftest import make_dataset, make_split, tiny_backbone

# --- the reference


def test_the_stored_reference_holds_numbers_of_both_sets_and_is_small():
    reference = similarity.load_reference()
    assert reference.names == ("flowers", "hymenoptera")
    assert all(reference.of(name).shape == (150, 1280) for name in reference.names)
    assert np.isfinite(reference.features).all()
    assert similarity.REFERENCE.stat().st_size < 1_000_000


def test_a_reference_is_kept_and_read_again(tmp_path):
    parts = {"a": np.ones((3, 4)), "b": np.zeros((2, 4))}
    similarity.save_reference(parts, {"drawn": "by hand"}, tmp_path / "new" / "r.npz")
    found = similarity.load_reference(tmp_path / "new" / "r.npz")
    assert found.of("a").shape == (3, 4)
    assert found.of("b").sum() == 0
    assert found.facts["drawn"] == "by hand"
    with pytest.raises(CourseError, match="no reference 'c'"):
        found.of("c")


def other_network(path):
    facts = json.dumps({"backbone": "resnet18", "image_size": 96})
    np.savez(path, features=np.ones((2, 2)), origin=["a", "a"], facts=facts)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda path: None, "missing"),
        (lambda path: path.write_bytes(b"PK no archive"), "damaged"),
        (lambda path: np.savez(path, features=np.ones(3)), "damaged"),
        (other_network, "another network or size"),
    ],
)
def test_a_reference_that_cannot_be_used_is_said(tmp_path, damage, says):
    damage(tmp_path / "r.npz")
    with pytest.raises(CourseError, match=says) as raised:
        similarity.load_reference(tmp_path / "r.npz")
    assert "python -m measure.similarity" in str(raised.value)


def test_a_reference_that_is_not_written_to_its_end_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "r.npz"
    similarity.save_reference({"a": np.ones((3, 4))}, {}, path)

    def half(file, **_arrays):
        # By its handle or, as once, by its name.
        (file.write if hasattr(file, "write") else file.write_bytes)(b"PK half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", half)
    with pytest.raises(OSError, match="No space left"):
        similarity.save_reference({"a": np.zeros((3, 4))}, {}, path)
    assert similarity.load_reference(path).of("a").sum() == 12
    assert list(tmp_path.iterdir()) == [path]


# --- the measures


def test_batchnorm_shift_is_counted_in_standard_deviations():
    model = tiny_backbone()
    images = make_split(40)
    norms = [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert len(similarity.batchnorm_shift(model, images)) == len(norms) == 4
    with torch.no_grad():
        x = model.normalise(torch.from_numpy(images.images).permute(0, 3, 1, 2))
        mean = model.net.conv(x).mean(dim=(0, 2, 3))
        norms[0].running_mean.copy_(mean + 3)
        norms[0].running_var.fill_(4)
    assert similarity.batchnorm_shift(model, images)[0] == pytest.approx(1.5, rel=1e-4)
    norms[0].running_mean.copy_(mean)
    assert similarity.batchnorm_shift(model, images)[0] == pytest.approx(0, abs=1e-4)


def test_batchnorm_shift_leaves_the_network_as_it_was():
    model = tiny_backbone().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    first = similarity.batchnorm_shift(model, make_split(40))
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert np.array_equal(first, similarity.batchnorm_shift(model, make_split(40)))


def test_distances_are_means_over_the_references():
    rng = np.random.default_rng(0)
    features, near, far = (rng.normal(size=(160, 4)) + step for step in (0, 0, 8))
    both = similarity.distances(features, [near, far], 0.25)
    one, other = (similarity.distances(features, [x], 0.25) for x in (near, far))
    assert both.mean_distance == pytest.approx((one.mean_distance + other.mean_distance) / 2)
    assert other.mean_distance == pytest.approx(transferability.mean_distance(features, far))
    assert both.frechet_distance == pytest.approx(
        (one.frechet_distance + other.frechet_distance) / 2
    )
    assert one.proxy_a_distance < 0.5
    assert other.proxy_a_distance == 2
    assert (both.batchnorm_shift, both.n) == (0.25, 160)
    assert one.similarity > both.similarity > other.similarity


def test_too_few_images_have_no_frechet_distance():
    rng = np.random.default_rng(0)
    found = similarity.distances(rng.normal(size=(20, 4)), [rng.normal(size=(160, 4))], 0.0)
    assert np.isnan(found.frechet_distance)
    assert np.isfinite(found.mean_distance)


def test_similarity_falls_from_one_as_the_distance_grows():
    assert similarity.similarity_of(0) == 1
    assert similarity.similarity_of(1) == 0.5


def test_solar_cells_measured_again_give_the_stored_numbers():
    stored = similarity.read_similarity()
    row = stored[(stored.dataset == "elpv") & (stored.seed == 0)].set_index("reference")
    cells = datasets.load("elpv", size=96).train.sample(400, 0)
    found = similarity.measure(cells)
    assert found.mean_distance == pytest.approx(row["mean_distance"].mean(), abs=0.01)
    assert found.batchnorm_shift == pytest.approx(row["batchnorm_shift"].mean(), abs=0.01)
    assert found.frechet_distance == pytest.approx(row["frechet_distance"].mean(), rel=0.02)
    assert found.proxy_a_distance == pytest.approx(2, abs=0.02)


def test_the_a_distance_saturates_and_the_mean_distance_does_not():
    """Why the decision table uses the latter: photographs of other things reach nearly 2 too."""
    table = similarity.read_similarity()
    whole = ~table["dataset"].str.endswith("]")
    apart = table[whole & (table.dataset != table.reference)].groupby("dataset")
    assert apart["proxy_a_distance"].mean().min() > 1.9
    means = apart["mean_distance"].mean()
    assert means["chest_xray"] > 2 * means["flowers"]


# --- the command


@pytest.fixture
def toy_sets(monkeypatch, tmp_path, private_cache):
    """The command on toy data: its sets are 24 images in colour, and the results lie apart."""
    loads = []

    def load(name, size):
        loads.append(name)
        return make_dataset(24, size=32, channels=3)

    monkeypatch.setattr(datasets, "load", load)
    monkeypatch.setattr(grid, "SIZES", (12, None))
    return loads, tmp_path


@pytest.mark.parametrize(
    "damage", [lambda path: None, lambda path: path.write_bytes(b"PK torn"), other_network]
)
def test_the_command_that_the_error_names_mends_the_reference(toy_sets, monkeypatch, damage):
    loads, folder = toy_sets
    path = folder / "r.npz"
    damage(path)
    monkeypatch.setattr(similarity, "FRECHET_ROWS", 4)
    monkeypatch.setattr(command, "make_reference", functools.partial(command.make_reference, path))
    monkeypatch.setattr(commands, "here", lambda names: [])
    for _ in range(2):
        assert command.main() == 0
        assert similarity.load_reference(path).of("flowers").shape == (4, 1280)
    assert loads == ["flowers", "hymenoptera"], "the second time it was there"


def test_similarity_is_measured_once_per_variant_and_seed(toy_sets):
    loads, folder = toy_sets
    path = folder / "similarity.csv"
    command.measure_similarity("flowers", path)
    table = similarity.read_similarity(path)
    assert set(table["dataset"]) == {"flowers", "flowers[gray]"}
    assert len(table) == 2 * 3 * 2, "variants, seeds, references"
    assert table["n"].eq(24).all()
    cut = table[~((table["seed"] == 1) & (table["dataset"] == "flowers"))]
    cut.to_csv(path, index=False)
    command.measure_similarity("flowers", path)
    again = similarity.read_similarity(path)
    keys = ["dataset", "seed", "reference"]
    pd.testing.assert_frame_equal(again.sort_values(keys, ignore_index=True),
                                  table.sort_values(keys, ignore_index=True))  # fmt: skip
    assert loads == ["flowers", "flowers"]
    command.measure_similarity("flowers", path)
    assert len(loads) == 2, "nothing was missing, so nothing was loaded"


def test_transferability_is_measured_for_every_part_size_and_seed(toy_sets):
    _, folder = toy_sets
    path = folder / "transferability.csv"
    command.measure_transferability("elpv", path)
    table = transferability.read_transferability(path)
    assert set(table["n_train"]) == {12, 24}
    assert (table["n_train"] == 24).sum() == 8, "all images are the same for every seed"
    assert (table["n_train"] == 12).sum() == 3 * 8
    assert table["leep"].notna().sum() == 4, "LEEP belongs to the head, behind the last part"
    assert table["probe_auc"].between(0, 1).all()
    before = path.read_text()
    command.measure_transferability("elpv", path)
    assert path.read_text() == before


def test_taking_the_colour_away_keeps_brightness():
    images = np.zeros((1, 2, 2, 3), np.uint8)
    images[0, 0, 0] = (255, 255, 255)
    images[0, 0, 1] = (0, 255, 0)
    gray = command.without_colour(Split(images, np.zeros(1, np.int64), np.arange(1)))
    assert gray.images[0, 0].ravel().tolist() == [255, 150]


def test_a_probe_is_scored_on_images_it_has_not_seen():
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 2
    noise = rng.normal(size=(60, 80))
    assert abs(command.probe_auc(noise[:30], labels[:30], noise[30:], labels[30:]) - 0.5) < 0.3
    told = noise + 6 * labels[:, None]
    assert command.probe_auc(told[:30], labels[:30], told[30:], labels[30:]) == 1


def test_the_stored_logme_ranks_the_depths_of_one_target():
    """What LogME is for, on our own numbers: one target, one sample, eight feature extractors."""
    table = transferability.read_transferability()
    ranks = table.groupby(["dataset", "n_train", "seed"]).apply(
        lambda cell: cell["logme"].corr(cell["probe_auc"], method="spearman"),
        include_groups=False,
    )
    assert ranks.median() > 0.8


def test_a_table_with_other_columns_is_refused(tmp_path):
    (tmp_path / "s.csv").write_text("a,b\n1,2\n")
    with pytest.raises(CourseError, match="other columns"):
        similarity.read_similarity(tmp_path / "s.csv")
