"""Where a result may come from: trained now, stored with the course, kept by this machine."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from helpers import datasets, files
from helpers.evidence import tables
from helpers.lab import drawings, measured, race, store
from helpers.lab.engine import Lab
from helpers.lab.explain import difference
from helpers.lab.races import PREPARED
from helpers.lab.setup import Arm, Setup
from helpers.networks import backbones
from helpers.training import experiments, metrics
from measure import races
from tests.conftest import make_dataset
from tests.lab.conftest import TWO, run

ROW = dict(zip(tables.COLUMNS, (
    "elpv", "electroluminescence", 200, "efficientnet_lite0", 96, "full_finetune", 20, 0,
    0.81, 0.77, 0.85, 0.77, 62.0, 3_372_994, "torch=2"), strict=True))  # fmt: skip
SETUP = Setup((Arm("full_finetune"), Arm()), n=200, epochs=20)


def table(**changes) -> pd.DataFrame:
    return pd.DataFrame([ROW | changes])


def test_a_row_answers_for_the_very_same_arm():
    result, history = measured.find(SETUP, SETUP.arms[0], table())
    assert (result.auc, result.auc_lo, result.trainable) == (0.81, 0.77, 3_372_994)
    assert result.source == "stored"
    assert result.score is None
    assert history == []
    assert measured.find(SETUP, SETUP.arms[1], table()) is None


@pytest.mark.parametrize("change", [
    {"n_train": 201}, {"image_size": 64}, {"epochs": 10}, {"seed": 1}, {"backbone": "resnet18"},
    {"strategy": "full_finetune+own_rates"}, {"dataset": "elpv[gray=mean]"},
])  # fmt: skip
def test_a_row_that_differs_in_one_thing_does_not(change):
    assert measured.find(SETUP, SETUP.arms[0], table(**change)) is None


@pytest.mark.parametrize("knob", [{"head_lr": 0.01}, {"gray": "mean"}, {"augment": "dihedral"},
                                  {"batchnorm": "follow"}])  # fmt: skip
def test_an_arm_with_own_knobs_is_trained(knob):
    arm = Arm("full_finetune", **knob)
    assert measured.find(SETUP, arm, table(strategy=arm.build().key)) is None


def test_stored_arms_answer_at_once_and_live_ones_are_trained(bench, monkeypatch):
    rows = table(n_train=16, image_size=32, epochs=2)
    monkeypatch.setattr(tables, "read_rows", lambda: rows)
    bench.race()
    assert bench.lanes[1].result.source == "stored"  # before anything was trained
    assert bench.wait(30)
    assert [lane.result.source for lane in bench.lanes] == ["live", "stored"]
    run(bench, live=True)
    assert [lane.result.source for lane in bench.lanes] == ["live", "live"]


def test_a_race_of_stored_arms_needs_no_worker(bench, monkeypatch, tiny):
    rows = pd.concat([table(n_train=16, image_size=32, epochs=2, strategy=arm.build().key)
                      for arm in TWO.arms])  # fmt: skip
    monkeypatch.setattr(tables, "read_rows", lambda: rows)
    bench.race()
    assert bench.phase == "done"
    assert bench.current.explanation
    assert tiny == []  # no image was read


def test_the_very_same_run_is_kept_and_says_so(bench):
    first = run(bench).lanes
    again = run(bench).lanes
    for live, kept in zip(first, again, strict=True):
        assert (live.result.source, kept.result.source) == ("live", "earlier")
        assert [dict(row) for row in live.history] == [dict(row) for row in kept.history]
        assert live.result.auc == kept.result.auc
        a, b = live.result, kept.result
        assert np.array_equal(a.score.probabilities, b.score.probabilities)
        assert np.array_equal(a.mistakes.images, b.mistakes.images)
        assert np.array_equal(a.groups, b.groups)
        assert (a.trainable, a.best_epoch, a.classes) == (b.trainable, b.best_epoch, b.classes)


def test_a_kept_result_is_never_stale(tiny, monkeypatch):
    data, arm = make_dataset(), TWO.arms[0]
    pixels = data.test.images.copy()
    pixels[0, 0, 0, 0] ^= 1
    keys = [
        store.key(TWO, arm, data),
        store.key(TWO, arm, replace(data, test=replace(data.test, images=pixels))),
        store.key(TWO, arm, replace(data, val=replace(data.val, labels=1 - data.val.labels))),
        *(store.key(replace(TWO, **change), arm, data)
          for change in ({"epochs": 3}, {"seed": 1}, {"n": 12})),
        *(store.key(TWO, replace(arm, **knob), data)
          for knob in ({"head_lr": 0.01}, {"batchnorm": "train"}, {"augment": "dihedral"},
                       {"gray": "mean"})),
    ]  # fmt: skip
    assert store.key(TWO, arm, make_dataset()) == keys[0]
    load = backbones.load

    def other_weights(*names, **options):
        model = load(*names, **options)
        with torch.no_grad():
            model.stem_conv.weight[0, 0, 0, 0] += 1e-6
        return model

    for owner, name, other in ((backbones, "load", other_weights),
                               (experiments, "versions", lambda: "torch=9"),
                               (store, "FORMAT", store.FORMAT + 1)):  # fmt: skip
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, other)
            keys.append(store.key(TWO, arm, data))
    assert len(set(keys)) == len(keys) == 13


def entries(kind: str) -> list:
    return sorted(files.folder("lab", "results").glob(f"*.{kind}"))


@pytest.mark.parametrize("kind", ["npz", "json"])
@pytest.mark.parametrize("damage", [lambda b: b[:100], lambda b: b.replace(b"9", b"8"),
                                    lambda b: b"[1]", lambda b: b"{}"])  # fmt: skip
def test_a_damaged_entry_is_made_again(bench, kind, damage):
    run(bench)
    assert len(entries(kind)) == 2
    for path in entries(kind):
        path.write_bytes(damage(path.read_bytes()))
    assert [lane.result.source for lane in run(bench).lanes] == ["live", "live"]
    assert [lane.result.source for lane in run(bench).lanes] == ["earlier", "earlier"]


def test_a_cache_that_cannot_be_written_does_not_stop_a_race(bench, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "file"))
    with pytest.warns(UserWarning, match="Could not store"):
        run(bench)
    assert [lane.result.source for lane in bench.lanes] == ["live", "live"]


def test_old_entries_make_room(bench, monkeypatch):
    monkeypatch.setattr(store, "MOST", 2)
    run(bench)
    bench.change(replace(TWO, seed=3))
    run(bench)
    assert len(entries("npz")) == len(entries("json")) == 2
    assert [lane.result.source for lane in run(bench).lanes] == ["earlier", "earlier"]


def test_the_surest_errors_are_kept_with_what_spoke_for_them(bench):
    result = run(bench).lanes[0].result
    wrong, score = result.mistakes, result.score
    said = score.probabilities.argmax(axis=1)
    assert wrong.n_wrong == int((said != score.labels).sum())
    assert len(wrong.index) == min(wrong.n_wrong, race.SHOWN_MISTAKES)
    assert (said[wrong.index] != score.labels[wrong.index]).all()
    assert wrong.images.shape[:3] == wrong.heat.shape


def test_the_first_prepared_race_is_stored_whole_and_can_be_recomputed():
    """Curves, predictions on the very test images, and intervals that follow from them."""
    setup = PREPARED[0].setup
    test = measured.whole_runs()["tests"]["elpv"]
    assert test["labels"] == datasets.load("elpv", size=32).test.labels.tolist()
    assert test["counts"] == {
        k: test["labels"].count(i) for i, k in enumerate(("intact", "defective"))
    }
    for arm in setup.arms:
        result, history = measured.find(setup, arm, table())
        assert [row["epoch"] for row in history] == list(range(1, setup.epochs + 1))
        again = metrics.score(result.score.labels, result.score.probabilities)
        assert (result.auc, result.auc_lo, result.auc_hi) == (again.auc, again.auc_lo, again.auc_hi)
    assert {"tests", "runs", "spare", "when"} == set(measured.whole_runs())


def test_a_random_start_is_clearly_behind_in_the_first_prepared_race(private_cache):
    """The lecturer's demonstration: as stored, paired on the same test images."""
    lab = Lab()
    assert lab.race()
    assert lab.phase == "done"  # at once
    scratch, probe, full = (lane.result for lane in lab.lanes)
    assert difference(probe, scratch).lo > 0.05
    assert difference(full, scratch).lo > 0.05
    assert lab.current.baseline["arm"] == "always 'intact'"
    assert round(lab.current.baseline["accuracy"], 4) == 0.6875
    assert scratch.accuracy < 0.6875 < min(probe.accuracy, full.accuracy)


@pytest.mark.parametrize("prepared", PREPARED, ids=lambda race: race.name)
def test_every_prepared_race_is_stored_for_a_machine_that_is_too_slow(prepared):
    """At once, or as whole runs that stand in; their scores follow from the stored predictions."""
    setup = prepared.setup
    spare = [measured.whole(setup, arm, "spare") for arm in setup.arms]
    assert all(measured.available(setup)) != all(spare)
    for arm, (result, history) in zip(setup.arms, filter(None, spare), strict=False):
        assert len(history) == setup.epochs
        again = metrics.score(result.score.labels, result.score.probabilities)
        assert result.auc == again.auc
        assert result.source == "stored"
        turned = replace(arm, augment="dihedral"), replace(arm, head_lr=0.01)
        assert not any(measured.whole(setup, other, "spare") for other in turned)
        assert measured.whole(replace(setup, dataset="pneumonia"), arm, "spare") is None


def test_whole_runs_are_measured_and_read_back(tiny, tmp_path, monkeypatch):
    other = replace(TWO, arms=(Arm(gray="mean"), Arm(batchnorm="train")))
    both = (replace(PREPARED[0], setup=TWO), replace(PREPARED[1], setup=other))
    monkeypatch.setattr(races, "PREPARED", both)
    assert races.make(tmp_path / "races.json") == 4
    monkeypatch.setattr(measured, "RACES", tmp_path / "races.json")
    measured.whole_runs.cache_clear()
    try:
        for arm in TWO.arms:
            result, history = measured.find(TWO, arm, table())
            assert result.score.n == len(make_dataset().test)
            assert (result.n_train, len(history)) == (16, 2)
        assert all(measured.whole(other, arm, "spare") for arm in other.arms)
        assert not any(measured.find(other, arm, table()) for arm in other.arms)
    finally:
        measured.whole_runs.cache_clear()


def test_seconds_without_the_frozen_part_are_marked(bench):
    first = run(bench, live=True).lanes
    assert [lane.result.features_known for lane in first] == [False, False]
    second = run(bench, live=True).lanes
    assert [lane.result.features_known for lane in second] == [True, False]
    drawn = drawings.table([lane.row for lane in second])
    assert drawn.count("*</td>") == 1
    assert "had been computed before" in drawn
