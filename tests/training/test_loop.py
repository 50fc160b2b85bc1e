import itertools
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight
from torch import nn

from helpers.datasets import views
from helpers.errors import CourseError
from helpers.training import checkpoints, devices, loop, metrics, strategies
from helpers.training.predict import evaluate, predict
from helpers.training.recipe import Recipe, phase_ends
from tests.conftest import make_dataset, same_weights
from tests.training.conftest import FAST, SHORT, build, fit, losses


@pytest.mark.parametrize("maker", list(strategies.STRATEGIES.values()), ids=lambda m: m.__name__)
def test_every_strategy_trains_without_a_test_part_and_comes_back_in_eval_mode_on_the_cpu(
    toy, maker
):
    run = fit(replace(toy, test=None), maker())  # looking at the test part would fail
    assert [row["epoch"] for row in run.history] == [1, 2, 3, 4]
    assert {"train_loss", "val_loss", "val_auc", "val_accuracy", "lr"} <= set(run.history[0])
    assert run.trainable == strategies.count_trainable(run.model)
    assert not run.model.training
    assert {p.device.type for p in run.model.parameters()} == {"cpu"}


def test_it_learns_what_can_be_seen():
    run = fit(make_dataset(n=48), FAST, Recipe(epochs=6, batch_size=8))
    assert losses(run)[-1] < 0.5 * losses(run)[0]
    assert evaluate(run.model, make_dataset(n=48).test).auc > 0.9


def test_only_what_should_train_changes(toy):
    strategy = strategies.partial_finetune(last=1)
    before, after = build(strategy).net, fit(toy, strategy).model.net
    changed = {name for name, part in before.named_children()
               if not same_weights(part, after.get_submodule(name))}  # fmt: skip
    assert changed == {"stage3", "fc"}


def test_the_best_epoch_is_a_copy_chosen_on_validation(toy):
    seen = {}

    def remember(row):
        seen[row["epoch"]] = (row["val_auc"], -row["val_loss"])

    run = fit(toy, on_epoch=remember)
    assert seen[run.best_epoch] == max(seen.values())
    probabilities = predict(run.model, toy.val)
    best = run.history[run.best_epoch - 1]
    assert (probabilities.argmax(1) == toy.val.labels).mean() == pytest.approx(best["val_accuracy"])


def test_same_seed_same_run_and_other_seed_other_run(toy):
    one, same, other = (losses(fit(toy, seed=s)) for s in (0, 0, 1))
    assert one == same != other


MEAN = Recipe(epochs=5, batch_size=8, average=3)


@pytest.mark.parametrize(
    ("strategy", "recipe", "killed_after"),
    [
        *((strategies.full_finetune(head="mlp"), SHORT, epoch) for epoch in (1, 2, 3)),
        *((strategies.lp_ft(), SHORT, epoch) for epoch in (1, 2, 3)),
        *((strategies.full_finetune(), MEAN, epoch) for epoch in (3, 4)),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_a_killed_run_goes_on_as_if_nothing_had_happened(
    toy, tmp_path, strategy, recipe, killed_after
):
    def kill(row):
        if row["epoch"] == killed_after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(toy, strategy, recipe, folder=tmp_path, on_epoch=kill)
    resumed = fit(toy, strategy, recipe, folder=tmp_path)
    whole = fit(toy, strategy, recipe)
    assert losses(resumed) == losses(whole)
    assert same_weights(resumed.model, whole.model)


def test_a_finished_run_is_not_trained_again(toy, tmp_path):
    first = fit(toy, folder=tmp_path)
    again = fit(toy, folder=tmp_path, on_epoch=lambda row: pytest.fail("it trained again"))
    assert again.trainable > 0
    assert again.state_dict() == first.state_dict()


@pytest.mark.parametrize(
    ("first", "then", "change"),
    [
        ({}, {"seed": 1}, lambda model, data: None),
        ({"views": views.dihedral(4)}, {"views": views.nudged(4)}, lambda model, data: None),
        ({}, {}, lambda model, data: model.net.conv.weight.data.mul_(1.5)),  # another gray stem
        ({}, {}, lambda model, data: np.copyto(data.train.labels, 1 - data.train.labels)),
        ({}, {}, lambda model, data: data.train.images[0, 0, 0].fill(255)),
    ],
    ids=["seed", "views", "weights", "labels", "an image"],
)
def test_a_folder_with_a_run_of_another_kind_is_refused(toy, tmp_path, first, then, change):
    fit(toy, folder=tmp_path, **first)
    model = build()
    change(model, toy)
    with pytest.raises(CourseError, match="belongs to another run"):
        loop.fit(model, toy, strategies.full_finetune(), SHORT, folder=tmp_path, **then)


def test_a_state_of_the_old_format_is_another_run(toy, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "FORMAT", 1)
        fit(toy, folder=tmp_path)
    with pytest.raises(CourseError, match="belongs to another run"):
        fit(toy, folder=tmp_path)


def test_a_damaged_saved_run_is_said(toy, tmp_path):
    (tmp_path / checkpoints.STATE).write_bytes(b"half a file")
    with pytest.raises(CourseError, match=r"cannot be read\. Delete it"):
        fit(toy, folder=tmp_path)


def test_a_state_that_does_not_fit_the_disk_ends_no_training(toy, tmp_path, monkeypatch):
    def full(_state, _path):
        raise RuntimeError("No space left on device")

    plain = fit(toy)
    monkeypatch.setattr(torch, "save", full)
    with pytest.warns(UserWarning, match=r"state\.pt cannot be written \(No space left.*goes on"):
        run = fit(toy, folder=tmp_path)
    assert losses(run) == losses(plain)
    assert list(tmp_path.iterdir()) == []


def test_the_mean_of_the_last_epochs_is_their_mean(toy):
    states, model = [], build()

    def remember(row):
        states.append({n: v.clone() for n, v in model.state_dict().items()})

    run = loop.fit(model, toy, strategies.full_finetune(), MEAN, on_epoch=remember)
    for name, value in run.model.state_dict().items():
        mean = torch.stack([state[name].double() for state in states[-3:]]).mean(dim=0)
        assert torch.allclose(value.double(), mean, atol=1e-6), name
    assert run.best_epoch == 5


def test_nan_before_the_first_epoch_is_an_error(toy):
    strategy = strategies.full_finetune(head_lr=math.inf, backbone_lr=math.inf)
    with pytest.raises(CourseError, match=r"NaN or infinite in epoch 1.*Lower the learning rates"):
        fit(toy, strategy)


@pytest.mark.parametrize("where", ["loss", "last step"])
def test_nan_later_keeps_the_last_good_epoch(toy, where):
    """After the last step of an epoch its training loss is still finite: validation shows it."""
    model, steps = build(), iter(range(1, 1000))

    def poisoned_images(images):
        return images * math.nan if next(steps) > 2 * 3 else images  # from the third epoch on

    def poisoned_weights():
        if next(steps) == 3 * 3:  # the last step of the third epoch
            model.net.fc.weight.data.fill_(math.nan)
        return False

    poison = {"augment": poisoned_images} if where == "loss" else {"should_stop": poisoned_weights}
    run = loop.fit(model, toy, strategies.full_finetune(), SHORT, **poison)
    assert "NaN or infinite in epoch 3" in run.stopped
    assert f"epoch {run.best_epoch} are kept" in run.stopped
    assert len(run.history) == 2
    assert np.isfinite(predict(run.model, toy.val)).all()


@pytest.mark.parametrize(
    ("make", "recipe", "epochs"),
    [
        (strategies.full_finetune, Recipe(epochs=9, batch_size=8, patience=2), [1, 2, 3]),
        (strategies.lp_ft, Recipe(epochs=8, batch_size=8, patience=1), [1, 2, 5]),
    ],
)
def test_patience_counts_epochs_without_a_better_one_in_each_phase(
    toy, tmp_path, make, recipe, epochs
):
    frozen = make(head_lr=0.0, backbone_lr=0.0, batchnorm="eval")
    run, again = (fit(toy, frozen, recipe, folder=tmp_path) for _ in range(2))
    assert [row["epoch"] for row in run.history] == epochs
    assert run.best["epoch"] == run.best_epoch == 1
    assert again.history == run.history, "an early-stopped run is finished"


def test_stop_by_hand_keeps_what_was_learned(toy):
    steps = iter(range(1000))
    run = fit(toy, should_stop=lambda: next(steps) >= 4)
    assert run.stopped.startswith("Stopped by hand in epoch 2")
    assert len(run.history) == 1


@pytest.mark.parametrize(
    ("recipe", "rising"),
    [
        (Recipe(epochs=4, batch_size=8, warmup=0.25, floor=0.1), [1 / 4, 2 / 4, 3 / 4]),
        (Recipe(epochs=4, batch_size=8, warmup=0, floor=0.1), []),
        (Recipe(epochs=1, batch_size=24, warmup=0, floor=0.1), []),  # a single step
    ],
)
def test_rates_warm_up_and_fall_to_a_fraction_of_each_groups_own(toy, monkeypatch, recipe, rising):
    recorded = []
    step = torch.optim.AdamW.step

    def record(self, *arguments, **options):
        recorded.append([group["lr"] for group in self.param_groups])
        return step(self, *arguments, **options)

    monkeypatch.setattr(torch.optim.AdamW, "step", record)
    strategy = strategies.full_finetune(head_lr=1e-2, backbone_lr=1e-3)
    run = fit(toy, strategy, recipe)
    peaks = [g["lr"] for g in strategies.param_groups(run.model, strategy)]
    factors = np.array(recorded) / peaks
    assert len(factors) == recipe.epochs * 24 / recipe.batch_size
    assert np.allclose(factors, factors[:, :1]), "one factor for all groups"
    one = factors[:, 0].tolist()
    assert one[: len(rising) + 1] == pytest.approx([*rising, 1])
    assert one[-1] == pytest.approx(0.1 if len(one) > 1 else 1)
    assert all(a > b for a, b in itertools.pairwise(one[len(rising) :]))
    assert run.history[-1]["lr"] == recorded[-1][-1], "the rate of the last step, not of the next"


@pytest.mark.parametrize(("batch_size", "least"), [(8, 6), (2, 2), (3, 2)])
def test_no_image_is_left_out_and_no_batch_is_tiny(batch_size, least):
    """Of a single image BatchNorm has no statistics, and training would end in an error."""
    data, seen = make_dataset(n=25), []
    data.train.images[:, 0, 0, 0] = np.arange(25)  # a mark on every image

    def look(images):
        seen.append(images[:, 0, 0, 0].tolist())
        return images

    fit(data, recipe=Recipe(epochs=1, batch_size=batch_size), augment=look)
    assert sorted(mark for marks in seen for mark in marks) == list(range(25))
    assert min(map(len, seen)) >= least


def test_class_weights_are_scikit_learns_and_1_for_a_class_without_an_image():
    labels = np.array([0] * 30 + [2] * 10)
    theirs = compute_class_weight("balanced", classes=np.array([0, 2]), y=labels)
    ours = loop.class_weights(labels, n_classes=3).tolist()
    assert ours == pytest.approx([theirs[0], 1, theirs[1]])


@pytest.mark.parametrize(
    ("share", "epochs", "ends"), [(0.5, 8, [4, 8]), (0.01, 4, [1, 4]), (0.99, 4, [3, 4])]
)
def test_every_phase_gets_an_epoch(share, epochs, ends):
    assert phase_ends(strategies.lp_ft(probe_share=share), epochs) == ends


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"epochs": 0}, "at least one epoch and two images"),
        ({"batch_size": 1}, "at least one epoch and two images"),
        ({"clip": -1.0}, r"clip = -1\.0 must be a number above 0"),
        ({"clip": math.nan}, "clip = nan must be a number above 0"),
        ({"warmup": 1.5}, r"warmup = 1\.5 .* shares from 0 to 1"),
        ({"floor": -0.1}, r"floor = -0\.1 are shares from 0 to 1"),
        ({"patience": 0}, "patience = 0: give 1 or more epochs"),
        ({"average": -1}, "average = "),
        ({"average": 5}, "average = "),
        ({"average": 2, "patience": 1}, "average = "),
        ({"average": 3}, "the last phase of lp_ft has 2 of the 4 epochs"),
        ({"epochs": 1}, "lp_ft has 2 phases"),
    ],
)
def test_impossible_recipes_are_said(toy, options, says):
    with pytest.raises(CourseError, match=says):
        fit(toy, strategies.lp_ft(), Recipe(**{"epochs": 4, "batch_size": 8} | options))


def test_an_accelerator_that_is_not_there_is_said():
    if torch.cuda.is_available():
        pytest.skip("this machine has the accelerator that the test asks for in vain")
    with pytest.raises(CourseError, match=r"accelerator='cuda'.*Use accelerator='auto'"):
        devices.start("cuda")


def test_certain_targets_are_the_labels_and_vague_ones_stay_above_their_entropy():
    data = make_dataset(n=48)
    certain = np.eye(2)[data.train.labels]
    by_label, by_target = (losses(fit(data, FAST, targets=t))[-1] for t in (None, certain))
    assert by_target == pytest.approx(by_label, abs=1e-4)
    run = fit(data, FAST, Recipe(epochs=6, batch_size=8), targets=0.5 * certain + 0.25)
    entropy = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    assert entropy < losses(run)[-1] < math.log(2)


def test_a_bar_is_drawn_by_the_main_thread_alone(toy, monkeypatch):
    bars = []
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    monkeypatch.setattr(loop, "tqdm", lambda epochs, **options: bars.append(options) or epochs)
    fit(toy, strategies.feature_extraction(), Recipe(epochs=1))
    with ThreadPoolExecutor(1) as pool:
        pool.submit(fit, toy, strategies.feature_extraction(), Recipe(epochs=1)).result()
    assert [bar["disable"] for bar in bars] == [False, True]


def test_the_surest_answers_keep_their_order(toy):
    """1 / (1 + exp(-20)) and 1 / (1 + exp(-30)) are 1 in single precision, and of 40 in double."""

    class Sure(nn.Module):
        def __init__(self, base):
            super().__init__()
            self.base, self.weight = base, nn.Parameter(torch.zeros(1))

        def forward(self, x):
            odds = self.base + 10 * (torch.arange(len(x)) % 2)
            return torch.stack([torch.zeros(len(x)), odds], dim=1) + 0 * self.weight

    for base in (20.0, 40.0):
        told = predict(Sure(base), toy.val)
        assert len(np.unique(told[:, 0])) == 2
        assert metrics.auc(np.arange(len(told)) % 2, told) == 1
