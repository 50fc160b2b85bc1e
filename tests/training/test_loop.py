import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from helpers.datasets import views
from helpers.errors import CourseError
from helpers.networks import backbones
from helpers.training import checkpoints, devices, loop, strategies
from helpers.training.predict import evaluate, predict
from helpers.training.recipe import Recipe, phase_ends
from tests.conftest import make_dataset, tiny_backbone

SHORT = Recipe(epochs=4, batch_size=8)


def build(strategy=None):
    strategy = strategy or strategies.full_finetune()
    model = tiny_backbone()
    torch.manual_seed(0)
    model.replace_head(backbones.HEADS[strategy.head](model.n_features, 2))
    return strategies.apply(model, strategy)


def fit(data, strategy=None, recipe=SHORT, **options):
    strategy = strategy or strategies.full_finetune()
    return loop.fit(build(strategy), data, strategy, recipe, **options)


def test_the_real_network_trains(toy):
    strategy = strategies.partial_finetune(last=1)
    model = strategies.build(strategy, n_classes=2, channels=1)
    run = loop.fit(model, toy, strategy, Recipe(epochs=3, batch_size=8))
    assert run.history[-1]["train_loss"] < run.history[0]["train_loss"]


@pytest.mark.parametrize("maker", list(strategies.STRATEGIES.values()), ids=lambda m: m.__name__)
def test_every_strategy_runs_and_records_its_epochs(toy, maker):
    run = fit(toy, maker())
    assert [row["epoch"] for row in run.history] == [1, 2, 3, 4]
    assert {"train_loss", "val_loss", "val_auc", "val_accuracy", "lr"} <= set(run.history[0])
    assert run.trainable == strategies.count_trainable(run.model)
    assert not run.model.training


def test_it_learns_what_can_be_seen():
    strategy = strategies.full_finetune(head_lr=0.05, backbone_lr=0.05)
    run = fit(make_dataset(n=48), strategy, Recipe(epochs=6, batch_size=8))
    assert run.history[-1]["train_loss"] < 0.5 * run.history[0]["train_loss"]
    assert evaluate(run.model, make_dataset(n=48).test).auc > 0.9


def test_only_what_should_train_changes(toy):
    strategy = strategies.partial_finetune(last=1)
    model = build(strategy)
    before = {name: value.clone() for name, value in model.net.state_dict().items()}
    loop.fit(model, toy, strategy, SHORT)
    changed = {
        name.split(".")[0]
        for name, value in model.net.state_dict().items()
        if not torch.equal(value, before[name])
    }
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


def test_test_split_is_never_read_while_fitting(toy):
    class Forbidden:
        def __getattr__(self, name):
            raise AssertionError(f"fit looked at the test split ({name})")

    fit(replace(toy, test=Forbidden()))


def test_same_seed_same_run_and_other_seed_other_run(toy):
    one, same, other = (fit(toy, seed=s) for s in (0, 0, 1))
    losses = [[row["train_loss"] for row in run.history] for run in (one, same, other)]
    assert losses[0] == losses[1] != losses[2]


@pytest.mark.parametrize("strategy", [strategies.full_finetune(head="mlp"), strategies.lp_ft()],
                         ids=lambda s: s.name)  # fmt: skip
@pytest.mark.parametrize("killed_after", [1, 2, 3])
def test_a_killed_run_goes_on_as_if_nothing_had_happened(toy, tmp_path, strategy, killed_after):
    def kill(row):
        if row["epoch"] == killed_after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(toy, strategy, folder=tmp_path, on_epoch=kill)
    resumed = fit(toy, strategy, folder=tmp_path)
    whole = fit(toy, strategy)
    assert [r["train_loss"] for r in resumed.history] == [r["train_loss"] for r in whole.history]
    state = whole.model.state_dict()
    assert all(torch.equal(v, state[k]) for k, v in resumed.model.state_dict().items())


def test_a_finished_run_is_not_trained_again(toy, tmp_path):
    first = fit(toy, folder=tmp_path)
    again = fit(toy, folder=tmp_path, on_epoch=lambda row: pytest.fail("it trained again"))
    assert again.history == first.history
    assert again.best_epoch == first.best_epoch
    assert again.trainable == first.trainable > 0
    assert again.frozen_front == first.frozen_front


def test_a_folder_with_another_run_is_refused(toy, tmp_path):
    fit(toy, folder=tmp_path)
    with pytest.raises(CourseError, match="belongs to another run"):
        fit(toy, folder=tmp_path, seed=1)


def other_weights(model, data):
    with torch.no_grad():
        model.net.conv.weight.mul_(1.5)  # another gray stem, say


def other_labels(model, data):
    data.train.labels[:] = 1 - data.train.labels  # another threshold


def other_images(model, data):
    data.train.images[0, 0, 0, 0] ^= 1


@pytest.mark.parametrize("change", [other_weights, other_labels, other_images])
def test_a_run_from_other_weights_or_data_is_another_run(toy, tmp_path, change):
    fit(toy, folder=tmp_path)
    model, strategy = build(), strategies.full_finetune()
    change(model, toy)
    with pytest.raises(CourseError, match="belongs to another run"):
        loop.fit(model, toy, strategy, SHORT, folder=tmp_path)


def test_other_views_are_another_run(toy, tmp_path):
    fit(toy, folder=tmp_path, views=views.dihedral(4))
    with pytest.raises(CourseError, match="belongs to another run"):
        fit(toy, folder=tmp_path, views=views.nudged(4))


def test_a_damaged_saved_run_is_said(toy, tmp_path):
    (tmp_path / checkpoints.STATE).write_bytes(b"half a file")
    with pytest.raises(CourseError, match=r"cannot be read\. Delete it"):
        fit(toy, folder=tmp_path)


def test_the_mean_of_the_last_epochs_is_their_mean(toy):
    states = []
    strategy = strategies.full_finetune()
    model = build(strategy)

    def remember(row):
        states.append({n: v.clone() for n, v in model.state_dict().items()})

    recipe = Recipe(epochs=5, batch_size=8, average=3)
    run = loop.fit(model, toy, strategy, recipe, on_epoch=remember)
    for name, value in run.model.state_dict().items():
        mean = torch.stack([state[name].double() for state in states[-3:]]).mean(dim=0)
        assert torch.allclose(value.double(), mean, atol=1e-6), name
    assert run.best_epoch == 5


@pytest.mark.parametrize("killed_after", [3, 4])
def test_a_mean_survives_a_kill(toy, tmp_path, killed_after):
    recipe = Recipe(epochs=5, batch_size=8, average=3)

    def kill(row):
        if row["epoch"] == killed_after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(toy, recipe=recipe, folder=tmp_path, on_epoch=kill)
    resumed = fit(toy, recipe=recipe, folder=tmp_path).model.state_dict()
    whole = fit(toy, recipe=recipe).model.state_dict()
    assert all(torch.equal(value, whole[name]) for name, value in resumed.items())


def test_nan_before_the_first_epoch_is_an_error(toy):
    strategy = strategies.full_finetune(head_lr=math.inf, backbone_lr=math.inf)
    with pytest.raises(CourseError, match=r"NaN or infinite in epoch 1.*Lower the learning rates"):
        fit(toy, strategy)


def test_nan_later_keeps_the_last_good_epoch(toy):
    calls = iter(range(1000))

    def poison(images):
        return images * math.nan if next(calls) >= 2 * 3 else images  # from the third epoch on

    run = fit(toy, augment=poison)
    assert "NaN or infinite in epoch 3" in run.stopped
    assert f"epoch {run.best_epoch} are kept" in run.stopped
    assert len(run.history) == 2
    assert np.isfinite(predict(run.model, toy.val)).all()


def test_nan_in_the_last_step_of_an_epoch_is_not_kept(toy):
    """The training loss is still finite then; only validation shows it."""
    model, strategy, calls = build(), strategies.full_finetune(), iter(range(1000))

    def poison():
        if next(calls) == 2 * 3 + 2:  # after the last step of the third epoch
            with torch.no_grad():
                model.net.fc.weight.fill_(math.nan)
        return False

    run = loop.fit(model, toy, strategy, SHORT, should_stop=poison)
    assert "NaN or infinite in epoch 3" in run.stopped
    assert run.best_epoch in (1, 2)
    assert np.isfinite(predict(run.model, toy.val)).all()


def test_lp_ft_with_patience_keeps_its_epochs_and_resumes_where_it_ended(toy, tmp_path):
    recipe = Recipe(epochs=8, batch_size=8, patience=1)
    strategy = strategies.lp_ft(head_lr=0.0, backbone_lr=0.0, batchnorm="eval")
    run = fit(toy, strategy, recipe, folder=tmp_path)
    assert [row["epoch"] for row in run.history] == [1, 2, 5]
    assert run.best["epoch"] == run.best_epoch == 1
    again = fit(toy, strategy, recipe, folder=tmp_path)
    assert again.history == run.history, "an early-stopped run is finished"


@pytest.mark.parametrize(
    "options", [{"average": -1}, {"average": 5}, {"average": 2, "patience": 1}]
)
def test_impossible_means_are_said(options):
    with pytest.raises(CourseError, match="average = "):
        Recipe(epochs=4, **options)


def test_a_mean_that_reaches_into_the_probe_is_said(toy):
    with pytest.raises(CourseError, match="the last phase of lp_ft has 2 of the 4 epochs"):
        fit(toy, strategies.lp_ft(), Recipe(epochs=4, batch_size=8, average=3))


def test_the_model_comes_back_to_the_cpu_in_eval_mode(toy):
    run = fit(toy)
    assert {p.device.type for p in run.model.parameters()} == {"cpu"}
    assert not run.model.training


def test_stop_by_hand_keeps_what_was_learned(toy):
    steps = iter(range(1000))
    run = fit(toy, should_stop=lambda: next(steps) >= 4)
    assert run.stopped.startswith("Stopped by hand in epoch 2")
    assert len(run.history) == 1


def test_early_stopping_counts_epochs_without_a_better_one(toy):
    frozen = strategies.full_finetune(head_lr=0.0, backbone_lr=0.0, batchnorm="eval")
    run = fit(toy, frozen, recipe=Recipe(epochs=9, batch_size=8, patience=2))
    assert run.best_epoch == 1
    assert len(run.history) == 3


def test_rates_warm_up_and_end_at_a_fraction_of_each_groups_own(toy, monkeypatch):
    recorded = []
    step = torch.optim.AdamW.step

    def record(self, *arguments, **options):
        recorded.append([group["lr"] for group in self.param_groups])
        return step(self, *arguments, **options)

    monkeypatch.setattr(torch.optim.AdamW, "step", record)
    strategy = strategies.full_finetune(head_lr=1e-2, backbone_lr=1e-3)
    run = fit(toy, strategy, recipe=Recipe(epochs=4, batch_size=8, warmup=0.25, floor=0.1))
    peaks = [g["lr"] for g in strategies.param_groups(run.model, strategy)]
    assert len(recorded) == 4 * 3
    assert recorded[0] == pytest.approx([p / 4 for p in peaks])
    assert recorded[3] == pytest.approx(peaks)
    assert recorded[-1] == pytest.approx([0.1 * p for p in peaks])
    assert run.history[-1]["lr"] == recorded[-1][-1], "the rate of the last step, not of the next"


def test_no_image_is_left_out_and_no_batch_is_tiny():
    data, seen = make_dataset(n=25), []
    data.train.images[:, 0, 0, 0] = np.arange(25)  # a mark on every image

    def look(images):
        seen.append(images[:, 0, 0, 0].tolist())
        return images

    fit(data, recipe=Recipe(epochs=1, batch_size=8), augment=look)
    assert sorted(mark for marks in seen for mark in marks) == list(range(25))
    assert min(map(len, seen)) >= 6


def test_class_weights_even_out_the_classes():
    weights = loop.class_weights(np.array([0] * 30 + [1] * 10), n_classes=2)
    assert weights.tolist() == pytest.approx([2 / 3, 2.0])
    assert float(weights[0] * 30 + weights[1] * 10) == pytest.approx(40)


def test_a_class_without_an_image_has_weight_1():
    assert loop.class_weights(np.array([0, 0, 2, 2]), n_classes=3).tolist() == [1, 1, 1]


def test_a_state_of_the_old_format_is_another_run(toy, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "FORMAT", 1)
    fit(toy, folder=tmp_path)
    monkeypatch.undo()
    with pytest.raises(CourseError, match="belongs to another run"):
        fit(toy, folder=tmp_path)


@pytest.mark.parametrize(
    ("share", "epochs", "ends"), [(0.5, 8, [4, 8]), (0.01, 4, [1, 4]), (0.99, 4, [3, 4])]
)
def test_every_phase_gets_an_epoch(share, epochs, ends):
    assert phase_ends(strategies.lp_ft(probe_share=share), epochs) == ends


def test_fewer_epochs_than_phases_is_said():
    with pytest.raises(CourseError, match="lp_ft has 2 phases"):
        phase_ends(strategies.lp_ft(), 1)


@pytest.mark.parametrize("options", [{"epochs": 0}, {"batch_size": 1}])
def test_impossible_recipes_are_said(options):
    with pytest.raises(CourseError, match="at least one epoch and two images"):
        Recipe(**options)


def test_an_accelerator_that_is_not_there_is_said():
    if torch.cuda.is_available():
        pytest.skip("this machine has the accelerator that the test asks for in vain")
    with pytest.raises(CourseError, match=r"accelerator='cuda'.*Use accelerator='auto'"):
        devices.start("cuda")


def test_certain_targets_are_the_labels():
    data = make_dataset(n=48)
    strategy = strategies.full_finetune(head_lr=0.05, backbone_lr=0.05)
    certain = np.eye(2)[data.train.labels]
    by_label, by_target = fit(data, strategy), fit(data, strategy, targets=certain)
    assert by_target.history[-1]["train_loss"] == pytest.approx(
        by_label.history[-1]["train_loss"], abs=1e-4
    )


def test_vague_targets_cannot_be_learned_below_their_entropy():
    data = make_dataset(n=48)
    strategy = strategies.full_finetune(head_lr=0.05, backbone_lr=0.05)
    vague = 0.5 * np.eye(2)[data.train.labels] + 0.25
    run = fit(data, strategy, Recipe(epochs=6, batch_size=8), targets=vague)
    entropy = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    assert entropy < run.history[-1]["train_loss"] < math.log(2)
