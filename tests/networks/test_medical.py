from __future__ import annotations

import argparse
import functools
import hashlib
import io
import os
import pickle
import shutil
import subprocess
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from helpers.__main__ import main
from helpers.errors import CourseError
from helpers.networks import backbones, medical, unpickle
from helpers.training import checkpoints, experiments, predict, strategies
from tests.conftest import draw_classes, make_split
from tests.networks import owners

NAMES = list(medical.CHECKPOINTS)
SIZE = 80  # pixels; Inception needs 75


@pytest.fixture(autouse=True)
def _alone(tmp_path, monkeypatch, private_cache):
    """No file of the user's is found, no terms are accepted, and no warning was given before."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv(medical.TERMS, raising=False)
    medical._say_once.cache_clear()
    medical._show_once.cache_clear()


@pytest.fixture
def anybody(monkeypatch):
    """The checksums in the table are taken away: files made here cannot have them."""
    for name, info in medical.CHECKPOINTS.items():
        monkeypatch.setitem(medical.CHECKPOINTS, name, info | {"sha256": None})


def files_own_checksum(name: str, path: Path, monkeypatch) -> None:
    sha = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setitem(medical.CHECKPOINTS, name, medical.CHECKPOINTS[name] | {"sha256": sha})


def load(name: str, path: Path | str, **options) -> backbones.Backbone:
    """Load a checkpoint from a file; a word beyond the one on sizes is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return backbones.load(name, weights=path, accept_terms=True, **options).eval()


def pictures(name: str, size: int = SIZE, n: int = 2) -> torch.Tensor:
    takes = medical.contract(name).takes
    generator = torch.Generator().manual_seed(1)
    gray = torch.randint(0, 256, (n, 1 if 1 in takes else 3, size, size), generator=generator)
    return gray.to(torch.uint8)


def pooled(model: backbones.Backbone, images: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        return model.pool(model(images, stop=model.part_names[-2]))


def close(one: torch.Tensor, other: torch.Tensor) -> bool:
    return torch.allclose(one, other, rtol=1e-4, atol=float(other.abs().max()) * 1e-5)


def published_range(name: str, images: torch.Tensor) -> torch.Tensor:
    """Scale images as the owners' code does it; written anew from their words."""
    x = images.double()
    if name in ("chexpert", "xrv_resnet50"):
        return ((2 * (x / 255) - 1) * 1024).float()
    x = x.expand(-1, 3, -1, -1)
    if name.startswith("biovil"):
        low, high = x.amin((1, 2, 3), keepdim=True), x.amax((1, 2, 3), keepdim=True)
        return ((x - low) / (high - low)).float()
    if name.startswith("radimagenet"):
        return ((x - 127.5) * 2 / 255).float()
    mean, std = {
        "medclip": ([0.5862785803043838] * 3, [0.27950088968644304] * 3),
        "ciga": ([0.5] * 3, [0.5] * 3),
    }.get(name, ([0.70322989, 0.53606487, 0.66096631], [0.21716536, 0.26081574, 0.20723464]))
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (mean, std))
    return ((x / 255 - mean) / std).float()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.filterwarnings("ignore:.*was trained at")
@pytest.mark.usefixtures("anybody")
def test_features_of_a_file_of_the_same_layout_are_those_of_the_network_in_it(name, tmp_path):
    path, net = owners.publish(name, tmp_path)
    images = pictures(name) // 2 + 20  # darker than 0..255, so that stretching shows
    with torch.inference_mode():
        expected = owners.features(net, published_range(name, images))
    assert close(pooled(load(name, path), images), expected)


@pytest.mark.parametrize("old", [True, False], ids=["container of before 2020", "zip"])
@pytest.mark.usefixtures("anybody")
def test_a_pickled_module_is_read_without_its_classes(old, tmp_path):
    path, net = owners.publish("chexpert", tmp_path, old)
    with pytest.raises(CourseError, match="holds a whole module"):
        backbones.weight_files.read(path)
    tensors = unpickle.tensors(path, medical.CHECKPOINTS["chexpert"]["classes"])
    assert len(tensors) == 727
    assert torch.equal(tensors["_modules.classifier._parameters.weight"], net.classifier.weight)
    load("chexpert", path)


@pytest.mark.parametrize("name", NAMES)
def test_the_table_counts_the_tensors_and_parameters_of_the_network_without_its_head(name):
    model, info = backbones.load(name, weights=None), medical.CHECKPOINTS[name]
    assert len(model.net.state_dict()) == info["tensors"]
    assert sum(p.numel() for p in model.net.parameters()) == info["parameters"]
    inside = [p for part in model.part_names for p in model.part(part).parameters()]
    assert {id(p) for p in inside} == {id(p) for p in model.net.parameters()}


def test_every_checkpoint_has_a_card_with_its_contract_terms_and_source():
    for name, info in medical.CHECKPOINTS.items():
        card = medical.card(name)
        words = " ".join(card.split())
        facts = {**info, **info["contract"]}
        for key in ("terms", "instead", "trained_on", "file", "source", "range", "prepare"):
            assert facts[key] in words
        for fact in (info["url"], info["sha256"], info["md5"]):
            assert not fact or fact in card
        assert all(len(line) <= 96 or "http" in line for line in card.splitlines())


# Terms


TERMS = r"chexpert come with terms: Apache-2\.0.*accept_terms=True.*COURSE_ACCEPT_TERMS=chexpert"


@pytest.mark.usefixtures("anybody")
def test_weights_are_not_touched_before_their_terms_are_accepted(tmp_path, monkeypatch):
    monkeypatch.setattr(medical.files, "fetch", lambda *_: pytest.fail("downloaded"))
    monkeypatch.setattr(unpickle, "tensors", lambda *_: pytest.fail("read"))
    for weights in ("imagenet", tmp_path / "there.pt"):
        with pytest.raises(CourseError, match=TERMS):
            backbones.load("chexpert", weights=weights)
    monkeypatch.setenv(medical.TERMS, "biovil, medclip")
    with pytest.raises(CourseError, match=TERMS):
        medical.find("chexpert")
    assert backbones.load("chexpert", weights=None).n_features == 1024  # nothing of theirs in it


@pytest.mark.parametrize("words", ["chexpert", "biovil, chexpert", "all"])
def test_the_environment_accepts_terms_and_they_are_shown_once(words, monkeypatch, capsys):
    monkeypatch.setenv(medical.TERMS, words)
    for _ in range(2):
        assert medical.find("chexpert", "a file") == Path("a file")
    said = capsys.readouterr()
    assert said.err.count("chexpert: terms accepted by you: Apache-2.0") == 1
    assert not said.out


# Where a file is


def test_a_file_in_the_cache_of_the_owners_package_goes_before_a_download(tmp_path, private_cache):
    places = (tmp_path / "home/.torchxrayvision/models_data", private_cache / "downloads")
    for place in reversed(places):
        place.mkdir(parents=True)
        file = place / medical.CHECKPOINTS["chexpert"]["file"]
        file.write_bytes(b"weights")
        assert medical.find("chexpert", accept_terms=True) == file


def test_what_has_no_address_is_said_with_its_card_and_its_place(private_cache):
    with pytest.raises(CourseError) as error:
        backbones.load("radimagenet_resnet50", accept_terms=True)
    for part in ("no address", "RadImageNet_pytorch.zip", f"{private_cache}/downloads/ResNet50.pt",
                 "weights=PATH", medical.card("radimagenet_resnet50")):  # fmt: skip
        assert part in str(error.value)


def test_a_download_is_checked_kept_and_loaded(mirror, tmp_path, monkeypatch, private_cache):
    path, _ = owners.publish("chexpert", tmp_path)
    files_own_checksum("chexpert", path, monkeypatch)
    info = medical.CHECKPOINTS["chexpert"]
    monkeypatch.setitem(medical.CHECKPOINTS, "chexpert", info | {"url": f"{mirror.url}/chex.pt"})
    mirror.serve(b"damaged")
    with pytest.raises(CourseError, match=r"4 times it arrived damaged.*put it at"):
        backbones.load("chexpert", accept_terms=True)
    assert not list((private_cache / "downloads").iterdir())
    mirror.answers.clear()
    mirror.serve(path.read_bytes())
    backbones.load("chexpert", accept_terms=True)
    assert medical.find("chexpert", accept_terms=True).name == info["file"]
    assert mirror.paths == ["/chex.pt"] * 5
    assert [file.name for file in (private_cache / "downloads").iterdir()] == [info["file"]]


# Files that are not what they should be


class Call:
    """An object that makes pickle call a function when it is read."""

    def __init__(self, function, *arguments) -> None:
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def stacked(module: str, name: str) -> bytes:
    """A pickle of protocol 4 that looks up `name`, dots and all, in `module`, and calls it."""
    parts = [b"\x8c" + bytes([len(text)]) + text.encode() for text in (module, name, "touch owned")]
    return b"\x80\x04" + parts[0] + parts[1] + b"\x93" + parts[2] + b"\x85R."


HARMFUL = {
    "os.system": Call(os.system, "touch owned"),
    "eval": Call(eval, "open('owned', 'w')"),
    "subprocess": Call(subprocess.call, ["touch", "owned"]),
    "getattr": Call(getattr, "text", "upper"),
    "import": Call(__import__, "os"),
    "partial": functools.partial(os.system, "touch owned"),
    "a file's own torch.load": Call(torch.load, "owned"),
    "nested": [{"deep": ({"x": Call(os.system, "touch owned")},)}],
    "a class of numpy's beside it": {"a": np.float64(1), "b": Call(os.system, "touch owned")},
}


@pytest.mark.parametrize("old", [True, False], ids=["container of before 2020", "zip"])
@pytest.mark.parametrize("kind", HARMFUL)
@pytest.mark.parametrize("name", ["chexpert", "ciga"])
def test_a_file_that_would_run_code_is_refused(name, kind, old, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    content = nn.Sequential(nn.Linear(1, 1))
    content.extra = HARMFUL[kind]
    if name == "ciga":
        content = {"state_dict": {"model.resnet.conv1.weight": torch.ones(1)}, "x": HARMFUL[kind]}
    torch.save(content, "bad.pt", _use_new_zipfile_serialization=not old)
    with pytest.raises(CourseError, match=r"bad\.pt: The file asks for \w+\.\w+.*could run code"):
        load(name, "bad.pt")
    assert [path.name for path in tmp_path.iterdir() if path.name != "cache"] == ["bad.pt"]


@pytest.mark.parametrize(
    ("module", "name"),
    [("posix", "system"), ("builtins", "eval"), ("torch._utils", "os.system"),
     ("torch.nn.modules.linear", "torch.os.system"), ("torch.nn.modules.linear", "../../owned"),
     ("collections", "abc.sys.exit"), ("torchxrayvision.modelsX", "DenseNet"), ("torch", "load"),
     ("torch.nn", "Module"), ("functools", "reduce")],
)  # fmt: skip
def test_a_name_is_looked_up_as_it_stands_or_not_at_all(module, name):
    reader = unpickle.reader(medical.CHECKPOINTS["chexpert"]["classes"])
    with pytest.raises(CourseError, match="The file asks for"):
        reader.load(io.BytesIO(stacked(module, name)))


def test_what_stands_for_an_object_holds_its_content_and_calls_nothing():
    content = pickle.dumps({"a": argparse.Namespace(rate=3)})
    found = unpickle.reader(["argparse."]).load(io.BytesIO(content))
    assert found == {"a": {"rate": 3}}
    assert type(found["a"]).__mro__[1] is unpickle.Hollow


@pytest.mark.usefixtures("anybody")
def test_another_file_than_weights_is_named(tmp_path):
    path, _ = owners.publish("chexpert", tmp_path)
    whole = path.read_bytes()
    for content, says in (
        (b"<!DOCTYPE html><html>Sign in</html>", "is a web page, not weights"),
        (b"\n  <html><title>Quota exceeded</title>", "is a web page, not weights"),
        (whole[: len(whole) // 2], "cannot be read as tensors: it is damaged"),
        (whole[:100], "cannot be read as tensors: it is damaged"),
        (b"", "cannot be read as tensors: it is damaged"),
    ):
        (tmp_path / "given.pt").write_bytes(content)
        with pytest.raises(CourseError, match=says):
            load("chexpert", tmp_path / "given.pt")
    with zipfile.ZipFile(tmp_path / "given.pt", "w") as archive:
        archive.writestr("net/constants.pkl", b"a program of TorchScript has this part")
    with pytest.raises(CourseError, match="TorchScript"):
        load("chexpert", tmp_path / "given.pt")
    with pytest.raises(CourseError, match=r"There is no weights file to read: .*nowhere\.pt"):
        load("chexpert", tmp_path / "nowhere.pt")


def test_a_cut_zip_is_named(tmp_path):
    path, _ = owners.publish("ciga", tmp_path)
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(CourseError, match="cannot be read as tensors: it is damaged"):
        load("ciga", path)


def test_another_checksum_than_the_published_is_refused_but_a_conversion_is_taken(tmp_path):
    path, net = owners.publish("chexpert", tmp_path)
    says = r"is not the published file of chexpert: its SHA-256 is .*1a914ae80217.*was expected"
    with pytest.raises(CourseError, match=says):
        load("chexpert", path)
    save_file(net.state_dict(), tmp_path / "mine.safetensors")
    model = load("chexpert", tmp_path / "mine.safetensors")
    assert torch.equal(model.stem_conv.weight, net.features.conv0.weight)
    place = tmp_path / "home/.torchxrayvision/models_data"
    place.mkdir(parents=True)
    shutil.copy(path, place)
    with pytest.raises(CourseError, match=says):
        backbones.load("chexpert", accept_terms=True)


@pytest.mark.usefixtures("anybody")
def test_a_file_that_fills_nothing_or_not_all_is_an_error_that_names_what_is_missing(tmp_path):
    dense, _ = owners.publish("radimagenet_densenet121", tmp_path)
    with pytest.raises(CourseError, match=r"do not fit ResNet: they lack 'bn1\.bias', .* 261 more"):
        load("radimagenet_resnet50", dense)
    small, net = owners.publish("ciga", tmp_path)
    torch.save(net.state_dict(), small)
    with pytest.raises(CourseError, match=r"do not fit ResNet: they lack 'layer1\.0\.bn3"):
        load("lunit_bt", small)
    state = {name: v for name, v in net.state_dict().items() if name != "layer4.1.conv2.weight"}
    torch.save(state, small)
    with pytest.raises(CourseError, match=r"they lack 'layer4\.1\.conv2\.weight'\. They belong"):
        load("ciga", small)


# The contract


@pytest.mark.parametrize(
    ("name", "images", "says"),
    [
        ("chexpert", torch.rand(1, 1, 224, 224) * 2048 - 1024, r"range \(-1024 to 1024\); .*-10"),
        ("chexpert", torch.rand(1, 1, 224, 224) * 255, "uint8 0..255 or float 0..1.*torch.float32"),
        ("lunit_bt", torch.randn(1, 3, 224, 224), "before any normalisation, or scaled to 0..1"),
        ("chexpert", torch.full((1, 1, 224, 224), torch.nan), "nan to nan"),
        ("chexpert", torch.full((1, 1, 224, 224), 999), "these are torch.int64, 999 to 999"),
        ("chexpert", torch.rand(1, 3, 224, 224), r"C = 1 \(gray, 1 channel\); these are \(1, 3, "),
        ("chexpert", torch.rand(2, 224, 224, 1), r"these are \(2, 224, 224, 1\)\. Permute"),
        ("chexpert", torch.rand(1, 224, 224), r"these are \(1, 224, 224\)"),
        ("ciga", torch.rand(1, 1, 224, 224), r"C = 3 \(colour \(RGB\)\)"),
        ("biovil", torch.rand(1, 2, 480, 480), r"C = 1 or 3 \(gray, or three equal channels\)"),
        ("biovil", torch.rand(1, 3, 480, 480), "trained on gray images, but the channels"),
        ("chexpert", torch.rand(1, 1, 224, 200), r"square images, best 224 x 224, .*224 x 200"),
        ("biovil", torch.rand(1, 1, 512, 640), "the short side resized to 512, then the central"),
        ("chexpert", torch.rand(1, 1, 28, 28), "32 pixels at least; these are 28 x 28"),
        ("radimagenet_inception_v3", torch.rand(1, 1, 64, 64), "75 pixels at least"),
    ],
)
def test_images_that_break_the_contract_are_refused(name, images, says):
    model = backbones.load(name, weights=None).eval()
    with pytest.raises(CourseError, match=says):
        model(images, stop="stem")


@pytest.mark.parametrize(("name", "channels"), [("chexpert", 3), ("xrv_resnet50", 3), ("ciga", 1)])
def test_a_network_for_other_images_than_the_checkpoint_saw_is_refused(name, channels):
    with pytest.raises(CourseError, match=f"{name} was trained on other images: .*channels="):
        backbones.load(name, channels=channels, weights=None)


def test_another_size_than_the_published_works_and_is_said_once(recwarn):
    model = backbones.load("chexpert", weights=None).eval()
    model(torch.rand(1, 1, 224, 224), stop="stem")
    assert not recwarn.list
    for _ in range(2):
        model(torch.rand(1, 1, 96, 96), stop="stem")
    assert [str(w.message)[:55] for w in recwarn.list] == [
        "chexpert was trained at 224 x 224 pixels and sees 96 x "
    ]


@pytest.mark.filterwarnings("ignore:.*was trained at")
def test_biovil_stretches_every_image_by_itself_and_survives_one_of_one_colour():
    model = backbones.load("biovil", weights=None)
    images = torch.rand(2, 1, 64, 64)
    pale = torch.stack([0.2 + 0.3 * images[0], 0.9 * images[1]])
    assert torch.allclose(model.normalise(images), model.normalise(pale), atol=1e-5)
    for gray in (torch.full((1, 1, 64, 64), 0.4), torch.full((1, 1, 64, 64), 9).byte()):
        assert model.normalise(gray).abs().max() == 0


@pytest.mark.filterwarnings("ignore:.*was trained at")
@pytest.mark.parametrize("name", ["biovil", "medclip", "radimagenet_inception_v3"])
@pytest.mark.usefixtures("anybody")
def test_a_stem_summed_for_gray_images_gives_what_three_equal_channels_give(name, tmp_path):
    path, _ = owners.publish(name, tmp_path)
    images, gray = pictures(name), load(name, path, channels=1)
    assert gray.stem_conv.in_channels == 1
    for other in (images, images.expand(-1, 3, -1, -1)):
        assert close(pooled(gray, images), pooled(load(name, path), other))


# From the network to a score


def test_the_head_is_gone_until_another_is_put_on():
    model = backbones.load("chexpert", weights=None).eval()
    images = torch.rand(1, 1, 224, 224)
    with pytest.raises(CourseError, match=r"chexpert has no head yet.*replace_head"):
        model(images)
    model.replace_head(backbones.linear_head(model.n_features, 2))
    assert model(images).shape == (1, 2)


@pytest.mark.filterwarnings("ignore:.*was trained at")
@pytest.mark.parametrize("name", ["feature_extraction", "partial_finetune", "full_finetune"])
def test_the_command_line_trains_on_a_checkpoint_and_its_result_comes_back(
    name, tmp_path, monkeypatch, capsys
):
    path, _ = owners.publish("chexpert", tmp_path)
    files_own_checksum("chexpert", path, monkeypatch)
    images, trained = draw_classes(tmp_path / "images", n=12, size=32), tmp_path / "net.safetensors"
    command = ["train", "--dataset", f"folder:{images}", "--size", "32", "--epochs", "1",
               "--strategy", name, "--accelerator", "cpu", "--checkpoint", str(trained),
               "--backbone", "chexpert", "--weights", str(path)]  # fmt: skip
    assert main(command) == 2
    assert "--accept-terms" in capsys.readouterr().err
    assert main([*command, "--accept-terms"]) == 0
    assert f"chexpert, {name}" in capsys.readouterr().out
    model, facts = checkpoints.load(trained)
    assert facts["backbone"] == "chexpert"
    found = predict.predict(model, make_split(4))
    assert found.shape == (4, 2)
    again, _ = checkpoints.load(trained)
    assert np.array_equal(found, predict.predict(again, make_split(4)))


def test_accepted_terms_do_not_make_another_experiment():
    makers = [{}, {"accept_terms": True}]
    keys = {
        experiments.Experiment(strategies.full_finetune(), model_options=options).dataset_key
        for options in makers
    }
    assert keys == {"elpv"}


@pytest.mark.parametrize(
    ("name", "says"),
    [("RAD-DINO", "vision transformer"), ("eva_x", "vision transformer"),
     ("PathologyNet", r"No checkpoint of that name is published: take 'ciga'"),
     ("chexperd", r"Did you mean 'chexpert'.*resnet18")],
)  # fmt: skip
def test_a_name_that_is_not_here_gets_a_sentence(name, says):
    with pytest.raises(CourseError, match=says):
        backbones.load(name)
    with pytest.raises(CourseError, match=says.split(".*")[0]):
        medical.card(name)


# Against the owner's package, and the owner's file


@pytest.mark.usefixtures("anybody")
@pytest.mark.parametrize("old", [True, False], ids=["container of before 2020", "zip"])
def test_features_are_those_of_torchxrayvision_itself(old, tmp_path):
    xrv = pytest.importorskip("torchxrayvision", reason="torchxrayvision is not installed")
    torch.manual_seed(0)
    net = owners.shaken(xrv.models.DenseNet(weights=None)).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.save(net, tmp_path / "chex.pt", _use_new_zipfile_serialization=not old)
    images = pictures("chexpert", 224)
    given = torch.from_numpy(xrv.utils.normalize(images.numpy(), 255))
    with torch.inference_mode():
        expected = net.features2(given)
    assert close(pooled(load("chexpert", tmp_path / "chex.pt"), images), expected)


# torchxrayvision's issue 107: what the file says of ones(1, 1, 224, 224), as logits.
GOLDEN = {
    "Atelectasis": (0, 0.9345), "Consolidation": (1, 0.6338), "Pneumothorax": (3, -1.3278),
    "Edema": (4, 0.6891), "Effusion": (7, 1.4278), "Pneumonia": (8, -0.4072),
    "Cardiomegaly": (10, 0.7406), "Lung Lesion": (14, 0.1819), "Fracture": (15, -0.1977),
}  # fmt: skip
REAL = Path("~/.torchxrayvision/models_data").expanduser()
REAL /= medical.CHECKPOINTS["chexpert"]["file"]


@pytest.mark.skipif(not REAL.is_file(), reason="the real file of CheXpert is not on this machine")
def test_the_real_file_gives_the_published_logits():
    model = load("chexpert", REAL)
    tensors = unpickle.tensors(REAL, medical.CHECKPOINTS["chexpert"]["classes"])
    head = nn.Linear(1024, 18)
    head.weight, head.bias = (
        nn.Parameter(tensors[f"_modules.classifier._parameters.{name}"])
        for name in ("weight", "bias")
    )
    model.replace_head(head)
    ones = torch.full((1, 1, 224, 224), 1025 / 2048)  # which the network scales to 1
    with torch.inference_mode():
        logits = model.eval()(ones)[0]
    found = {name: float(logits[index]) for name, (index, _) in GOLDEN.items()}
    expected = {name: value for name, (_, value) in GOLDEN.items()}
    assert found == pytest.approx(expected, abs=2e-3)
