"""Augmentation: named policies, whole pipelines, and tests of whether a policy keeps the label.

>>> from helpers import augment
>>> policy = augment.by_name("radiograph", strength=0.5)
>>> training.fit(model, data, strategy, augment=policy)
"""

from helpers.augment.crops import defect_cut_away, kept_share, paste_defect, random_crops
from helpers.augment.labels import Share, agreement, changed, share_of
from helpers.augment.pipelines import pipeline
from helpers.augment.policies import POLICIES, SINGLES, Policy, by_name

__all__ = [
    "POLICIES", "SINGLES", "Policy", "Share", "agreement", "by_name", "changed",
    "defect_cut_away", "kept_share", "paste_defect", "pipeline", "random_crops", "share_of",
]  # fmt: skip
