import pytest
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from helpers.errors import CourseError
from helpers.training import strategies
from tests.conftest import make_split

ALL_STRATEGIES = [
    strategies.scratch(),
    strategies.feature_extraction(),
    strategies.partial_finetune(last=2),
    strategies.full_finetune(),
    strategies.lp_ft(),
]
NETS = ["efficientnet_lite0", "resnet18"]


def build(strategy, name="efficientnet_lite0", **options):
    if strategy.pretrained:
        options.setdefault("weights", None)  # what trains does not depend on the values
    return strategies.build(strategy, name, n_classes=2, **options)


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("strategy", ALL_STRATEGIES, ids=lambda s: s.name)
def test_every_trainable_parameter_is_in_exactly_one_group(strategy, name):
    model = build(strategy, name, channels=1)
    for phase in range(len(strategy.phases)):
        strategies.apply(model, strategy, phase)
        grouped = [id(p) for g in strategies.param_groups(model, strategy, phase)
                   for p in g["params"]]  # fmt: skip
        trainable = [id(p) for p in model.parameters() if p.requires_grad]
        assert sorted(grouped) == sorted(trainable)
        assert len(set(grouped)) == len(grouped)


@pytest.mark.parametrize("name", NETS)
def test_batchnorm_and_biases_are_not_decayed(name):
    strategy = strategies.full_finetune(weight_decay=0.05)
    model = build(strategy, name)
    decay = {id(p): g["weight_decay"] for g in strategies.param_groups(model, strategy)
             for p in g["params"]}  # fmt: skip
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            assert decay[id(module.weight)] == decay[id(module.bias)] == 0
        if isinstance(module, nn.Conv2d):
            assert decay[id(module.weight)] == 0.05
    assert decay[id(model.head.bias)] == 0


@pytest.mark.parametrize(
    ("strategy", "count"),
    [
        (strategies.feature_extraction(head="mlp"), 525_058),
        (strategies.feature_extraction(), 2_048 * 2 + 2),
        (strategies.partial_finetune(last=2), 7_098_368 + 14_964_736 + 4_098),
        (strategies.full_finetune(), 25_557_032 - 2_049_000 + 4_098),
    ],
    ids=["mlp head", "linear head", "layer3 + layer4 + head", "all"],
)
def test_resnet50_counts_of_the_lesson(strategy, count):
    assert strategies.count_trainable(build(strategy, "resnet50")) == count


def test_rates_fall_towards_the_image():
    strategy = strategies.full_finetune(head_lr=0.01, backbone_lr=0.001, decay=0.5)
    model = build(strategy, "resnet18")
    rates = strategies.learning_rates(model, strategy.phases[0])
    assert rates == pytest.approx(
        {"stem": 0.001 / 16, "stage1": 0.001 / 8, "stage2": 0.001 / 4, "stage3": 0.0005,
         "stage4": 0.001, "head": 0.01}
    )  # fmt: skip
    assert list(rates) == list(model.part_names)


@pytest.mark.parametrize(
    ("policy", "moved"),
    [("follow", {"stage7"}), ("eval", set()), ("train", {"stem", "stage1", "stage7"})],
)
def test_batchnorm_statistics_move_only_where_the_policy_says(policy, moved):
    strategy = strategies.partial_finetune(last=1, batchnorm=policy)
    model = build(strategy, channels=1)
    net = model.net
    watched = {"stem": net.bn1, "stage1": net.blocks[0][0].bn1, "stage7": net.bn2}
    before = {name: bn.running_mean.clone() for name, bn in watched.items()}
    model.eval()
    model.train()  # what every training loop calls; it must not undo the freezing
    images = torch.from_numpy(make_split(4).images).permute(0, 3, 1, 2)
    model(images)
    now_moved = {n for n, bn in watched.items() if not torch.equal(bn.running_mean, before[n])}
    assert now_moved == moved


def test_scratch_ignores_the_pretrained_weights_and_follows_its_seed_and_not_the_callers():
    before = torch.get_rng_state()
    one, same, other = (build(strategies.scratch(), seed=s) for s in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(one.stem_conv.weight, same.stem_conv.weight)
    assert not torch.equal(one.stem_conv.weight, other.stem_conv.weight)
    pretrained = strategies.build(strategies.full_finetune(), n_classes=2)
    assert not torch.equal(one.stem_conv.weight, pretrained.stem_conv.weight)


def test_lp_ft_is_a_probe_and_then_a_full_finetune():
    strategy = strategies.lp_ft()
    model = build(strategy)
    assert strategies.trainable_parts(model, strategy.phases[0]) == ("head",)
    assert strategies.trainable_parts(model, strategy.phases[1]) == model.part_names


def test_summary_says_what_trains_and_what_batchnorm_does():
    strategy = strategies.partial_finetune(last=1, batchnorm="follow")
    table = strategies.summary(build(strategy), strategy)
    assert table.index[table["trains"]].tolist() == ["stage7", "head"]
    assert table.loc["stage6", "batchnorm statistics"] == "rests"
    assert table.loc["stage7", "batchnorm statistics"] == "moves"
    assert table.loc["head", "batchnorm statistics"] == "none"
    assert table["parameters"].sum() == 3_371_008 + 2 * 1280 + 2


def test_names_tell_partial_depths_apart():
    names = [strategies.by_name("partial_finetune", last=k).name for k in (1, 2, 3)]
    assert names == ["partial_finetune_last1", "partial_finetune", "partial_finetune_last3"]


@pytest.mark.parametrize(
    ("make", "options", "says"),
    [
        (strategies.by_name, {"name": "full_fine_tune"}, r"'full_fine_tune'.*'full_finetune'"),
        (strategies.by_name, {"name": "scratch", "last": 2}, r"'scratch' does not take.*last"),
        *((strategies.partial_finetune, {"last": n}, "last must be 1, 2") for n in (0, -1, 1.5)),
        (strategies.feature_extraction, {"batchnorm": "frozen"}, "There is no BatchNorm policy"),
        (strategies.feature_extraction, {"head": "mpl"}, "There is no head"),
        (build, {"strategy": strategies.partial_finetune(last=5), "name": "resnet18"},
         "resnet18 has 4 stages, 5 were asked for"),
    ],
)  # fmt: skip
def test_a_strategy_that_cannot_be_is_said(make, options, says):
    with pytest.raises(CourseError, match=says):
        make(**options)
