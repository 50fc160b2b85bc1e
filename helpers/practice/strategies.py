"""Checkers of notebook 02: freezing, parameter groups, keeping the best weights."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from helpers.practice.checker import Slip, attempt, checker


class PracticeNet(nn.Module):
    """A network to practise on: `conv` + `bn`, `layer1`, `layer2`, and the head `fc`."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn = nn.Conv2d(1, 4, 3, bias=False), nn.BatchNorm2d(4)
        self.layer1 = nn.Sequential(nn.Conv2d(4, 8, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU())
        self.layer2 = nn.Sequential(nn.Conv2d(8, 8, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU())
        self.fc = nn.Linear(8, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.layer2(self.layer1(torch.relu(self.bn(self.conv(x)))))
        return self.fc(x.mean(dim=(2, 3)))


@checker
def freeze_backbone(answer: Callable[[nn.Module], nn.Module]) -> str:
    """Check ``answer(net)``: only a new two-class `fc` trains, and BatchNorm rests after train().

    The learner's function gets a `PracticeNet`, changes it in place and returns it.
    """
    torch.manual_seed(0)
    net = attempt(answer, PracticeNet())
    if not isinstance(net, nn.Module):
        raise Slip("return the network, so that the next line can use it.")
    logits = attempt(net, torch.randn(8, 1, 12, 12))
    if logits.shape != (8, 2):
        raise Slip("the head must give 2 logits: net.fc = nn.Linear(8, 2).")
    # ".fc." also where the network came back inside a wrapper
    names = {f".{name}": p.requires_grad for name, p in net.named_parameters()}
    if not all(trains for name, trains in names.items() if ".fc." in name):
        raise Slip("the new head is frozen too: replace it after freezing the rest.")
    extra = sorted(name[1:] for name, trains in names.items() if trains and ".fc." not in name)
    if extra:
        raise Slip(f"{extra[0]} still trains; only the head should.")
    before = {name: b.clone() for name, b in net.named_buffers() if "running" in name}
    try:
        net.train()  # what the first line of every epoch does
    except RecursionError:
        raise Slip(
            "net.train() calls itself for ever: eval() is train(False). Keep the old method, "
            "plain_train = net.train, call that, and then put the BatchNorm layers in eval mode."
        ) from None
    net(torch.randn(8, 1, 12, 12) + 3)
    moved = [n for n, b in net.named_buffers() if n in before and not torch.equal(b, before[n])]
    if moved:
        raise Slip(
            f"{moved[0]} moved after net.train() and one batch: requires_grad does not stop it, "
            "and an eval() before train() is undone. Make train() itself keep it still."
        )
    images = torch.randn(8, 1, 12, 12)
    if not torch.allclose(net(images)[:2], net(images[:2]), atol=1e-5):
        raise Slip(
            "the statistics rest, but an image's logits still depend on its batch: BatchNorm is in "
            "train mode and normalises by the batch. Put it in eval mode inside train()."
        )
    return "only the head trains, and the running statistics survive net.train()."


@checker
def parameter_groups(answer: Callable[[nn.Module], list[dict]]) -> str:
    """Check ``answer(net)``: AdamW groups with rates that fall towards the image.

    Wanted on a `PracticeNet`: every parameter in exactly one group; fc at 1e-2, layer2 at 1e-3,
    layer1 at 5e-4, conv and bn at 2.5e-4; weight decay 0 for all vectors, 1e-4 for the rest.
    """
    wanted = {"fc": 1e-2, "layer2": 1e-3, "layer1": 5e-4, "bn": 2.5e-4, "conv": 2.5e-4}
    net = PracticeNet()
    groups = attempt(answer, net)
    if not isinstance(groups, list) or not all(isinstance(g, dict) for g in groups):
        raise Slip('return a list of dicts with "params", "lr" and "weight_decay".')
    if not any(g.get("params") is not None for g in groups):
        raise Slip('the groups are empty: each needs "params".')
    # AdamW itself reads the groups, so whatever it takes is right, single tensors included;
    # and it refuses a parameter that is in two of them.
    optimizer = attempt(torch.optim.AdamW, groups)
    group_of = {id(p): group for group in optimizer.param_groups for p in group["params"]}
    for name, p in net.named_parameters():
        if id(p) not in group_of:
            raise Slip(f"{name} is in no group: it would never train.")
        rate, decay = group_of[id(p)]["lr"], group_of[id(p)]["weight_decay"]
        goal = wanted[name.split(".")[0]]
        if abs(rate - goal) > 1e-9:
            raise Slip(f"{name} has the rate {rate:g}, {goal:g} was asked for.")
        if p.ndim == 1 and decay != 0:
            raise Slip(f"{name} is a vector and is decayed by {decay:g}; use 0.")
        if p.ndim > 1 and abs(decay - 1e-4) > 1e-9:
            raise Slip(f"{name} is decayed by {decay:g}; 1e-4 was asked for.")
    return "each parameter once, rates fall towards the image, no vector decays."


@checker
def keep_best(answer: Callable[[nn.Module], dict]) -> str:
    """Check ``answer(net)``: a snapshot of the weights that later training does not change."""
    torch.manual_seed(0)
    net = PracticeNet()
    snapshot = attempt(answer, net)
    if not isinstance(snapshot, dict) or set(snapshot) != set(net.state_dict()):
        raise Slip("return a dict with the names of net.state_dict(), buffers included.")
    if not all(torch.is_tensor(value) for value in snapshot.values()):
        raise Slip("keep tensors, so that net.load_state_dict can take them back.")
    then = {name: value.clone() for name, value in net.state_dict().items()}
    with torch.no_grad():
        for value in net.state_dict().values():
            value.add_(1)
    changed = [name for name, value in then.items() if not torch.equal(snapshot[name], value)]
    if changed:
        raise Slip(
            f"{changed[0]} changed with the network: state_dict() hands out the live tensors. "
            "Copy each one."
        )
    return "the snapshot stays what it was while the network trains on."


@checker
def head_parameters(answer: int) -> str:
    """Check the count of trainable parameters of a head with a hidden layer on a ResNet-50."""
    if not isinstance(answer, int):
        raise Slip("a whole number is wanted.")
    slips = {
        0: "nothing here yet: put your number in.",
        524_800: "the biases are missing: 256 of the first layer and 2 of the second.",
        524_544: "that is the first layer; the second has 256 x 2 weights and 2 biases.",
        525_056: "the two biases of the output are missing.",
        4_098: "that is a linear head 2048 -> 2; this one has a hidden layer of 256.",
    }
    if answer in slips:
        raise Slip(slips[answer])
    if answer != 525_058:
        raise Slip("not yet: (2048 + 1) x 256 for the first layer, then the second.")
    return "2049 x 256 + 257 x 2 = 525,058. Dropout and ReLU have none."
