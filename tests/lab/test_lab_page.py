"""The strategy lab as a board: clicks go to the state, and the state is what is shown."""

import json
import os
import re
from collections import Counter
from dataclasses import replace

import pytest

from helpers import datasets, plots
from helpers.lab import drawings, measured, page, panels, race, store
from helpers.lab.engine import Lab
from helpers.lab.explain import NONE, ranked
from helpers.lab.page import OWN
from helpers.lab.setup import Arm
from helpers.plots import style
from tests.conftest import make_dataset
from tests.lab.conftest import TWO, longer, until


@pytest.fixture
def board(bench) -> page.StrategyLab:
    return page.StrategyLab(bench)


def press(board) -> None:
    board.start.race.click()
    assert board.lab.wait(30)


def text(board, part: str) -> str:
    return board.pictures.boxes[part].value


def shown(board) -> set[str]:
    return {name for name, part in board.parts.items() if part.layout.display != "none"}


def test_race_fills_the_table_and_the_curves(board):
    assert text(board, "table").count("ready") == 2
    press(board)
    assert text(board, "table").count("live") >= 2
    assert "always &#x27;" in text(board, "table")
    assert re.search(r"\d\.\d{3} <small>\[\d\.\d{3}, \d\.\d{3}\]", text(board, "table"))
    assert text(board, "curves").count("<circle") == 2 * 2 * 2  # arms, epochs, charts
    for letter in "AB":  # at the end of its line, so that no colour need be told
        assert text(board, "curves").count(f'class="lab-title">{letter}</text>') == 2
    assert "Explain this result" in text(board, "explanation")
    assert board.start.status.value == "Done."
    assert not board.start.race.disabled
    assert board.start.stop.disabled


def test_two_fast_clicks_and_stop(board):
    board.lab.change(longer())
    board.start.race.click()
    assert not board.lab.race()
    assert "running" in board.start.message.value
    until(lambda: board.lab.lanes[1].history)
    assert board.start.race.disabled
    assert "arms done" in board.start.status.value
    board.start.stop.click()
    assert board.lab.phase == "stopped"
    assert "Stopped" in board.start.status.value
    assert "not scored" in text(board, "table")
    assert board.lab.wait(5)
    assert board.lab.current.number == 1


def test_knobs_set_up_the_race(board):
    board.setup.n.value, board.setup.epochs.value, board.setup.seed.value = "12", "3", "7"
    board.setup.arms.children[1].head_lr.value = "0.01"
    setup = board.lab.setup
    assert (setup.n, setup.epochs, setup.seed) == (12, 3, 7)
    assert setup.arms[1] == Arm("full_finetune", head_lr=0.01)
    assert board.prepared.value == OWN
    assert "full fine-tune, head 0.01" in text(board, "table")
    board.setup.n.value = "0"
    assert board.lab.setup.n is None


def test_arms_come_and_go(board):
    board.setup.add.click()
    assert len(board.lab.setup.arms) == 3
    assert board.lab.setup.arms[2].strategy == "scratch"
    board.setup.arms.selected_index = 0
    board.setup.remove.click()
    assert [arm.strategy for arm in board.lab.setup.arms] == ["full_finetune", "scratch"]
    assert board.setup.remove.disabled
    for _ in range(3):
        board.setup.add.click()
    assert board.setup.add.disabled
    board.lab.setup.check()


def test_an_arm_shows_only_the_knobs_it_has(board):
    knobs = board.setup.arms.children[0]
    assert knobs.last.layout.display == "none"
    assert knobs.backbone_lr.layout.display == "none"
    assert knobs.strategy.layout.display != "none"
    knobs.strategy.value = "partial_finetune"
    assert knobs.last.layout.display == ""
    assert knobs.backbone_lr.layout.display == ""


def test_what_cannot_be_is_a_sentence_in_the_page(board, tmp_path):
    board.setup.dataset.value = "a folder"
    board.setup.folder.value = str(tmp_path / "nowhere")
    assert "There is no folder" in board.start.message.value
    board.start.race.click()
    assert "There is no folder" in board.start.message.value
    assert board.lab.phase == "idle"
    board.setup.dataset.value = "elpv"
    assert board.start.message.value == ""
    board.setup.arms.children[0].head_lr.value = "fast"
    assert "cannot be read as head rate of arm 1" in board.start.message.value
    board.setup.arms.children[0].head_lr.value = ""
    board.setup.arms.children[0].strategy.value = "partial_finetune"
    board.setup.arms.children[0].last.value = "9"
    assert "7 stages" in board.start.message.value
    assert text(board, "network") == ""


NUMBERS = [("arm", "head_lr", "0,003"), ("arm", "head_lr", "-1"), ("arm", "decay", "inf"),
           ("arm", "backbone_lr", "1e"), ("arm", "decay", "half"),
           ("setup", "n", "1,000"), ("setup", "epochs", "2.7"), ("setup", "seed", "")]  # fmt: skip


@pytest.mark.parametrize(("of", "name", "typed"), NUMBERS)
@pytest.mark.parametrize("prepared", [True, False])
def test_what_is_no_number_bars_race_until_it_is_one(tiny, of, name, typed, prepared):
    board = page.StrategyLab(Lab(None if prepared else TWO))
    before, owner = board.lab.setup, board.setup if of == "setup" else board.setup.arms.children[-1]
    field = getattr(owner, name)
    whole, field.value = field.value, typed
    assert field.value == typed, "what was typed stays, to be put right"
    assert board.start.race.disabled
    assert drawings.safe(f"{typed!r} cannot be read as") in board.start.message.value
    assert not board.lab.race()
    board.lab.keep("anything")
    board.kept.export.click()
    assert board.start.race.disabled, "whatever else is clicked meanwhile"
    field.value = whole
    assert not board.start.race.disabled
    assert board.start.message.value == ""
    assert board.lab.setup == before
    assert (board.lab.prepared is not None) == prepared


def test_a_typed_field_is_not_read_while_it_is_hidden_and_another_arm_takes_its_place(board):
    knobs = board.setup.arms.children[1]
    knobs.backbone_lr.value = "0,1"
    assert "stage rate of arm 2" in board.start.message.value
    knobs.strategy.value = "feature_extraction"
    assert "are the same" in board.start.message.value  # of that sentence another one
    knobs.strategy.value = "full_finetune"
    assert board.start.race.disabled
    board.setup.add.click()  # shows the setup that was read last
    assert knobs.backbone_lr.value == ""
    assert "are the same" in board.start.message.value
    assert board.start.race.disabled
    knobs.strategy.value = "full_finetune"
    assert not board.start.race.disabled


def test_a_barred_race_is_free_again_with_a_prepared_one(board):
    board.setup.seed.value = "first"
    board.prepared.value = "The BN trap"
    assert not board.start.race.disabled
    assert board.setup.seed.value == "0"


def test_a_rate_is_shown_with_all_its_digits(board):
    knobs = board.setup.arms.children[0]
    knobs.head_lr.value = "0.00123456789"
    board.setup.add.click()
    assert knobs.head_lr.value == "0.00123456789"
    assert board.lab.setup.arms[0].head_lr == 0.00123456789


@pytest.mark.parametrize("variable", ["COURSE_DATA_DIR", "COURSE_CACHE"])
def test_the_lab_opens_and_says_which_folder_cannot_be_found(tiny, monkeypatch, variable):
    """As without a home: nobody knows where ``~`` is."""
    monkeypatch.setenv(variable, "~nobody-of-this-name/folder")
    board = page.StrategyLab(Lab(TWO))
    assert "nobody-of-this-name" in board.start.message.value
    assert "cannot be found" in board.start.message.value


def test_a_folder_whose_name_is_no_text_is_shown(tiny, monkeypatch, tmp_path):
    name = os.fsdecode(b"H\xe4ute")
    os.mkdir(tmp_path / name)
    monkeypatch.setenv("COURSE_DATA_DIR", str(tmp_path))
    board = page.StrategyLab(Lab(TWO))
    board.setup.dataset.value = name
    assert board.lab.setup.dataset == name
    press(board)
    assert board.lab.keep("skins")
    board.kept.choice.value = ("skins",)
    board.kept.folder.value = str(tmp_path)
    board.kept.export.click()
    for widget in (board.setup.dataset, board.kept.comparison, *board.pictures.boxes.values()):
        json.dumps(widget.get_state(), ensure_ascii=False, default=str).encode()
    assert "H\ufffdute" in (tmp_path / "strategy_lab.csv").read_text("utf-8")
    assert "H\ufffdute" in (tmp_path / "strategy_lab.html").read_text("utf-8")


def test_what_is_known_of_the_images_stands_beside_the_numbers(tiny, monkeypatch):
    """Of the card, which is there only once the images are loaded."""
    leak, skipped = "2 groups lie in both train/ and test/.", "3 <files> were skipped."
    data = make_dataset()
    card = replace(data.card, caveat=f"{leak} {skipped}")
    monkeypatch.setattr(datasets, "load", lambda *_, **__: replace(data, card=card))
    board = page.StrategyLab(Lab(TWO))
    assert leak not in text(board, "table")
    press(board)
    for presenter, step in ((False, ""), (True, "3 race"), (True, "4 explanation")):
        board.presenter.value = presenter
        board.step.value = step or board.step.value
        assert "table" in shown(board)
    said = f"{leak} 3 &lt;files&gt; were skipped."
    assert said in text(board, "table")
    assert board.lab.keep("leaky")
    assert said in store.as_html(store.kept()[0])
    assert leak in store.as_csv(store.kept()[0])


def test_prepared_races_load_and_show_their_knobs(board):
    board.prepared.value = "Gray: mean or sum"
    assert board.lab.prepared.name == "Gray: mean or sum"
    assert [knobs.gray.value for knobs in board.setup.arms.children] == ["sum", "mean", "random"]
    assert board.lab.prepared is not None  # showing the knobs did not count as turning them
    assert "averaged" in text(board, "question")
    assert "gray mean" in text(board, "table")


def test_predict_first_blocks_race_until_the_guess_is_made(board):
    board.predict_first.value = True
    assert board.start.race.disabled
    assert "guess" in shown(board)
    board.guess.commit.click()
    assert "Choose one" in board.start.message.value
    assert tuple(board.guess.choice.options) == ("feature extraction", "full fine-tune", NONE)
    board.guess.choice.value = NONE
    board.guess.commit.click()
    assert board.guess.choice.disabled
    board.lab.commit_guess("feature extraction")
    assert board.lab.guess == NONE, "committed is committed"
    assert not board.start.race.disabled
    assert f"Your guess: {NONE}" in text(board, "outcome")
    press(board)
    assert "Measured:" in text(board, "outcome")
    assert board.lab.current.guess == NONE
    board.setup.seed.value = "9"
    assert board.start.race.disabled
    assert board.guess.choice.value is None
    board.predict_first.value = False
    assert not board.start.race.disabled
    assert "guess" not in shown(board)


def test_presenter_shows_one_step_at_a_time_in_large_type(board):
    assert "setup" in shown(board)
    board.presenter.value = True
    assert "lab-presenter" in board._dom_classes
    assert shown(board) == {"step", "question", "start"}
    board.step.value = "2 network"
    assert shown(board) == {"step", "question", "network"}
    board.step.value = "3 race"
    assert shown(board) == {"step", "start", "table", "curves"}
    board.step.value = "4 explanation"
    assert shown(board) == {"step", "outcome", "table", "explanation"}
    board.step.value = "5 errors"
    assert shown(board) == {"step", "start", "errors"}
    board.presenter.value = False
    assert "lab-presenter" not in board._dom_classes
    assert "setup" in shown(board)


def test_no_step_asks_for_what_it_does_not_show(board):
    """Race waits for the guess, so both stand in every step that has Race."""
    board.presenter.value = board.predict_first.value = True
    for step, parts in page.STEPS.items():
        board.step.value = step
        assert ("guess" in shown(board)) == ("start" in parts)
    board.step.value = "3 race"
    board.lab.commit_guess(NONE)
    assert "guess" not in shown(board)
    press(board)
    board.step.value = "5 errors"
    assert "Take the tick" not in text(board, "errors")


def test_a_reload_comes_back(board, tiny):
    board.prepared.value = "The BN trap"
    board.lab.commit_guess(NONE)
    board.presenter.value, board.step.value = True, "3 race"
    press(board)
    first, where = text(board, "table"), board.where
    assert "race=The+BN+trap&presenter=1&step=3" in where
    assert drawings.safe(where) in board.address.value
    again = page.StrategyLab(Lab())
    again.restore(where)
    assert again.lab.wait(30)
    assert again.where == where
    scores = r"<td class=\"number\">[^<]+"
    assert re.findall(scores, text(again, "table")) == re.findall(scores, first)
    assert text(again, "table").count(">earlier<") == 2
    assert again.lab.guess == NONE
    unasked = page.StrategyLab()
    unasked.restore("race=The+BN+trap&raced=1")
    assert unasked.lab.wait(30)
    assert unasked.lab.phase == "done"
    again.restore("race=gone&step=9&guess=nobody&presenter=1")
    assert "prepared race" in again.start.message.value
    assert again.step.value == "3 race"


def test_a_presenter_counts_hands_and_the_result_says_what_the_class_said(board):
    board.prepared.value = "The BN trap"
    board.presenter.value = board.predict_first.value = True
    first, second, third = board.guess.poll.children
    assert "a hand for BN rests" in first.children[1].tooltip
    for row, clicks in ((first, 3), (third, 2)):
        for _ in range(clicks):
            row.children[1].click()
    first.children[0].click()
    second.children[0].click()  # below none there is nothing
    counts = [re.sub(r"<b>(\d+)</b>.*width:(\d+%).*", r"\1 \2", row.children[2].value)
              for row in board.guess.poll.children]  # fmt: skip
    assert counts == ["2 50%", "0 0%", "2 50%"]
    assert "hands=2.0.2" in board.where
    third.children[1].click()
    board.lab.commit_guess("BN rests")
    assert "Your guess: BN rests" in text(board, "outcome")
    press(board)
    said = f"The class: 3 of 5 said {NONE}; the race says {board.lab.current.leader}."
    assert said in text(board, "outcome")
    again = page.StrategyLab(Lab())
    again.restore(board.where)
    assert again.lab.wait(30)
    assert again.lab.hands == board.lab.hands
    assert said in text(again, "outcome")
    board.prepared.value = "Gray: mean or sum"
    assert not board.lab.hands, "another race, other hands"
    assert len(board.guess.poll.children) == 4
    again.restore("race=The+BN+trap&hands=1.x.2.9")
    assert dict(again.lab.hands) == {"BN rests": 1, NONE: 2}


def test_a_tie_of_the_class_is_said():
    said = panels.polled(Counter(a=2, b=2, c=1), "c")
    assert said == "The class: 2 of 5 said a, as many as b; the race says c."


def test_an_address_says_nothing_of_a_setup_of_ones_own(board):
    press(board)
    board.lab.commit_guess(NONE)
    assert "raced" not in board.where
    assert "guess" not in board.where
    again = page.StrategyLab()
    again.restore("step=1&raced=1&guess=no+clear+winner")
    assert again.lab.phase == "idle"
    assert again.lab.guess is None


@pytest.mark.parametrize(("field", "bad", "good"), [("epochs", "0", "2"), ("n", "3", "16")])
def test_a_setup_that_cannot_be_bars_race_until_it_can(board, field, bad, good):
    getattr(board.setup, field).value = bad
    for _ in range(2):
        assert board.start.race.disabled
        assert bad in board.start.message.value
        assert board.start.status.value == ""
        board.lab.put(message="")  # as any other click
    board.setup.seed.value = "x"
    board.setup.seed.value = "0"
    assert board.start.race.disabled, "only the seed was put right"
    getattr(board.setup, field).value = good
    assert not board.start.race.disabled


def test_race_leads_a_presenter_from_the_question_to_the_race(board):
    board.presenter.value = True
    press(board)
    assert board.step.value == "3 race"
    board.step.value = "5 errors"
    press(board)
    assert board.step.value == "5 errors"


def test_the_line_below_the_question_counts_the_images_that_were_used(board):
    there = len(make_dataset().train)
    board.lab.change(replace(TWO, n=400, epochs=1))
    assert "400 training images of" in text(board, "question")
    assert " 1 epoch, " in text(board, "question")
    press(board)
    assert f"{there} training images (400 asked for)" in text(board, "question")


def test_a_stored_race_has_the_caveat_of_its_images():
    board = page.StrategyLab(Lab())
    board.lab.race()
    assert board.lab.lanes[0].result.source == "stored"
    assert "cells of one module on both sides" in text(board, "table")


def test_a_visitor_is_asked_to_guess_first(tiny):
    board = page.StrategyLab()
    assert board.lab.predict_first
    assert board.predict_first.value
    assert board.start.race.disabled


def test_every_drawing_says_what_it_shows(board):
    press(board)
    html = "".join(box.value for box in board.pictures.boxes.values())
    drawn = re.findall(r"<(?:svg|img)[^>]*>", html)
    assert len(drawn) > 10
    for tag in drawn:
        assert re.search(r'(aria-label|alt)="[^"]+"|aria-hidden="true"', tag), tag
    assert "<th></th>" not in html


def test_one_axis_for_every_table():
    row = measured.baseline_row({"a": 2, "b": 1}) | {"auc": 0.9}
    axes = [re.findall(r">(\d\.\d)</text>", drawings.table([row | {"auc_lo": low, "auc_hi": 0.95}]))
            for low in (0.85, 0.55, 0.42)]  # fmt: skip
    assert axes[0] == axes[1] == ["0.5", "0.6", "0.7", "0.8", "0.9", "1.0"]
    assert axes[2] == ["0.4", "0.6", "0.8", "1.0"]  # below chance: every second one has room


def test_the_stem_of_a_network_for_gray_images_is_counted():
    """352 as in notebook 02: 32 filters of 3 x 3 for one channel, and its BatchNorm."""
    drawn = {}
    for name, shape in (("gray", None), ("colour", (3, 5))):
        rows = race.network_rows(TWO, shape)
        drawn[name] = {part["part"]: part["parameters"] for part in rows[0]["parts"]}
    assert (drawn["gray"]["stem"], drawn["colour"]["stem"]) == (352, 928)
    assert (drawn["gray"]["head"], drawn["colour"]["head"]) == (2562, 6405)


def test_the_list_of_images_says_what_they_are(board):
    names = {value: label for label, value in board.setup.dataset.options}
    assert names["path"] == "path: histology, downloads once"
    assert names["elpv"] == "elpv: solar cells"


def test_every_part_can_be_reached(board):
    seen = set()
    for look in page.LOOKS:
        board.look.value = look
        seen |= shown(board)
    assert {*panels.Pictures.NAMES, "setup", "start", "look", "kept"} == seen


def test_the_network_shows_what_trains_at_which_rate(board):
    assert text(board, "network").count("frozen") == 4  # stem and three stages of the first arm
    assert text(board, "network").count("3e-3") == 2  # both heads
    assert "BN rests" in text(board, "network")


def test_the_winners_errors_are_drawn(board, monkeypatch):
    assert "shown here" in text(board, "errors")
    press(board)
    results = board.lab.current.results
    label = ranked(results)[0]
    assert text(board, "errors").count("<img") == 2 * len(results[label].mistakes.images)
    assert label in text(board, "errors")


def test_kept_races_are_compared_and_exported(board, tmp_path):
    press(board)
    board.kept.name.value = "first"
    board.kept.keep.click()
    assert board.kept.choice.options == ("first",)
    board.lab.change(replace(TWO, seed=2))
    press(board)
    board.kept.name.value = "first"
    board.kept.keep.click()
    assert "already kept" in board.start.message.value
    board.kept.name.value = "second"
    board.kept.keep.click()
    board.kept.choice.value = ("first", "second")
    assert "<th>second</th>" in board.kept.comparison.value
    board.kept.folder.value = str(tmp_path / "nowhere")
    board.kept.export.click()
    assert "There is no folder" in board.start.message.value
    board.kept.folder.value = str(tmp_path)
    board.kept.export.click()
    assert (tmp_path / "strategy_lab.csv").is_file()
    assert 'download="strategy_lab.html"' in board.kept.text.value
    board.kept.remove.click()
    assert board.kept.choice.options == ()


@pytest.mark.parametrize("action", ["export", "compare"])
def test_a_race_that_another_window_removed_is_said(board, tmp_path, action):
    press(board)
    board.lab.keep("first")
    board.lab.keep("second")
    board.kept.folder.value = str(tmp_path / "to")
    (tmp_path / "to").mkdir()
    if action == "export":
        board.kept.choice.value = ("first", "second")
    store.forget("second")
    if action == "compare":
        board.kept.choice.value = ("first", "second")
    else:
        board.kept.export.click()
    assert "removed &#x27;second&#x27;" in board.start.message.value
    assert board.kept.choice.options == ("first",)
    assert board.kept.choice.value == ("first",)
    assert not list((tmp_path / "to").iterdir()), "one of two would be exported"
    store.forget("first")
    board.kept.remove.click()  # gone is gone
    assert board.kept.choice.options == ()


def test_whatever_goes_wrong_with_a_click_is_said(board, monkeypatch):
    def fails(*_):
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(store, "save", fails)
    board.kept.export.click()
    assert "FileNotFoundError" in board.start.message.value


def test_race_live_trains_what_ran_before(board):
    press(board)
    press(board)
    assert text(board, "table").count(">earlier<") == 2
    board.start.live.click()
    assert board.lab.wait(30)
    assert text(board, "table").count(">live<") == 2


def test_arms_of_one_strategy_share_its_colour_and_differ_in_the_dash():
    arms = [{"strategy": name} for name in ("a", "b", "a", "a")]
    arms.insert(1, {"strategy": "baseline"})
    assert [(name, dash) for name, _, dash in drawings.dashed(arms)] == [
        ("A", ""), ("C", ""), ("D", "7 4"), ("E", "2 4")]  # fmt: skip
    line = drawings.named("B", {"arm": "a < b", "strategy": "lp_ft"}, "7 4")
    assert plots.color_of("lp_ft") in line
    assert line.count('stroke-dasharray="7 4"') == 2  # the line and its rim
    assert "a &lt; b" in line


def test_curves_pass_over_what_is_not_a_number():
    history = [{"epoch": 1, "val_auc": float("nan"), "train_loss": 0.5}]
    arms = [{"arm": "a < b", "strategy": "scratch", "history": history}]
    drawn = drawings.curves(arms, 3)
    assert drawn.count("<circle") == 1
    assert "a &lt; b" in drawn
    assert drawings.curves([], 1)


def test_the_style_sheet_has_the_colours_of_the_course():
    for color in (style.INK, style.ACCENT, style.FROZEN):
        assert drawings.STYLE.count(color) == 1  # a variable: every rule asks for that


def test_a_page_without_a_kernel_says_what_it_is():
    assert repr(page.StrategyLab(Lab())) == "StrategyLab(run the notebook to use it)"
