"""Look up again what installs where: ``python docs/resolve.py``, with uv and a network, minutes.

It writes ``locked.txt`` and ``locked-test.txt`` (every file of every pinned package by its SHA-256,
for all systems) and the table of ``docs/install.md``: which systems and Pythons find a wheel of
everything with the pins, with the newest and with the lowest versions that pyproject.toml allows.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "install.md"
PYTHONS = ("3.11.0", "3.12.0", "3.13.0")
SYSTEMS = {
    "Linux, x86-64": "x86_64-manylinux_2_28",
    "Linux, ARM": "aarch64-manylinux_2_28",
    "macOS 14 or newer, Apple silicon": "aarch64-apple-darwin",
    "macOS, Intel": "x86_64-apple-darwin",
    "Windows, x86-64": "x86_64-pc-windows-msvc",
    "Windows, ARM": "aarch64-pc-windows-msvc",
}
WAYS = {
    "pinned": ("--resolution=highest", "--constraint=constraints.txt"),
    "newest": ("--resolution=highest",),
    "lowest": ("--resolution=lowest-direct",),
}
# Without hashes: PyTorch's smaller builds carry other ones, and what it brings for a GPU is its own
# choice.
UNLOCKED = re.compile(r"(torch|torchvision|triton|nvidia-.*|cuda-.*)==")
HEADER = "# Written by docs/resolve.py from constraints.txt: what is installed, by its SHA-256.\n"


def compile_list(*options: str) -> str | None:
    """Return the resolved requirements as uv prints them, or the reason why there are none."""
    done = subprocess.run(
        ["uv", "pip", "compile", "pyproject.toml", "--no-header", "--no-annotate", *options],
        cwd=ROOT, capture_output=True, text=True,
        env=os.environ | {"MACOSX_DEPLOYMENT_TARGET": "14.0"},
    )  # fmt: skip
    return done.stdout if done.returncode == 0 else f"error {done.stderr}"


def locked(*extra: str) -> dict[str, str]:
    """Return name -> its lines with all hashes, for every system that the course runs on."""
    text = compile_list(
        "--universal", "--python-version=3.11", "--generate-hashes", *WAYS["pinned"], *extra
    )
    if text.startswith("error"):
        raise SystemExit(text)
    blocks = re.split(r"\n(?=\S)", text.strip())
    return {
        block.split("==")[0]: block
        for block in blocks
        if not UNLOCKED.match(block) and "== 'emscripten'" not in block
    }


def cell(python: str, system: str, way: str) -> str:
    """Return PyTorch's version where everything has a wheel, else what has none."""
    text = compile_list(
        "--extra=test", "--only-binary=:all:", f"--python-version={python}",
        f"--python-platform={system}", *WAYS[way],
    )  # fmt: skip
    if not text.startswith("error"):
        return re.search(r"^torch==(\S+)", text, re.MULTILINE)[1]
    missing = re.search(r"(?:Because |and )([\w-]+)[=><].*?has no wheels", text)
    return f"no wheel of {missing[1]}" if missing else "no"


def table() -> str:
    """Return the table as Markdown: a row for each system, or two where its Pythons differ."""
    rows = ["| system | Python | pinned | newest | lowest |", "|---|---|---|---|---|"]
    for name, system in SYSTEMS.items():
        found = {python: tuple(cell(python, system, way) for way in WAYS) for python in PYTHONS}
        for cells in dict.fromkeys(found.values()):
            pythons = ", ".join(python for python, its in found.items() if its == cells)
            rows.append(f"| {name} | {pythons} | {' | '.join(cells)} |")
            print(rows[-1], flush=True)
    return "\n".join(rows)


def main() -> int:
    """Write the lists and the table."""
    course, everything = locked(), locked("--extra=test")
    tools = {name: block for name, block in everything.items() if name not in course}
    for file, blocks in (("locked.txt", course), ("locked-test.txt", tools)):
        (ROOT / file).write_text(HEADER + "\n".join(blocks.values()) + "\n")
    before, _, rest = PAGE.read_text().partition("<!-- resolved -->\n")
    _, _, after = rest.partition("<!-- end -->\n")
    PAGE.write_text(f"{before}<!-- resolved -->\n{table()}\n<!-- end -->\n{after}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
