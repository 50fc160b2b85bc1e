"""Checkpoints that others trained on medical images: contract, terms, file, tensors.

All that is known of them stands in ``data/medical_checkpoints.json``. `helpers.networks.backbones`
makes the networks:

>>> model = backbones.load("chexpert", accept_terms=True)
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import sys
import textwrap
import warnings
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from helpers import files
from helpers.errors import CourseError, unknown_name
from helpers.networks import unpickle

# Of each checkpoint:
#   architecture: timm's name; tensors, parameters: of the network without its head;
#   contract: see `Contract`; file: its published name; inside: its name in a zip archive;
#   url: a direct address, or null; source: where people find it; cache: the folder of the owner's
#   package, where there is one; classes: see `unpickle.reader`; remove, rename: what turns the
#   names in the file into timm's; terms, instead, unchecked: for the card.
_TABLE = json.loads(files.resource("medical_checkpoints.json").read_text("utf-8"))
LAYOUTS: dict[str, dict] = _TABLE["layouts"]  # of timm's networks, for `backbones.Layout`
CHECKPOINTS: dict[str, dict] = _TABLE["checkpoints"]
OTHERS: dict[str, str] = _TABLE["others"]  # asked for, but not to be had here: why, what instead
TERMS = "COURSE_ACCEPT_TERMS"
OVER = 1e-3  # by so much a resized image may leave the range 0..1


@dataclass(frozen=True)
class Contract:
    """What a checkpoint was shown in its training, and so has to be shown again.

    Attributes
    ----------
    kind : of image, in words. takes : how many channels it may have.
    size : pixels on a side. smallest : below this the network has no output.
    mean, std : per channel, in units of 0..1; they give the published range.
    stretch : whether every image is stretched from its own minimum to its own maximum first.
    range, prepare : the range behind that, and how an image gets its size, in words.
    """

    name: str
    kind: str
    takes: tuple[int, ...]
    size: int
    smallest: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    stretch: bool
    range: str
    prepare: str

    def check_channels(self, channels: int) -> None:
        """Refuse images of so many channels, unless the checkpoint saw such ones."""
        if channels not in self.takes:
            raise CourseError(
                f"{self.name} was trained on other images: {self.kind}; here channels={channels}. "
                "Take another checkpoint, or convert the images."
            )

    def prepared(self, images: Tensor, channels: int) -> Tensor:
        """Return images ``(N, C, H, W)``, as floats stretched to 0..1 where the contract says so.

        Parameters
        ----------
        images : uint8 0..255 or float 0..1, before any normalisation.
        channels : of the stem, which may have been made gray.

        Raises
        ------
        CourseError
            When shape, channels or values are not what the checkpoint was trained with. Another
            size is a warning, once.
        """
        self._check_shape(tuple(images.shape), (1,) if channels == 1 else self.takes)
        self._check_values(images)
        if self.stretch:
            low, high = (f(images, (1, 2, 3), keepdim=True) for f in (torch.amin, torch.amax))
            images = (images - low) / (high - low).clamp_min(1e-6)  # an image of one colour: 0
        return images

    def _check_shape(self, shape: tuple[int, ...], channels: tuple[int, ...]) -> None:
        if len(shape) != 4 or shape[1] not in channels:
            raise CourseError(
                f"{self.name} takes images (N, C, H, W), C = {' or '.join(map(str, channels))} "
                f"({self.kind}); these are {shape}. Permute or convert them."
            )
        side, pixels = f"{self.size} x {self.size}", f"{shape[2]} x {shape[3]}"
        if shape[2] != shape[3] or shape[2] < self.smallest:
            raise CourseError(
                f"{self.name} takes square images, best {side}, {self.smallest} pixels at least; "
                f"these are {pixels}. Prepare them as it was trained: {self.prepare}."
            )
        if shape[2] != self.size:
            _say_once(
                f"{self.name} was trained at {side} pixels and sees {pixels} here: it works, but "
                "its features are other ones than the published."
            )

    def _check_values(self, images: Tensor) -> None:
        if images.dtype != torch.uint8:
            low, high = (float(value) for value in images.detach().aminmax())
            if not (images.is_floating_point() and low >= -OVER and high <= 1 + OVER):
                raise CourseError(
                    f"{self.name} takes uint8 0..255 or float 0..1, and itself brings them to its "
                    f"range ({self.range}); these are {images.dtype}, {low:.4g} to {high:.4g}. "
                    "Give the images from before any normalisation, or scaled to 0..1."
                )
        if 1 in self.takes and (images != images[:, :1]).any():
            raise CourseError(
                f"{self.name} was trained on gray images, but the channels of these differ. "
                "Give one channel (N, 1, H, W), or the gray image three times."
            )


class Headless(nn.Module):
    """Stands where the head of a checkpoint was, which knew other classes; calling it raises.

    Attributes
    ----------
    in_features : width of the pooled features that a new head will get.
    """

    def __init__(self, name: str, in_features: int) -> None:
        super().__init__()
        self.name, self.in_features = name, in_features

    def forward(self, x: Tensor) -> Tensor:
        """Raise the CourseError that says how to get a head."""
        raise CourseError(
            f"{self.name} has no head yet. Put one on, as strategies.build does: "
            "model.replace_head(backbones.linear_head(model.n_features, n_classes))."
        )


def unknown(name: str, known: list[str]) -> CourseError:
    """Return the error for a name that is none of `known`, with the reason where it has one."""
    reason = OTHERS.get(str(name).lower().replace("-", "_"))
    return CourseError(reason) if reason else unknown_name("backbone", name, known)


def _of(name: str) -> dict:
    if name not in CHECKPOINTS:
        raise unknown(name, [*CHECKPOINTS])
    return CHECKPOINTS[name]


def contract(name: str) -> Contract:
    """Return the input contract of a checkpoint; raises a `CourseError` for an unknown name."""
    return Contract(name, **_of(name)["contract"])


def card(name: str) -> str:
    """Return what to know of a checkpoint before it is used: a text of about ten lines.

    Raises
    ------
    CourseError
        For an unknown name.
    """
    info, sees = _of(name), contract(name)
    size = f", {info['megabytes']} MB" if info["megabytes"] else ""
    sums = "".join(f", {kind.upper()} {info[kind]}" for kind in ("sha256", "md5") if info[kind])
    rows = {
        "network": f"{info['architecture']}, {info['parameters']:,} parameters in "
        f"{info['tensors']} tensors; its head is left out",
        "trained on": info["trained_on"],
        "images": f"{sees.kind}; {sees.prepare}. Give uint8 0..255 or float 0..1; the network "
        f"itself brings them to its range: {sees.range}",
        "file": f"{info['file']}{size}{sums}",
        "from": info["source"],
        "address": info["url"] or "none that a program could download from",
        "terms": info["terms"],
        "instead": info["instead"],
        "not checked": info["unchecked"],
        "load": f'backbones.load("{name}", accept_terms=True)',
    }
    wrap = functools.partial(textwrap.fill, width=96, subsequent_indent=" " * 13,
                             break_long_words=False, break_on_hyphens=False)  # fmt: skip
    return "\n".join([f"{name}: {info['title']}", *(wrap(f"{k:<13}{v}") for k, v in rows.items())])


def find(name: str, weights: str | Path = "imagenet", accept_terms: bool = False) -> Path:
    """Return where the file of a checkpoint lies; download it, checked, where it is nowhere.

    Looked for in the cache of the owner's package, then among the course's downloads.

    Parameters
    ----------
    weights : the path of the file; ``"imagenet"``, the default of `backbones.load`: looked for.
    accept_terms : that you accept the terms, which are shown; ``COURSE_ACCEPT_TERMS`` with names
        (comma between) or ``all`` says it for every call.

    Raises
    ------
    CourseError
        When the terms are not accepted, or there is no file and none can be downloaded: says what
        to fetch from where, and where to put it.
    """
    info = _of(name)
    _check_terms(name, accept_terms)
    if weights != "imagenet":
        return files.expanded(weights)
    places = [files.expanded(info["cache"]) / info["file"]] if info["cache"] else []
    places.append(files.folder("downloads", info["file"]))
    for place in places:
        if files.mode(place):
            return place
    if not info["url"]:
        raise CourseError(
            f"{info['file']} is not on this machine and has no address to be downloaded from. "
            f"Fetch it from {info['source']}, and put it at {places[-1]} or pass weights=PATH.\n"
            f"{card(name)}"
        )
    return files.fetch(info["file"], info["url"], info["sha256"] and f"sha256:{info['sha256']}")


def _check_terms(name: str, accept_terms: bool) -> None:
    info = CHECKPOINTS[name]
    accepted = {word.strip() for word in os.environ.get(TERMS, "").split(",")}
    if not accept_terms and not accepted & {name, "all"}:
        raise CourseError(
            f"The weights {name} come with terms: {info['terms']} If you accept them, pass "
            f"accept_terms=True (train: --accept-terms) or set {TERMS}={name}. If not: "
            f"{info['instead']}"
        )
    _show_once(f"{name}: terms accepted by you: {info['terms']}")


def state(
    net: nn.Module, name: str, weights: str | Path, accept_terms: bool
) -> tuple[dict[str, Tensor], str]:
    """Return the tensors of a checkpoint under timm's names, and the words for where they are from.

    What belongs to no part of `net`, such as the old head, is left out. For the rest see `find`.

    Raises
    ------
    CourseError
        Where `find` does, and when the file cannot be read, holds code, or is not the published
        one.
    """
    path, info, found = find(name, weights, accept_terms), CHECKPOINTS[name], {}
    parts = {key.split(".")[0] for key in net.state_dict()}
    for key, value in unpickle.tensors(path, info["classes"], info["inside"] or "").items():
        for word in info["remove"]:
            key = key.replace(word, "")
        for old, new in info["rename"].items():
            if key.startswith(old):
                key = new + key.removeprefix(old)
        if key.split(".")[0] in parts:
            found[key] = value
    _check_sum(name, path)
    return found, f"{name} ({path})"


def _check_sum(name: str, path: Path) -> None:
    """Refuse another file than the published one, where its checksum is known.

    A safetensors file is somebody's conversion: no published checksum could be that of it.
    """
    wanted = CHECKPOINTS[name]["sha256"]
    content = path.read_bytes()
    given = hashlib.sha256(content).hexdigest()
    if wanted and given != wanted and content[8:9] != b"{":
        raise CourseError(
            f"{path} is not the published file of {name}: its SHA-256 is {given[:12]}..., "
            f"{wanted[:12]}... was expected. Fetch it again from {CHECKPOINTS[name]['source']}; "
            "weights that you changed yourself are taken as a safetensors file."
        )


@functools.cache
def _say_once(sentence: str) -> None:
    warnings.warn(sentence, stacklevel=2)


@functools.cache
def _show_once(sentence: str) -> None:
    print(sentence, file=sys.stderr)  # not among a notebook's stored outputs
