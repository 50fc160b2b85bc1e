"""Files laid out as the owners of the medical checkpoints publish them, with random weights.

Each is made from torchvision's network of the same kind, which gives the features to compare with.
"""

from __future__ import annotations

import argparse
import functools
import sys
import types
import unittest.mock
import warnings
import zipfile
from pathlib import Path

import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional as F

from helpers.networks import medical
from tests.networks.shaken import shaken

# What a module of torch 1.5 had; later ones have more, and a file of then does not.
OF_2020 = {
    "training", "_parameters", "_buffers", "_modules", "_backward_hooks", "_forward_hooks",
    "_forward_pre_hooks", "_state_dict_hooks", "_load_state_dict_pre_hooks",
}  # fmt: skip
ALL_OF_THEM = {name for name in vars(nn.Module()) if name not in OF_2020}
MODULE, CLASSES = (
    "torchxrayvision.models",
    ("DenseNet", "_DenseBlock", "_DenseLayer", "_Transition"),
)


@functools.cache
def network(architecture: str, channels: int = 3) -> nn.Module:
    """Return torchvision's network with random weights and statistics, in eval mode."""
    torch.manual_seed(0)
    options = {"aux_logits": False, "init_weights": False} if architecture[0] == "i" else {}
    net = torchvision.models.get_model(architecture, weights=None, **options)
    if channels == 1 and architecture == "densenet121":
        net.features.conv0 = nn.Conv2d(1, 64, 7, 2, 3, bias=False)
    elif channels == 1:
        net.conv1 = nn.Conv2d(1, 64, 7, 2, 3, bias=False)
    return shaken(net).eval()


def features(net: nn.Module, images: Tensor) -> Tensor:
    """Return what torchvision's network pools, ``(N, F)``, of images in the published range."""
    if hasattr(net, "features"):
        return F.relu(net.features(images)).mean(dim=(2, 3))
    seen = []
    handle = net.avgpool.register_forward_hook(lambda module, given, out: seen.append(out))
    net(images)
    handle.remove()
    return seen[0].flatten(1)


def below(prefix: str, net: nn.Module, without: tuple[str, ...] = ()) -> dict[str, Tensor]:
    """Return the tensors of a network with `prefix` before their names, some left out."""
    return {prefix + name: value for name, value in net.state_dict().items()
            if not name.startswith(without)}  # fmt: skip


def whole_module(net: nn.Module, path: Path, old: bool) -> Path:
    """Save a DenseNet as torchxrayvision did: the module itself, of its own classes.

    Parameters
    ----------
    old : in the container of before 2020, with what a module had then.
    """
    fakes = {name: types.ModuleType(name) for name in ("torchxrayvision", MODULE)}
    kinds = {name: type(name, (nn.Module,), {"__module__": MODULE}) for name in CLASSES}
    vars(fakes[MODULE]).update(kinds)
    changed = [(module, type(module), dict(vars(module))) for module in net.modules()]
    try:
        for module in net.modules():
            module.__class__ = kinds.get(type(module).__name__, type(module))
            for name in ALL_OF_THEM if old else ():
                vars(module).pop(name, None)
        with warnings.catch_warnings(), unittest.mock.patch.dict(sys.modules, fakes):
            warnings.simplefilter("ignore")  # that these classes have no source code
            torch.save(net, path, _use_new_zipfile_serialization=not old)
    finally:
        for module, kind, content in changed:
            module.__class__ = kind
            vars(module).update(content)
    return path


def publish(name: str, folder: Path, old: bool = True) -> tuple[Path, nn.Module]:
    """Write the file of a checkpoint; return it, and the network that it holds."""
    info = medical.CHECKPOINTS[name]
    net = network(info["architecture"], max(info["contract"]["takes"]))
    path = folder / info["file"]
    if name == "chexpert":
        return whole_module(net, path, old), net
    if name.startswith("biovil"):
        content = below("encoder.encoder.", net) | {
            "projector.model.0.weight": torch.ones(128, 2048, 1, 1)
        }
        if name == "biovil_t":
            content["encoder.missing_previous_emb"] = torch.ones(1, 256, 1, 1)
            content["encoder.backbone_to_vit.weight"] = torch.ones(256, 2048, 1, 1)
    elif name == "medclip":
        content = below("vision_model.model.", net, ("fc.bias",))
        content["text_model.model.embeddings.position_ids"] = torch.arange(512)
        with zipfile.ZipFile(path, "w") as archive, archive.open(info["inside"], "w") as file:
            torch.save(content, file)
        return path, net
    elif name.startswith("radimagenet"):
        children = list(net.children())[:1] if "dense" in name else list(net.children())[:-1]
        content = below("backbone.", nn.Sequential(*children))
    elif name == "ciga":
        content = {"epoch": 9, "state_dict": below("model.resnet.", net), "optimizer_states": [{}],
                   "hyper_parameters": argparse.Namespace(rate=0.1)}  # fmt: skip
    else:
        content = below("", net, ("fc.",) if name.startswith("lunit") else ())
    torch.save(content, path)
    return path, net
