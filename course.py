#!/usr/bin/env python3
"""Install and run the course, on Windows, macOS and Linux: ``python course.py lab``.

It needs nothing but Python 3.11 or newer. The first call makes the environment (a few minutes),
every later one starts at once. ``python course.py --help`` lists the commands.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent
OLDEST = (3, 11)
TORCH = ("torch", "torchvision")
LOCKED = {"": "locked.txt", "test": "locked-test.txt"}  # written by docs/resolve.py
CPU_WHEELS = "https://download.pytorch.org/whl/cpu"  # PyTorch's own
# PyTorch has no wheels for these (docs/install.md): system and processor as Python names them.
NO_WHEELS = {
    ("darwin", "x86_64"): "a Mac with an Intel processor (on Apple silicon: take an arm64 Python)",
    ("win32", "ARM64"): "Windows on ARM (an x86-64 Python may do, not tried)",
}
FIRST = "notebooks/00_start_here.ipynb"
NBVAL = ("--nbval", "--nbval-current-env", "--nbval-cell-timeout=1500",
         "--nbval-sanitize-with", "tests/nbval_sanitize.cfg")  # fmt: skip
# As options: the settings that the course reads from the environment.
SETTINGS = {
    "dataset": ("COURSE_DATASET", "elpv, a MedMNIST set, or folder:PATH"),
    "data-dir": ("COURSE_DATA_DIR", "a folder with image folders, found by their names"),
    "group-pattern": ("COURSE_GROUP_PATTERN", "the part of a file name that is the group"),
    "cache": ("COURSE_CACHE", "where downloads and computed features are kept"),
    "progress": ("COURSE_PROGRESS", "the file in which your progress is kept"),
}


class Stop(Exception):
    """Something the user can put right; its message is one or two plain sentences."""


class Environment:
    """The virtual environment of the course.

    Attributes
    ----------
    folder : where it lies.
    cpu : take PyTorch's CPU wheels instead of what PyPI has for this system.
    wheels : a folder made by ``python course.py wheelhouse``; then no network is asked.
    """

    def __init__(self, folder: Path, *, cpu: bool = False, wheels: Path | None = None) -> None:
        self.folder, self.cpu, self.wheels = folder, cpu, wheels
        self.programs = folder / ("Scripts" if os.name == "nt" else "bin")

    @property
    def python(self) -> str:
        """The interpreter inside it."""
        return str(self.programs / ("python.exe" if os.name == "nt" else "python"))

    def stamp(self, extra: str) -> tuple[Path, str]:
        """Return the file that says what was installed, and what it says when that is current."""
        lists = b"".join(
            (ROOT / name).read_bytes()
            for name in ("pyproject.toml", "constraints.txt", *LOCKED.values())
        )
        return self.folder / f".ready{extra}", hashlib.sha256(lists).hexdigest()

    def ready(self, extra: str = "") -> None:
        """Make it, or bring it up to date, where that is needed.

        Parameters
        ----------
        extra : a list of pyproject.toml that is wanted too, such as ``"test"``.
        """
        file, text = self.stamp(extra)
        if file.is_file() and file.read_text() == text and Path(self.python).exists():
            return
        if sys.version_info[:2] < OLDEST:
            raise Stop(
                f"Python {OLDEST[0]}.{OLDEST[1]} or newer is needed, this is "
                f"{sys.version.split()[0]}. Start course.py with another: python3.12 course.py ..."
            )
        if machine := NO_WHEELS.get((sys.platform, platform.machine())):
            raise Stop(
                f"PyTorch has no packages for {machine}: take another computer, or a server."
            )
        more = {"test": "the tools of the tests", "site": "what builds the site"}
        what = more.get(extra, extra) if Path(self.python).exists() and extra else "the course"
        print(f"Installing {what} into {self.folder} (minutes, once) ...", flush=True)
        uv = None if self.wheels else shutil.which("uv")
        if not Path(self.python).exists():
            call([uv, "venv", "--python", sys.executable, self.folder] if uv
                 else [sys.executable, "-m", "venv", self.folder])  # fmt: skip
        for part in sorted({"", extra} & LOCKED.keys()):
            # First what is known by its hash; PyTorch and its GPU libraries come with the course.
            self._install(uv, ["--no-deps", "--require-hashes", "--requirement", LOCKED[part]])
        pins = ["--constraint", "constraints.txt"]
        if self.cpu:
            self._install(uv, [*pins, "--index-url", CPU_WHEELS, *TORCH])
        self._install(uv, [*pins, "--editable", f".[{extra}]" if extra else "."])
        settings = self.folder / "share" / "jupyter" / "lab" / "settings"
        settings.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "docs" / "lab_settings.json", settings / "overrides.json")
        for installed in {"", extra}:  # a list holds the course, too
            self.stamp(installed)[0].write_text(text)

    def _install(self, uv: str | None, what: list[str]) -> None:
        pip = [uv, "pip", "install", "--python", self.python] if uv else [
            self.python, "-m", "pip", "install", "--disable-pip-version-check"]  # fmt: skip
        offline = ["--no-index", "--find-links", self.wheels] if self.wheels else []
        call([*pip, *offline, *what])

    def run(self, *command: str, **variables: str) -> int:
        """Run a module or script with its Python; return the exit code."""
        return call([self.python, *command], check=False, **variables)


def call(command: list, *, check: bool = True, **variables: str) -> int:
    """Run a command in the course's folder, its output as it comes; return the exit code."""
    # A program of its own group would not get Ctrl-C; this one ends with its child.
    process = subprocess.Popen([str(word) for word in command], cwd=ROOT,
                               env=os.environ | variables)  # fmt: skip
    while True:
        try:
            code = process.wait()
            break
        except KeyboardInterrupt:
            continue  # the child got it, too, and says what it does
    if check and code:
        raise Stop(f"{' '.join(map(str, command))} failed. What it says above is the reason; the "
                   "same command again goes on.")  # fmt: skip
    return code


def install(environment: Environment, rest: list[str]) -> int:
    """Make the environment, or bring it up to date, and nothing else."""
    environment.ready()
    return 0


def lab(environment: Environment, rest: list[str]) -> int:
    """Open JupyterLab on notebook 00, on 127.0.0.1 with Jupyter's token."""
    environment.ready()
    return environment.run("-m", "jupyter", "lab", "--ServerApp.ip=127.0.0.1",
                           f"--LabApp.default_url=/lab/tree/{FIRST}", *rest)  # fmt: skip


def app(environment: Environment, rest: list[str]) -> int:
    """Open the strategy lab as a page of its own."""
    environment.ready()
    return environment.run("-m", "helpers.lab.app", *rest)


def lint(environment: Environment, rest: list[str]) -> int:
    """Check the style of the code."""
    environment.ready("test")
    checked = environment.run("-m", "ruff", "check", ".", *rest)
    return environment.run("-m", "ruff", "format", "--check", ".") or checked


def test(environment: Environment, rest: list[str]) -> int:
    """Check everything: style, unit tests, browser tests, all notebooks.

    Everything runs, whatever fails before it, and the summary at the end names all that failed.
    """
    wrong = lint(environment, [])
    # One process a core; a file's tests, and so a notebook's cells, stay together and in order.
    # They share the cores: more threads than cores wait for each other at every small step.
    workers = os.environ.get("WORKERS", "2")
    share = max(1, int(workers)) if workers.isdigit() else os.cpu_count() or 1
    threads = max(1, (os.cpu_count() or 1) // share)
    words = [*NBVAL, "-n", workers, "--dist", "loadscope", "--durations=10"]
    code = pytest(
        environment, [*words, "tests", *notebook_files(), *rest],
        OMP_NUM_THREADS=os.environ.get("OMP_NUM_THREADS", str(threads)),
    )  # fmt: skip
    print("style", "FAILED" if wrong else "passed")
    return code or wrong


def unit(environment: Environment, rest: list[str]) -> int:
    """Run the unit and browser tests."""
    return pytest(environment, ["tests", *rest])


def nbval(environment: Environment, rest: list[str]) -> int:
    """Run every notebook again and compare each cell's text with what is stored."""
    return pytest(environment, [*NBVAL, "--durations=5", *(rest or notebook_files())])


def pytest(environment: Environment, words: list[str], **settings: str) -> int:
    """Run pytest with its tools."""
    environment.ready("test")
    # Threads that wait for each other sleep: with another program on a core, spinning ones stop
    # the rest.
    settings |= {"TQDM_DISABLE": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    return environment.run("-m", "pytest", *words, **settings)


def notebook_files() -> list[str]:
    """Return the notebooks, in order; those in more/ come last."""
    found = [*sorted(ROOT.glob("notebooks/*.ipynb")), *sorted(ROOT.glob("notebooks/more/*.ipynb"))]
    return [path.relative_to(ROOT).as_posix() for path in found]


def notebooks(environment: Environment, rest: list[str]) -> int:
    """Run all notebooks and store what they print and draw."""
    environment.ready("test")
    code = environment.run(
        "-m", "jupyter", "nbconvert", "--to", "notebook", "--execute", "--inplace",
        "--ExecutePreprocessor.store_widget_state=False",
        "--ExecutePreprocessor.record_timing=False", *(rest or notebook_files()), TQDM_DISABLE="1",
    )  # fmt: skip
    return code or environment.run("docs/finish_notebooks.py")


def bench(environment: Environment, rest: list[str]) -> int:
    """Time the course beside other libraries, which are installed for it."""
    environment.ready("test")
    environment.ready("bench")
    return environment.run("-m", "benchmarks.run", *rest)


def record(environment: Environment, rest: list[str]) -> int:
    """Try the steps of the best recipe, and hold it against published results; resumable."""
    environment.ready()
    code = environment.run("-m", "measure", "recipe", *rest)
    return code or environment.run("-m", "benchmarks.record")


def evidence(environment: Environment, rest: list[str]) -> int:
    """Measure what data/results does not hold yet: hours, resumable."""
    environment.ready()
    return environment.run("-m", "measure", *rest, OMP_NUM_THREADS="1", THP_MEM_ALLOC_ENABLE="1")


def wheelhouse(environment: Environment, rest: list[str]) -> int:
    """Fill a folder (wheels) for a USB stick: install from it with --wheels FOLDER, offline.

    The wheels are for this system and this Python.
    """
    folder = Path(rest[0] if rest else "wheels").absolute()
    if not Path(environment.python).exists():
        call([sys.executable, "-m", "venv", environment.folder])
    pip = [environment.python, "-m", "pip", "wheel", "--wheel-dir", folder]
    if environment.cpu:
        call([*pip, "--index-url", CPU_WHEELS, *TORCH])
    offered = ["--find-links", folder] if environment.cpu else []
    build = "setuptools>=77", "wheel", "pip"
    call([*pip, *offered, "--constraint", "constraints.txt", *build, ".[test]"])
    print(f"{folder} is complete: python course.py --wheels {folder} lab")
    return 0


def test_all(environment: Environment, rest: list[str]) -> int:
    """Check everything as `test` does, and what takes minutes, such as the student version."""
    return test(environment, ["-m", "", *rest])


def site(environment: Environment, rest: list[str]) -> int:
    """Build the site (_site), with slides and handout, to read without an install or a network."""
    return built(environment, "pages", rest)


def slides(environment: Environment, rest: list[str]) -> int:
    """Build the slides (_site/slides): a deck for each notebook, and one of 50 minutes."""
    return built(environment, "slides", rest)


def student(environment: Environment, rest: list[str]) -> int:
    """Build the student version (_site/student), and the teacher's for nbgrader (_site/teacher)."""
    return built(environment, "student", rest)


def handout(environment: Environment, rest: list[str]) -> int:
    """Build the handout (_site/handout): one page to print."""
    return built(environment, "handout", rest)


def built(environment: Environment, part: str, words: list[str]) -> int:
    """Run what builds a part of the site."""
    environment.ready("site")
    return environment.run(f"site/{part}.py", *words)


def clean(environment: Environment, rest: list[str]) -> int:
    """Remove the environment."""
    shutil.rmtree(environment.folder, ignore_errors=True)
    return 0


COMMANDS = (
    install,
    lab,
    app,
    test,
    lint,
    unit,
    nbval,
    notebooks,
    bench,
    record,
    evidence,
    wheelhouse,
    site,
    slides,
    student,
    handout,
    test_all,
    clean,
)


def name_of(command: Callable) -> str:
    """Return a command as it is typed."""
    return command.__name__.replace("_", "-")


def main(words: list[str] | None = None) -> int:
    """Run a command; return its exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        epilog="commands:\n" + "\n".join(
            f"  {name_of(command):<11} {command.__doc__.splitlines()[0]}" for command in COMMANDS
        ) + "\n\nAll other options go to the program that is started, e.g. --no-browser.",
    )  # fmt: skip
    add = parser.add_argument
    add("command", choices=[*map(name_of, COMMANDS)], metavar="COMMAND")
    add("--venv", type=Path, default=Path(os.environ.get("VENV", ".venv")),
        help="folder of the environment (%(default)s)")  # fmt: skip
    add(
        "--cpu",
        action="store_true",
        default=os.environ.get("COURSE_TORCH") == "cpu",
        help="on Linux: PyTorch without GPU libraries, from its own index (or COURSE_TORCH=cpu)",
    )
    add("--wheels", type=Path, help="install from this folder, without a network")
    for option, (variable, what) in SETTINGS.items():
        add(f"--{option}", metavar="TEXT", help=f"{what} (or the variable {variable})")
    given, rest = parser.parse_known_args(words)
    for option, (variable, _) in SETTINGS.items():
        if value := getattr(given, option.replace("-", "_")):
            os.environ[variable] = value
    wheels = given.wheels.resolve() if given.wheels else None
    environment = Environment((ROOT / given.venv), cpu=given.cpu, wheels=wheels)
    command = next(command for command in COMMANDS if name_of(command) == given.command)
    try:
        return command(environment, rest)
    except Stop as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
