"""What is said to the user: an overview, a likeness, a recommendation, a race, as sections."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from helpers import plots
from helpers.advise.census import Census
from helpers.advise.race import Race, arm
from helpers.datasets.folder import overlaps
from helpers.evidence import grid
from helpers.evidence.recommend import NAMES, Recommendation, _range
from helpers.evidence.report import Section
from helpers.evidence.similarity import IMAGE_SIZE, Distances

READ_AS = {
    "more than 8 bits": "The full range of each was its window,",
    "transparent pixels": "They were laid on white,",
    "several pages": "The first page was read,",
}


LARGEST = 2 * Image.MAX_IMAGE_PIXELS  # Pillow opens no larger ones


UNEVEN = 4  # times as many images in the largest class as in the smallest: worth a word


def overview(census: Census) -> Section:
    """Say how many images there are, of what classes, sizes and depths, and what is odd."""
    counts = census.counts()
    largest = max(counts, key=counts.get)
    share = counts[largest] / census.n
    parts = ", ".join(f"{len(census.index[k]):,} {k}" for k in ("train", "val", "test"))
    opened = len(census.looks)
    sampled = "a sample of" if opened < len(census.index["train"]) else "all"
    text = [
        f"{census.n:,} images by their names, {len(counts)} classes; for training they are split "
        f"into {parts}. Opened: {sampled} {opened:,} "
        "training images."
    ]
    points = [f"Always saying {largest} would be right for {share:.1%} of the images."]
    if max(counts.values()) >= UNEVEN * min(counts.values()):
        points.append(
            f"The classes are uneven: {max(counts.values()):,} against {min(counts.values()):,}. "
            "Weight the loss by class, and do not read accuracy alone."
        )
    points += _of_the_groups(census)
    points += _of_the_pixels(census)
    table = pd.DataFrame({"class": counts.keys(), "images": counts.values()})
    return Section("Your images", text, points, table)


def _of_the_groups(census: Census) -> list[str]:
    n_groups = len(np.unique(census.groups))
    if n_groups == census.n:
        return ["Every image counts as a patient or part of its own. If several show the same one, "
                "give --group-pattern, or the test score will flatter."]  # fmt: skip
    shared = overlaps(census.listing, census.groups)
    apart = "" if shared else "; no group lies on both sides of a split"
    return [f"They belong to {n_groups:,} groups{apart}.", *shared]


def _of_the_pixels(census: Census) -> list[str]:
    looks = [look for look in census.looks if look.pixels is not None]
    gray = census.images.images.shape[-1] == 1
    points = [
        f"Sizes: {_sizes([(look.width, look.height) for look in looks])}.",
        f"Stored as {_tally(Counter(look.format for look in looks))}; modes "
        f"{_tally(Counter(look.mode for look in looks))}; the content is "
        f"{'gray' if gray else 'in colour'}.",
    ]
    small = sum(min(look.width, look.height) < IMAGE_SIZE for look in looks)
    if small:
        points.append(f"{small:,} of {len(looks):,} are smaller than {IMAGE_SIZE} pixels: they "
                      "are enlarged, which adds nothing.")  # fmt: skip
    for remark, n in census.remarks.items():
        points.append(f"{n:,} of {len(looks):,} have {remark}, which training refuses. "
                      f"{READ_AS[remark]} for this overview only; convert them first.")  # fmt: skip
    if census.unreadable:
        points.append(
            f"{census.unreadable:,} of {len(census.looks):,} cannot be read and were skipped: they "
            "are no images whatever their names say, damaged, or larger than "
            f"{LARGEST / 1e6:.0f} million pixels. Remove or shrink them first."
        )
    if census.forbidden:
        points.append(
            f"{census.forbidden:,} of {len(census.looks):,} may not be read and were skipped. "
            "Check their permissions; training stops at such a file."
        )
    if census.other_files:
        points.append(f"{census.other_files:,} other files lie beside the images and were skipped.")
    return points


def _sizes(sizes: list[tuple[int, int]]) -> str:
    kinds = set(sizes)
    if len(kinds) == 1:
        return f"all {sizes[0][0]} x {sizes[0][1]} pixels"
    sides = np.array([min(size) for size in sizes])
    return (
        f"mixed, shorter side {sides.min():,} to {sides.max():,} pixels, median "
        f"{np.median(sides):.0f}"
    )


def _tally(found: Counter[str]) -> str:
    return ", ".join(f"{name} ({n:,})" for name, n in found.most_common())


def likeness(found: Distances, similar: Mapping[str, float]) -> Section:
    """Say how much the images look like photographs, beside the sets that were measured."""
    text = [
        f"Similarity to photographs: {found.similarity:.2f} (1: their mean itself; .5: as far "
        f"away as their own spread), from {found.n:,} of your training images. The photographs "
        "are flowers and insects, a stand-in for ImageNet."
    ]
    points = [
        f"Proxy A-distance {found.proxy_a_distance:.2f} of 2. It is close to 2 for photographs of "
        "other things as well, so it decides nothing here.",
        f"Inputs of the BatchNorm layers lie {found.batchnorm_shift:.2f} standard deviations from "
        "what ImageNet left there.",
    ]
    rows = {**similar, "your images": found.similarity}
    ordered = sorted(rows.items(), key=lambda item: -item[1])
    ordered = [(plots.set_label(name), value) for name, value in ordered]
    table = pd.DataFrame(ordered, columns=["data set", "similarity"]).round(2)
    return Section("How like photographs they are", text, points, table)


def costs(seconds: Mapping[str, float], n: int) -> Section:
    """Say how long each arm would take here, from a few timed steps."""
    table = pd.DataFrame({
        "strategy": [NAMES[name] for name in seconds],
        "epochs": [arm(name, n)[1] for name in seconds],
        "on this machine": [_duration(value) for value in seconds.values()],
    })  # fmt: skip
    text = [
        f"Estimated from a few timed steps at {IMAGE_SIZE} pixels with {n:,} training images; "
        f"224 pixels cost about {(224 / IMAGE_SIZE) ** 2:.0f} times as much. What is frozen is "
        "computed once."
    ]
    return Section("Training time", text, table=table)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def outcome(race: Race, n: int) -> Section:
    """Say what the race on the user's own images gave; `n` is what the recommendation is for."""
    favourite, n_test = race.lanes[0].arm, race.sizes["test"]
    lanes = [(lane, lane.score) for lane in race.lanes]
    points = [
        f"{NAMES[favourite]} minus {NAMES[name]}: {lead.mean:+.3f} AUC, 95 % interval over the "
        f"images {lead.lo:+.3f} to {lead.hi:+.3f}."
        for name, lead in race.behind.items()
    ]
    table = pd.DataFrame({
        "strategy": [NAMES[lane.arm] for lane in race.lanes],
        "AUC": [f"{s.auc:.3f} ({_range(s.auc_lo, s.auc_hi)})" for _, s in lanes],
        "accuracy": [f"{s.accuracy:.1%}" for _, s in lanes],
        "seconds": [f"{lane.seconds:.0f}" for lane in race.lanes],
    })  # fmt: skip
    text = [
        f"{race.verdict} One seed, {IMAGE_SIZE} pixels, {race.sizes['train']:,} images to train "
        f"on and {n_test:,} to compare on, all from your training part: your test images stay "
        "unseen."
    ]
    if race.sizes["train"] < n:
        text.append(f"The recommendation is for {n:,} images; with fewer another arm may lead. "
                    "--race-images N races with more of them.")  # fmt: skip
    figure = plots.intervals(
        {NAMES[lane.arm]: (s.auc, s.auc_lo, s.auc_hi) for lane, s in lanes},
        f"AUC, 95 % bootstrap interval (n = {n_test} held-out images, one seed)",
        {NAMES[lane.arm]: plots.color_of(lane.arm) for lane in race.lanes},
    )
    return Section("Race", text, points, table, figure, "AUC of each strategy")


def next_step(advice: Recommendation, root: Path, pattern: str | None = None) -> Section:
    """Give the command that trains the recommended strategy on all images."""
    strategy, epochs = arm(advice.strategy, advice.n)
    base, _, last = strategy.name.partition("_last")
    command = (
        f"python -m helpers train --dataset {shlex.quote(f'folder:{root}')} --strategy {base}"
        + (f" --last {last}" if last else "")
        + (f" --group-pattern {shlex.quote(pattern)}" if pattern else "")
        + f" --size {grid.IMAGE_SIZE} --epochs {epochs} --checkpoint net.safetensors"
    )
    return Section("Next", ["Train it on all of them, and look at the test score once:"],
                   command=command)  # fmt: skip
