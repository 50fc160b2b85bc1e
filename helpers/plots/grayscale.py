"""Gray stems: kernels before and after, activations that drift, borders, and what it costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from helpers.plots import alt, layout
from helpers.plots.style import BATCHNORM_LABELS, INK, STEM_LABELS, STEM_LOOKS, draws, label_of


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
    n, rows = len(colour), 1 + len(gray)
    figure, grid = layout.picture_grid(rows, n, 0.85 * n + 1, 0.95 * rows)
    first = next(iter(gray.values()))
    for k, kernel in enumerate(colour):
        largest = np.abs(kernel).max() or 1.0
        layout.show_image(grid[0, k], 0.5 + 0.5 * kernel.transpose(1, 2, 0) / largest)
        scale = max(np.abs(first[k]).max(), largest)
        for axes, kernels in zip(grid[1:, k], gray.values(), strict=True):
            layout.show_image(axes, kernels[k, 0], vmin=-scale, vmax=scale)
    grid[0, 0].set_title(" ")  # room for the titles of the groups
    for axes, name in zip(grid[:, 0], ("colour", *gray), strict=True):
        axes.set_ylabel(name, rotation=0, ha="right", va="center")
    for title, k in (groups or {}).items():
        # A title is centred on its axes; this one may run on over the next kernels.
        text = grid[0, k].annotate(title, (0, 1.12), xycoords="axes fraction", fontsize=11)
        text.set_in_layout(False)
    return alt.told(figure, f"Rows: colour, {', '.join(gray)}.")


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
    figure, row = layout.panels(len(tables), 5.6, 3.9, sharey=True)
    places = range(len(labels))
    for axes, (case, methods) in zip(row, tables.items(), strict=True):
        for name, table in methods.items():
            color, marker = STEM_LOOKS[name]
            axes.plot(places, table["scale"], color=color, marker=marker, label=name)
        axes.axhline(1 / 3, color=INK, lw=1, ls=":")
        axes.annotate("1/3", (places[-1], 1 / 3), textcoords="offset points", xytext=(6, -4))
        axes.set_xticks(places, labels, rotation=45, ha="right", rotation_mode="anchor")
        axes.set(title=case, xlim=(-0.4, len(labels) - 0.3))
        axes.set_xlabel(f"from the image to the logits{note}")
    largest = max(t["scale"].max() for methods in tables.values() for t in methods.values())
    row[0].set_ylabel("spread of the activations\n(replicated image = 1)")
    row[0].set_ylim(0, 1.08 * largest)
    layout.legend_outside(figure)
    return figure


@draws
def gray_logits(reference: np.ndarray, methods: Mapping[str, np.ndarray], note: str = "") -> Figure:
    """Draw every logit against that of the replicated image, a panel per method.

    Parameters
    ----------
    reference : ``(N, n_classes)``. methods : method -> the same shape.
    """
    figure, row = layout.panels(len(methods), 3.5, 3.7, sharex=True, sharey=True)
    ends = [reference.min(), reference.max()]
    for axes, (name, logits) in zip(row, methods.items(), strict=True):
        axes.plot(reference.ravel(), logits.ravel(), ".", color=STEM_LOOKS[name][0], ms=2,
                  rasterized=True)  # fmt: skip
        axes.plot(ends, ends, color=INK, lw=1)
        axes.set(title=name, xlabel="logit, replicated image")
    row[0].set_ylabel("logit, gray stem")
    figure.supxlabel(note, fontsize=10)
    return alt.told(figure, {k: f"up to {abs(v - reference).max():.1f} off"
                             for k, v in methods.items()})  # fmt: skip


@draws
def gray_borders(errors: Mapping[str, np.ndarray], texts: Mapping[str, str]) -> Figure:
    """Draw where the stem's output differs from the reference's, a map per way to normalise.

    Parameters
    ----------
    errors : title -> ``(h, w)``, distance over the channels in units of the reference's spread.
    texts : title -> a line under the map.
    """
    figure, row = layout.panels(len(errors), 3.1, 3.7, extra=1)
    largest = max(float(error.max()) for error in errors.values())
    for axes, (title, error) in zip(row, errors.items(), strict=True):
        # By its root, so that the small differences inside stand out from none at all.
        picture = axes.imshow(error, cmap="magma", norm=PowerNorm(0.5, 0, largest))
        axes.set(xticks=[], yticks=[], xlabel=texts[title])
        axes.set_title(title, fontsize=12)
    figure.colorbar(picture, ax=row, label="difference / spread", shrink=0.8)
    return alt.told(figure, {title: f"up to {error.max():.1g}" for title, error in errors.items()})


@draws
def gray_auc(table: pd.DataFrame, note: str = "") -> Figure:
    """Draw the measured runs: a dot with its 95 % interval per seed, a row per method.

    Parameters
    ----------
    table : data/results/grayscale.csv, one data set: ``strategy``, ``batchnorm``, ``gray``,
        ``seed``, ``auc``, ``auc_lo``, ``auc_hi``.
    note : a line under the axis, e.g. n and the number of epochs.
    """
    cases = dict(list(table.groupby(["strategy", "batchnorm", "gray"])))
    measured = {(batchnorm, gray) for _, batchnorm, gray in cases}
    rows = [  # without a method it is a heading
        (mode, gray)
        for mode in BATCHNORM_LABELS
        for gray in ("", *STEM_LOOKS)
        if not gray or (mode, gray) in measured
    ]
    names = list(dict.fromkeys(table["strategy"]))
    height = 1.4 + 0.34 * len(rows)
    figure, row = layout.panels(len(names), 5, height, extra=1.5, sharex=True, sharey=True)
    for axes, name in zip(row, names, strict=True):
        for y, case in enumerate(rows):
            runs = cases.get((name, *case), table[:0]).sort_values("seed")
            for k, run in enumerate(runs.itertuples()):
                color, marker = STEM_LOOKS[run.gray]
                at = y + layout.beside(k, len(runs), 0.66 / len(runs))
                layout.interval(axes, at, run.auc, run.auc_lo, run.auc_hi, color, lw=1.2,
                                marker=marker, ms=8, mew=0.5)  # fmt: skip
        axes.set(title=label_of(name), xlabel="test AUC, 95 % bootstrap interval")
        layout.rows_axis(axes, [STEM_LABELS.get(gray, gray) or BATCHNORM_LABELS[mode]
                         for mode, gray in rows])  # fmt: skip
    row[0].tick_params(axis="y", length=0)
    for tick, (_, gray) in zip(row[0].get_yticklabels(), rows, strict=True):
        tick.set_weight("normal" if gray else "bold")
    figure.supxlabel(note, fontsize=11)
    means = table.groupby(["strategy", "batchnorm", "gray"])["auc"].mean()
    told = {}
    for (name, mode, gray), auc in means.items():
        panel = f"{label_of(name)}, {BATCHNORM_LABELS[mode]}"
        told.setdefault(panel, []).append(f"{STEM_LABELS.get(gray, gray)} {auc:.3f}")
    return alt.told(figure, " ".join(f"{panel}: {'; '.join(v)}." for panel, v in told.items()))


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
    figure, (stem, normed, images) = layout.panels(3, 4, 3.9)
    _histograms(stem, chosen[0], reference[0], name)
    stem.set(title="after the first convolution", xlabel="activation", ylabel="share of the values")
    _histograms(normed, chosen[1], reference[1], name)
    normed.set(title=f"standardised, {case}", xlabel="activation (standard deviations)")
    images.plot([0, 1], [0, 1], color=INK, lw=1)
    images.plot(reference[2], chosen[2], "o", color=STEM_LOOKS[name][0], mec="white", mew=0.5)
    images.set(xlabel="P(true class), replicated, at rest", ylabel=f"P(true class), {name}")
    images.set(title=f"{len(chosen[2])} images", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    layout.legend_outside(figure, "lower left", ncols=2)
    return alt.told(figure, {name: f"spread times {np.std(chosen[0]) / np.std(reference[0]):.2f}"})


def _histograms(axes: Axes, chosen: np.ndarray, reference: np.ndarray, name: str) -> None:
    low, high = np.percentile(reference, [0.2, 99.8])
    bins = np.linspace(low - 0.1 * (high - low), high + 0.1 * (high - low), 61)
    shares = [np.histogram(values, bins)[0] / len(values) for values in (chosen, reference)]
    axes.stairs(shares[0], bins, fill=True, color=STEM_LOOKS[name][0], alpha=0.75, label=name)
    axes.stairs(shares[1], bins, color=INK, lw=1.5, label="replicated, at rest")
    axes.set(yscale="log", ylim=(3e-5, 1))
