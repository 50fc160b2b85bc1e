"""Likeness to photographs: the stored reference, and the measures on toys."""

import json

import numpy as np
import pytest
import torch

from helpers import datasets
from helpers.errors import CourseError
from helpers.evidence import similarity, transferability
from tests.conftest import make_split, tiny_backbone, unchanged


def test_the_stored_reference_holds_numbers_of_both_sets_and_is_small():
    reference = similarity.load_reference()
    assert list(reference) == ["flowers", "hymenoptera"]
    assert all(features.shape == (150, 1280) for features in reference.values())
    assert all(np.isfinite(features).all() for features in reference.values())
    assert similarity.REFERENCE.stat().st_size < 1_000_000


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
    assert "python -m measure similarity" in str(raised.value)


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
    with unchanged(model):
        first, again = (similarity.batchnorm_shift(model, make_split(40)) for _ in range(2))
    assert np.array_equal(first, again)


def test_distances_are_means_over_the_references():
    rng = np.random.default_rng(0)
    features, near, far = (rng.normal(size=(160, 4)) + step for step in (0, 0, 8))
    both = similarity.distances(features, 0.25, [near, far])
    one, other = (similarity.distances(features, 0.25, [x]) for x in (near, far))
    assert both.mean_distance == pytest.approx((one.mean_distance + other.mean_distance) / 2)
    assert other.mean_distance == pytest.approx(transferability.mean_distance(features, far))
    assert both.frechet_distance == pytest.approx(
        (one.frechet_distance + other.frechet_distance) / 2
    )
    assert one.proxy_a_distance < 0.5
    assert other.proxy_a_distance == 2
    assert (both.batchnorm_shift, both.n) == (0.25, 160)
    assert one.similarity > both.similarity > other.similarity
    assert [similarity.similarity_of(distance) for distance in (0, 1)] == [1, 0.5]
    few = similarity.distances(features[:20], 0.25, [near])
    assert np.isnan(few.frechet_distance), "it is biased by few images"
    assert np.isfinite(few.mean_distance)


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


def test_different_subjects_are_enough_to_tell_photographs_apart():
    flowers, insects = similarity.load_reference().values()
    assert transferability.proxy_a_distance(flowers[::2], flowers[1::2]) < 0.5
    assert transferability.proxy_a_distance(flowers, insects) > 1.5


def test_the_stored_logme_ranks_the_depths_of_one_target():
    """What LogME is for, on our own numbers: one target, one sample, eight feature extractors."""
    table = transferability.read_transferability()
    ranks = table.groupby(["dataset", "n_train", "seed"]).apply(
        lambda cell: cell["logme"].corr(cell["probe_auc"], method="spearman"),
        include_groups=False,
    )
    assert ranks.median() > 0.8
