import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from helpers.errors import CourseError
from helpers.networks import backbones, weights
from tests.conftest import unchanged


def stored(state: dict, path: Path) -> Path:
    save_file({name: value.contiguous() for name, value in state.items()}, path)
    return path


def test_weights_of_another_network_are_refused(tmp_path):
    resnet = backbones.load("resnet18", weights=None).net.state_dict()
    with pytest.raises(CourseError, match=r"do not fit EfficientNet.*another network"):
        backbones.load(weights=stored(resnet, tmp_path / "resnet.safetensors"))


def test_a_wrong_shape_is_named():
    net = torch.nn.Linear(3, 2)
    says = r"'weight' is \(2, 4\), \(2, 3\) was expected"
    with unchanged(net), pytest.raises(CourseError, match=says):
        weights.fill(net, {"weight": torch.zeros(2, 4), "bias": torch.zeros(2)}, "a file")


@pytest.mark.parametrize("damage", ["cut", "noise"])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_damaged_file_is_one_clear_sentence(tmp_path, damage, suffix):
    path = tmp_path / f"weights{suffix}"
    if suffix == ".pth":
        shutil.copy(weights.lite0_file(), path)
    else:
        stored(weights.lite0_state(), path)
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
