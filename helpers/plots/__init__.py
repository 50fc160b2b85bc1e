"""Figures: arrays and tables in, one matplotlib figure out. Nothing here knows a model."""

from helpers.plots.curves import LiveCurves, drift, intervals, learning_curves, results
from helpers.plots.images import class_examples, feature_maps, top_classes
from helpers.plots.networks import strategy_map
from helpers.plots.style import COLORS, LABELS, color_of, label_of

__all__ = [
    "COLORS", "LABELS", "LiveCurves", "class_examples", "color_of", "drift", "feature_maps", 
    "intervals", "label_of", "learning_curves", "results", "strategy_map", "top_classes",
]  # fmt: skip
