"""What the build of the page that needs no install makes, and what it says where it cannot."""

from __future__ import annotations

import json
import math
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from torch import nn

import node
import try_page
from helpers.errors import CourseError
from helpers.networks import backbones, export

SITE = Path(__file__).parents[2] / "site"
LINES, MEGABYTES = 1500, 60


def test_the_own_script_and_style_stay_short():
    own = [*(SITE / "try").glob("*.js"), SITE / "try" / "style.css"]
    assert sum(len(path.read_text("utf-8").splitlines()) for path in own) <= LINES


def test_the_page_is_plain_scripts_that_name_no_other_machine():
    for path in (SITE / "try").iterdir():
        text = path.read_text("utf-8")
        assert not re.findall(r"https?://(?!www\.w3\.org/2000/svg)", text), path.name
        assert 'type="module"' not in text


def test_the_lock_file_has_checksums_and_no_address():
    locked = json.loads((SITE / "package-lock.json").read_text("utf-8"))["packages"]
    packages = {name: entry for name, entry in locked.items() if name}
    assert all("integrity" in entry and "resolved" not in entry for entry in packages.values())
    wanted = json.loads((SITE / "package.json").read_text("utf-8"))["dependencies"]
    assert {name: packages[f"node_modules/{name}"]["version"] for name in wanted} == wanted


def test_the_folder_holds_all_and_stays_small(try_folder, monkeypatch, capsys):
    monkeypatch.setattr(try_page, "build", lambda folder: try_folder / "index.html")
    assert try_page.main(["anywhere"]) == 0
    files = list(try_folder.iterdir())
    size = sum(path.stat().st_size for path in files) / 1e6
    assert size <= MEGABYTES
    assert f"index.html: {size:.0f} MB" in capsys.readouterr().out
    index = (try_folder / "index.html").read_text("utf-8")
    asked = set(re.findall(r'(?:src|href)="([^#"]+)"', index)) - {"data:,"}
    assert asked <= {path.name for path in files}
    assert "CC BY-NC-SA 4.0" in (try_folder / "LICENCES.txt").read_text("utf-8")


def test_without_npm_it_says_what_to_install(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(node, "INSTALLED", tmp_path / "none")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert try_page.main([str(tmp_path / "page")]) == 2
    assert "npm is not installed" in capsys.readouterr().err


def test_what_npm_refuses_is_one_sentence(tmp_path, monkeypatch):
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho 'npm error no network' >&2\nexit 1\n")
    npm.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda name: str(npm))
    with pytest.raises(CourseError, match=r"could not install .*\(npm error no network\)"):
        node.install()


def test_the_sample_keeps_blocks_of_cells_on_one_side():
    _, train, test = try_page.sample_splits()
    assert not set(train.groups) & set(test.groups)
    for split in (train, test):
        assert np.bincount(split.labels).tolist() == [60, 60]


def test_random_weights_are_drawn_as_timm_draws_them(tmp_path):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    export.onnx(backbones.load(), tmp_path / "a.onnx")
    places = try_page.random_places((tmp_path / "a.onnx").read_bytes())
    fresh = backbones.load(weights=None)
    convolutions = [m.weight for m in fresh.net.modules() if isinstance(m, nn.Conv2d)]
    drawn = [(n, deviation) for _, n, deviation in places if deviation]
    assert [n for n, _ in drawn] == [weight.numel() for weight in convolutions]
    for (n, deviation), weight in zip(drawn, convolutions, strict=True):
        assert weight.std().item() == pytest.approx(deviation, rel=4 / math.sqrt(n))
