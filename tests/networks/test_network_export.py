"""A network as an ONNX file gives what torch gives, says what it takes, or says what is missing."""

import importlib.util

import numpy as np
import pytest
import torch

from helpers.__main__ import main
from helpers.errors import CourseError
from helpers.networks import backbones, export
from helpers.training import checkpoints
from tests.conftest import tiny_backbone

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")


def run(path, images: np.ndarray) -> np.ndarray:
    return onnxruntime.InferenceSession(path).run(None, {"images": images})[0]


def test_the_real_network_gives_its_features_at_any_size(tmp_path, capsys):
    path = tmp_path / "lite0.onnx"
    assert main(["export", "--to", "onnx", str(path)]) == 0
    said = capsys.readouterr().out
    for part in ("MB, opset 17", "images (N, 3, H, W), float32 in 0..1", "mean 0.5 0.5 0.5",
                 "features (N, 1280)", "off torch"):  # fmt: skip
        assert part in said
    model = backbones.load().eval()
    for shape in ((1, 3, 96, 96), (5, 3, 70, 131)):
        images = torch.rand(shape)
        with torch.inference_mode():
            wanted = model.pool(model(images, stop="stage7")).numpy()
        np.testing.assert_allclose(run(path, images.numpy()), wanted, atol=1e-3)


def test_a_trained_checkpoint_gives_its_logits_on_gray_images(tmp_path, capsys):
    model = backbones.load(channels=1)
    model.replace_head(backbones.linear_head(model.n_features, 2))
    weights = checkpoints.export(model, tmp_path / "a.safetensors", classes=["a", "b"], channels=1)
    path = tmp_path / "a.onnx"
    assert main(["export", "--to", "onnx", f"--checkpoint={weights}", str(path)]) == 0
    assert "images (N, 1, H, W)" in (said := capsys.readouterr().out)
    assert "logits (N, 2)" in said
    images = torch.rand(3, 1, 64, 64)
    with torch.inference_mode():
        wanted = model.eval()(images).numpy()
    np.testing.assert_allclose(run(path, images.numpy()), wanted, atol=1e-3)


def test_a_file_that_differs_from_torch_is_not_written(tmp_path, monkeypatch):
    monkeypatch.setattr(export, "TOLERANCE", -1.0)
    with pytest.raises(CourseError, match="off torch"):
        export.onnx(tiny_backbone(), tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())


def test_the_target_is_tried_first(tmp_path, capsys):
    (tmp_path / "a.onnx").write_text("kept")
    assert main(["export", "--to", "onnx", str(tmp_path / "a.onnx")]) == 2
    assert "is there already" in capsys.readouterr().err
    assert (tmp_path / "a.onnx").read_text() == "kept"
    assert main(["export", "--to", "onnx", str(tmp_path / "a.txt")]) == 2
    assert "must end in .onnx" in capsys.readouterr().err


def test_missing_packages_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(CourseError, match=r"needs onnx and onnxruntime: pip install '\.\[onnx\]'"):
        export.onnx(tiny_backbone(), tmp_path / "a.onnx")


def test_a_medical_checkpoint_is_refused(tmp_path):
    with pytest.raises(CourseError, match="checks its images"):
        export.onnx(backbones.load("chexpert", weights=None), tmp_path / "a.onnx")
