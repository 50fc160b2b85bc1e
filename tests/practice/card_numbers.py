"""Where the numbers on the cards come from: the names that a card's expressions may use.

A card says ``"numbers": {".86": "arm('elpv', 200, 'full_finetune')"}``: the text as it is written
in an answer, and an expression that yields it. `evaluate` works out the expression, `agrees`
compares, `unexplained` finds what no expression covers. (The file is not called numbers.py: on
the path of a child process it would hide Python's own module of that name.)
"""

from __future__ import annotations

import ast
import functools
import json
import math
import re
from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_DOWN, ROUND_HALF_UP, Decimal
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import torch

from helpers import inspection
from helpers.evidence import augmentation, probes, recommend, rules, tables, trust, verdicts
from helpers.evidence import gray as gray_table
from helpers.evidence.verdicts import interval
from helpers.networks import backbones
from helpers.training import calibration, metrics, strategies, threshold


@functools.cache
def results(name: str) -> pd.DataFrame:
    """Return data/results/NAME.csv."""
    return pd.read_csv(tables.FOLDER / f"{name}.csv")


@functools.cache
def evidence() -> verdicts.Evidence:
    """Return the measured grid."""
    return verdicts.evidence()


def behind_scratch() -> int:
    """Return in how many cells of the grid any pretrained arm lies behind the better scratch."""
    behind = 0
    for arms in map(verdicts.means, evidence().auc.values()):
        scratch = max(mean for name, mean in arms.items() if name.startswith("scratch"))
        behind += min(mean for name, mean in arms.items() if name[:7] != "scratch") < scratch
    return behind


def rule(outcome: str) -> int:
    """Return in how many cells the usual rule "wins", "loses" or has "no clear difference"."""
    held = rules.against_lesson(evidence(), recommend.similarities())
    return int((held["outcome"] == outcome).sum())


@functools.cache
def net(name: str = "efficientnet_lite0", weights: str | None = None) -> backbones.Backbone:
    """Return a network; without weights it serves for its sizes."""
    return backbones.load(name, weights=weights)


def count(module: torch.nn.Module) -> int:
    """Return how many numbers of a module can train."""
    return sum(p.numel() for p in module.parameters())


@functools.cache
def params(name: str, part: str | None = None, classes: int | None = None) -> int:
    """Return the parameters of a network or of one part; `classes` gives it another head."""
    whole = net(name)
    if part:
        return count(whole.part(part))
    features = whole.n_features
    new = 0 if classes is None else count(whole.head) - classes * (features + 1)
    return count(whole) - new


@functools.cache
def field(part: str, size: int = 224) -> int:
    """Return the receptive field of a part of EfficientNet-Lite0, in pixels."""
    return int(inspection.geometry(net(), size).loc[part, "receptive_field"])


@functools.cache
def _outputs(notebook: str) -> list[tuple[str, str]]:
    content = json.loads(
        (Path(__file__).parents[2] / "notebooks" / f"{notebook}.ipynb").read_text("utf-8")
    )
    found = []
    for cell in content["cells"]:
        for output in cell.get("outputs", []):
            alt = output.get("metadata", {}).get("image/png", {}).get("alt", "")
            found.append(("".join(output.get("text", "")), alt))
    return found


@functools.cache
def printed(notebook: str, label: str, k: int = 0) -> float:
    """Return the k-th number behind a label in what a notebook printed (stored, and compared)."""
    for text, _ in _outputs(notebook):
        if label in text:
            rest = text.split(label, 1)[1].split("\n", 1)[0]
            return float(re.findall(r"[-+]?\d*\.?\d+", rest.replace(",", ""))[k])
    raise LookupError(f"{notebook} prints no {label!r}")


@functools.cache
def shown(notebook: str, label: str) -> verdicts.Interval:
    """Return a labelled value with its interval from the text of a notebook's stored figure."""
    number = r"([-+]?\d*\.?\d+)"
    for _, alt in _outputs(notebook):
        found = re.search(
            r"(?:^|[:;,] )" + re.escape(label) + rf" {number} \[{number}, {number}\]", alt
        )
        if found:
            return verdicts.Interval(*map(float, found.groups()))
    raise LookupError(f"no figure of {notebook} shows {label!r}")


def given(value: float) -> float:
    """Return a number that is an assumption or a definition, no finding: 'at a share of 1 %'."""
    return value


def published(value: float, source: str = "") -> float:
    """Return a number of somebody else; the card names the source.

    With `source`, it also has to stand in data/published.json in a finding of that source.
    """
    if source:
        found = [f.finding + f.source for f in rules.PUBLISHED if source in f.source]
        text = f"{value:,}".removeprefix("0")
        assert any(text in words for words in found), f"{text} is not in data/published.json"
    return value


@functools.cache
def arm(dataset: str, n: int, name: str, column: str = "auc") -> float:
    """Return a column of an arm in a cell of the grid, the mean over its seeds."""
    table = evidence().arms.set_index(["dataset", "n", "arm"])
    return float(table.loc[(dataset, n, name), column])


@functools.cache
def lead(dataset: str, n: int, one: str, other: str) -> verdicts.Interval:
    """Return how far an arm is ahead of another, with both kinds of chance."""
    return verdicts.ahead(evidence().auc[dataset, n], evidence().by_image[dataset, n], one, other)


@functools.cache
def gap(dataset: str, n: int) -> pd.Series:
    """Return full fine-tuning minus the better budget of scratch: ``gap, lo, hi``."""
    return verdicts.gap_by_n(evidence(), dataset).loc[n]


@functools.cache
def trap(dataset: str) -> verdicts.Interval:
    """Return the AUC of a frozen network whose BatchNorm moves minus one where it rests."""
    rows = gray_table.read().query("gray == 'sum' and strategy == 'feature_extraction'")
    rows = rows[rows["dataset"] == dataset]
    auc = {
        mode: part.set_index("seed")["auc"].to_dict() for mode, part in rows.groupby("batchnorm")
    }
    return verdicts.paired(auc["train"], auc["eval"])


@functools.cache
def _gray() -> pd.DataFrame:
    return gray_table.summary(gray_table.read())


def gray(how: str, strategy: str = "feature_extraction", mode: str = "eval") -> pd.Series:
    """Return what a way to feed gray solar cells costs: ``change, change_lo, change_hi, auc``."""
    return _gray().loc["elpv", strategy, mode, how]


@functools.cache
def _findings() -> pd.DataFrame:
    runs = tables.read(augmentation.RESULTS, augmentation.COLUMNS)
    return augmentation.findings(runs).set_index(["dataset", "n_train", "policy"])


@functools.cache
def policy(dataset: str, n: int, name: str) -> pd.Series:
    """Return what an augmentation policy adds: ``gain, gain_lo, gain_hi, ups, effect``."""
    return _findings().loc[dataset, n, name]


def ties(policy: str, n: int) -> float:
    """Return what an X-ray policy's AUC lost in single precision, mean of the seeds in both."""
    both = augmentation.scored_twice()
    both = both[(both["policy"] == policy) & (both["n_train"] == n)]
    return (both["auc"] - both["auc_before"]).mean()


@functools.cache
def probe_gain(dataset: str, part: str) -> pd.Series:
    """Return how far a pretrained probe is ahead of a random one: ``gap, lo, hi``."""
    return probes.gains_by_part(probes.read_probes(), dataset).loc[part]


@functools.cache
def cka(strategy: str, part: str) -> float:
    """Return how alike a part stays to the pretrained network's, the mean over seeds."""
    rows = results("cka")
    return float(rows[(rows["strategy"] == strategy) & (rows["part"] == part)]["cka"].mean())


@functools.cache
def leak(name: str, strategy: str = "feature_extraction", column: str = "gap") -> pd.Series:
    """Return what a leak shows: ``seeds, mean, lo, hi`` of `column` over seeds."""
    rows = results("leaks")
    rows = rows[(rows["leak"] == name) & (rows["strategy"] == strategy)]
    return verdicts.summary(rows, ["leak"], column).loc[name]


@functools.cache
def remembered(way: str, rate: float = 3e-4, column: str = "agreement") -> pd.Series:
    """Return the share of ImageNet answers left after a training (or its ``auc``)."""
    table = verdicts.summary(results("forgetting"), ["way", "rate"], column)
    return table.loc[way, rate]


@functools.cache
def shift(train_on: str, strategy: str, place: str, repair: str = "none", column: str = "auc"):
    """Return ``seeds, mean, lo, hi`` of a network in another place, as it is or repaired."""
    table = results("shift").fillna({"repair": "none"})
    by = ["train_on", "strategy", "place", "repair"]
    return verdicts.summary(table[table[column].notna()], by, column).loc[
        train_on, strategy, place, repair
    ]


@functools.cache
def fault(name: str) -> verdicts.Interval:
    """Return the validation AUC at the end of a broken run minus that of the healthy one."""
    rows = results("broken_runs")
    last = rows[rows["epoch"] == rows["epoch"].max()].set_index(["fault", "seed"])["val_auc"]
    return interval((last[name] - last["none"]).dropna())


predictions = functools.cache(trust.read_predictions)


@functools.cache
def answers(strategy: str, seed: int = 0, remedy: str | None = None) -> SimpleNamespace:
    """Return the stored answers of one network on solar cells (400 images; rare: 40 positive)."""
    rows = predictions()
    rows = rows[(rows["rare"] > 0) == (remedy is not None)]
    rows = rows[(rows["strategy"] == strategy) & (rows["seed"] == seed)]
    return SimpleNamespace(**(rows if remedy is None else rows[rows["remedy"] == remedy]).iloc[0])


@functools.cache
def at_sensitivity(wanted: float = 0.9) -> threshold.Counts:
    """Return the test counts of the frozen network at a threshold chosen on validation."""
    one = answers("feature_extraction")
    cut = threshold.for_sensitivity(one.val_labels, one.val_logits, wanted)
    return threshold.counts(one.test_labels, one.test_logits, cut)


def ppv(sensitivity: float, specificity: float, prevalence: float) -> float:
    """Return the share of alarms that are true."""
    true, false = sensitivity * prevalence, (1 - specificity) * (1 - prevalence)
    return true / (true + false)


@functools.cache
def validation_width() -> float:
    """Return the mean half-width of the intervals of the stored networks' AUCs on validation."""
    rows, halves = predictions(), []
    for row in rows[rows["rare"] == 0].itertuples():
        p = calibration.probability(row.val_logits)
        score = metrics.score(row.val_labels, np.stack([1 - p, p], 1))
        halves.append((score.auc_hi - score.auc_lo) / 2)
    return float(np.mean(halves))


@functools.cache
def replaced() -> pd.Series:
    """Return how far the AUC moved of every run that was measured twice."""
    both = results("strategies_replaced").merge(tables.read_rows_before(), on=list(tables.KEY))
    return both["auc_y"] - both["auc_x"]


@functools.cache
def tuned_minus_frozen() -> verdicts.Interval:
    """Return full fine-tuning minus feature extraction, paired by seed and test image (n = 400)."""
    rows = predictions()
    rows = rows[rows["rare"] == 0]
    one, other = (rows[rows["strategy"] == s] for s in ("full_finetune", "feature_extraction"))
    return trust.difference(one, other)


MODULES = {"np": np, "pd": pd, "torch": torch, "math": math, "metrics": metrics,
           "calibration": calibration, "strategies": strategies, "threshold": threshold,
           "inspection": inspection, "verdicts": verdicts, "backbones": backbones}  # fmt: skip

NAMES = {name: value for name, value in globals().items() if callable(value)} | MODULES


def evaluate(expression: str) -> float:
    """Work out a card's expression: statements, if any, then the value in the last line."""
    *before, last = ast.parse(expression).body
    names = dict(NAMES)
    exec(compile(ast.Module(before, []), "card", "exec"), names)
    return eval(compile(ast.Expression(last.value), "card", "eval"), names)


SCALES = {"million": 1e6, "billion": 1e9, "%": 0.01, "points": 0.01}

WRITTEN = re.compile(r"([-−+])?(\d[\d,]*\.?\d*|\.\d+)(e-?\d+)?(?:\s(million|billion|%|points))?")


def agrees(text: str, value: float) -> bool:
    """Whether `value`, rounded as precisely as `text` is written, is what the text says.

    ``"23.5 million"`` and ``"27 %"`` are read as 23,500,000 and .27; a number without a sign may
    stand for a loss ("it costs .04").
    """
    sign, digits, power, unit = WRITTEN.fullmatch(text).groups()
    digits = digits.replace(",", "")
    decimals = len(digits.partition(".")[2])
    written = Decimal(digits)
    scale = SCALES.get(unit, 1.0) * float("1" + power if power else 1)
    exact = Decimal(repr(round(float(value) / scale, 9)))
    exact = abs(exact) if sign is None else exact * (-1 if sign in "-−" else 1)
    step = Decimal(1).scaleb(-decimals)
    return written in {exact.quantize(step, way) for way in (ROUND_HALF_UP, ROUND_HALF_DOWN)}


# What holds digits and claims nothing: code, kernels and shapes, places, names.
NO_CLAIM = re.compile(
    r"`[^`]*`"
    r"|\b\d+(?:\s?[x×]\s?\d+)+\b"
    r"|\b(?:stage|layer|notebook|step|row|phase|seed)s? \d+(?:(?:, | and | or | to )\d+)*"
    r"|95 % interval|\b\d+D\b"
    r"|(?<![\w.])[A-Za-z_]+(?:[-/.]?\w+)*?[-/]?\d[\w/]*(?:-[A-Za-z]\w*)*"
)

NUMBER = re.compile(r"(?<![\w.])(?:\d[\d,]*(?:\.\d+)?|\.\d+)(?:e-?\d+)?")


def tokens(text: str) -> list[str]:
    """Return the numbers that a text claims, as they are written."""
    return [found.rstrip(",") for found in NUMBER.findall(NO_CLAIM.sub(" ", text))]


def unexplained(texts: Iterable[str], question: str, numbers: Mapping[str, str]) -> list[str]:
    """Return the numbers in `texts` that stand neither in the question nor in `numbers`."""
    known, missing = set(tokens(question)), []
    for text in texts:
        for written in sorted(numbers, key=len, reverse=True):
            edge = rf"(?<![\w.]){re.escape(written)}(?![\w]|\.\d|,\d)"
            text = re.sub(edge, " ", text)
        missing += [token for token in tokens(text) if token not in known]
    return missing
