"""What the strategy lab promises, measured: python -m benchmarks.lab

Seconds of every prepared race with a cold and a warm cache, how long Stop takes to be seen and
until the worker is idle, and how much memory 20 races in one session leave behind. Prints JSON,
keeps it in lab.json, and writes the table in README.md once all parts are measured.
With words behind it only those parts are measured: python -m benchmarks.lab stop memory
"""

from __future__ import annotations

import gc
import json
import os
import sys
import tempfile
import time
from dataclasses import replace

import psutil
import torch

from benchmarks.run import HERE, write_readme
from helpers.lab.engine import Lab
from helpers.lab.races import PREPARED

RESULTS = HERE / "lab.json"

RACES, WARM_UP = 20, 2  # the first races fill caches that stay; growth is counted after them


def main(parts: list[str]) -> None:
    """Measure these parts, or all, in a cache of its own and print them."""
    with tempfile.TemporaryDirectory(prefix="lab-") as folder:
        os.environ["COURSE_CACHE"] = folder
        load = psutil.getloadavg()[0]
        found = {
            "threads": torch.get_num_threads(), "load_before": round(load, 2),
        } | {part: PARTS[part]() for part in parts or PARTS}  # fmt: skip
    print(json.dumps(found, indent=1))
    found = (json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}) | found
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    if set(PARTS) <= set(found):
        write_readme(lab=table(found))


def table(found: dict) -> str:
    """Return what was measured as Markdown."""
    lines = [
        "| prepared race | empty cache (s) | the same again (s) | outcome |", "|---|---|---|---|",
        *(f"| {r['name']} | {r['cold_seconds']:.1f} | {r['warm_seconds']:.1f} | {r['leader']} |"
          for r in found["races"]),
    ]  # fmt: skip
    seen, idle = (max(s[k] for s in found["stop"]) for k in ("seen_seconds", "idle_seconds"))
    sizes = found["memory"]["mb"]
    return "\n".join([
        *lines, "",
        f"Stop: the state says so within {seen * 1000:.1f} ms; the worker was idle after at most "
        f"{idle:.1f} s. {len(sizes)} trained races in a row: {sizes[WARM_UP - 1]:,} MB after the "
        f"first {WARM_UP}, {sizes[-1]:,} MB at the end ({found['memory']['growth']:+.1%}).",
    ])  # fmt: skip


def seconds_of(lab: Lab, live: bool = False) -> tuple[float, float]:
    """Return how long the race that is set up takes: wall time, and processor time."""
    began, busy = time.perf_counter(), time.process_time()
    if not lab.race(live):
        raise SystemExit(lab.message)
    lab.wait()
    return round(time.perf_counter() - began, 2), round(time.process_time() - busy, 2)


def prepared_race(name: str) -> dict:
    """Return seconds and results of a prepared race, cold and then warm."""
    lab = Lab()
    lab.load_prepared(name)
    cold, sources = seconds_of(lab), [lane.result.source for lane in lab.lanes]
    warm, again = seconds_of(lab), [lane.result.source for lane in lab.lanes]
    return {
        "name": name, "cold_seconds": cold[0], "cold_processor_seconds": cold[1],
        "warm_seconds": warm[0], "cold": sources, "warm": again,
        "auc": {lane.label: round(lane.result.auc, 3) for lane in lab.lanes},
        "leader": lab.current.leader, "explanation": lab.current.explanation,
    }  # fmt: skip


def stop(after: float) -> dict:
    """Return how long Stop takes when it is pressed so many seconds into a race."""
    lab = Lab(replace(PREPARED[0].setup, epochs=50))
    lab.race(live=True)
    time.sleep(after)
    busy = [lane.status for lane in lab.lanes]
    began = time.perf_counter()
    lab.stop()
    seen = time.perf_counter() - began
    lab.wait()
    idle = time.perf_counter() - began
    return {"pressed_after": after, "lanes": busy, "seen_seconds": round(seen, 4),
            "idle_seconds": round(idle, 2)}  # fmt: skip


def memory() -> dict:
    """Return resident memory over races in a row, each of them trained."""
    lab = Lab(replace(PREPARED[0].setup, n=64, epochs=1))
    sizes = []
    for _ in range(RACES):
        seconds_of(lab, live=True)
        gc.collect()
        sizes.append(round(psutil.Process().memory_info().rss / 2**20))
    return {"mb": sizes, "growth": round(sizes[-1] / sizes[WARM_UP - 1] - 1, 3)}


PARTS = {
    "races": lambda: [prepared_race(prepared.name) for prepared in PREPARED],
    "stop": lambda: [stop(after) for after in (0.2, 1.0, 3.0)],
    "memory": memory,
}

if __name__ == "__main__":
    main(sys.argv[1:])
