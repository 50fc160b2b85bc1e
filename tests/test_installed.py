"""A plain ``pip install .`` from a copy: what runs where there is no repository."""

import importlib.util
import subprocess
import sys
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.browser.servers import free_port, running

ROOT = Path(__file__).parent.parent
PARTS = ("helpers", "data", "docs", "notebooks", "pyproject.toml", "README.md", "LICENSE",
         "LICENSE-TEXT")  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """A folder of installed packages that holds the course; its dependencies are the tests' own."""
    if importlib.util.find_spec("setuptools") is None:
        pytest.skip("setuptools, which builds the package, is not installed")
    copy, site = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("site")
    listed = subprocess.run(
        ["git", "ls-files", "-z", *PARTS], cwd=ROOT, capture_output=True, text=True
    )
    if listed.returncode:
        pytest.skip("the copy is made from what git knows, and this is no clone")
    for name in listed.stdout.split("\0")[:-1]:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_bytes((ROOT / name).read_bytes())
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation",
         "--no-index", "--target", site, copy], check=True,
    )  # fmt: skip
    return site


@pytest.fixture
def elsewhere(site, tmp_path, monkeypatch) -> Path:
    """An empty folder, where Python finds the installed course before any other."""
    monkeypatch.setenv("PYTHONPATH", str(site))
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "work").mkdir()
    return tmp_path / "work"


def helpers(folder: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "helpers", *words], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_is_the_installed_one(elsewhere, site):
    found = subprocess.run(
        [sys.executable, "-c", "import helpers; print(helpers.__file__)"], cwd=elsewhere,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert Path(found.stdout.strip()).is_relative_to(site)


def test_it_looks_at_a_folder_and_trains(elsewhere):
    rng = np.random.default_rng(0)
    for k, name in enumerate(("dark", "light")):
        (elsewhere / "images" / name).mkdir(parents=True)
        for i in range(20):
            pixels = rng.integers(0, 100, (40, 40, 3)) + 80 * k
            Image.fromarray(pixels.astype(np.uint8)).save(elsewhere / f"images/{name}/{i}.png")
    helpers(elsewhere, "advise", "images", "--report", "advice.html")
    assert "<h1" in (elsewhere / "advice.html").read_text()
    words = ("--dataset", "folder:images", "--strategy", "feature_extraction", "--size", "32")
    assert "AUC" in helpers(elsewhere, "train", *words, "--epochs", "1")


def test_it_serves_the_lab(elsewhere, tmp_path):
    arguments = ["-m", "helpers.lab.app", "--no-browser", f"--port={free_port()}"]
    with running(arguments, tmp_path, cwd=elsewhere) as url:
        page = urllib.request.urlopen(url, timeout=300).read().decode()
    assert "Strategy lab" in page or "strategy lab" in page
    assert "Traceback" not in page
