"""The two widgets of notebook 06, and what they draw."""

import re

import numpy as np
import pytest
from matplotlib.colors import to_hex

from helpers import plots, widgets
from helpers.evidence import tables, trust, verdicts
from helpers.evidence.trust import BROKEN_COLUMNS, FAULTS
from helpers.plots.trust import CALLS
from helpers.training import threshold
from helpers.widgets import curve_reader
from measure import broken
from tests.conftest import picture, texts
from tests.plots.conftest import unreadable

LABELS = np.repeat([0, 1], [300, 100])
SCORES = 1 / (1 + np.exp(-np.random.default_rng(0).normal(2 * LABELS - 1)))
SCORES[0] = 0.999  # a false alarm that no threshold but the highest is spared


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A made-up table, written and read as a measured one: every fault, three seeds."""
    path, rows = tmp_path_factory.mktemp("results") / "broken_runs.csv", []
    for fault in broken.FAULTS:
        for seed in range(3):
            if fault == "half_precision":
                rows.append({"fault": fault, "seed": seed, "epoch": 1, "train_loss": np.nan})
                continue
            loss = {"rate_too_high": 50.0, "none": 0.5}.get(fault, 0.8) + seed / 100
            rows += [{"fault": fault, "seed": seed, "epoch": k, "train_loss": loss / k,
                      "val_loss": loss / k + 0.1, "val_auc": 0.6 + k / 100} for k in (1, 2, 3)
                     if (fault, seed, k) != ("no_zero_grad", 1, 3)]  # fmt: skip
    rows.append({"fault": "no_zero_grad", "seed": 1, "epoch": 3, "train_loss": np.nan})
    tables.append(rows, path, BROKEN_COLUMNS)
    return tables.read(path, BROKEN_COLUMNS)


@pytest.fixture
def reader(runs):
    return widgets.CurveReader(runs)


@pytest.fixture
def explorer():
    return widgets.ThresholdExplorer(LABELS, SCORES)


def lines(axes, label: str) -> list:
    return [line.get_ydata().tolist() for line in axes.lines if line.get_label() == label]


def test_every_fault_has_its_texts_and_three_others_to_be_told_from():
    assert set(FAULTS) == set(broken.FAULTS) - {"none"}
    assert len({told["title"] for told in FAULTS.values()}) == len(FAULTS)
    for fault, told in FAULTS.items():
        assert set(told) == {"title", "signs", "check", "mend", "alike"}
        assert len(set(told["alike"]) - {fault}) == len(told["alike"]) == 3
        assert set(told["alike"]) <= set(FAULTS)
        words = [text for text in told.values() if isinstance(text, str)]
        assert all(text and not re.search("[<>&]", text) for text in words), "they stand in HTML"
        assert "\n" not in told["mend"]


def test_the_signs_are_those_of_the_measured_runs():
    """What the reader says of each run, seed by seed; what it calls silent is not told apart."""
    table = tables.read(trust.BROKEN, trust.BROKEN_COLUMNS)
    last = table[table["epoch"] == broken.EPOCHS].set_index(["fault", "seed"])
    auc, train, val = (last[name].unstack("seed") for name in ("val_auc", "train_loss", "val_loss"))
    well = "none"
    assert (auc.loc["rate_too_high"].sub(0.5).abs() < 0.1).all()
    assert (train.loc["no_eval"] < train.loc[well]).all()
    assert (auc.loc["no_eval"] < auc.loc[well] - 0.03).all()
    assert (val.loc["one_eta_min"] > 1).all()
    assert (train.loc["one_eta_min"] > 1.5 * train.loc[well]).all()
    assert auc.loc["labels_shuffled"].between(0.25, 0.7).all()
    assert (train.loc["stale_clipping"] > 1.5 * train.loc[well]).all()
    assert (train.loc["batch_of_one"] < 0.01).all()
    assert (val.loc["batch_of_one"] > 10).all()
    assert (train.loc["augmented_validation"] - train.loc[well]).abs().max() == 0
    assert (auc.loc["augmented_validation"] < auc.loc[well] - 0.1).all()
    assert train.loc["softmax_twice"].between(np.log1p(np.exp(-1)), 0.6).all()
    ended = table[table["fault"] == "half_precision"]
    assert ended["epoch"].eq(1).all()
    assert ended["train_loss"].isna().all()
    for silent in ("no_warmup", "wrong_range", "no_zero_grad", "stale_clipping"):
        gap = verdicts.interval(auc.loc[silent] - auc.loc[well])
        assert gap.lo < 0 < gap.hi, silent


def test_the_mends_are_lines_of_python():
    for told in FAULTS.values():
        compile(told["mend"], "mend", "exec")


def test_the_runs_are_numbered_and_nothing_on_the_page_gives_a_fault_away(reader):
    labels = [f"Run {k}" for k in range(1, 13)]
    assert list(reader.run._options_labels) == labels
    in_order = [fault for fault in broken.FAULTS if fault in FAULTS]
    faults = [fault for _, fault in reader.run.options]
    assert sorted(faults) == sorted(in_order)
    assert not any(one == other for one, other in zip(faults, in_order, strict=True))
    for fault in faults:
        reader.run.value = fault
        shown = " ".join([reader.curves.value.split("src=")[0], reader.answer.value])
        assert not any(name in shown for name in FAULTS)
        assert not any(told["title"] in shown for told in FAULTS.values())
        keys = {key: value for key, value in reader.run.get_state().items() if key != "value"}
        assert fault not in str(keys), "the page gets labels only"


def test_four_causes_one_of_them_right_and_its_place_says_nothing(reader, monkeypatch):
    figure, places = plots.of_a_thousand(8, 2, 198, 792), set()
    monkeypatch.setattr(curve_reader, "broken_run", lambda *_: figure)  # twelve take seconds
    for _, fault in reader.run.options:
        reader.run.value = fault
        causes = dict(reader.cause.options)
        assert set(causes.values()) == {fault, *FAULTS[fault]["alike"]}
        assert list(causes) == sorted(causes) == sorted(FAULTS[n]["title"] for n in causes.values())
        assert reader.cause.value is None
        places.add(list(causes.values()).index(fault))
    assert places == {0, 1, 2, 3}


def test_a_right_choice_is_told_with_signs_check_and_mend(reader):
    reader.run.value = "softmax_twice"
    reader.cause.value = "softmax_twice"
    reader.check.click()
    assert "✔ Right:" in reader.answer.value
    for part in ("title", "signs", "check", "mend"):
        assert FAULTS["softmax_twice"][part] in reader.answer.value


def test_a_wrong_choice_hears_what_it_was(reader):
    reader.run.value = "no_eval"
    reader.cause.value = "batch_of_one"
    reader.check.click()
    assert f"✘ Not “{FAULTS['batch_of_one']['title']}”" in reader.answer.value
    assert "✔" not in reader.answer.value
    for part in ("title", "signs", "check", "mend"):
        assert FAULTS["no_eval"][part] in reader.answer.value
    reader.run.value = "wrong_range"
    assert reader.cause.value is None
    assert reader.answer.value == "Choose a cause, then press Check."


def test_nothing_is_told_before_a_choice(reader):
    before = reader.answer.value, reader.curves.value
    reader.check.click()
    assert (reader.answer.value, reader.curves.value) == before


def test_every_control_has_a_description(reader, explorer):
    controls = [reader.run, reader.cause, reader.check, explorer.threshold, explorer.prevalence,
                explorer.miss]  # fmt: skip
    assert all(control.description for control in controls)


def test_the_curves_are_those_of_the_table_beside_the_healthy_ones(runs):
    figure = plots.broken_run(runs, "no_eval")
    assert [axes.get_xlabel() for axes in figure.axes] == ["epoch"] * 3
    for axes, column in zip(figure.axes, ("train_loss", "val_loss", "val_auc"), strict=True):
        for label, fault in (("this run", "no_eval"), ("healthy run", "none")):
            rows = runs[runs["fault"] == fault].sort_values("epoch")
            expected = [rows.loc[rows["seed"] == seed, column].tolist() for seed in range(3)]
            assert lines(axes, label) == expected
        assert axes.get_yscale() == "linear"
    assert [axes.get_ylabel() for axes in figure.axes] == [
        "training loss, nats", "validation loss, nats", "validation AUC",
    ]  # fmt: skip
    assert "training loss, nats, this run, by epoch: 0.81 0.405 0.27" in figure.alt
    assert "ended early: no seed" in figure.alt
    assert not list(unreadable(figure))


def test_a_large_loss_does_not_flatten_the_healthy_one(runs):
    left, _, right = plots.broken_run(runs, "rate_too_high").axes
    assert (left.get_yscale(), right.get_yscale()) == ("log", "linear")
    assert left.get_ylabel().endswith("log scale")


def test_a_run_that_ended_in_nan_says_so(runs):
    figure = plots.broken_run(runs, "half_precision")
    for axes in figure.axes:
        assert texts_of(axes) == [f"seed {seed}: NaN in epoch 1" for seed in range(3)]
    assert "training loss, nats, this run, by epoch: NaN" in figure.alt
    assert "nan" not in figure.alt.split()
    assert not list(unreadable(figure))
    later = plots.broken_run(runs, "no_zero_grad")
    assert texts_of(later.axes[0]) == ["seed 1: NaN in epoch 3"]
    assert set(texts(plots.broken_run(runs, "no_eval"))) == {""}


def texts_of(axes) -> list[str]:
    (text,) = axes.texts
    return text.get_text().split("\n")


def test_no_figure_names_its_fault(runs):
    for fault, about in FAULTS.items():
        figure = plots.broken_run(runs, fault)
        assert about["title"] not in figure.alt
        assert fault not in figure.alt


def squares(figure) -> list[str]:
    (mesh,) = figure.axes[0].collections
    return [to_hex(color) for color in mesh.get_array().reshape(-1, 4)]


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [((8, 2, 198, 792), [8, 2, 198, 792]), ((0.8, 0.2, 99.9, 899.1), [1, 0, 100, 899]),
     ((0, 1, 0, 999), [0, 1, 0, 999]), ((500, 0, 500, 0), [500, 0, 500, 0])],
)  # fmt: skip
def test_a_thousand_squares_in_four_colours(numbers, expected):
    figure = plots.of_a_thousand(*numbers)
    found = squares(figure)
    assert [found.count(to_hex(color)) for color in CALLS.values()] == expected
    assert not list(unreadable(figure))
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert [label.split(" ", 1)[1] for label in labels] == list(CALLS)
    assert [float(label.split(" ")[0]) for label in labels] == pytest.approx(numbers, abs=0.5)
    assert all(label in figure.alt for label in labels)


def test_small_numbers_keep_a_decimal():
    assert "0.8 found, 0.2 missed, 100 false alarms" in plots.of_a_thousand(0.8, 0.2, 100, 899).alt


def numbers_in(explorer) -> list[float]:
    text = re.sub("<.*?>|,(?=\\d)", "", explorer.text.value)
    return [float(found) for found in re.findall(r"\d+\.?\d*", text)]


def test_the_explorer_shows_what_is_counted(explorer):
    explorer.threshold.value, explorer.prevalence.value, explorer.miss.value = 0.4, 0.1, 20
    called = SCORES >= 0.4
    found, kept = called[LABELS == 1].mean(), (~called[LABELS == 0]).mean()
    missed, alarms = 100 * (1 - found), 900 * (1 - kept)
    called_right = 100 * found / (100 * found + alarms)
    let_go_right = 900 * kept / (900 * kept + missed)
    counts = threshold.counts(LABELS, SCORES, 0.4)
    best, least = threshold.cheapest(LABELS, SCORES, 0.1, 20)
    percents = [100 * np.array(share) for share in (counts.sensitivity, counts.specificity)]
    expected = [*percents[0], 100, 1, *percents[1], 300, 0, 95,  # of 100 of class 1, 300 of 0
                100 * called_right, 100 * let_go_right, 1000, 20 * missed + alarms, least,
                best]  # fmt: skip
    assert numbers_in(explorer) == pytest.approx(expected, abs=0.051)
    assert counts.sensitivity.mean == found
    assert "class 0" in explorer.text.value
    drawn = f"{missed:.1f} missed, {alarms:.0f} false alarms"
    assert drawn in explorer.figure.value
    assert 'alt="threshold 0.40. ' in explorer.figure.value


def test_every_slider_redraws_and_has_its_range(explorer):
    knobs = explorer.threshold, explorer.prevalence, explorer.miss
    for knob, value in zip(knobs, (0.2, 0.2, 50), strict=True):
        before = explorer.text.value, picture(explorer.figure)
        knob.value = value
        assert explorer.text.value != before[0]
        assert (picture(explorer.figure) != before[1]) == (knob is not explorer.miss)
    assert (explorer.threshold.min, explorer.threshold.max) == (0, 1)
    assert (explorer.miss.min, explorer.miss.max) == (1, 100)
    ends = 10**explorer.prevalence.min, 10**explorer.prevalence.max
    assert ends == pytest.approx((0.001, 0.5), abs=1e-4)


def test_where_nobody_is_called_that_is_said(explorer):
    explorer.threshold.value = 1
    assert "(of those called) <b>does not exist</b>" in explorer.text.value
    explorer.prevalence.value, explorer.miss.value = 0.001, 1
    assert "when calling nobody" in explorer.text.value
    explorer.threshold.value = 0
    assert "(of those let go) <b>does not exist</b>" in explorer.text.value
