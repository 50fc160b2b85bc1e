"""Every checker accepts a right answer and names what is wrong with each typical wrong one."""

import copy

import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import nn

from helpers.practice import start, strategies
from helpers.practice.checker import Checked


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


def freeze_by_momentum(net):
    net = freeze_without_batchnorm(net)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 0.0
    return net


def freeze_in_a_wrapper(net):
    net.requires_grad_(False)
    net.fc = nn.Sequential(nn.Linear(8, 2))

    class Wrapper(nn.Module):
        def __init__(self):
            super().__init__()
            self.network = net

        def forward(self, x):
            return self.network(x)

        def train(self, mode=True):
            super().train(mode)
            for module in self.network.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()
            return self

    return Wrapper()


def freeze_with_a_head_that_does_not_fit(net):
    net.requires_grad_(False)
    net.fc = nn.Linear(16, 2)
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
        (freeze_by_momentum, "still depend on its batch"),
        (freeze_with_a_head_that_does_not_fit, "raised RuntimeError"),
        (freeze_nothing_returned, "return the network"),
        (not_written, "nothing here yet"),
        (lambda net: net.head, "raised AttributeError"),
    ],
)
def test_freeze_backbone_rejects(answer, says):
    found = strategies.freeze_backbone(answer)
    assert not found.right
    assert says in found.message


@pytest.mark.parametrize("answer", [freeze_right, freeze_in_a_wrapper])
def test_freeze_backbone_accepts(answer):
    assert strategies.freeze_backbone(answer).right


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
        (groups_twice, "more than one parameter group"),
        (groups_one_rate, "has the rate 0.001"),
        (groups_decay_all, "is a vector and is decayed"),
        (groups_decay_none, "is decayed by 0; 1e-4"),
        (lambda net: net.parameters(), "list of dicts"),
        (lambda net: [], "groups are empty"),
        (not_written, "nothing here yet"),
    ],
)
def test_parameter_groups_rejects(answer, says):
    found = strategies.parameter_groups(answer)
    assert not found.right
    assert says in found.message


def groups_of_single_tensors(net):
    return [{**group, "params": group["params"][0]} for group in groups_right(net)]


@pytest.mark.parametrize("answer", [groups_right, groups_of_single_tensors])
def test_parameter_groups_accepts(answer):
    assert strategies.parameter_groups(answer).right


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda net: net.state_dict(), "changed with the network"),
        (lambda net: dict(net.state_dict()), "changed with the network"),
        (lambda net: copy.copy(net.state_dict()), "changed with the network"),
        (lambda net: {n: p.clone() for n, p in net.named_parameters()}, "buffers included"),
        (lambda net: net, "return a dict"),
        (lambda net: {n: v.numpy() for n, v in net.state_dict().items()}, "keep tensors"),
        (not_written, "nothing here yet"),
    ],
)
def test_keep_best_rejects(answer, says):
    found = strategies.keep_best(answer)
    assert not found.right
    assert says in found.message


@pytest.mark.parametrize(
    "answer",
    [
        lambda net: copy.deepcopy(net.state_dict()),
        lambda net: {name: value.clone() for name, value in net.state_dict().items()},
    ],
)
def test_keep_best_accepts(answer):
    assert strategies.keep_best(answer).right


@pytest.mark.parametrize("answer", [524_800, 524_544, 525_056, 4_098, 1, "525058", 525_058.0])
def test_head_parameters_rejects(answer):
    assert not strategies.head_parameters(answer).right


def test_head_parameters_accepts_what_torch_counts():
    head = nn.Sequential(nn.Linear(2048, 256), nn.ReLU(), nn.Dropout(0.5), nn.Linear(256, 2))
    assert strategies.head_parameters(sum(p.numel() for p in head.parameters())).right


def scaled(image):
    return torch.from_numpy(image).permute(2, 0, 1).unsqueeze(0).float() / 255


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda image: torch.from_numpy(image), "float tensor"),
        (lambda image: scaled(image)[0], "the shape is (3, 6, 5)"),
        (lambda image: (scaled(image) * 2 - 1).transpose(2, 3), "the shape is (1, 3, 5, 6)"),
        (lambda image: scaled(image) * 255, "run to 255"),
        (lambda image: scaled(image), "not normalised"),
        (lambda image: scaled(image) - 0.5, "divide by the standard deviation"),
        (lambda image: (scaled(image) * 2 - 1).flip(1), "right pixels"),
        (not_written, "nothing here yet"),
    ],
)
def test_network_input_rejects(answer, says):
    found = start.network_input(answer)
    assert not found.right
    assert says in found.message


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_network_input_accepts(dtype):
    assert start.network_input(lambda image: ((scaled(image) - 0.5) / 0.5).to(dtype)).right


def auc_share(negative, positive, tie=0.5):
    wins = [1.0 if p > n else tie if p == n else 0.0 for n in negative for p in positive]
    return sum(wins) / len(wins)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda n, p: auc_share(n, p, tie=0.0), "a tie"),
        (lambda n, p: auc_share(n, p, tie=1.0), "a tie"),
        (lambda n, p: 1 - auc_share(n, p), "upside down"),
        (lambda n, p: 0.9, "yours is 0.9"),
        (lambda n, p: [0.75], "one number"),
        (lambda n, p: n.missing, "raised AttributeError"),
    ],
)
def test_auc_by_hand_rejects(answer, says):
    found = start.auc_by_hand(answer)
    assert not found.right
    assert says in found.message


def sklearn_auc(negative, positive):
    labels = [0] * len(negative) + [1] * len(positive)
    return roc_auc_score(labels, [*negative, *positive])


def auc_in_torch(negative, positive):
    return torch.tensor(auc_share(negative, positive))


@pytest.mark.parametrize("answer", [auc_share, sklearn_auc, auc_in_torch])
def test_auc_by_hand_accepts(answer):
    assert start.auc_by_hand(answer).right


def test_what_a_checker_says_reads_as_one_line():
    assert repr(Checked(True, "good.")) == "✔ good."
    assert repr(Checked(False, "bad.")) == "✘ bad."
