"""The widgets that redraw their pictures at every turn of a knob, and the one that asks first."""

import numpy as np
import pytest

from helpers import inspection, widgets
from helpers.datasets import augment
from helpers.errors import CourseError
from helpers.inspection.gray_stems import METHODS, MODES, Look
from helpers.training import strategies
from helpers.widgets.figures import CourseWidget
from tests.conftest import make_split, picture, tiny_backbone


def strategy_explorer() -> widgets.StrategyExplorer:
    chosen = [strategies.feature_extraction(), strategies.full_finetune()]
    history = [{"epoch": k, "train_loss": 1 / k, "val_auc": 0.7 + k / 100} for k in (1, 2, 3)]
    return widgets.StrategyExplorer(
        {s.name: strategies.summary(tiny_backbone(), s) for s in chosen},
        {s.name: history for s in chosen},
        {s.name: f"AUC of {s.name}" for s in chosen},
    )


def feature_maps(start: str = "stage1", **more) -> widgets.FeatureMaps:
    model = tiny_backbone()
    rows = {
        name: (image, inspection.feature_maps(model, image))
        for name, image in zip("ab", make_split(2).images, strict=True)
    }
    return widgets.FeatureMaps(rows | more, inspection.geometry(model, 32), start=start)


LABELS = np.array([0, 1, 1, 0])


def look(scale: float, right: float) -> Look:
    rng = np.random.default_rng(0)
    probabilities = np.full((4, 2), 1 - right)
    probabilities[np.arange(4), LABELS] = right
    return Look(scale * rng.normal(size=2000), scale * rng.normal(size=2000), probabilities)


def gray_explorer(method: str = "replicate") -> widgets.GrayExplorer:
    looks = {(how, mode): look(1.0, 0.9) for how in METHODS for mode in MODES}
    widget = widgets.GrayExplorer(looks | {("mean", "eval"): look(1 / 3, 0.2)}, LABELS)
    widget.method.value = method
    return widget


def gallery(*policies: str) -> widgets.AugmentationGallery:
    gray = np.arange(16 * 16, dtype=np.uint8).reshape(16, 16, 1)
    images = {"cell": gray, "cat": np.repeat(gray, 3, axis=2)}
    return widgets.AugmentationGallery(images, policies, draws=2)


BOXES = {"StrategyExplorer": ("network", "curves"), "FeatureMaps": ("picture",)}


def pictures(widget) -> list[bytes]:
    return [picture(getattr(widget, box)) for box in BOXES.get(type(widget).__name__, ["figure"])]


@pytest.mark.parametrize(
    ("widget", "at_first", "knob", "value", "then"),
    [
        (strategy_explorer, ["10 parameters train"],
         "choice", "full_finetune", ["100.0% of all", "AUC of full_finetune"]),
        (feature_maps, ["2 x 2", "up to 7 x 7 pixels", "4 channels x 16 x 16 = <b>1,024</b>"],
         "part", "stage3", ["up to 15 x 15 pixels"]),
        (gray_explorer, ["<b>replicate, BatchNorm at rest</b>",
                         "100% of the predicted classes are the same"],
         "method", "mean", ["0.33 times as far", "0% of the predicted classes"]),
        (lambda: gray_explorer("mean"), ["mean, BatchNorm at rest"],
         "batchnorm", "train", ["mean, BatchNorm moves", "1.00 times as far"]),
        (lambda: gallery("radiograph", "dihedral"), ["<b>radiograph</b> is meant for"],
         "policy", "dihedral", ["<b>dihedral</b> is meant for"]),
        (lambda: gallery("radiograph"), [], "strength", 0.0, []),
    ],
)  # fmt: skip
def test_a_widget_draws_at_once_and_again_when_its_knob_is_turned(
    widget, at_first, knob, value, then
):
    widget = widget()
    before = pictures(widget)
    assert all(says in widget.text.value for says in at_first)
    getattr(widget, knob).value = value
    assert not set(before) & set(pictures(widget))
    assert all(says in widget.text.value for says in then)


def test_a_page_without_a_kernel_says_what_it_is():
    assert repr(gallery()) == "AugmentationGallery(run the notebook to use it)"
    others = set(widgets.__all__) - {"Advisor"}  # which has its own test
    assert all(issubclass(getattr(widgets, name), CourseWidget) for name in others)


def test_the_gallery_offers_every_policy_and_draws_the_same_until_asked_again():
    widget, other = gallery(), gallery()
    assert list(widget.policy.options) == [*augment.POLICIES, *augment.SINGLES]
    widget.policy.value = other.policy.value = "natural"
    drawn = pictures(widget)
    assert drawn == pictures(other)
    widget.again.click()
    assert drawn != pictures(widget)
    with pytest.raises(CourseError, match="at least one image"):
        widgets.AugmentationGallery({})


def test_the_gallery_says_what_another_strength_does():
    widget = gallery("radiograph", "dihedral")
    assert "strength" not in widget.text.value
    widget.strength.value = 2.0
    assert "here it is 2, a tilt of up to 20 degrees" in widget.text.value
    widget.policy.value = "dihedral"
    assert "here it is 2." in widget.text.value


def test_feature_maps_name_the_parts_there_are_and_leave_missing_channels_empty():
    assert feature_maps().part.options == ("stem", "stage1", "stage2", "stage3")
    with pytest.raises(CourseError, match=r"no part 'stage33'\. Did you mean 'stage3'"):
        feature_maps("stage33")
    few = {part: np.zeros((2, 4, 4)) for part in ("stem", "stage1", "stage2", "stage3")}
    assert pictures(feature_maps(c=(np.zeros((8, 8, 1), np.uint8), few)))


def test_prediction_shows_guess_and_answer_and_locks():
    guess = widgets.Prediction("Which wins?", ["freeze", "train"])
    guess.choice.value = "train"
    guess.reveal("freeze", "0.86 against 0.83")
    assert "You said <b>train</b>" in guess.answer.value
    assert "Measured: <b>freeze</b>. 0.86" in guess.answer.value
    assert guess.choice.disabled


def test_prediction_without_a_guess_still_tells_the_answer_but_only_one_that_was_an_option():
    guess = widgets.Prediction("Which wins?", ["freeze", "train"])
    with pytest.raises(CourseError, match="'both' is not one of the options"):
        guess.reveal("both")
    guess.reveal("train")
    assert guess.answer.value.startswith("You made no guess.")
