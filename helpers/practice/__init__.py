"""Checkers for the exercises: each says what is wrong, not only that it is wrong.

A checker takes the learner's function (or number), tries it on something small made for the
purpose, and returns a `Checked`. tests/practice holds each of them to wrong answers.
"""

from helpers.practice.augmentation import gray_pipeline, kept_share, xray_policy
from helpers.practice.batches import batchnorm_by_hand
from helpers.practice.checker import Checked
from helpers.practice.decision import cheapest_tie, leep_by_hand, paired_interval
from helpers.practice.grayscale import exact_gray_stem, fold_into_stem, red_channel_offset
from helpers.practice.interview import cheapest_search, sixty_seconds
from helpers.practice.labels import doubtful_labels, known_label_loss
from helpers.practice.medical import film, xray_range
from helpers.practice.shapes import dense_as_convolution, layer_counts
from helpers.practice.shipping import checkpoint
from helpers.practice.start import auc_by_hand, network_input
from helpers.practice.strategies import (
    PracticeNet,
    freeze_backbone,
    head_parameters,
    keep_best,
    parameter_groups,
)
from helpers.practice.transfer import linear_cka, receptive_field, transfer_begins
from helpers.practice.trust import mended_epoch, split_then_repeat, threshold_for

__all__ = [
    "Checked", "PracticeNet", "auc_by_hand", "batchnorm_by_hand", "cheapest_search", "cheapest_tie",
    "checkpoint", "dense_as_convolution", "doubtful_labels", "exact_gray_stem", "film",
    "fold_into_stem", "freeze_backbone", "gray_pipeline", "head_parameters", "keep_best",
    "kept_share", "known_label_loss", "layer_counts", "leep_by_hand", "linear_cka", "mended_epoch",
    "network_input", "paired_interval", "parameter_groups", "receptive_field", "red_channel_offset",
    "sixty_seconds", "split_then_repeat", "threshold_for", "transfer_begins", "xray_policy",
    "xray_range",
]  # fmt: skip
