"""The advisor widget: knobs in, advice and curves out."""

import pytest

from helpers.evidence.recommend import recommend
from helpers.widgets import Advisor
from tests.conftest import picture
from tests.evidence.test_recommend import GRID, SIMILAR, found, rows


@pytest.fixture
def advisor() -> Advisor:
    return Advisor(GRID, SIMILAR)


def test_it_shows_advice_and_curves_at_once_and_the_rows_behind_them(advisor):
    assert advisor.advice.n == 400
    for words in ("For 400 training images", "Confidence", "What would change it"):
        assert words in advisor.text.value
    assert picture(advisor.curves)
    assert repr(advisor) == "Advisor(run the notebook to use it)"
    assert set(advisor.advice.evidence["dataset"]) <= set(SIMILAR)


def test_it_says_what_recommend_says(advisor):
    advisor.data.value = "far"
    advisor.n.value = 50
    expected = recommend(50, dataset="far", found=GRID, similar=SIMILAR)
    assert advisor.advice.strategy == expected.strategy == "feature_extraction"
    assert advisor.advice.why == expected.why
    advisor.n.value = 10**2.9
    assert advisor.advice.strategy == "full_finetune"


def test_every_knob_redraws(advisor):
    for knob, value in ((advisor.n, 100), (advisor.similarity, 0.8), (advisor.data, "far"),
                        (advisor.n, 10**5)):  # fmt: skip
        before = advisor.text.value, advisor.curves.value
        knob.value = value
        assert advisor.text.value != before[0]
        assert advisor.curves.value != before[1]
    assert "extrapolation" in advisor.text.value


def test_what_a_gain_is_worth_changes_the_choice():
    means = {"feature_extraction": 0.80, "full_finetune": 0.815}
    advisor = Advisor(found(rows("far", 400, means, noise=0.001)), SIMILAR)
    assert advisor.advice.strategy == "full_finetune"
    advisor.worth.value = 0.02
    assert advisor.advice.strategy == "feature_extraction"


def test_the_similarity_slider_names_the_measured_sets_and_rests_when_one_is_named(advisor):
    assert "far 0.40, middle 0.50, near 0.80" in advisor._scale().value
    assert not advisor.similarity.disabled
    advisor.data.value = "far"
    assert advisor.similarity.disabled


def test_an_error_is_a_sentence_on_the_page():
    one = found(rows("far", 50, {"lp_ft": 0.8}))
    advisor = Advisor(one, SIMILAR)
    assert advisor.advice is None
    assert "make evidence" in advisor.text.value
    assert advisor.curves.value == ""
