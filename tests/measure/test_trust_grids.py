"""What notebook 06 reads is measured as its words say: each leak leaks, each fault is one."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from helpers.datasets import Split
from helpers.training import loop, strategies
from helpers.training.recipe import Recipe
from measure import broken, forgetting, leaks, predictions, shift
from tests.conftest import make_dataset


def numbered(n: int, positive: int) -> Split:
    """Images that hold their own number."""
    labels = (np.arange(n) < positive).astype(int)
    return Split(np.arange(n).reshape(-1, 1, 1, 1), labels, np.arange(n) // 4)


def numbers(split: Split) -> np.ndarray:
    return np.asarray(split.images).ravel()


def test_a_sample_has_the_share_that_was_asked_for():
    sample = predictions.with_share(numbered(400, 120), 100, 0.1, seed=0)
    assert (len(sample), sample.labels.sum(), len(set(numbers(sample)))) == (100, 10, 100)


def test_oversampling_repeats_the_rare_class_alone_and_takes_no_more_steps():
    data = replace(make_dataset(), train=numbered(100, 10))
    more, epochs = predictions.oversampled(data, 10)
    assert np.bincount(more.train.labels).tolist() == [90, 90]
    assert len(set(numbers(more.train))) == 100
    assert len(more.train) * epochs <= 10 * 100 * 1.1
    assert more.val is data.val


def test_answers_are_written_as_they_are_read():
    p = np.array([[0.25, 0.75], [1.0, 0.0]], np.float32)
    first, last = predictions.logits(p).split()
    assert float(first) == pytest.approx(np.log(3), abs=1e-3)
    assert np.isfinite(float(last))
    assert predictions.digits(np.array([0, 1, 1])) == "011"


def test_a_split_by_groups_tears_none_and_one_by_image_does():
    pool, data = numbered(400, 120), make_dataset()
    for groups, shared in ((None, True), (pool.groups, False)):
        cut = leaks.split(data, pool, 0, groups)
        assert bool(set(cut.train.groups) & set(cut.test.groups)) is shared
        assert len({*numbers(cut.train), *numbers(cut.val), *numbers(cut.test)}) == 400


@pytest.fixture
def handed_in(monkeypatch) -> list:
    """What would be trained on, and tested on."""
    data, found = make_dataset(), []
    data = replace(data, train=numbered(2000, 600), test=replace(
        numbered(100, 30), images=np.arange(5000, 5100).reshape(-1, 1, 1, 1)))  # fmt: skip
    monkeypatch.setattr("helpers.datasets.load", lambda *_, **__: data)

    def stop(cell, data):
        found.append(data)
        raise InterruptedError

    monkeypatch.setattr(leaks, "trained", stop)
    return found


@pytest.mark.parametrize(("leak", "least"), [("copies", 25), ("oversampled", 20)])
def test_a_leak_puts_test_images_into_training(handed_in, leak, least):
    with pytest.raises(InterruptedError):
        leaks.LEAK[leak](leaks.Cell("elpv", leak, "feature_extraction", 0))
    (data,) = handed_in
    assert len(set(numbers(data.train)) & set(numbers(data.test))) >= least


def test_changes_keep_the_form_and_are_the_same_twice(toy):
    for how in shift.CHANGES.values():
        one, other = (shift.changed(toy.test, how).images for _ in range(2))
        assert np.array_equal(one, other)
        assert (one.shape, one.dtype) == (toy.test.images.shape, np.uint8)
        assert not np.array_equal(one, toy.test.images)


def test_new_statistics_change_nothing_that_learns(toy):
    model = strategies.build(strategies.full_finetune(), n_classes=2, channels=1)
    before = copy.deepcopy(model.state_dict())
    shift.rest_anew(model, toy.train)
    moved = {name for name, value in model.state_dict().items() if not value.equal(before[name])}
    assert moved
    assert all("running" in name or "num_batches" in name for name in moved)
    assert not model.training


def test_a_repair_trains_the_named_parts_alone(toy, monkeypatch):
    monkeypatch.setattr(shift, "REPAIR_EPOCHS", 1)
    model = strategies.build(strategies.full_finetune(), n_classes=2, channels=1)
    before = {name: copy.deepcopy(model.part(name).state_dict()) for name in model.part_names}
    shift.tune(model, toy.train, "early", 0)
    moved = {name for name, state in before.items()
             if any(not value.equal(state[key]) for key, value in
                    model.part(name).state_dict().items())}  # fmt: skip
    assert moved == set(shift.PARTS["early"])


def test_the_pull_holds_weights_near_their_start_and_ends_with_the_run(toy):
    def distance(strength: float) -> float:
        strategy = strategies.full_finetune()
        model = strategies.build(strategy, n_classes=2, channels=1)
        start = {n: p.detach().clone() for n, p in model.named_parameters() if "class" not in n}
        with forgetting.pulled_back(model, strength):
            loop.fit(model, toy, strategy, Recipe(epochs=2, batch_size=8))
        end = dict(model.named_parameters())
        return sum(float((end[name] - value).square().sum()) for name, value in start.items())

    free, held = distance(0.0), distance(3000.0)
    assert held < 0.5 * free
    assert distance(0.0) == pytest.approx(free, rel=1e-3), "the pull outlived its run"


@pytest.fixture
def model():
    return strategies.build(strategies.full_finetune(), n_classes=2, channels=1)


def test_every_fault_is_in_the_rates_the_inputs_the_loss_or_the_mode(model):
    rates = {}
    for fault in broken.FAULTS:
        optimizer, schedule = broken.optimizer_of(model, fault, 40)
        first = [group["lr"] for group in optimizer.param_groups]
        for _ in range(40):
            optimizer.step()
            schedule.step()
        rates[fault] = first, [group["lr"] for group in optimizer.param_groups]
    assert rates["rate_too_high"][0] == pytest.approx([30 * r for r in rates["none"][0]])
    assert rates["no_warmup"][0] == pytest.approx([broken.HEAD_RATE, broken.RATE])
    assert rates["none"][0][0] < broken.HEAD_RATE
    assert len(rates["stale_clipping"][0]) == 1
    assert rates["one_eta_min"][1][1] > rates["one_eta_min"][0][1]
    assert rates["none"][1][1] < broken.RATE / 50
    images = torch.full((1, 1, 2, 2), 255, dtype=torch.uint8)
    assert broken.prepared(images, "wrong_range").max() == 255
    assert broken.prepared(images, "half_precision").dtype == torch.float16
    logits, labels = torch.tensor([[9.0, -9.0]]), torch.tensor([0])
    assert broken.loss_of(logits, labels, "softmax_twice") > 0.3
    assert broken.loss_of(logits, labels, "none") < 1e-6


def test_a_run_that_ends_in_nan_is_written_down_and_left(monkeypatch):
    toy = make_dataset(64)
    monkeypatch.setattr("helpers.datasets.load", lambda *_, **__: toy)
    monkeypatch.setattr(broken, "N_TRAIN", 16)
    monkeypatch.setattr(broken, "N_VAL", 16)
    monkeypatch.setattr(broken, "EPOCHS", 2)
    assert len(broken.measure(broken.Cell("none", 0))) == 2
    monkeypatch.setattr(broken, "loss_of", lambda logits, *_: logits.sum() * float("nan"))
    (row,) = broken.measure(broken.Cell("none", 0))
    assert np.isnan(row["train_loss"])
    assert row["val_auc"] is None
