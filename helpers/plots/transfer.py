"""What is inside a network: kernels, feature maps, what a unit sees, probes and CKA per depth."""

from __future__ import annotations

import io
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import Image
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from helpers.plots import alt, layout, style
from helpers.plots.style import COLORS, FROZEN, INK, color_of, draws, label_of, set_look

# Probing pretrained features is feature extraction; random weights are what scratch starts from.
WEIGHTS = {
    "imagenet": ("pretrained", COLORS["feature_extraction"], "o"),
    "random": ("random weights", COLORS["scratch"], "s"),
}


@draws
def kernels(pictures: np.ndarray, captions: Sequence[str] = (), columns: int = 8) -> Figure:
    """Draw the kernels of a stem as small pictures; mid-gray is a weight of zero.

    Parameters
    ----------
    pictures : ``(F, kh, kw, 1 or 3)``, values 0..1 (`helpers.inspection.stem_filters`).
    captions : a line over each kernel.
    """
    rows = math.ceil(len(pictures) / columns)
    size = 1.25 * columns, (1.5 if captions else 1.3) * rows
    figure, grid = layout.picture_grid(rows, columns, *size)
    for k, (axes, picture) in enumerate(zip(grid.flat, pictures, strict=False)):
        layout.show_image(axes, picture, vmax=1, interpolation="nearest")
        if captions:
            axes.set_title(captions[k], fontsize=11)
    return alt.told(figure, Counter(captions) or f"{len(pictures)} kernels.")


@draws
def channel_maps(
    rows: Mapping[str, tuple[np.ndarray, np.ndarray]], part: str, n_maps: int = 6
) -> Figure:
    """Draw images and, beside each, its strongest feature maps at one part of a network.

    Parameters
    ----------
    rows : title -> (image ``(H, W, C)``, activation ``(channels, h, w)``).
    part : its name, for the titles.
    n_maps : maps per image, those with the largest spread over the image.
    """
    figure, grid = layout.picture_grid(len(rows), 1 + n_maps, 1.7 * (1 + n_maps), 2.1 * len(rows))
    for line, (title, (image, maps)) in zip(grid, rows.items(), strict=True):
        layout.show_image(line[0], image)
        line[0].set_title(title, fontsize=12)
        layout.show_maps(line[1:], maps, "channel", fontsize=11)
    n_channels, height, width = next(iter(rows.values()))[1].shape
    title = f"{part}: {n_channels} channels of {height} x {width}, the {n_maps} that vary most"
    figure.suptitle(f"{title} (bright: strong; each map on its own scale)", fontsize=13)
    return alt.told(figure, f"Rows: {', '.join(rows)}. {title}.")


@draws
def receptive_fields(image: np.ndarray, table: pd.DataFrame) -> Figure:
    """Draw what the middle position of each part's maps sees of an image at most, a frame per part.

    Parameters
    ----------
    image : uint8 ``(H, W, C)``.
    table : of `helpers.inspection.geometry`, for images of this size.
    """
    figure, axes = plt.subplots(figsize=(8.5, 5.4))
    size, middle = image.shape[0], image.shape[0] / 2 - 0.5
    reach = 0.85 * size  # half the width of the drawing
    layout.show_image(axes, image)
    fields = table["receptive_field"].drop(index="image", errors="ignore")
    shades = plt.get_cmap("plasma")(np.linspace(0, 0.62, len(fields)))
    for (name, side), color in zip(fields.items(), shades, strict=True):
        corner = middle - side / 2
        outside = " (larger than this drawing)" if side > 2 * reach else ""
        label = f"{name}: {side} x {side}{outside}"
        axes.add_patch(Rectangle((corner, corner), side, side, fill=False, lw=3, ec=color,
                                 label=label))  # fmt: skip
    axes.set(xlim=(middle - reach, middle + reach), ylim=(middle + reach, middle - reach))
    axes.set_xlabel(f"image: {size} x {size} pixels; around it: padding")
    title = "one position of the map\nsees at most (pixels)"
    axes.legend(loc="center left", bbox_to_anchor=(1.02, 0.5), title=title, alignment="left")
    return alt.told(figure, {name: f"{side} pixels" for name, side in fields.items()})


@draws
def probe_curves(table: pd.DataFrame, titles: Mapping[str, str]) -> Figure:
    """Draw the AUC of a linear probe against the depth it reads at, a panel per data set.

    The line is the mean over the seeds, a small mark each seed, the band the mean of the seeds'
    95 % intervals over the test images.

    Parameters
    ----------
    table : rows of `helpers.inspection.probe_parts` with ``dataset``, ``weights`` (``"imagenet"``
        or ``"random"``) and ``seed``.
    titles : dataset -> title of its panel; these are drawn, in this order.
    """
    figure, row = layout.panels(len(titles), min(6.6, 14 / len(titles)), 4.6, sharey=True)
    for axes, (dataset, title) in zip(row, titles.items(), strict=True):
        here = table[table["dataset"] == dataset]
        seeds = here["seed"].nunique()
        for weights, (label, color, marker) in WEIGHTS.items():
            rows = here[here["weights"] == weights]
            mean = rows.groupby("depth")[["auc", "auc_lo", "auc_hi"]].mean()
            axes.fill_between(mean.index, mean["auc_lo"], mean["auc_hi"], fc=(color, 0.18),
                              ec=style.dark(color), lw=0.6)  # fmt: skip
            axes.plot(mean.index, mean["auc"], color=color, marker=marker, ms=8, label=label)
            if rows["seed"].nunique() > 1:
                axes.plot(rows["depth"], rows["auc"], marker, color=color, ms=4)
        _depth_axis(axes, here)
        note = f"{here['n_train'].max()} to train, {here['n_test'].max()} to test, {seeds} seed"
        axes.set(title=title, xlabel=note + "s (small marks)" * (seeds != 1))
    row[0].set_ylabel("test AUC of a linear probe\n(95 % bootstrap interval)")
    row[0].legend(loc="upper left")
    gap = table.pivot_table("auc", ["dataset", "part"], "weights").eval("imagenet - random")
    most = (f"{title} at {gap[name].idxmax()}" for name, title in titles.items())
    return alt.told(figure, f"{alt.lines_of(figure)}Furthest apart: {', '.join(most)}.")


def _depth_axis(axes: Axes, table: pd.DataFrame) -> None:
    """Make the x-axis the parts of a network: columns ``part`` and ``depth`` of `table`."""
    parts = table.sort_values("depth").drop_duplicates("depth")
    axes.set_xticks(parts["depth"], parts["part"], rotation=45, ha="right")
    axes.grid(axis="y", color=FROZEN)


@draws
def cka_per_stage(table: pd.DataFrame, labels: Mapping[str, str] | None = None) -> Figure:
    """Draw how alike each part stays to the pretrained network's: CKA against depth.

    Line: mean over the seeds; bar: from the lowest to the highest end of the seeds' intervals.

    Parameters
    ----------
    table : rows with ``strategy``, ``seed``, ``part``, ``depth``, ``cka``, ``cka_lo``, ``cka_hi``,
        ``n_images``.
    labels : name of a strategy -> how to call it; others get their usual name.
    """
    figure, axes = plt.subplots(figsize=(9.5, 4.6))
    names, ends, seen = list(dict.fromkeys(table["strategy"])), {}, {}
    for k, name in enumerate(names):
        rows = table[table["strategy"] == name].groupby("depth")
        mean, low, high = rows["cka"].mean(), rows["cka_lo"].min(), rows["cka_hi"].max()
        arm = "scratch" if name == "random" else name
        color, marker = color_of(arm), style.marker_of(arm)
        x = mean.index + layout.beside(k, len(names), 0.07)
        label = (labels or {}).get(name, label_of(name))
        axes.plot(x, mean, color=color, marker=marker, ms=8, label=label)
        ends[label] = x[-1], mean.iloc[-1], color
        fallen = ", ".join(rows["part"].first()[mean < 0.9]) or "no part"
        seen[label] = f"{mean.iloc[0]:.2f} to {mean.iloc[-1]:.2f} (below .9: {fallen})"
        axes.vlines(x, low, high, color=color, lw=2)
    _depth_axis(axes, table)
    note = f"{table['n_images'].max()} test images, {table['seed'].nunique()} seeds"
    axes.set(ylim=(-0.05, 1.06), xlabel=note, ylabel="CKA with the pretrained network\n(debiased)")
    layout.end_labels(axes, ends)
    return alt.told(figure, seen)


@draws
def gap_by_n(gaps: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw what pretraining is worth against the number of training images, a line per data set.

    Parameters
    ----------
    gaps : title -> table of `helpers.evidence.verdicts.gap_by_n`; one seed alone is drawn
        hollow, without an interval. Empty tables are named in the legend as not measured.
    """
    what = "test AUC: full fine-tune minus scratch\n(its better budget), 95 % interval"
    figure, hollow = _gaps(gaps, lambda n, k: n.to_numpy(float) * 1.04**k, what)
    axes = figure.axes[0]
    if sizes := {n for table in gaps.values() for n in table.index}:
        layout.size_axis(axes, sizes, ratio=1.2)  # no label for 194 beside 200
        axes.minorticks_off()
    axes.set(xlabel="training images" + " (hollow: one seed, no interval)" * hollow)
    return figure


@draws
def gap_by_part(gaps: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw how far pretrained probes are ahead of random ones at each part, a line per data set.

    Parameters
    ----------
    gaps : title -> table of `helpers.evidence.probes.gains_by_part`.
    """
    what = "AUC of a probe: pretrained minus\nrandom, 95 % interval of the difference"
    figure, _ = _gaps(gaps, lambda parts, k: np.arange(len(parts)) + 0.1 * k, what)
    parts = next(iter(gaps.values())).index
    figure.axes[0].set_xticks(range(len(parts)), parts)
    return figure


def _gaps(gaps: Mapping[str, pd.DataFrame], place: Callable, ylabel: str) -> tuple[Figure, bool]:
    """Draw a line with intervals per table of ``gap, lo, hi``; also tell whether any is hollow."""
    figure, axes = plt.subplots(figsize=(9, 5))
    axes.axhline(0, color=INK, lw=1)
    for k, (title, table) in enumerate(gaps.items()):
        color, marker = set_look(title, k)
        label = title + ("" if len(table) else ": not all arms yet")
        x = place(table.index, layout.beside(k, len(gaps), 1))
        axes.plot(x, table["gap"], color=color, marker=marker, ms=8, label=label)
        alone = table["lo"].isna().to_numpy()
        axes.plot(x[alone], table["gap"][alone], marker, color=color, mfc="white", ms=8)
        ends = table[["lo", "hi"]].to_numpy(float)[~alone].T
        axes.vlines(x[~alone], *ends, color=color, lw=2)
    axes.set_ylabel(ylabel)
    axes.set_title("above 0: pretraining helps", loc="left")
    axes.grid(axis="y", color=FROZEN)
    layout.legend_outside(figure, "lower center", ncols=2)
    clear = (f"{title} at {', '.join(map(str, table.index[table['lo'] > 0])) or 'no place'}"
             for title, table in gaps.items())  # fmt: skip
    alt.told(figure, f"{alt.lines_of(figure)}Intervals above 0: {'; '.join(clear)}.")
    return figure, any(table["lo"].isna().any() for table in gaps.values())


@draws
def channel_gallery(gallery: Mapping[str, Mapping[int, np.ndarray]]) -> Figure:
    """Draw the pictures that excite channels most, a row per depth.

    Parameters
    ----------
    gallery : part -> channel -> picture ``(H, W, 3)``, uint8 or float 0..1.
    """
    columns = max(len(pictures) for pictures in gallery.values())
    size = 1.7 * columns + 0.8, 1.85 * len(gallery)
    figure, grid = layout.picture_grid(len(gallery), columns, *size)
    for row, (part, pictures) in zip(grid, gallery.items(), strict=True):
        for axes, (channel, picture) in zip(row, pictures.items(), strict=False):
            axes.imshow(picture)
            axes.set_title(f"channel {channel}", fontsize=10)
        row[0].text(-0.12, 0.5, part, transform=row[0].transAxes, ha="right", va="center",
                    weight="bold")  # fmt: skip
    return alt.told(figure, f"Rows: {', '.join(gallery)}.")


@draws
def channel_study(
    picture: np.ndarray, patches: np.ndarray, scores: np.ndarray, title: str
) -> Figure:
    """Draw the picture that excites a channel most beside the strongest patches of the data.

    Parameters
    ----------
    picture : ``(H, W, 3)``, uint8 or float 0..1.
    patches : uint8 ``(n, side, side, C)``, strongest first. scores : ``(n,)``, their activations.
    """
    columns = math.ceil(len(patches) / 2)
    figure = plt.figure(figsize=(3.6 + 1.7 * columns, 3.8))
    left, right = figure.subfigures(1, 2, width_ratios=[3.4, 1.7 * columns])
    layout.show_image(left.subplots(), picture)
    left.suptitle(title)
    grid = right.subplots(2, columns, squeeze=False)
    for axes, patch, score in zip(grid.flat, patches, scores, strict=False):
        layout.show_image(axes, patch)
        axes.set_title(f"{score:.1f}", fontsize=11)
    for axes in grid.flat[len(patches) :]:
        axes.set_axis_off()
    right.suptitle("strongest patches (activation)")
    return alt.told(figure, f"{title}: activations {scores[0]:.1f} to {scores[-1]:.1f}.")


def as_jpeg(figure: Figure, dpi: int = 100) -> Image:
    """Return a figure full of pictures as a JPEG: a notebook stores a third of what PNG takes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="jpeg", dpi=dpi, pil_kwargs={"quality": 85})
    image = Image(buffer.getvalue(), format="jpeg")
    image._repr_mimebundle_ = lambda **_: alt.bundle(figure, "image/jpeg")
    return image
