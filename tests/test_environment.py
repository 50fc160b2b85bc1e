"""The lists of dependencies agree: pyproject.toml, constraints.txt, environment.yml."""

import ast
import contextlib
import re
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, metadata, packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
REQUIRED = [Requirement(r) for r in PROJECT["dependencies"]]
REQUIRED += [Requirement(r) for r in PROJECT["optional-dependencies"]["test"]]
PINS = dict(
    line.lower().split("==")
    for line in (ROOT / "constraints.txt").read_text().splitlines()
    if "==" in line
)
DISTRIBUTIONS = packages_distributions()  # name of an import -> names of what installed it


@pytest.mark.parametrize("requirement", REQUIRED, ids=lambda r: r.name)
def test_every_dependency_is_pinned_to_a_version_it_allows(requirement):
    assert requirement.name.lower() in PINS
    assert requirement.specifier.contains(PINS[requirement.name.lower()])


@pytest.mark.parametrize("name", PINS)
def test_a_pin_allows_every_python_that_readme_promises(name):
    """Debian 12 has 3.11.2, and a pin that asks for 3.11.5 keeps the course from installing."""
    with contextlib.suppress(PackageNotFoundError):  # of another system
        allowed = SpecifierSet(metadata(name).get("Requires-Python") or "")
        assert all(allowed.contains(python) for python in ("3.11.0", "3.12.0", "3.13.0"))


LOCKED = {
    file: re.findall(r"^([\w.-]+)==([\w.]+)(.*(?:\n    .*)*)", (ROOT / file).read_text(), re.M)
    for file in ("locked.txt", "locked-test.txt")
}


def test_what_is_pinned_is_installed_by_its_hash():
    """Only PyTorch's own files are not: its smaller builds carry other hashes."""
    versions = {name.lower(): version for rows in LOCKED.values() for name, version, _ in rows}
    assert len(versions) == sum(map(len, LOCKED.values())), "one file for each package"
    pins = {canonicalize_name(name): version for name, version in PINS.items()}
    assert pins.keys() - versions.keys() == {"torch", "torchvision"}
    assert {name: versions[name] for name in pins.keys() & versions.keys()} == {
        name: version for name, version in pins.items() if name in versions
    }, "run: python docs/resolve.py"
    assert all("--hash=sha256:" in hashes for rows in LOCKED.values() for *_, hashes in rows)


def test_conda_installs_the_same_list():
    """environment.yml names no package of its own but asks pip for this project and its pins."""
    lines = [line.strip() for line in (ROOT / "environment.yml").read_text().splitlines()]
    listed = [line.removeprefix("- ") for line in lines if line.startswith("- ")]
    assert listed == [
        "conda-forge",
        f"python{PROJECT['requires-python']}",
        "pip",
        "pip:",
        "--constraint constraints.txt",
        "--editable .[test]",
    ]


def test_this_python_is_one_the_project_allows():
    assert SpecifierSet(PROJECT["requires-python"]).contains(
        ".".join(map(str, sys.version_info[:3]))
    )


def test_every_import_is_a_listed_dependency():
    """An import that only works because another package brought it would break one day."""
    listed = {canonicalize_name(r.name) for r in REQUIRED} | {"ipython"}  # JupyterLab brings it
    for path in sorted((ROOT / "helpers").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module]
            for top in {name.split(".")[0] for name in names}:
                if top in sys.stdlib_module_names or top == "helpers":
                    continue
                brought_by = {canonicalize_name(name) for name in DISTRIBUTIONS.get(top, [top])}
                assert brought_by & listed, f"{path.name} imports {top}"
