import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from helpers.errors import CourseError
from helpers.networks import backbones, weights
from helpers.networks.backbones import Backbone
from helpers.training import checkpoints
from tests.conftest import same_weights, tiny_backbone
from tests.training.conftest import fit


@pytest.fixture
def exported(tmp_path, monkeypatch) -> tuple[Backbone, Path]:
    """A network and the file it was written to, with a suffix that says nothing of its format."""
    monkeypatch.setattr(backbones, "load", lambda name, channels, **_: tiny_backbone(channels))
    model = tiny_backbone(n_classes=3, seed=1)
    path = checkpoints.export(model, tmp_path / "net.pt", classes="abc", channels=1, auc=0.9375)
    return model, path


def test_what_export_wrote_under_any_name_loads(exported):
    model, path = exported
    loaded, facts = checkpoints.load(path)
    assert same_weights(loaded, model)
    assert (facts["classes"], facts["auc"], loaded.training) == (["a", "b", "c"], 0.9375, False)


def test_a_flipped_bit_in_weights_or_facts_is_found(exported):
    _, path = exported
    whole = path.read_bytes()
    places = [whole.index(b"0.9375"), *range(len(whole) - 5, len(whole) - 1500, -97)]
    for place in places:
        flipped = bytearray(whole)
        flipped[place] ^= 1
        path.write_bytes(flipped)
        with pytest.raises(CourseError, match="damaged"):
            checkpoints.load(path)


def rewritten(path: Path, change=lambda tensors: None, **facts: object) -> None:
    """Write an export as the course did before there was a checksum."""
    with safe_open(path, "pt") as file:
        stored = json.loads(file.metadata()["facts"]) | facts
    tensors = weights.read(path)
    change(tensors)
    save_file(tensors, path, metadata={"facts": json.dumps(stored)})


def test_a_file_of_an_older_course_has_no_checksum_and_loads(exported):
    model, path = exported
    rewritten(path)
    assert same_weights(checkpoints.load(path)[0], model)


def test_nan_in_exported_weights_is_found_without_a_checksum_too(exported):
    _, path = exported
    rewritten(path, lambda tensors: tensors["conv.weight"][0, 0, 0].fill_(torch.nan))
    with pytest.raises(CourseError, match=r"'conv\.weight' holds NaN or infinite"):
        checkpoints.load(path)


def test_facts_of_a_head_that_there_is_not_are_said(exported):
    rewritten(exported[1], head="attention")
    with pytest.raises(CourseError, match="not what the course stores"):
        checkpoints.load(exported[1])


def test_a_flipped_bit_in_a_saved_run_is_found_and_the_file_stays(toy, tmp_path):
    fit(toy, folder=tmp_path)
    path = tmp_path / checkpoints.STATE
    whole = path.read_bytes()
    # Any float of the weights stands in the middle of the file, in one of its many parts.
    kernel = torch.load(path, weights_only=True)["kept"]["module.net.conv.weight"]
    places = [whole.index(kernel.contiguous().numpy().tobytes()), whole.index(b"train_loss")]
    for place in places:
        flipped = bytearray(whole)
        flipped[place] ^= 16
        path.write_bytes(flipped)
        with pytest.raises(CourseError, match="cannot be read"):
            fit(toy, folder=tmp_path)
        assert path.read_bytes() == flipped


@pytest.mark.parametrize("key", checkpoints.KEYS)
def test_a_saved_run_without_one_of_its_parts_is_said(tmp_path, key):
    state = {name: "mine" for name in checkpoints.KEYS}
    checkpoints.save_state(tmp_path, state)
    assert checkpoints.load_state(tmp_path, "mine") == state
    checkpoints.save_state(tmp_path, {n: v for n, v in state.items() if n != key})
    with pytest.raises(CourseError, match="cannot be read"):
        checkpoints.load_state(tmp_path, "mine")


def test_a_saved_run_that_may_not_be_opened_is_not_called_damaged(tmp_path, monkeypatch):
    checkpoints.save_state(tmp_path, {})

    def refuse(path, *_):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(CourseError, match=r"cannot be opened: .*Permission denied"):
        checkpoints.load_state(tmp_path, "mine")
