"""What notebook 07 reads is measured as its words say."""

from dataclasses import replace

import numpy as np
import pytest

from helpers import datasets
from helpers.datasets import Split
from measure import medical
from tests.conftest import make_dataset


def films(numbers, persons) -> Split:
    """Images that hold their own number."""
    images = np.array(numbers, np.uint8).reshape(-1, 1, 1, 1)
    return Split(images, np.arange(len(images)) % 2, np.array(persons))


def test_no_patient_of_the_targets_validation_or_test_is_in_the_source(monkeypatch):
    usual = make_dataset()
    persons = np.arange(60) // 2
    data = replace(usual, train=films(range(40), persons[:40]), val=films(range(40, 60),
                   persons[40:]), test=films(range(60, 70), [3] * 10))  # fmt: skip
    monkeypatch.setattr(datasets, "load", lambda *_, **__: data)
    # The target numbers its patients anew: they are found by their images.
    target = replace(usual, val=films([0, 20], [7, 7]), test=films([44], [8]))
    source = medical.pneumonia_images(target)
    used = {*source.train.images.ravel(), *source.val.images.ravel()}
    assert used.isdisjoint({0, 1, 20, 21, 44, 45, 6, 7})
    assert len(used) == 52
    assert not set(source.train.groups) & set(source.val.groups)


def test_a_random_start_is_trained_whole_and_the_others_in_two_ways(monkeypatch):
    monkeypatch.setattr(medical, "source_weights", lambda name, *_: name)
    for start in medical.STARTS:
        cell = medical.Cell("source", medical.TARGET, start, 50, 0)
        found = medical.experiments_of(cell, None)
        assert found["tuned"].strategy.pretrained is (start != "random")
        assert ("frozen" in found) is (start != "random")
        expected = start if start in ("pneumonia", "solar") else None
        assert found["tuned"].model_options.get("weights") == expected


def test_a_published_checkpoint_whose_terms_are_accepted_is_a_start_too(monkeypatch):
    usual = medical.cells([medical.TARGET])
    monkeypatch.setenv("COURSE_ACCEPT_TERMS", "chexpert,biovil")
    more = set(medical.cells([medical.TARGET])) - set(usual)
    assert {cell.start for cell in more} == {"chexpert", "biovil"}
    found = medical.experiments_of(next(iter(more)), None)
    assert found.keys() == {"frozen", "tuned"}
    assert all(experiment.backbone in ("chexpert", "biovil") for experiment in found.values())


def test_the_networks_differ_in_nothing_else():
    found = [medical.experiments_of(medical.Cell("network", "elpv", name, 200, 1), None)
             for name in medical.NETWORKS]  # fmt: skip
    for way in ("frozen", "tuned"):
        assert len({replace(ways[way], backbone="").strategy for ways in found}) == 1
        assert [ways[way].backbone for ways in found] == list(medical.NETWORKS)


def test_the_first_start_gains_nothing_and_the_others_are_paired_with_it(
    toy, monkeypatch, private_cache
):
    monkeypatch.setattr(datasets, "load", lambda *_, **__: toy)
    rows = [medical.measure(medical.Cell("network", "elpv", name, 12, 0))
            for name in medical.NETWORKS[1::-1]]  # fmt: skip
    (frozen, tuned), (first, _) = rows
    assert (first["gain"], first["gain_lo"], first["gain_hi"]) == (0, 0, 0)
    assert frozen["gain"] == pytest.approx(frozen["auc"] - first["auc"], abs=2e-4)
    assert tuned["strategy"] == "partial_finetune"
