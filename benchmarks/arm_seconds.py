"""What the seconds of strategies.csv are worth today: ``python -m benchmarks.arm_seconds``.

The table was measured with operators of our own that are gone since. This trains arms of one cell
(200 solar cells, seed 0) with the code of then and with the code of now, in turn, each in a process
of its own on one thread, and writes the processor seconds to ``arm_seconds.json``. From scratch a
pass costs what it costs in full fine-tuning, and LP-FT is made of the others. It needs the
repository's history.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
THEN = "6b02663"  # the last commit with the operators that the table was measured with
N, SEED = 200, 0
CODE = {
    "then": "from helpers.evidence import Cell, ARMS, epochs_for, measure",
    "now": "from helpers.evidence.grid import ARMS, epochs_for\n"
    "from measure.strategies import Cell, measure",
}
MEASURE = """
import json, sys
arm = next(arm for arm in ARMS if arm.key == sys.argv[1])
row = measure(Cell("elpv", {n}, arm, epochs_for({n}), {seed}))
row = row if isinstance(row, dict) else row[0]
print(json.dumps({{"auc": row["auc"], "seconds": row["train_seconds"]}}))
"""
ARMS = ("feature_extraction", "partial_finetune_last1", "partial_finetune", "full_finetune")


def seconds(root: Path, when: str, arm: str) -> dict:
    """Return AUC and processor seconds of an arm, with the code in the checkout `root`."""
    script = CODE[when] + MEASURE.format(n=N, seed=SEED)
    with tempfile.TemporaryDirectory() as cache:
        environment = os.environ | {
            "PYTHONPATH": str(root), "COURSE_CACHE": cache, "OMP_NUM_THREADS": "1",
            "THP_MEM_ALLOC_ENABLE": "1", "TQDM_DISABLE": "1",
        }  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-c", script, arm], cwd=root, env=environment, check=True,
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Measure every arm with both, in turn; write the table."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        old = Path(folder) / "then"
        subprocess.run(["git", "worktree", "add", "-q", "--detach", old, THEN], check=True)
        try:
            for arm in ARMS:
                then, now = seconds(old, "then", arm), seconds(HERE.parent, "now", arm)
                rows.append({"arm": arm, "then": then, "now": now,
                             "factor": round(now["seconds"] / then["seconds"], 2)})  # fmt: skip
                print(rows[-1], flush=True)
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", old], check=True)
    (HERE / "arm_seconds.json").write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
