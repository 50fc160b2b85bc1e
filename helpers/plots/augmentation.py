"""What a policy does to images, to labels and to the score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator, PercentFormatter

from helpers.plots import alt, layout
from helpers.plots.images import notice
from helpers.plots.style import ACCENT, FROZEN, GRAY, INK, SET_TITLES, SKY, dark, draws, set_look

KEPT, LOST = "#009E73", ACCENT


@draws
def before_after(rows: Mapping[str, tuple[np.ndarray, Sequence[np.ndarray]]]) -> Figure:
    """Draw an image, and beside it what a policy made of it, a row per case.

    Parameters
    ----------
    rows : title -> (image ``(H, W, C)``, changed images ``(H, W, C)`` each), all uint8.
    """
    columns = 1 + max(len(changed) for _, changed in rows.values())
    figure, grid = layout.picture_grid(
        len(rows), columns, 1.55 * columns + 0.6, 1.6 * len(rows) + 0.3
    )
    for line, (title, (image, changed)) in zip(grid, rows.items(), strict=True):
        for axes, picture in zip(line, [image, *changed], strict=False):
            layout.show_image(axes, picture)
        line[0].set_ylabel(title, rotation=0, ha="right", va="center", labelpad=8)
    grid[0, 0].set_title("original")
    grid[0, 1].set_title("drawn anew each time", loc="left")
    return alt.told(figure, f"Rows: {'; '.join(rows)}.")


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
    figure, row = layout.panels(len(images), 2.0, 2.7)
    for axes, image, box, crop, share in zip(row, images, boxes, crops, kept, strict=True):
        layout.show_image(axes, image)
        color = KEPT if share >= 0.5 else LOST
        looks = ({"ec": "white", "ls": "--", "lw": 1.5}, {"ec": color, "lw": 3})
        for (top, left, height, width), look in zip((box, crop), looks, strict=True):
            axes.add_patch(Rectangle((left - 0.5, top - 0.5), width, height, fill=False, **look))
        axes.set_xlabel(f"{share:.0%} of the\nspot kept", color=dark(color))
    figure.suptitle("dashed: the pasted spot.  frame: the crop that is trained on", fontsize=12)
    return alt.told(figure, f"{np.sum(kept < 0.5)} of {len(kept)} crops keep less than half of it.")


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
    looks = ((INK, "o"), ("#0072B2", "s"), (KEPT, "D"))
    for (color, marker), (name, points) in zip(looks, curves.items(), strict=False):
        value, low, high = np.array(points).T
        axes.plot(scales, value, color=color, marker=marker, label=name)
        axes.fill_between(scales, low, high, fc=(color, 0.2), ec=dark(color), lw=0.6)
    axes.axvline(0.08, color=LOST, ls=":")
    axes.annotate("torchvision's default, 0.08", (0.095, 0.02), color=dark(LOST), fontsize=11,
                  xycoords=("data", "axes fraction"))  # fmt: skip
    axes.set_xlabel("smallest share of the area that a crop may keep (scale[0])")
    axes.set_ylabel(f"share of crops,\n95 % interval{note}")
    axes.set(ylim=(0, None), xlim=(0, 1.02))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.legend(loc="upper right")
    axes.grid(color=FROZEN)
    told = {f"{name}, at {scales[0]:g}": f"{points[0][0]:.0%}" for name, points in curves.items()}
    none = [x for x, *at in zip(scales, *curves.values(), strict=True) if max(at)[0] < 0.02]
    return alt.told(figure, told | {"below 2%": f"from {none[0]:g} on" if none else "nowhere"})


UNMEASURED = "Not measured yet: python -m measure augmentation"


@draws
def kept_predictions(table: pd.DataFrame, title: str = "") -> Figure:
    """Draw the share of predictions that survive each policy, a line per policy and data set.

    Parameters
    ----------
    table : columns ``dataset``, ``policy``, ``value``, ``lo``, ``hi``, ``n`` (images), and
        ``commoner``: the share that always the commoner answer would keep, a dotted line.
    """
    if table.empty:
        return notice(UNMEASURED)
    policies, names = list(table["policy"].unique()), list(table["dataset"].unique())
    figure, axes = plt.subplots(figsize=(9.5, 1.6 + 0.5 * len(policies)))
    for k, name in enumerate(names):
        rows, (color, marker) = table[table["dataset"] == name], set_look(name, k)
        for row in rows.itertuples():
            at = policies.index(row.policy) + layout.beside(k, len(names), 0.34)
            layout.interval(axes, at, row.value, row.lo, row.hi, color, marker=marker)
        label = f"{SET_TITLES.get(name, name)}, n = {rows['n'].iloc[0]}"
        axes.plot([], [], marker=marker, color=color, lw=4, label=label)
        axes.axvline(rows["commoner"].iloc[0], color=color, ls=(k, (1, 2)))
    layout.rows_axis(axes, [policy.replace("_", " ") for policy in policies])
    axes.set_xlabel("share of predictions kept under the policy, 95 % interval\n"
                    "dotted: what always the commoner answer would keep")  # fmt: skip
    axes.set_title(title)
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    layout.legend_outside(figure, "upper right", ncols=len(names))
    worst = table.loc[table.groupby("dataset", sort=False)["value"].idxmin()].itertuples()
    return alt.told(figure, {f"fewest, {SET_TITLES.get(row.dataset, row.dataset)}":
                             f"{row.value:.0%} ({row.policy})" for row in worst})  # fmt: skip


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
        return notice(UNMEASURED)
    names, sizes = list(table["dataset"].unique()), sorted(table["n_train"].unique())
    policies = list(table["policy"].unique())
    figure, row = layout.panels(len(names), 5.4, 1.7 + 0.52 * len(policies), 1.2, sharey=True)
    runs = runs[runs["policy"].isin(policies)]
    for axes, name in zip(row, names, strict=True):
        here, seeds = table[table["dataset"] == name], runs[runs["dataset"] == name]
        for k, n in enumerate(sizes):
            color, marker = ((SKY, "o"), (INK, "s"))[k % 2]
            shift = layout.beside(k, len(sizes), 0.34)
            for gain in here[here["n_train"] == n].itertuples():
                at = policies.index(gain.policy) + shift
                ends = gain.gain_lo, gain.gain_hi
                layout.interval(axes, at, gain.gain, *ends, color, marker=marker)
            each = seeds[seeds["n_train"] == n]
            heights = [policies.index(policy) + shift for policy in each["policy"]]
            axes.plot(each["gain"], heights, "|", color=color, ms=11, mew=1.5)
            axes.plot([], [], marker=marker, color=color, lw=4, label=f"{n} images")
        axes.axvline(0, color=GRAY, ls=":")
        counts = "/".join(str(k) for k in sorted(set(here["seeds"])))
        axes.set_xlabel(
            f"test AUC minus that without augmentation (ticks: {counts} seeds)\n"
            f"bar: 95 % interval, seeds and n = {here['n_test'].iloc[0]} test images"
        )
        axes.set_title(SET_TITLES.get(name, name), loc="left")
        axes.xaxis.set_major_locator(MaxNLocator(6))
        layout.rows_axis(axes, [policy.replace("_", " ") for policy in policies])
    layout.legend_outside(figure, "upper right", ncols=len(sizes))
    return alt.told(figure, f"{sum(table['gain_lo'] > 0)} of {len(table)} intervals lie above 0.")
