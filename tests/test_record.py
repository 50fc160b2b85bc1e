import json

import numpy as np
import pytest

from benchmarks import record
from helpers import datasets
from tests.conftest import make_dataset, tiny_backbone


@pytest.fixture(scope="module")
def elpv():
    return datasets.load("elpv", size=32)


def test_soft_targets_belong_to_their_images(elpv):
    for split in (elpv.train, elpv.val, elpv.test):
        targets = record.soft_targets(split)
        assert np.array_equal(targets[:, 1] >= 0.5, split.labels == 1)
        assert set(np.round(targets[:, 1] * 3).astype(int)) == {0, 1, 2, 3}


def test_the_final_run_trains_on_all_but_the_test_images(elpv):
    both = record.joined(elpv)
    assert len(both.train) == 1_968
    assert len(both.test) == 656
    assert not set(both.train.groups) & set(both.test.groups)
    assert np.array_equal(both.train.images[-1], elpv.val.images[-1])
    assert np.array_equal(record.soft_targets(both.train)[:, 1] >= 0.5, both.train.labels == 1)


def test_a_run_is_kept_and_not_repeated(tmp_path, monkeypatch):
    path, calls = tmp_path / "record.json", []

    def run(setup, seed, final):
        calls.append(seed)
        return {"setup": record.asdict(setup), "seed": seed}

    monkeypatch.setattr(record, "run", run)
    jobs = [(record.RECIPES["elpv"], seed, True) for seed in (0, 1)]
    record.collect(path, jobs[:1])
    record.collect(path, jobs)
    assert calls == [0, 1]
    assert [row["seed"] for row in json.loads(path.read_text())] == [0, 1]


def test_the_table_puts_ours_beside_the_published_rows():
    rows = [
        {"dataset": "elpv", "accuracy": a, "auc": 0.95, "auc_lo": 0.93, "auc_hi": 0.97,
         "processor_seconds": 60, "n": 656, "n_sure": 556, "accuracy_sure": 0.95,
         "accuracy_unsure": 0.7}
        for a in (0.9, 0.92)
    ]  # fmt: skip
    text = record.record_table(rows)
    assert "95.0% of the 556 test cells" in text
    assert "70.0% of the other 100" in text
    assert "would take 94.8% of the former" in text
    assert "2 seeds, n = 656 | 91.0% ± 2.2% (90.0%, 92.0%) | 0.950 [0.930, 0.970] | 1 |" in text
    assert "88.4%" in text


def test_every_variant_is_a_recipe():
    for name, variants in record.VARIANTS.items():
        for change in variants.values():
            setup = record.replace(record.RECIPES[name], **change)
            assert setup.strategy.phases[0].last == setup.last
            assert len(setup.looks) == setup.n_views


def test_predictions_are_averaged_over_the_views():
    setup = record.Setup("toy", n_views=2)
    assert record.score(setup, tiny_backbone().eval(), make_dataset().test).n == 16


def test_accuracy_divides_over_sure_and_unsure_experts(elpv):
    probability = record.soft_targets(elpv.test)[:, 1]
    sure = np.isin(probability, (0, 1))
    # Right on every cell where the experts were sure, wrong on every other.
    says = np.where(sure, elpv.test.labels, 1 - elpv.test.labels)
    found = record.metrics.score(elpv.test.labels, np.eye(2)[says], elpv.test.groups)
    parts = record.by_certainty(elpv.test, found)
    assert parts == {"n_sure": sure.sum(), "accuracy_sure": 1, "accuracy_unsure": 0}
    assert found.accuracy == pytest.approx(sure.mean())
