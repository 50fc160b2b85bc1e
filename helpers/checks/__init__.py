"""Checkers for the exercises: each says what is wrong, not only that it is wrong.

A checker takes the learner's function (or number), tries it on something small made for the
purpose, and returns a `Verdict`. tests/test_checks.py holds each of them to wrong answers.
"""

from helpers.checks.fine_tuning import (
    PracticeNet,
    freeze_backbone,
    head_parameters,
    keep_best,
    parameter_groups,
)
from helpers.checks.start import auc_by_hand, network_input
from helpers.checks.verdict import Verdict

__all__ = [
    "PracticeNet", "Verdict", "auc_by_hand", "freeze_backbone", "head_parameters", "keep_best",
    "network_input", "parameter_groups",
]  # fmt: skip
