"""The npm packages that the site bundles: installed into site/node_modules by the lock file.

``package-lock.json`` holds versions and checksums and no address, so npm asks whatever registry
it is set to.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from helpers.errors import CourseError

HERE = Path(__file__).parent
MODULES = HERE / "node_modules"
INSTALLED = MODULES / ".package-lock.json"  # npm writes it last


def package(name: str) -> Path:
    """Return the folder of an npm package, e.g. ``"ts-fsrs"``; install all of them if need be.

    Raises
    ------
    CourseError
        Where npm is missing, or could not install them.
    """
    lock = HERE / "package-lock.json"
    if not INSTALLED.exists() or INSTALLED.stat().st_mtime < lock.stat().st_mtime:
        install()
    return MODULES / name


def install() -> None:
    """Run ``npm ci``: exactly what the lock file says, without running any package's scripts."""
    npm = shutil.which("npm")
    if npm is None:
        raise CourseError(
            "npm is not installed, and the site bundles packages of it. Install Node.js (on Debian "
            "or Ubuntu: apt-get install npm) and try again; nothing else of the course needs it."
        )
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(HERE)]
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[0]
        raise CourseError(
            f"npm could not install the site's packages ({last}). Check the network, and see "
            f"what 'npm ci' says in {HERE}."
        )
