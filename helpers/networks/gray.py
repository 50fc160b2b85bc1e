"""Gray images for a colour-trained network: one input channel by sum, mean or at random."""

from __future__ import annotations

import copy
import difflib
from collections.abc import Sequence

import pandas as pd
import torch
from torch import Tensor, nn

from helpers.errors import CourseError, unknown_name

METHODS = ("sum", "mean", "random")
REPLICATE = "To replicate, leave the network alone and give it images.expand(-1, 3, -1, -1)."


def gray_stem(conv: nn.Conv2d, how: str = "sum") -> nn.Conv2d:
    """Return a one-channel copy of a three-channel convolution.

    A gray image replicated into R, G and B gives ``sum_c W_c * x``: the sum of the kernels is
    therefore exact (timm's ``adapt_input_conv`` sums too). Their mean gives a third of that
    activation, which a frozen BatchNorm behind it does not expect. ``"random"`` starts the stem
    anew, for comparison. Bias, stride, padding and its mode, and dilation stay. The new kernels
    train, whether or not the old ones did: freeze afterwards.

    Parameters
    ----------
    conv : a convolution with 3 input channels in one group; it is not changed.
    how : ``"sum"``, ``"mean"`` or ``"random"``.

    Raises
    ------
    CourseError
        For another method, or a convolution that is no plain RGB stem.
    """
    if how not in METHODS:
        hint = REPLICATE if how == "replicate" else ""
        raise unknown_name("grayscale method", how, METHODS, hint)
    _check_rgb(conv)
    gray = copy.deepcopy(conv)  # keeps the class, and with it how the borders are padded
    gray.in_channels = 1
    gray.weight = nn.Parameter(conv.weight.detach().sum(dim=1, keepdim=True))
    _check_exact(conv, gray)
    if how == "mean":
        gray.weight = nn.Parameter(gray.weight.detach() / 3)
    elif how == "random":
        gray.reset_parameters()
    gray.made_gray_by = how
    return gray


def adapt(net: nn.Module, how: str = "sum", layer: str | None = None) -> nn.Module:
    """Replace the first convolution of any network by its gray version, in place.

    For a network that normalises inside itself, as a `helpers.networks.backbones.Backbone` does,
    the statistics become gray ones too.

    Parameters
    ----------
    net : of any library; the convolution that sees the image is the first layer with weights.
    how : see `gray_stem`.
    layer : the name of that convolution, where it is not registered first.

    Returns
    -------
    `net`, which now takes ``(N, 1, H, W)``.

    Raises
    ------
    CourseError
        When there is no such layer, no convolutional stem, or none that `gray_stem` can adapt.
    """
    name, conv = first_conv(net) if layer is None else (layer, find_layer(net, layer))
    if not isinstance(conv, nn.Conv2d):
        raise CourseError(f"{name!r} is a {type(conv).__name__}; name a Conv2d that sees RGB.")
    if not name:
        raise CourseError("This is a single convolution, not a network: use gray_stem(conv).")
    net.set_submodule(name, gray_stem(conv, how))
    if hasattr(net, "set_normalisation"):
        net.set_normalisation(*((value,) for value in gray_statistics(net.mean, net.std)))
    return net


def first_conv(net: nn.Module) -> tuple[str, nn.Conv2d]:
    """Return the name and the module of the convolution that sees the image.

    That is the first layer with weights in the order of registration, which in timm and
    torchvision is the order in which layers run.

    Raises
    ------
    CourseError
        When the first layer with weights is no 2D convolution, or there is none.
    """
    layers = (
        (name, module)
        for name, module in net.named_modules()
        if isinstance(module, nn.Conv2d) or ([*module.parameters()] and not [*module.children()])
    )
    name, module = next(layers, ("", None))
    if isinstance(module, nn.Conv2d):
        return name, module
    found = f"its first layer is {name!r}, a {type(module).__name__}" if name else "it has no conv"
    raise CourseError(
        f"{type(net).__name__} has no convolutional stem: {found}. Pass layer=... if the "
        "convolution that sees the image comes later, or replicate the gray channel."
    )


def find_layer(net: nn.Module, name: str) -> nn.Module:
    """Return the layer called `name`.

    Raises
    ------
    CourseError
        When there is none; names the close ones.
    """
    layers = dict(net.named_modules())
    if name not in layers or not name:
        close = difflib.get_close_matches(name, layers, n=3, cutoff=0.5)
        guess = f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
        raise CourseError(
            f"There is no layer {name!r} in {type(net).__name__}.{guess} "
            "All names: [name for name, _ in net.named_modules()]."
        )
    return layers[name]


def gray_statistics(mean: Sequence[float], std: Sequence[float]) -> tuple[float, float]:
    """Return the mean and deviation to normalise gray images with: averages over the channels.

    For ImageNet they are (.449, .226). (.485, .229), often seen, are those of red alone.
    """
    return float(torch.as_tensor(mean).mean()), float(torch.as_tensor(std).mean())


def fold_normalisation(
    conv: nn.Conv2d,
    mean: Sequence[float],
    std: Sequence[float],
    gray: tuple[float, float] = (0.0, 1.0),
) -> nn.Conv2d:
    """Return a one-channel copy of an RGB stem with the colour normalisation folded in.

    With images x in 0..1 replicated and normalised per channel the stem gives ``sum_c W_c *
    (x - m_c) / s_c``. That is linear in x, so ``W' = sum_c W_c / s_c`` and
    ``b = -sum_c sum_ij W_c m_c / s_c`` give the same from x itself. It is exact away from
    zero-padded borders: a padded 0 was each channel's mean before and is black now. Where the
    padding repeats or mirrors the image it is exact everywhere.

    Parameters
    ----------
    conv : a convolution with 3 input channels in one group; it is not changed.
    mean, std : the colour normalisation, per channel, in units of 0..1.
    gray : mean and deviation with which images are still normalised before the stem; (0, 1): not
        at all. With `gray_statistics` a padded 0 is nearly what it was, and the border too.

    Raises
    ------
    CourseError
        When the statistics are not three and positive deviations, or `conv` is no RGB stem.
    """
    m, s = (torch.as_tensor(v, dtype=torch.float64) for v in (mean, std))
    if m.shape != (3,) or s.shape != (3,) or min(s.min(), gray[1]) <= 0:
        raise CourseError(
            f"mean={mean} and std={std} must be three numbers each, one per colour channel, and "
            f"every deviation (that of gray={gray} too) above 0."
        )
    folded = gray_stem(conv)
    m, s = m.view(1, 3, 1, 1), s.view(1, 3, 1, 1)
    kernels = conv.weight.detach().cpu().double()
    weight = (kernels * gray[1] / s).sum(dim=1, keepdim=True)
    bias = (kernels * (gray[0] - m) / s).sum(dim=(1, 2, 3)).to(conv.weight)
    folded.weight = nn.Parameter(weight.to(conv.weight))
    folded.bias = nn.Parameter(bias if conv.bias is None else bias + conv.bias.detach())
    folded.made_gray_by = "fold_normalisation"
    return folded


def _check_rgb(conv: nn.Conv2d) -> None:
    if not isinstance(conv, nn.Conv2d):
        raise CourseError(f"A {type(conv).__name__} is no stem; name a Conv2d that sees RGB.")
    if by := getattr(conv, "made_gray_by", None):
        raise CourseError(
            f"This stem was made gray already, by {by!r}. Load the colour network again to choose "
            "another way."
        )
    if conv.in_channels != 3:
        raise CourseError(
            f"This stem takes {conv.in_channels} channel(s), not 3"
            + (": it is gray already." if conv.in_channels == 1 else ", so it is no RGB stem.")
        )
    if conv.groups != 1:
        raise CourseError(
            f"This stem has {conv.groups} groups, so each kernel sees one colour, and one gray "
            f"channel cannot be split into {conv.groups} groups. {REPLICATE}"
        )


def _check_exact(conv: nn.Conv2d, summed: nn.Conv2d) -> None:
    """Refuse a class that does more with its kernels than convolve, e.g. standardises them."""
    side = 2 * max(d * (k - 1) + 1 for k, d in zip(conv.kernel_size, conv.dilation, strict=True))
    probe = torch.linspace(-1, 1, side * side, dtype=torch.float64).view(1, 1, side, side).sin()
    colour, gray = (copy.deepcopy(layer).cpu().double() for layer in (conv, summed))
    with torch.no_grad():
        if not torch.allclose(gray(probe), colour(probe.expand(-1, 3, -1, -1)), atol=1e-6):
            raise CourseError(
                f"A {type(conv).__name__} changes its kernels when it runs, so no sum of them is "
                f"exact. {REPLICATE}"
            )


def layer_outputs(net: nn.Module, images: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
    """Return what each of `layers` gives for `images`, in the mode `net` is in.

    `net` is left as it was, its running statistics included.

    Raises
    ------
    CourseError
        When a layer does not exist.
    """
    net, found = copy.deepcopy(net), {}
    for name in layers:
        # Cloned, because a ReLU behind the layer may work in place.
        find_layer(net, name).register_forward_hook(
            lambda _module, _inputs, output, name=name: found.update({name: output.clone()})
        )
    with torch.no_grad():
        net(images)
    return {name: found[name] for name in layers}


def drift(
    net: nn.Module, reference: nn.Module, images: Tensor, layers: Sequence[str]
) -> pd.DataFrame:
    """Compare a gray network's activations with those of the replicated image, layer by layer.

    Both run in the mode they are in, and both are left as they were.

    Parameters
    ----------
    net : takes `images`. reference : the colour network; takes them replicated.
    images : ``(N, 1, H, W)``.
    layers : names that exist in both networks.

    Returns
    -------
    A row per layer. ``scale``: how far activations spread within a channel, over that in the
    reference (root of the variances, summed over the channels); 1 is right. ``error``: distance
    to the reference's activations over their norm; 0 is right.

    Raises
    ------
    CourseError
        When `images` are not gray, or a layer does not exist.
    """
    check_gray(images)
    own = layer_outputs(net, images, layers)
    right = layer_outputs(reference, images.expand(-1, 3, -1, -1), layers)

    def spread(activation: Tensor) -> Tensor:
        return activation.transpose(0, 1).flatten(1).var(dim=1, correction=0).sum().sqrt()

    rows = {
        name: {
            "scale": float(spread(own[name]) / spread(right[name])),
            "error": float((own[name] - right[name]).norm() / right[name].norm()),
        }
        for name in layers
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("layer")


def check_gray(images: Tensor) -> None:
    """Refuse what is no batch of gray images.

    Raises
    ------
    CourseError
        When `images` are not ``(N, 1, H, W)``.
    """
    if images.ndim != 4 or images.shape[1] != 1:
        raise CourseError(
            f"Gray images (N, 1, H, W) are wanted, these are {tuple(images.shape)}. Of images "
            "that are gray but stored as RGB, images[:, :1] is enough."
        )
