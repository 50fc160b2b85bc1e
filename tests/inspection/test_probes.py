from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from helpers import inspection
from helpers.errors import CourseError
from helpers.inspection.probes import STRENGTHS
from tests.conftest import make_dataset, make_split, tiny_backbone


def toy_data(n=(200, 100, 400)):
    """Labels alone matter here; the features are made up below."""
    data = make_dataset(8, size=8)
    parts = [make_split(m, 8, seed=seed) for seed, m in enumerate(n)]
    return replace(data, train=parts[0], val=parts[1], test=parts[2])


def gaussians(data, distance: float, seed: int = 0) -> dict[str, np.ndarray]:
    """Two clouds `distance` standard deviations apart in the first of ten dimensions."""
    rng, found = np.random.default_rng(seed), {}
    for name in ("train", "val", "test"):
        labels = getattr(data, name).labels
        cloud = rng.normal(size=(len(labels), 10)) * 50
        cloud[:, 0] = 1000 + rng.normal(size=len(labels)) + distance * labels
        found[name] = cloud
    return found


@pytest.mark.parametrize("distance", [0.0, 1.0, 2.0])
def test_a_probe_finds_the_auc_that_two_gaussians_have(distance):
    """Phi(d / sqrt 2) is the best that any classifier can do on them."""
    data = toy_data((400, 200, 1600))
    best = stats.norm.cdf(distance / 2**0.5)
    found = inspection.probe(gaussians(data, distance), data)
    assert found.score.auc == pytest.approx(best, abs=0.03)
    assert found.score.auc_lo < best < found.score.auc_hi


def test_the_strength_is_the_best_on_validation_whatever_the_test_split_holds():
    data, rng = toy_data((40, 200, 60)), np.random.default_rng(0)
    narrow = gaussians(data, 0.8)
    wide = {n: np.hstack([v, rng.normal(size=(len(v), 100))]) for n, v in narrow.items()}
    alone = {s: inspection.probe(wide, data, strengths=(s,)).val_auc for s in STRENGTHS}
    kept = inspection.probe(wide, data)
    assert kept.val_auc == max(alone.values()) > min(alone.values())
    assert kept.strength == max(alone, key=alone.get)
    wide["test"] = rng.normal(size=wide["test"].shape)
    assert inspection.probe(wide, data).strength == kept.strength


def test_every_part_is_probed_in_running_order():
    table = inspection.probe_parts(tiny_backbone(), make_dataset(40))
    assert table["part"].tolist() == ["image", "stem", "stage1", "stage2", "stage3"]
    assert table["depth"].tolist() == [0, 1, 2, 3, 4]
    assert table["channels"].tolist() == [1, 4, 4, 4, 4]
    assert (table["auc_lo"] <= table["auc"]).all()
    assert (table[["n_train", "n_val", "n_test"]] == [40, 16, 16]).all(axis=None)
    assert table["auc"][0] == 1.0, "the toy classes differ in brightness"


def test_wanted_parts_of_three_classes_are_probed_and_others_are_named():
    table = inspection.probe_parts(tiny_backbone(), make_dataset(42, classes=3), ["stage1"])
    assert table["part"].tolist() == ["image", "stage1"]
    assert table["auc"][0] > 0.9
    with pytest.raises(CourseError, match="Did you mean 'stage2'"):
        inspection.probe_parts(tiny_backbone(), make_dataset(), ["stage_2"])
