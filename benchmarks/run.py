"""``make bench``: every comparison in one call, alternating runs, medians, one table.

Writes ``results.json`` (a list of comparisons), ``scaling.json``, ``scaling.png``,
``frozen_part.json``, ``training_step.json`` and the tables in ``README.md``. ``python -m
benchmarks.run scaling`` (or another name in `PARTS`) measures that part only.
"""

from __future__ import annotations

import functools
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import matplotlib.pyplot as plt

from benchmarks import setting

HERE = Path(__file__).parent
DONE = HERE / ".measurements.jsonl"  # what an interrupted call has measured so far
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
COMPARISONS = [
    ("feature_extraction", "lesson"),
    ("partial_finetune", "lesson"),
    ("full_finetune", "lesson"),
    ("full_finetune", "fastai"),
    ("full_finetune", "lightning"),
]
SCALES = (400, 1600, 6400, 25600)


def measured(key: str, measure: Callable[[], dict]) -> dict:
    """Return a measurement by its key: from an interrupted call of this command, or made now."""
    if DONE.is_file():
        for line in DONE.read_text().splitlines():
            found = json.loads(line)
            if found["key"] == key:
                return found["result"]
    result = measure()
    with DONE.open("a") as file:
        file.write(json.dumps({"key": key, "result": result}) + "\n")
    return result


def run(*arguments: str, cache: Path) -> dict:
    """Run one measurement in a process of its own and return what it printed."""
    environment = os.environ | {"COURSE_CACHE": str(cache), "TQDM_DISABLE": "1"}
    done = subprocess.run(
        [sys.executable, "-m", *arguments], capture_output=True, text=True, env=environment,
        cwd=HERE.parent, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)} failed:\n{done.stderr[-3000:]}")
    result = json.loads(done.stdout.splitlines()[-1])
    print(" ".join(arguments), result, flush=True)
    return result


def race() -> dict[tuple[str, str], list[dict]]:
    """Run every contender of every task `ROUNDS` times, in turn; ours each time with no cache."""
    pairs = dict.fromkeys(("ours", task) for task, _ in COMPARISONS)
    pairs |= dict.fromkeys((peer, task) for task, peer in COMPARISONS)
    times: dict[tuple[str, str], list[dict]] = {pair: [] for pair in pairs}
    times["warm", "feature_extraction"] = []
    for turn in range(ROUNDS):
        for name, task in pairs:
            found = measured(f"{turn} {name} {task}", functools.partial(cold_and_warm, name, task))
            times[name, task].append(found["cold"])
            if "warm" in found:
                times["warm", task].append(found["warm"])
    return times


def cold_and_warm(name: str, task: str) -> dict:
    """Run a contender with an empty cache; ours on strategy 1 a second time with what it left."""
    with tempfile.TemporaryDirectory() as cache:
        found = {"cold": run("benchmarks.contenders", name, task, cache=Path(cache))}
        if (name, task) == ("ours", "feature_extraction"):
            found["warm"] = run("benchmarks.contenders", name, task, cache=Path(cache))
    return found


def comparison(name: str, peer: str, ours: list[dict], theirs: list[dict]) -> dict:
    """Return one row of results.json."""
    mine, other = (statistics.median(r["seconds"] for r in runs) for runs in (ours, theirs))
    return {
        "name": name,
        "ours_seconds": round(mine, 2),
        "peer": peer,
        "peer_seconds": round(other, 2),
        "ratio": round(other / mine, 2),
        "quality_ours": round(statistics.median(r["auc"] for r in ours), 3),
        "quality_peer": round(statistics.median(r["auc"] for r in theirs), 3),
    }


def onnx_row() -> dict:
    """Return the comparison of feature extraction with ONNX Runtime."""
    with tempfile.TemporaryDirectory() as cold:
        found = measured("throughput", lambda: run("benchmarks.throughput", cache=Path(cold)))
    return {
        "name": "features_only",
        "ours_seconds": round(found["ours"], 2),
        "peer": "onnxruntime",
        "peer_seconds": round(found["theirs"], 2),
        "ratio": round(found["theirs"] / found["ours"], 2),
        "quality_ours": None,
        "quality_peer": None,
    }


def scaling() -> list[dict]:
    """Return cost against n, each with an empty cache."""
    rows = []
    for n in SCALES:
        with tempfile.TemporaryDirectory() as cold:
            measure = functools.partial(run, "benchmarks.scaling", str(n), cache=Path(cold))
            rows.append(measured(f"scaling {n}", measure))
    return rows


def draw(rows: list[dict]) -> None:
    """Draw seconds per image and memory against n."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), constrained_layout=True)
    n = [row["n"] for row in rows]
    left.plot(n, [1000 * row["seconds_per_image"] for row in rows], "o-", color="#0072B2")
    left.set(ylabel="milliseconds per image")
    right.plot(n, [row["own_mb"] for row in rows], "o-", color="#0072B2", label="own memory")
    right.plot(n, [row["mapped_mb"] for row in rows], "o--", color="#666666", label="mapped files")
    right.set(ylabel="peak memory (MB)")
    right.legend(frameon=False)
    for axes in (left, right):
        axes.set(xscale="log", xlabel="training images", ylim=(0, None))
        axes.set_xticks(n, [f"{value:,}" for value in n])
        axes.minorticks_off()
    figure.savefig(HERE / "scaling.png", dpi=100)


def table(rows: list[dict]) -> str:
    """Return the comparisons as Markdown."""
    lines = [
        "| what | ours (s) | peer | peer (s) | times as fast | AUC ours | AUC peer |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        quality = [
            "same" if row[key] is None else f"{row[key]:.3f}"
            for key in ("quality_ours", "quality_peer")
        ]
        lines.append(
            f"| {row['name']} | {row['ours_seconds']:.2f} | {row['peer']} | "
            f"{row['peer_seconds']:.2f} | {row['ratio']:.2f} | {quality[0]} | {quality[1]} |"
        )
    return "\n".join(lines)


def scaling_table(rows: list[dict]) -> str:
    """Return cost against n as Markdown."""
    first = statistics.median(row["first_run_seconds"] for row in rows)
    lines = [
        f"A first small run in each process, not counted: {first:.1f} s.",
        "",
        "| n | ms per image | own memory (MB) | mapped files (MB) |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {r['n']:,} | {1000 * r['seconds_per_image']:.2f} | {r['own_mb']:.0f} | "
        f"{r['mapped_mb']:.0f} |"
        for r in rows
    ]
    return "\n".join(lines)


def machine() -> str:
    """Return what the numbers were measured on."""
    versions = ", ".join(
        f"{n} {version(n)}" for n in ("torch", "fastai", "lightning", "onnxruntime")
    )
    here = f"{os.cpu_count()} CPU cores, {platform.system()}, Python {platform.python_version()}"
    return f"Measured on {here}; {versions}. Medians of {ROUNDS} alternating runs."


def write_readme(**blocks: str) -> None:
    """Replace what stands between the markers of README.md."""
    path = HERE / "README.md"
    text = path.read_text()
    for name, block in blocks.items():
        before, rest = text.split(f"<!-- {name} -->\n", 1)
        _, after = rest.split(f"<!-- end {name} -->", 1)
        text = f"{before}<!-- {name} -->\n{block}\n<!-- end {name} -->{after}"
    path.write_text(text)


def tried_table(rows: list[dict], n: int) -> str:
    """Return the ways to run the frozen part as Markdown."""
    lines = [
        f"{n} images in memory, {len(rows)} ways in turn, median of the rounds.",
        "",
        "| way | ms per image | seconds to prepare | difference of the features |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {r['way']} | {r['ms_per_image']:.2f} | {r['seconds_to_prepare']:.1f} | "
        f"{r['difference']:.0e} |"
        for r in rows
    ]
    return "\n".join(lines)


def store(new: list[dict]) -> list[dict]:
    """Put rows into results.json, in the place of older ones of that name and peer; return all."""
    path = HERE / "results.json"
    old = json.loads(path.read_text()) if path.is_file() else []
    names = {(row["name"], row["peer"]) for row in new}
    rows = [row for row in old if (row["name"], row["peer"]) not in names]
    rows = sorted([*rows, *new], key=lambda row: row["name"] == "features_only")
    path.write_text(json.dumps(rows, indent=1) + "\n")
    return rows


def measure_race() -> None:
    """Race the contenders: results.json and its table."""
    times = race()
    rows = store([
        comparison(task, peer, times["ours", task], times[peer, task]) for task, peer in COMPARISONS
    ])  # fmt: skip
    seconds = statistics.median(r["seconds"] for r in times["warm", "feature_extraction"])
    warm = f"Second run of feature_extraction, cache warm: {seconds:.2f} s."
    write_readme(machine=machine(), results=table(rows), warm=warm)


def measure_throughput() -> None:
    """Compare feature extraction with ONNX Runtime: its row in results.json and in the table."""
    write_readme(results=table(store([onnx_row()])))


def measure_scaling() -> None:
    """Measure cost against n: scaling.json, its table and its plot."""
    scales = scaling()
    (HERE / "scaling.json").write_text(json.dumps(scales, indent=1) + "\n")
    draw(scales)
    write_readme(scaling=scaling_table(scales))


def measure_frozen_part() -> None:
    """Try the ways to run the frozen part: frozen_part.json and its table."""
    with tempfile.TemporaryDirectory() as cold:
        found = measured("frozen part", lambda: run("benchmarks.frozen_part", cache=Path(cold)))
    (HERE / "frozen_part.json").write_text(json.dumps(found, indent=1) + "\n")
    write_readme(tried=tried_table(**found))


def step_table(rows: list[dict], size: int) -> str:
    """Return the cost of a training step as Markdown."""
    lines = [
        f"Milliseconds of processor time per image, {size} px, batches of {setting.BATCH}, one "
        "thread, median of steps in turn.",
        "",
        "| way | partial_finetune | full_finetune |",
        "|---|---|---|",
    ]
    lines += [
        f"| {r['way']} | {r['partial_finetune']:.2f} | {r['full_finetune']:.2f} |" for r in rows
    ]
    return "\n".join(lines)


def measure_training_step() -> None:
    """Time a training step: training_step.json and its table."""
    with tempfile.TemporaryDirectory() as cold:
        found = measured("step", lambda: run("benchmarks.training_step", cache=Path(cold)))
    (HERE / "training_step.json").write_text(json.dumps(found, indent=1) + "\n")
    write_readme(step=step_table(**found))


PARTS = {
    "race": measure_race,
    "throughput": measure_throughput,
    "scaling": measure_scaling,
    "frozen_part": measure_frozen_part,
    "training_step": measure_training_step,
}


def main() -> None:
    """Measure everything, or the parts named on the command line, and write it down."""
    for name in sys.argv[1:] or PARTS:
        PARTS[name]()
    DONE.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
