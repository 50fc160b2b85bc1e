import base64

import pytest

from helpers.errors import CourseError
from helpers.training import strategies
from helpers.widgets import Prediction, StrategyExplorer
from tests.conftest import tiny_backbone

PNG = b"\x89PNG"


def picture(box) -> bytes:
    assert 'alt="' in box.value
    return base64.b64decode(box.value.split("base64,")[1].split('"')[0])


def explorer() -> StrategyExplorer:
    chosen = [strategies.feature_extraction(), strategies.full_finetune()]
    history = [{"epoch": k, "train_loss": 1 / k, "val_auc": 0.7 + k / 100} for k in (1, 2, 3)]
    return StrategyExplorer(
        {s.name: strategies.summary(tiny_backbone(), s) for s in chosen},
        {s.name: history for s in chosen},
        {s.name: f"AUC of {s.name}" for s in chosen},
    )


def test_explorer_draws_the_first_strategy_at_once():
    widget = explorer()
    assert picture(widget.network).startswith(PNG)
    assert picture(widget.curves).startswith(PNG)
    assert "10 parameters train" in widget.text.value


def test_choosing_another_strategy_redraws_everything():
    widget = explorer()
    before = widget.network.value, widget.curves.value
    widget.choice.value = "full_finetune"
    assert widget.network.value != before[0]
    assert widget.curves.value != before[1]
    assert "100.0% of all" in widget.text.value
    assert "AUC of full_finetune" in widget.text.value


def test_prediction_shows_guess_and_answer_and_locks():
    guess = Prediction("Which wins?", ["freeze", "train"])
    guess.choice.value = "train"
    guess.reveal("freeze", "0.86 against 0.83")
    assert "You said <b>train</b>" in guess.answer.value
    assert "Measured: <b>freeze</b>. 0.86" in guess.answer.value
    assert guess.choice.disabled


def test_prediction_without_a_guess_still_tells_the_answer():
    guess = Prediction("Which wins?", ["freeze", "train"])
    guess.reveal("train")
    assert guess.answer.value.startswith("You made no guess.")


def test_prediction_rejects_an_answer_that_was_no_option():
    with pytest.raises(CourseError, match="'both' is not one of the options"):
        Prediction("Which wins?", ["freeze", "train"]).reveal("both")
