import argparse
import shutil
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from helpers.errors import CourseError
from helpers.networks import backbones, weights
from tests.conftest import TinyNet, same_weights, unchanged


def stored(state: dict, path: Path) -> Path:
    save_file({name: value.contiguous() for name, value in state.items()}, path)
    return path


def saved(content: object, path: Path, **options) -> Path:
    torch.save(content, path, **options)
    return path


def tiny(seed: int = 0, **options) -> TinyNet:
    torch.manual_seed(seed)
    return TinyNet(**options)


def below(prefix: str, net: nn.Module) -> dict:
    return {prefix + name: value for name, value in net.state_dict().items()}


def adam(net: nn.Module) -> dict:
    """An optimizer's state after a step: tensors that are no weights of the network."""
    optimizer = torch.optim.Adam(net.parameters())
    sum(parameter.sum() for parameter in net.parameters()).backward()
    optimizer.step()
    return optimizer.state_dict()


def test_weights_of_another_network_are_refused(tmp_path):
    resnet = backbones.load("resnet18", weights=None).net.state_dict()
    with pytest.raises(CourseError, match=r"do not fit EfficientNet.*another network"):
        backbones.load(weights=stored(resnet, tmp_path / "resnet.safetensors"))


def test_a_wrong_shape_is_named():
    net = torch.nn.Linear(3, 2)
    says = r"'weight' is \(2, 4\), \(2, 3\) was expected"
    with unchanged(net), pytest.raises(CourseError, match=says):
        weights.fill(net, {"weight": torch.zeros(2, 4), "bias": torch.zeros(2)}, "a file")


TRAINED = tiny(seed=1)
WRAPPED = {
    "data parallel": (below("module.", TRAINED), r"the prefix 'module\.' is taken off\.$"),
    "compiled": (
        below("_orig_mod.module.", TRAINED),
        r"the prefix '_orig_mod\.module\.' is taken off\.$",
    ),
    "wrapper": (
        {"epoch": 3, "state_dict": below("", TRAINED)},
        r"the prefix 'state_dict\.' is taken off\.$",
    ),
    "two wrappers": (
        {"net": {"weights": below("a.b.", TRAINED)}},
        r"the prefix 'net\.weights\.a\.b\.' is taken off",
    ),
    "optimizer": (
        {"model": below("", TRAINED), "optimizer": adam(tiny(seed=1))},
        r"the prefix 'model\.' is taken off; other tensors are left out \('optimizer\.state\.",
    ),
    "loss beside it": (
        {"state_dict": {**below("net.", TRAINED), "loss.weight": torch.ones(2)}},
        r"'state_dict\.net\.' is taken off; other .* left out \('state_dict\.loss\.weight'\)\.$",
    ),
    "averaged": (
        {"n_averaged": torch.tensor(3), **below("module.", TRAINED)},
        r"the prefix 'module\.' is taken off; other tensors are left out \('n_averaged'\)",
    ),
    "averaged beside the last": (
        {"state_dict": below("", tiny(seed=2)), "state_dict_ema": below("module.", TRAINED)},
        r"'state_dict_ema\.module\.' is taken off; other .* left out \('state_dict\.bn\.bias'",
    ),
}


@pytest.mark.parametrize("old", [False, True], ids=["zip", "old format"])
@pytest.mark.parametrize("kind", WRAPPED)
def test_a_prefix_or_a_mapping_around_the_weights_is_taken_off_and_said(tmp_path, kind, old):
    content, says = WRAPPED[kind]
    path = saved(content, tmp_path / "net.pth", _use_new_zipfile_serialization=not old)
    net = tiny()
    with pytest.warns(UserWarning, match=says) as caught:
        weights.fill(net, weights.read(path), "net.pth", head="fc")
    assert same_weights(net, TRAINED)
    assert len(caught) == 1


@pytest.mark.parametrize(
    "content",
    [
        dict(TRAINED.named_parameters()) | dict(TRAINED.named_buffers()),
        {n: v for n, v in TRAINED.state_dict().items() if not n.endswith("num_batches_tracked")},
        {n: v.double() for n, v in TRAINED.state_dict().items()},
    ],
    ids=["parameters", "without counters", "double"],
)
def test_what_torch_loads_without_a_word_is_loaded_without_a_word(tmp_path, content):
    net = tiny()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        weights.fill(net, weights.read(saved(content, tmp_path / "net.pth")), "net.pth")
    assert same_weights(net, TRAINED)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_loaded_rounded(tmp_path, dtype):
    state = {n: v.to(dtype) for n, v in TRAINED.state_dict().items()}
    net = tiny()
    weights.fill(net, weights.read(stored(state, tmp_path / "net")), "net")
    assert net.conv.weight.dtype == torch.float32
    assert torch.equal(net.conv.weight, TRAINED.conv.weight.to(dtype).float())


HEADS = {
    "more classes": (tiny(seed=1, n_classes=5).state_dict(), r"another head .*'fc\.weight'"),
    "two layers": (
        {**{n: v for n, v in TRAINED.state_dict().items() if n[:2] != "fc"},
         "fc.0.weight": torch.ones(3, 4), "fc.2.bias": torch.ones(2)},
        r"another head .*'fc\.0\.weight', 'fc\.2\.bias'",
    ),
    "none": (
        {n: v for n, v in TRAINED.state_dict().items() if n[:2] != "fc"}, "they have no head",
    ),
    "another name": (
        {n.replace("fc.", "classifier."): v for n, v in TRAINED.state_dict().items()},
        r"left out \('classifier\.bias', 'classifier\.weight'\); they have no head",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", HEADS)
def test_another_head_is_left_out_and_said(kind):
    state, says = HEADS[kind]
    net, fresh = tiny(), tiny()
    with pytest.warns(UserWarning, match=f"{says}.*, so 'fc' starts at random"):
        weights.fill(net, state, "net.pth", head="fc")
    assert same_weights(net.fc, fresh.fc)
    assert torch.equal(net.conv.weight, state["conv.weight"])
    assert torch.equal(net.stage3[1].running_mean, state["stage3.1.running_mean"])
    if kind != "another name":
        with unchanged(net), pytest.raises(CourseError, match=r"'fc\.(0\.)?(bias|weight)'"):
            weights.fill(net, state, "net.pth")


def changed(**tensors: torch.Tensor | None) -> dict:
    state = dict(TRAINED.state_dict()) | {n.replace("_", "."): v for n, v in tensors.items()}
    return {name: value for name, value in state.items() if value is not None}


@pytest.mark.parametrize(
    ("state", "says"),
    [
        (changed(bn_bias=None, stage1_0_weight=None), r"lack 'bn\.bias', 'stage1\.0\.weight'\."),
        (changed(stage1_3_weight=torch.ones(4)), r"have a surplus 'stage1\.3\.weight'"),
        (changed(conv_weight=torch.ones(4, 3, 3, 3)), r"'conv\.weight' is \(4, 3, 3, 3\)"),
        (changed(conv_weight=torch.ones(4, 1, 3, 3, dtype=torch.int8)), "torch\\.int8"),
        (changed(bn_bias=torch.full((4,), torch.nan)), r"'bn\.bias' holds NaN or infinite"),
        (changed(bn_bias=torch.full((4,), 1e300, dtype=torch.double)), "holds NaN or infinite"),
        ({**below("q.", TRAINED), **below("k.", TRAINED)}, r"holds networks under .*k\.', .*q\.'"),
    ],
)
@pytest.mark.parametrize("prefix", ["", "module."])
def test_what_does_not_fit_is_named_and_nothing_changes(state, says, prefix):
    net = tiny()
    state = {prefix + name: value for name, value in state.items()}
    with unchanged(net), pytest.raises(CourseError, match=says):
        weights.fill(net, state, "net.pth", head="fc")


@pytest.mark.parametrize("name", ["net", "net.pth", "net.pt", "net.safetensors", "net.txt"])
def test_the_content_tells_the_format(tmp_path, name):
    (tmp_path / "one").mkdir()
    for path in (saved(TRAINED.state_dict(), tmp_path / name),
                 saved(TRAINED.state_dict(), tmp_path / f"old_{name}",
                       _use_new_zipfile_serialization=False),
                 stored(TRAINED.state_dict(), tmp_path / "one" / name)):  # fmt: skip
        assert torch.equal(weights.read(path)["fc.bias"], TRAINED.fc.bias)


@pytest.mark.parametrize("damage", ["cut", "noise"])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_damaged_file_is_one_clear_sentence(tmp_path, damage, suffix):
    path = tmp_path / f"weights{suffix}"
    if suffix == ".pth":
        shutil.copy(weights.lite_file(), path)
    else:
        stored(weights.lite_state(), path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] if damage == "cut" else b"\x07" * 4096)
    with pytest.raises(CourseError, match=r"cannot be read as tensors.*weights=None"):
        weights.read(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x80\x02" + b"text" * 9,
        b"PK\3\4" + b"\0" * 99,
        b"PK\3\4PK\5\6" + b"\0" * 9 + b"\1" + b"\0" * 8,  # its directory would begin before it
    ],
)
def test_what_is_no_weights_file_is_said(tmp_path, content):
    (tmp_path / "net").write_bytes(content)
    with pytest.raises(CourseError, match="damaged or no weights file"):
        weights.read(tmp_path / "net")


def test_a_web_page_saved_as_weights_is_said_to_be_one(tmp_path):
    (tmp_path / "net").write_bytes(b"<!DOCTYPE html>" * 9)
    with pytest.raises(CourseError, match=r"is a web page, not weights.*in a browser"):
        weights.read(tmp_path / "net")


def test_a_flipped_bit_in_a_zip_file_is_found(tmp_path):
    path = saved(TRAINED.state_dict(), tmp_path / "net.pth")
    with zipfile.ZipFile(path) as archive:
        starts = [part.header_offset for part in archive.infolist() if part.file_size > 64]
    whole = path.read_bytes()
    for start in starts:
        flipped = bytearray(whole)
        flipped[start + 150] ^= 1
        path.write_bytes(flipped)
        with pytest.raises(CourseError, match="damaged"):
            weights.read(path)


def test_a_file_saved_without_checksums_is_read(tmp_path):
    torch.serialization.set_crc32_options(False)
    try:
        path = saved(TRAINED.state_dict(), tmp_path / "net.pth")
    finally:
        torch.serialization.set_crc32_options(True)
    assert torch.equal(weights.read(path)["fc.bias"], TRAINED.fc.bias)


@pytest.mark.parametrize("old", [False, True], ids=["zip", "old format"])
@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"state_dict": {}, "args": argparse.Namespace()}, r"more than tensors \(argparse\.Names"),
        ({"best": np.float64(1)}, r"more than tensors \(numpy\S+scalar\)"),
        (nn.Sequential(nn.ReLU()), r"a whole module \(torch\.nn\.modules\.container\.Sequential\)"),
        ({"epoch": 1, "model": TRAINED}, r"a whole module \(tests\.conftest\.TinyNet\)"),
    ],
)
def test_more_than_tensors_is_named_and_never_called_damaged(tmp_path, content, says, old):
    path = saved(content, tmp_path / "net.pt", _use_new_zipfile_serialization=not old)
    with pytest.raises(CourseError, match=rf"holds {says}.*save its state_dict") as caught:
        weights.read(path)
    assert "elete" not in str(caught.value)


def test_a_pickle_of_a_later_protocol_is_not_called_damaged(tmp_path):
    path = saved(TRAINED.state_dict(), tmp_path / "net.pt", pickle_protocol=4)
    with pytest.warns(UserWarning, match="protocol 4"), pytest.raises(CourseError) as caught:
        weights.read(path)
    assert "save its state_dict alone with torch.save" in str(caught.value)


@pytest.mark.parametrize("content", [torch.ones(2), [TRAINED.state_dict()], {"epoch": 3}, {}])
def test_a_file_without_named_tensors_is_said(tmp_path, content):
    with pytest.raises(CourseError, match="from names to tensors is expected"):
        weights.read(saved(content, tmp_path / "net.pt"))


@pytest.mark.parametrize("old", [False, True], ids=["zip", "old format"])
def test_a_file_with_code_in_it_is_not_run(tmp_path, old):
    class Malicious:
        def __reduce__(self):
            return (exec, ("raise SystemExit('code from a weights file ran')",))

    path = saved({"w": Malicious()}, tmp_path / "bad.pth", _use_new_zipfile_serialization=not old)
    with pytest.raises(CourseError, match=r"more than tensors \(exec\)"):
        weights.read(path)


@pytest.mark.parametrize(("name", "why"), [("nothing.pth", "No such"), ("", "director")])
def test_a_file_that_cannot_be_opened_is_named(tmp_path, name, why):
    with pytest.raises(CourseError, match=rf"no weights file .*{why}.*{name}") as caught:
        weights.read(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)


def test_no_network_names_file_address_and_way_out(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(CourseError, match=r"resnet50-0676ba61\.pth.*weights=None") as caught:
        backbones.load("resnet50")
    assert str(tmp_path / "checkpoints" / "resnet50-0676ba61.pth") in str(caught.value)
    assert not list((tmp_path / "checkpoints").glob("*")), "a failed download leaves nothing"


def test_cached_torchvision_weights_are_used_without_a_network(tmp_path, monkeypatch):
    """The files of version 1 are older than BatchNorm's counters of batches."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    path = weights.torchvision_file("resnet18", "IMAGENET1K_V1")
    path.parent.mkdir()
    state = backbones.load("resnet18", weights=None).net.state_dict()
    torch.save({n: v for n, v in state.items() if not n.endswith("num_batches_tracked")}, path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded = backbones.load("resnet18")
    assert torch.equal(loaded.net.conv1.weight, state["conv1.weight"])
    assert torch.equal(loaded.net.fc.bias, state["fc.bias"])


def test_the_packages_own_names_are_translated_under_a_prefix_too():
    state = {f"module.{name}": v for name, v in weights.read(weights.lite_file()).items()}
    assert weights.timm_names(state).keys() == {f"module.{n}" for n in weights.lite_state()}
    # EfficientNet-B0 has Lite0's layers and more: those have to be found to be too many.
    more = {"_blocks.3._se_reduce.weight": torch.ones(1), "_blocks.17._bn1.bias": torch.ones(1)}
    assert [*weights.timm_names(more)] == ["blocks.2.0._se_reduce.weight", "blocks.6.2.bn2.bias"]
