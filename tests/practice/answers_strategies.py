"""Answers to the exercises of notebook 02."""

import copy

from torch import nn

from helpers.practice import freeze_backbone, head_parameters, keep_best, parameter_groups


def norms(net):
    return [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]


def frozen(net, head=8):
    """Freeze all but a new head; BatchNorm is left to move."""
    net.requires_grad_(False)
    net.fc = nn.Linear(head, 2)
    return net


def rests(net):
    frozen(net)
    plain_train, backbone = net.train, norms(net)

    def train(mode=True):
        plain_train(mode)
        for module in backbone:
            module.eval()
        return net

    net.train = train
    return net


class Wrapper(nn.Module):
    """A network that rests inside another module."""

    def __init__(self, net):
        super().__init__()
        self.network = frozen(net)
        self.network.fc = nn.Sequential(self.network.fc)

    def forward(self, x):
        return self.network(x)

    def train(self, mode=True):
        super().train(mode)
        for module in norms(self.network):
            module.eval()
        return self


def head_frozen_too(net):
    net.fc = nn.Linear(8, 2)
    return net.requires_grad_(False)


def half_frozen(net):
    net.conv.requires_grad_(False)
    net.fc = nn.Linear(8, 2)
    return net


def old_head(net):
    net.requires_grad_(False)
    net.fc.requires_grad_(True)
    return net


def still_by_momentum(net):
    for module in norms(frozen(net)):
        module.momentum = 0.0
    return net


def train_calls_itself(net):
    frozen(net)
    net.train = lambda mode=True: net.eval()
    return net


RATES = {"fc": 1e-2, "layer2": 1e-3, "layer1": 5e-4, "bn": 2.5e-4, "conv": 2.5e-4}


def groups(net, rates=RATES, **changes):
    return [
        {"params": [p], "lr": lr, "weight_decay": 0.0 if p.ndim == 1 else 1e-4} | changes
        for part, lr in rates.items()
        for p in getattr(net, part).parameters()
    ]


def without_stem(net):
    return groups(net, {k: v for k, v in RATES.items() if k not in ("bn", "conv")})


RIGHT = {
    freeze_backbone: [rests, Wrapper],
    parameter_groups: [
        groups,
        lambda net: [{**group, "params": group["params"][0]} for group in groups(net)],
    ],
    keep_best: [
        lambda net: copy.deepcopy(net.state_dict()),
        lambda net: {name: value.clone() for name, value in net.state_dict().items()},
    ],
    head_parameters: [
        sum(p.numel() for layer in (nn.Linear(2048, 256), nn.Linear(256, 2))
            for p in layer.parameters()),
    ],
}  # fmt: skip

WRONG = {
    freeze_backbone: [
        (head_frozen_too, "head is frozen too"),
        (lambda net: frozen(net).eval(), "running_mean moved"),
        (half_frozen, "bn.bias still trains"),
        (old_head, "2 logits"),
        (still_by_momentum, "still depend on its batch"),
        (train_calls_itself, "calls itself for ever"),
        (lambda net: frozen(net, head=16), "raised RuntimeError"),
        (lambda net: None, "return the network"),
    ],
    parameter_groups: [
        (without_stem, "conv.weight is in no group"),
        (lambda net: groups(net) + groups(net)[:1], "more than one parameter group"),
        (lambda net: groups(net, dict.fromkeys(RATES, 1e-3)), "has the rate 0.001"),
        (lambda net: groups(net, weight_decay=1e-4), "is a vector and is decayed"),
        (lambda net: groups(net, weight_decay=0.0), "is decayed by 0; 1e-4"),
        (lambda net: net.parameters(), "list of dicts"),
        (lambda net: [], "groups are empty"),
    ],
    keep_best: [
        (lambda net: net.state_dict(), "changed with the network"),
        (lambda net: dict(net.state_dict()), "changed with the network"),
        (lambda net: copy.copy(net.state_dict()), "changed with the network"),
        (lambda net: {n: p.clone() for n, p in net.named_parameters()}, "buffers included"),
        (lambda net: net, "return a dict"),
        (lambda net: {n: v.numpy() for n, v in net.state_dict().items()}, "keep tensors"),
    ],
    head_parameters: [
        (524_800, "the biases are missing"),
        (524_544, "that is the first layer"),
        (525_056, "two biases of the output"),
        (4_098, "a linear head"),
        (1, "not yet"),
        (0, "nothing here yet"),
        ("525058", "a whole number"),
        (525_058.0, "a whole number"),
    ],
}
