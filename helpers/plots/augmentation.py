"""What a policy does to images, to labels and to the score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from helpers.plots.images import show_image
from helpers.plots.style import ACCENT, FROZEN, INK, draws

SET_COLORS = {"elpv": "#0072B2", "chest_xray": "#E69F00"}


SET_LABELS = {"elpv": "solar cells (elpv)", "chest_xray": "chest X-rays"}


KEPT, LOST = "#009E73", ACCENT


@draws
def before_after(rows: Mapping[str, tuple[np.ndarray, Sequence[np.ndarray]]]) -> Figure:
    """Draw an image, and beside it what a policy made of it, a row per case.

    Parameters
    ----------
    rows : title -> (image ``(H, W, C)``, changed images ``(H, W, C)`` each), all uint8.
    """
    n = max(len(changed) for _, changed in rows.values())
    figure, grid = plt.subplots(
        len(rows), n + 1, figsize=(1.55 * (n + 1) + 0.6, 1.6 * len(rows) + 0.3), squeeze=False
    )
    for line, (title, (image, changed)) in zip(grid, rows.items(), strict=True):
        show_image(line[0], image)
        line[0].set_ylabel(title, rotation=0, ha="right", va="center", labelpad=8)
        for axes, picture in zip(line[1:], changed, strict=False):
            show_image(axes, picture)
        for axes in line[1 + len(changed) :]:
            axes.axis("off")
    grid[0, 0].set_title("original")
    grid[0, 1].set_title("drawn anew each time", loc="left")
    return figure


@draws
def crops_and_defect(
    images: np.ndarray, boxes: np.ndarray, crops: np.ndarray, kept: np.ndarray
) -> Figure:
    """Draw where a known defect lies and what a random crop keeps of it, an image each.

    Parameters
    ----------
    images : uint8 ``(N, H, W, C)``.
    boxes, crops : ``(N, 4)``: top, left, height, width in pixels of the defect and of the crop.
    kept : ``(N,)`` the share of the defect's area inside the crop.
    """
    figure, grid = plt.subplots(1, len(images), figsize=(2.0 * len(images), 2.7))
    for axes, image, box, crop, share in zip(
        np.atleast_1d(grid), images, boxes, crops, kept, strict=True
    ):
        show_image(axes, image)
        color = KEPT if share >= 0.5 else LOST
        _rectangle(axes, box, "white", "--", 1.5)
        _rectangle(axes, crop, color, "-", 3)
        axes.set_xlabel(f"{share:.0%} of the\nspot kept", color=color)
    figure.suptitle("dashed: the pasted spot.  frame: the crop that is trained on", fontsize=12)
    return figure


def _rectangle(axes: Axes, box: Sequence[int], color: str, style: str, width: float) -> None:
    top, left, height, breadth = (float(value) for value in box)
    axes.add_patch(Rectangle(
        (left - 0.5, top - 0.5), breadth, height, fill=False, ec=color, ls=style, lw=width
    ))  # fmt: skip


@draws
def cut_away(
    scales: Sequence[float],
    curves: Mapping[str, Sequence[tuple[float, float, float]]],
    note: str = "",
) -> Figure:
    """Draw how often a crop loses a known defect, against the smallest crop that is allowed.

    Parameters
    ----------
    scales : smallest share of the area that RandomResizedCrop keeps, 0..1.
    curves : what counts as lost -> (share, low, high) for every scale.
    note : added to the axis, e.g. n.
    """
    figure, axes = plt.subplots(figsize=(9, 3.8))
    for color, (name, points) in zip((INK, "#0072B2", KEPT), curves.items(), strict=False):
        value, low, high = np.array(points).T
        axes.plot(scales, value, "o-", color=color, label=name)
        axes.fill_between(scales, low, high, color=color, alpha=0.2, lw=0)
    axes.axvline(0.08, color=LOST, ls=":")
    axes.annotate("torchvision's default, 0.08", (0.095, 0.02), color=LOST, fontsize=11,
                  xycoords=("data", "axes fraction"))  # fmt: skip
    axes.set_xlabel("smallest share of the area that a crop may keep (scale[0])")
    axes.set_ylabel(f"share of crops,\n95 % interval{note}")
    axes.set(ylim=(0, None), xlim=(0, 1.02))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.legend(loc="upper right")
    axes.grid(color=FROZEN)
    return figure


def _nothing_yet() -> Figure:
    figure, axes = plt.subplots(figsize=(9, 1.2))
    axes.text(0.5, 0.5, "Not measured yet: python -m measure augmentation", ha="center")
    axes.axis("off")
    return figure


@draws
def kept_predictions(table: pd.DataFrame, title: str = "") -> Figure:
    """Draw the share of predictions that survive each policy, a line per policy and data set.

    Parameters
    ----------
    table : columns ``dataset``, ``policy``, ``value``, ``lo``, ``hi``, and ``n`` (images).
    """
    if table.empty:
        return _nothing_yet()
    policies, names = list(table["policy"].unique()), list(table["dataset"].unique())
    figure, axes = plt.subplots(figsize=(9.5, 1.6 + 0.5 * len(policies)))
    for k, name in enumerate(names):
        part = table[table["dataset"] == name].set_index("policy")
        color = SET_COLORS.get(name, INK)
        label = f"{SET_LABELS.get(name, name)}, n = {part['n'].iloc[0]}"
        for y, policy in enumerate(policies):
            if policy in part.index:
                row, at = part.loc[policy], y + _spread(k, len(names))
                axes.plot([row["lo"], row["hi"]], [at, at], color=color, lw=4)
                axes.plot(row["value"], at, "o", color=color, ms=9, mec="white")
        axes.plot([], [], "o-", color=color, lw=4, label=label)
    axes.set_yticks(range(len(policies)), [policy.replace("_", " ") for policy in policies])
    axes.set(xlabel="share of predictions kept under the policy, 95 % interval", title=title)
    axes.set_ylim(len(policies) - 0.4, -0.6)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.grid(axis="x", color=FROZEN)
    figure.legend(loc="outside upper right", ncols=len(names))
    return figure


def _spread(k: int, n: int) -> float:
    return 0.0 if n == 1 else 0.17 * (2 * k - (n - 1))


@draws
def gains(table: pd.DataFrame, runs: pd.DataFrame) -> Figure:
    """Draw what each policy adds to the test AUC: a panel per data set, a colour per size.

    Parameters
    ----------
    table : columns ``dataset``, ``n_train``, ``policy``, ``gain``, ``gain_lo``, ``gain_hi``,
        ``n_test`` and ``seeds``; the mean over seeds.
    runs : columns ``dataset``, ``n_train``, ``policy``, ``gain``: one row per seed, small dots.
    """
    if table.empty:
        return _nothing_yet()
    names, sizes = list(table["dataset"].unique()), sorted(table["n_train"].unique())
    policies = list(table["policy"].unique())
    figure, panels = plt.subplots(
        1, len(names), figsize=(5.4 * len(names) + 1.2, 1.7 + 0.52 * len(policies)),
        sharey=True, squeeze=False,
    )  # fmt: skip
    for axes, name in zip(panels[0], names, strict=True):
        for k, n in enumerate(sizes):
            chosen = [t[(t["dataset"] == name) & (t["n_train"] == n)] for t in (table, runs)]
            _gain_lines(axes, policies, *chosen, _spread(k, len(sizes)), ("#56B4E9", INK)[k % 2])
            axes.plot([], [], "o-", color=("#56B4E9", INK)[k % 2], lw=4, label=f"{n} images")
        axes.axvline(0, color="#999999", ls=":")
        here = table[table["dataset"] == name]
        seeds = "/".join(str(k) for k in sorted(set(here["seeds"])))
        axes.set_xlabel(
            f"test AUC minus that without augmentation (ticks: {seeds} seeds)\n"
            f"bar: 95 % interval, seeds and n = {here['n_test'].iloc[0]} test images"
        )
        axes.set_title(SET_LABELS.get(name, name), loc="left")
        axes.xaxis.set_major_locator(MaxNLocator(6))
        axes.grid(axis="x", color=FROZEN)
    panels[0][0].set_yticks(range(len(policies)), [p.replace("_", " ") for p in policies])
    panels[0][0].set_ylim(len(policies) - 0.4, -0.6)
    figure.legend(*panels[0][0].get_legend_handles_labels(), loc="outside upper right",
                  ncols=len(sizes))  # fmt: skip
    return figure


def _gain_lines(
    axes: Axes, policies: Sequence[str], table: pd.DataFrame, runs: pd.DataFrame, shift: float,
    color: str,
) -> None:  # fmt: skip
    for _, row in table.iterrows():
        y = policies.index(row["policy"]) + shift
        axes.plot([row["gain_lo"], row["gain_hi"]], [y, y], color=color, lw=4, alpha=0.6)
        axes.plot(row["gain"], y, "o", color=color, ms=10, mec="white")
    shown = runs[runs["policy"].isin(policies)]
    heights = [policies.index(policy) + shift for policy in shown["policy"]]
    axes.plot(shown["gain"], heights, "|", color=color, ms=11, mew=1.5)
