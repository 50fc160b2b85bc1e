import base64

import numpy as np

from helpers.inspection.gray_stems import METHODS, MODES, Look
from helpers.widgets import GrayExplorer

LABELS = np.array([0, 1, 1, 0])


def look(scale: float, right: float) -> Look:
    rng = np.random.default_rng(0)
    probabilities = np.full((4, 2), 1 - right)
    probabilities[np.arange(4), LABELS] = right
    return Look(scale * rng.normal(size=2000), scale * rng.normal(size=2000), probabilities)


def looks() -> dict:
    made = {(how, mode): look(1.0, 0.9) for how in METHODS for mode in MODES}
    return made | {("mean", "eval"): look(1 / 3, 0.2)}


def picture(widget) -> bytes:
    assert 'alt="' in widget.figure.value
    return base64.b64decode(widget.figure.value.split("base64,")[1].split('"')[0])


def test_it_shows_the_first_case_at_once():
    widget = GrayExplorer(looks(), LABELS)
    assert picture(widget).startswith(b"\x89PNG")
    assert "<b>replicate, BatchNorm at rest</b>" in widget.text.value
    assert "100% of the predicted classes are the same" in widget.text.value
    assert repr(widget) == "GrayExplorer(run the notebook to use it)"


def test_another_stem_redraws_and_tells_scale_and_agreement():
    widget = GrayExplorer(looks(), LABELS)
    before = picture(widget)
    widget.method.value = "mean"
    assert picture(widget) != before
    assert "0.33 times as far" in widget.text.value
    assert "0% of the predicted classes" in widget.text.value


def test_another_batchnorm_mode_redraws():
    widget = GrayExplorer(looks(), LABELS)
    widget.method.value = "mean"
    before = picture(widget)
    widget.batchnorm.value = "train"
    assert picture(widget) != before
    assert "mean, BatchNorm moves" in widget.text.value
    assert "1.00 times as far" in widget.text.value
