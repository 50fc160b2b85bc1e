"""Figures: arrays and tables in, one matplotlib figure out. Nothing here knows a model."""

# fmt: off
# ruff: noqa: I001  (a list of names, packed)
from helpers.plots.alt import described
from helpers.plots.augmentation import (
    before_after, crops_and_defect, cut_away, gains, kept_predictions,
)
from helpers.plots.decision import decision_map, lesson_map
from helpers.plots.evidence import (
    arm_curves, continued_curves, cost_quality, distances, foretold, scores_by_part,
)
from helpers.plots.grayscale import (
    gray_auc, gray_borders, gray_drift, gray_kernels, gray_logits, gray_look,
)
from helpers.plots.images import (
    class_examples, confident_errors, errors_grid, feature_maps, notice, top_classes,
)
from helpers.plots.practice import forgetting, readiness
from helpers.plots.recipe import recipe_steps
from helpers.plots.strategies import (
    LiveCurves, drift, intervals, learning_curves, results, strategy_map,
)
from helpers.plots.style import COLORS, LABELS, color_of, label_of, set_label
from helpers.plots.transfer import (
    as_jpeg, channel_gallery, channel_maps, channel_study, cka_per_stage, gap_by_n, gap_by_part,
    kernels, probe_curves, receptive_fields,
)
from helpers.plots.trust import (
    broken_run, kept_and_learned, of_a_thousand, reliability, roc_and_pr,
)
