"""Gray stems: kernels before and after, activations that drift, borders, and what it costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from helpers.plots.style import ACCENT, FROZEN, INK, draws, label_of

# Of Okabe & Ito's colours those that no strategy has.
METHOD_COLORS = {
    "replicate": INK, "sum": "#56B4E9", "mean": ACCENT, "random": "#999999", "swapped": ACCENT,
}  # fmt: skip


METHOD_MARKERS = {"replicate": "o", "sum": "D", "mean": "v", "random": "X", "swapped": "P"}


METHOD_LABELS = {"swapped": "sum, mean after training"}


BATCHNORM_LABELS = {"eval": "BatchNorm at rest", "train": "BatchNorm moves"}


@draws
def gray_kernels(
    colour: np.ndarray, gray: Mapping[str, np.ndarray], groups: Mapping[str, int] | None = None
) -> Figure:
    """Draw the kernels of a stem as colour images and, below, what each method makes of them.

    Parameters
    ----------
    colour : ``(K, 3, k, k)``; each is drawn on its own scale, 0 as middle gray.
    gray : method -> ``(K, 1, k, k)``. A column has one scale, so a paler kernel is a weaker one.
    groups : title -> the first kernel it stands over.
    """
    n = len(colour)
    figure, grid = plt.subplots(1 + len(gray), n, figsize=(0.85 * n + 1, 0.95 * (1 + len(gray))))
    for k, kernel in enumerate(colour):
        largest = np.abs(kernel).max() or 1.0
        grid[0, k].imshow(0.5 + 0.5 * kernel.transpose(1, 2, 0) / largest)
        first = next(iter(gray.values()))[k]
        scale = max(np.abs(first).max(), largest)
        for row, kernels in enumerate(gray.values(), start=1):
            grid[row, k].imshow(kernels[k, 0], cmap="gray", vmin=-scale, vmax=scale)
    for axes in grid.flat:
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    grid[0, 0].set_title(" ")  # room for the titles of the groups
    for axes, name in zip(grid[:, 0], ("colour", *gray), strict=True):
        axes.set_ylabel(name, rotation=0, ha="right", va="center")
    for title, k in (groups or {}).items():
        # A title is centred on its axes; this one may run on over the next kernels.
        text = grid[0, k].annotate(title, (0, 1.12), xycoords="axes fraction", fontsize=11)
        text.set_in_layout(False)
    return figure


@draws
def gray_drift(
    tables: Mapping[str, Mapping[str, pd.DataFrame]], labels: Sequence[str], note: str = ""
) -> Figure:
    """Draw the activations' scale along the network, a line per method, a panel per case.

    Parameters
    ----------
    tables : case -> method -> table of `helpers.networks.gray`.
    labels : a short name for every layer in the tables. note : e.g. the number of images.
    """
    figure, panels = plt.subplots(
        1, len(tables), figsize=(5.6 * len(tables), 3.9), sharey=True, squeeze=False
    )
    places = range(len(labels))
    for axes, (case, methods) in zip(panels[0], tables.items(), strict=True):
        for name, table in methods.items():
            axes.plot(places, table["scale"], color=METHOD_COLORS[name], label=name,
                      marker=METHOD_MARKERS[name])  # fmt: skip
        axes.axhline(1 / 3, color=INK, lw=1, ls=":")
        axes.annotate("1/3", (places[-1], 1 / 3), textcoords="offset points", xytext=(6, -4))
        axes.set_xticks(places, labels, rotation=45, ha="right", rotation_mode="anchor")
        axes.set(title=case, xlim=(-0.4, len(labels) - 0.3))
        axes.set_xlabel(f"from the image to the logits{note}")
    largest = max(t["scale"].max() for methods in tables.values() for t in methods.values())
    panels[0, 0].set(ylabel="spread of the activations\n(replicated image = 1)")
    panels[0, 0].set_ylim(0, 1.08 * largest)
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside right center")
    return figure


@draws
def gray_logits(reference: np.ndarray, methods: Mapping[str, np.ndarray], note: str = "") -> Figure:
    """Draw every logit against that of the replicated image, a panel per method.

    Parameters
    ----------
    reference : ``(N, n_classes)``. methods : method -> the same shape.
    """
    figure, panels = plt.subplots(
        1, len(methods), figsize=(3.5 * len(methods), 3.7), sharex=True, sharey=True, squeeze=False
    )
    ends = [reference.min(), reference.max()]
    for axes, (name, logits) in zip(panels[0], methods.items(), strict=True):
        axes.plot(reference.ravel(), logits.ravel(), ".", color=METHOD_COLORS[name], ms=2,
                  alpha=0.4, rasterized=True)  # fmt: skip
        axes.plot(ends, ends, color=INK, lw=1)
        axes.set(title=name, xlabel="logit, replicated image")
    panels[0, 0].set_ylabel("logit, gray stem")
    figure.supxlabel(note, fontsize=10)
    return figure


@draws
def gray_borders(errors: Mapping[str, np.ndarray], texts: Mapping[str, str]) -> Figure:
    """Draw where the stem's output differs from the reference's, a map per way to normalise.

    Parameters
    ----------
    errors : title -> ``(h, w)``, distance over the channels in units of the reference's spread.
    texts : title -> a line under the map.
    """
    figure, panels = plt.subplots(
        1, len(errors), figsize=(3.1 * len(errors) + 1, 3.7), squeeze=False
    )
    largest = max(float(error.max()) for error in errors.values())
    for axes, (title, error) in zip(panels[0], errors.items(), strict=True):
        # By its root, so that the small differences inside stand out from none at all.
        picture = axes.imshow(error, cmap="magma", norm=PowerNorm(0.5, 0, largest))
        axes.set(xticks=[], yticks=[], xlabel=texts[title])
        axes.set_title(title, fontsize=12)
    figure.colorbar(picture, ax=panels[0], label="difference / spread", shrink=0.8)
    return figure


@draws
def gray_auc(table: pd.DataFrame, note: str = "") -> Figure:
    """Draw the measured runs: a dot with its 95 % interval per seed, a row per method.

    Parameters
    ----------
    table : data/results/grayscale.csv, one data set: ``strategy``, ``batchnorm``, ``gray``,
        ``seed``, ``auc``, ``auc_lo``, ``auc_hi``.
    note : a line under the axis, e.g. n and the number of epochs.
    """
    names = list(dict.fromkeys(table["strategy"]))
    rows = _auc_rows(table)
    figure, panels = plt.subplots(
        1, len(names), figsize=(1.5 + 5 * len(names), 1.4 + 0.34 * len(rows)),
        sharex=True, sharey=True, squeeze=False,
    )  # fmt: skip
    for axes, name in zip(panels[0], names, strict=True):
        runs = table[table["strategy"] == name]
        for y, (batchnorm, gray) in enumerate(rows):
            chosen = runs[(runs["batchnorm"] == batchnorm) & (runs["gray"] == gray)]
            _seeds(axes, y, gray, chosen.sort_values("seed"))
        axes.set(title=label_of(name), xlabel="test AUC, 95 % bootstrap interval")
        axes.grid(axis="x", color=FROZEN)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    labels = [METHOD_LABELS.get(gray, gray) or BATCHNORM_LABELS[mode] for mode, gray in rows]
    panels[0, 0].set_yticks(range(len(rows)), labels)
    panels[0, 0].tick_params(axis="y", length=0)
    for tick, (_, gray) in zip(panels[0, 0].get_yticklabels(), rows, strict=True):
        tick.set_weight("normal" if gray else "bold")
    figure.supxlabel(note, fontsize=11)
    return figure


def _auc_rows(table: pd.DataFrame) -> list[tuple[str, str]]:
    """Return (BatchNorm policy, method) row by row; without a method it is a heading."""
    measured = set(zip(table["batchnorm"], table["gray"], strict=True))
    return [
        (mode, gray)
        for mode in BATCHNORM_LABELS
        for gray in ("", *METHOD_COLORS)
        if not gray or (mode, gray) in measured
    ]


def _seeds(axes: Axes, y: float, gray: str, runs: pd.DataFrame) -> None:
    step = 0.66 / max(1, len(runs))
    for k, run in enumerate(runs.itertuples()):
        height = y + step * (k - (len(runs) - 1) / 2)
        color, marker = METHOD_COLORS[gray], METHOD_MARKERS[gray]
        axes.plot([run.auc_lo, run.auc_hi], [height] * 2, color=color, lw=1.2, alpha=0.5)
        axes.plot(run.auc, height, marker, color=color, ms=8, mec="white", mew=0.5)


@draws
def gray_look(
    chosen: tuple[np.ndarray, np.ndarray, np.ndarray],
    reference: tuple[np.ndarray, np.ndarray, np.ndarray],
    name: str,
    case: str,
) -> Figure:
    """Draw one gray stem beside the replicated image: two histograms and the predictions.

    Parameters
    ----------
    chosen, reference : values of the first convolution, ``(n,)``; the same standardised by
        BatchNorm, ``(n,)``; and the probability of every image's true class, ``(N,)``.
    name : of the method chosen. case : e.g. ``"BatchNorm at rest"``.
    """
    figure, (stem, normed, images) = plt.subplots(1, 3, figsize=(12, 3.9))
    _histograms(stem, chosen[0], reference[0], name)
    stem.set(title="after the first convolution", xlabel="activation", ylabel="share of the values")
    _histograms(normed, chosen[1], reference[1], name)
    normed.set(title=f"standardised, {case}", xlabel="activation (standard deviations)")
    images.plot([0, 1], [0, 1], color=INK, lw=1)
    images.plot(reference[2], chosen[2], "o", color=METHOD_COLORS[name], mec="white", mew=0.5)
    images.set(xlabel="P(true class), replicated, at rest", ylabel=f"P(true class), {name}")
    images.set(title=f"{len(chosen[2])} images", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    figure.legend(*stem.get_legend_handles_labels(), loc="outside lower left", ncols=2)
    return figure


def _histograms(axes: Axes, chosen: np.ndarray, reference: np.ndarray, name: str) -> None:
    low, high = np.percentile(reference, [0.2, 99.8])
    bins = np.linspace(low - 0.1 * (high - low), high + 0.1 * (high - low), 61)
    shares = [np.histogram(values, bins)[0] / len(values) for values in (chosen, reference)]
    axes.stairs(shares[0], bins, fill=True, color=METHOD_COLORS[name], alpha=0.75, label=name)
    axes.stairs(shares[1], bins, color=INK, lw=1.5, label="replicated, at rest")
    axes.set_yscale("log")
    axes.set_ylim(3e-5, 1)
