"""Every checker accepts a right answer and names what is wrong with each typical wrong one."""

import copy

import pytest
import torch
from torch import nn

from helpers import checks


def freeze_right(net):
    net.requires_grad_(False)
    net.fc = nn.Linear(8, 2)
    backbone = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    plain_train = net.train

    def train(mode=True):
        plain_train(mode)
        for module in backbone:
            module.eval()
        return net

    net.train = train
    return net


def freeze_head_too(net):
    net.fc = nn.Linear(8, 2)
    return net.requires_grad_(False)


def freeze_without_batchnorm(net):
    net.requires_grad_(False)
    net.fc = nn.Linear(8, 2)
    return net.eval()


def freeze_half(net):
    net.conv.requires_grad_(False)
    net.fc = nn.Linear(8, 2)
    return net


def freeze_old_head(net):
    net.requires_grad_(False)
    net.fc.requires_grad_(True)
    return net


def freeze_nothing_returned(net):
    net.requires_grad_(False)


def not_written(net):
    raise NotImplementedError


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (freeze_head_too, "head is frozen too"),
        (freeze_without_batchnorm, "running_mean moved"),
        (freeze_half, "bn.bias still trains"),
        (freeze_old_head, "2 logits"),
        (freeze_nothing_returned, "return the network"),
        (not_written, "nothing here yet"),
        (lambda net: net.head, "raised AttributeError"),
    ],
)
def test_freeze_backbone_rejects(answer, says):
    verdict = checks.freeze_backbone(answer)
    assert not verdict.right
    assert says in verdict.message


def test_freeze_backbone_accepts():
    assert checks.freeze_backbone(freeze_right).right


RATES = {"fc": 1e-2, "layer2": 1e-3, "layer1": 5e-4, "bn": 2.5e-4, "conv": 2.5e-4}


def groups_right(net, rates=RATES):
    return [
        {"params": [p], "lr": lr, "weight_decay": 0.0 if p.ndim == 1 else 1e-4}
        for part, lr in rates.items()
        for p in getattr(net, part).parameters()
    ]


def groups_without_stem(net):
    return groups_right(net, {k: v for k, v in RATES.items() if k not in ("bn", "conv")})


def groups_twice(net):
    return groups_right(net) + groups_right(net)[:1]


def groups_one_rate(net):
    return groups_right(net, dict.fromkeys(RATES, 1e-3))


def groups_decay_all(net):
    return [{**group, "weight_decay": 1e-4} for group in groups_right(net)]


def groups_decay_none(net):
    return [{**group, "weight_decay": 0.0} for group in groups_right(net)]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (groups_without_stem, "conv.weight is in no group"),
        (groups_twice, "is in 2 groups"),
        (groups_one_rate, "has the rate 0.001"),
        (groups_decay_all, "is a vector and is decayed"),
        (groups_decay_none, "is decayed by 0; 1e-4"),
        (lambda net: net.parameters(), "list of dicts"),
        (lambda net: [], "groups are empty"),
        (not_written, "nothing here yet"),
    ],
)
def test_parameter_groups_rejects(answer, says):
    verdict = checks.parameter_groups(answer)
    assert not verdict.right
    assert says in verdict.message


def test_parameter_groups_accepts():
    assert checks.parameter_groups(groups_right).right


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda net: net.state_dict(), "changed with the network"),
        (lambda net: dict(net.state_dict()), "changed with the network"),
        (lambda net: copy.copy(net.state_dict()), "changed with the network"),
        (lambda net: {n: p.clone() for n, p in net.named_parameters()}, "buffers included"),
        (lambda net: net, "return a dict"),
        (not_written, "nothing here yet"),
    ],
)
def test_keep_best_rejects(answer, says):
    verdict = checks.keep_best(answer)
    assert not verdict.right
    assert says in verdict.message


@pytest.mark.parametrize(
    "answer",
    [
        lambda net: copy.deepcopy(net.state_dict()),
        lambda net: {name: value.clone() for name, value in net.state_dict().items()},
    ],
)
def test_keep_best_accepts(answer):
    assert checks.keep_best(answer).right


@pytest.mark.parametrize("answer", [524_800, 524_544, 525_056, 4_098, 1, "525058", 525_058.0])
def test_head_parameters_rejects(answer):
    assert not checks.head_parameters(answer).right


def test_head_parameters_accepts_what_torch_counts():
    head = nn.Sequential(nn.Linear(2048, 256), nn.ReLU(), nn.Dropout(0.5), nn.Linear(256, 2))
    assert checks.head_parameters(sum(p.numel() for p in head.parameters())).right


def test_a_verdict_reads_as_one_line():
    assert repr(checks.Verdict(True, "good.")) == "✔ good."
    assert repr(checks.Verdict(False, "bad.")) == "✘ bad."


def test_checkers_do_not_depend_on_the_callers_random_state():
    torch.manual_seed(5)
    assert checks.freeze_backbone(freeze_right).right
