"""Look inside a network: filters, feature maps, linear probes, heat maps.

>>> from helpers import inspection
>>> from helpers.networks import backbones
>>> model = backbones.load("efficientnet_lite0")
>>> inspection.geometry(model, size=96)
"""

from helpers.inspection.activations import feature_maps, flattened, geometry, pooled
from helpers.inspection.augmentation import (
    agreement,
    changed,
    defect_cut_away,
    kept_share,
    paste_defect,
    random_crops,
)
from helpers.inspection.cka import cka_per_part, compare, linear_cka
from helpers.inspection.filters import stem_filters, stem_strengths
from helpers.inspection.gradcam import gradcam
from helpers.inspection.maximise import maximise
from helpers.inspection.patches import Places, strongest_patches, strongest_places
from helpers.inspection.probes import probe, probe_parts
