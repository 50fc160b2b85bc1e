import shutil

import pytest
import timm
import torch
from safetensors.torch import save_file

from helpers.errors import CourseError
from helpers.networks import backbones, weights


def test_every_tensor_of_lite0_is_translated_by_name_and_shape():
    net = timm.create_model("tf_efficientnet_lite0").state_dict()
    state = weights.lite0_state()
    assert {name: t.shape for name, t in state.items()} == {n: t.shape for n, t in net.items()}
    assert len(state) == 296


def test_weights_of_another_network_are_refused_and_change_nothing(tmp_path):
    resnet = backbones.load("resnet18", weights=None)
    save_file(
        {k: v.contiguous() for k, v in resnet.net.state_dict().items()},
        tmp_path / "resnet.safetensors",
    )
    with pytest.raises(CourseError, match=r"do not fit EfficientNet.*another network"):
        backbones.load(weights=tmp_path / "resnet.safetensors")


def test_a_wrong_shape_is_named():
    net = torch.nn.Linear(3, 2)
    before = net.weight.clone()
    with pytest.raises(CourseError, match=r"'weight' is \(2, 4\), \(2, 3\) was expected"):
        weights.fill(net, {"weight": torch.zeros(2, 4), "bias": torch.zeros(2)}, "a file")
    assert torch.equal(net.weight, before)


@pytest.mark.parametrize("damage", ["cut", "noise"])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_damaged_file_is_one_clear_sentence(tmp_path, damage, suffix):
    path = tmp_path / f"weights{suffix}"
    if suffix == ".pth":
        shutil.copy(weights.lite0_file(), path)
    else:
        save_file({k: v.contiguous() for k, v in weights.lite0_state().items()}, path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] if damage == "cut" else b"\x07" * 4096)
    with pytest.raises(CourseError, match=r"cannot be read as tensors.*weights=None"):
        weights.read(path)


def test_a_file_with_code_in_it_is_not_run(tmp_path):
    class Malicious:
        def __reduce__(self):
            return (exec, ("raise SystemExit('code from a weights file ran')",))

    torch.save({"weight": Malicious()}, tmp_path / "bad.pth")
    with pytest.raises(CourseError, match="cannot be read as tensors"):
        weights.read(tmp_path / "bad.pth")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CourseError, match=r"no weights file .*nothing\.pth"):
        weights.read(tmp_path / "nothing.pth")


def test_no_network_names_file_address_and_way_out(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(CourseError, match=r"resnet50-0676ba61\.pth.*weights=None") as caught:
        backbones.load("resnet50")
    assert str(tmp_path / "checkpoints" / "resnet50-0676ba61.pth") in str(caught.value)
    assert not list((tmp_path / "checkpoints").glob("*")), "a failed download leaves nothing"


def test_cached_torchvision_weights_are_used_without_a_network(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    path = weights.torchvision_file("resnet18", "IMAGENET1K_V1")
    path.parent.mkdir()
    made = backbones.load("resnet18", weights=None)
    torch.save(made.net.state_dict(), path)
    loaded = backbones.load("resnet18")
    assert torch.equal(loaded.net.conv1.weight, made.net.conv1.weight)


def test_unknown_version_names_the_known_ones():
    with pytest.raises(CourseError, match="IMAGENET1K_V1"):
        backbones.load("resnet50", weights="IMAGENET1K_V3")
