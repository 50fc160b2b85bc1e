"""What README and data/README say can be checked is checked."""

import json
import re
from pathlib import Path

import pytest

from benchmarks import install
from helpers.__main__ import _parser
from helpers.datasets.medmnist import MEDMNIST
from helpers.evidence.tables import COLUMNS
from helpers.networks import backbones, medical
from helpers.training import strategies
from tests.conftest import script

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
DATA = (ROOT / "data" / "README.md").read_text()


def test_every_notebook_is_on_the_map_and_every_link_leads_somewhere():
    for name in script(ROOT / "course.py").notebook_files():
        assert f"({name})" in README
    for link in re.findall(r"\]\(([^)#]+)\)", README):
        assert link.startswith("http") or (ROOT / link).exists(), link


def test_every_command_in_readme_parses():
    lines = re.findall(r"python -m helpers (.+)", README)
    assert lines
    for line in lines:
        words = [word.strip("'\"`") for word in line.split("`")[0].split()]
        if "--help" not in words:
            found = _parser().parse_args(words)
            assert getattr(found, "strategy", "scratch") in strategies.STRATEGIES


@pytest.mark.parametrize(
    "target", ["lab", "test", "app", "notebooks", "site", "slides", "student", "handout"]
)
def test_every_make_target_named_exists(target):
    assert f"make {target}" in README
    assert re.search(rf"^([a-z-]+ )*{target}( [a-z-]+)*:", (ROOT / "Makefile").read_text(), re.M)


def test_every_data_set_has_a_card_with_terms_and_checksums():
    for name, info in MEDMNIST.items():
        assert f"`{name}`" in DATA
        assert info["terms"] in DATA
        assert all(checksum in DATA for checksum in info["md5"])
    assert "`elpv`" in DATA


def test_columns_of_the_results_are_documented():
    assert ", ".join(COLUMNS) in DATA


def test_readme_names_the_weights_and_their_terms():
    words = README.lower().replace("-", "")
    assert all(name.replace("_", "") in words.replace(" ", "") for name in backbones.LAYOUTS)


def test_readme_names_every_medical_checkpoint():
    assert all(f"`{name}`" in README for name in medical.CHECKPOINTS)


def test_the_page_on_installing_shows_what_was_measured():
    page, rows = (ROOT / "docs" / "install.md").read_text("utf-8"), install.RESULTS.read_text()
    assert install.table(json.loads(rows)) in page
