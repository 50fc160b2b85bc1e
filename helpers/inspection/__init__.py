"""Look inside a network: filters, feature maps, linear probes, similarity of
representations, heat maps.

>>> from helpers import backbones, inspection
>>> model = backbones.load("efficientnet_lite0")
>>> inspection.geometry(model, size=96)
"""

from helpers.inspection.activations import (
    feature_maps,
    flattened,
    geometry,
    pooled,
)
from helpers.inspection.filters import stem_filters, stem_strengths
from helpers.inspection.gradcam import gradcam
from helpers.inspection.maximise import maximise, response
from helpers.inspection.patches import Patches, Places, strongest_patches, strongest_places
from helpers.inspection.probes import Probe, probe, probe_parts
from helpers.inspection.similarity import Similarity, cka_per_part, compare, linear_cka

__all__ = [
    "Patches", "Places", "Probe", "Similarity", "cka_per_part", "compare", "feature_maps",
    "flattened", "geometry", "gradcam", "linear_cka", "maximise", "pooled", "probe",
    "probe_parts", "response", "stem_filters", "stem_strengths", "strongest_patches",
    "strongest_places",
]  # fmt: skip
