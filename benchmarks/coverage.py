"""How often the intervals of `metrics.score` hold: ``python -m benchmarks.coverage``.

Scores of two classes are drawn from N(shift, 1) and N(0, 1), with a true AUC of Phi(shift / sqrt
2), again and again; an interval of 95 % should hold the truth 95 times in 100. Beside it: the plain
percentiles of the bootstrap. Writes ``coverage.json`` and its table in ``README.md``.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from scipy.stats import norm

from benchmarks.run import write_readme
from helpers.training import metrics

REPEATS, RESAMPLES = 300, 400
# Images of the one class and of the other, and the shift.
CASES = [
    (3, 97, 1), (3, 97, 3), (10, 10, 1), (10, 10, 3), (10, 100, 1), (10, 100, 3), (20, 300, 2),
    (30, 30, 1), (30, 30, 3), (50, 50, 3), (100, 100, 1), (100, 100, 3),
]  # fmt: skip


def case(few: int, many: int, shift: float) -> dict:
    """Return how often both kinds of intervals hold, and how wide they are on average."""
    labels, truth = np.repeat([1, 0], [few, many]), float(norm.cdf(shift / np.sqrt(2)))
    found = {"course": [], "percentiles": []}
    for seed in range(REPEATS):
        scores = np.random.default_rng((few, many, seed)).normal(labels * shift)
        both = np.stack([-scores, scores], axis=1)
        score = metrics.score(labels, both, seed=seed)
        found["course"].append((score.auc_lo, score.auc_hi))
        draws = metrics._bootstrap(
            lambda weights, scores=scores: metrics.weighted_auc(labels == 1, scores, weights),
            np.arange(len(labels)), seed,
        )  # fmt: skip
        found["percentiles"].append(np.nanpercentile(draws, [2.5, 97.5]))
    row = {"few": few, "many": many, "true_auc": round(truth, 3)}
    for kind, intervals in found.items():
        lo, hi = np.transpose(intervals)
        row[f"{kind}_holds"] = round(float(((lo <= truth) & (truth <= hi)).mean()), 3)
        row[f"{kind}_width"] = round(float((hi - lo).mean()), 3)
    return row


def main() -> None:
    """Simulate every case; write the file and the table."""
    metrics.RESAMPLES = RESAMPLES  # enough for a share of 300, and five times as quick
    rows = [case(*sizes) for sizes in CASES]
    Path(__file__).with_name("coverage.json").write_text(json.dumps(rows, indent=1) + "\n")
    lines = [
        f"{REPEATS} simulated test sets a row; half a width of such a share near .95 is .025.",
        "",
        "| images a class | true AUC | holds | width | plain percentiles hold | width |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {r['few']} and {r['many']} | {r['true_auc']:.3f} | {r['course_holds']:.2f} | "
        f"{r['course_width']:.3f} | {r['percentiles_holds']:.2f} | {r['percentiles_width']:.3f} |"
        for r in rows
    ]
    write_readme(coverage="\n".join(lines))


if __name__ == "__main__":
    main()
