import gc
import weakref
from dataclasses import replace

import pytest

from helpers import datasets
from helpers.errors import CourseError
from helpers.lab import engine, measured, races
from helpers.lab.engine import Lab
from helpers.lab.race import Lane, Race, time_left
from helpers.lab.setup import Arm, Setup
from helpers.training import experiments
from tests.conftest import make_dataset
from tests.lab.conftest import TWO, longer, run, until


def test_a_race_runs_to_its_table(bench):
    told = []
    bench.listen(told.append)
    run(bench)
    assert bench.phase == "done"
    assert [lane.status for lane in bench.lanes] == ["done", "done"]
    assert [len(lane.history) for lane in bench.lanes] == [2, 2]
    for lane in bench.lanes:
        assert lane.result.source == "live"
        assert lane.result.auc_lo <= lane.result.auc <= lane.result.auc_hi
        assert lane.result.seconds > 0
    assert bench.lanes[0].result.trainable == 10  # the head alone
    assert bench.lanes[1].result.trainable > 400
    assert bench.current.leader
    assert 1 <= len(bench.current.explanation) <= 4
    assert {"race", "progress"} <= set(told)


def test_the_same_race_gives_the_same_numbers(bench):
    first = [lane.history[-1]["train_loss"] for lane in run(bench, live=True).lanes]
    again = [lane.history[-1]["train_loss"] for lane in run(bench, live=True).lanes]
    assert first == again
    assert [lane.result.source for lane in bench.lanes] == ["live", "live"]


def test_stop_is_heard_at_the_next_step_and_what_was_done_stays(bench, monkeypatch):
    measure, steps = experiments.measure, []

    def counted(experiment, *, should_stop, **options):
        def step():
            steps.append(bench.phase)
            return should_stop()

        return measure(experiment, should_stop=step, **options)

    monkeypatch.setattr(experiments, "measure", counted)
    bench.change(longer())
    assert bench.time_left is None
    bench.race()
    until(lambda: bench.lanes[1].history)
    assert bench.time_left > 0
    bench.stop()
    assert bench.time_left is None
    assert bench.phase == "stopped"
    assert bench.wait(30)
    assert steps.count("running") > 100  # the first arm whole, and some of the second
    assert steps.count("stopped") <= 1
    done, stopped = bench.lanes
    assert done.status == "done"
    assert done.result is not None
    assert stopped.status == "stopped"
    assert stopped.result is None
    assert "not scored" in stopped.note
    assert f"epoch {len(stopped.history) + 1} of 100" in stopped.note
    bench.stop()  # nothing left to stop
    assert bench.phase == "stopped"


@pytest.fixture
def stored(monkeypatch, bench):
    """Have every arm of a race of 100 epochs stored, and looked at as soon as it has begun."""
    bench.change(TWO)
    whole = [(lane.result, list(lane.history)) for lane in run(bench).lanes]

    def found(setup, arm, among):
        return whole[setup.arms.index(arm)] if among == "spare" else None

    monkeypatch.setattr(measured, "whole", found)
    monkeypatch.setattr(engine, "LOOK_AFTER", 0.01)
    bench.change(longer())
    return whole


def test_a_stored_race_takes_the_place_of_one_that_keeps_a_class_waiting_and_says_so(
    bench, stored, monkeypatch
):
    monkeypatch.setattr(engine, "MOST_LEFT", 0)
    bench.put(on_stage=True)
    bench.race()
    until(lambda: bench.phase == "done")
    assert [lane.result for lane in bench.lanes] == [result for result, _ in stored]
    assert bench.current.leader
    assert bench.message.startswith("This machine would take about")
    assert f"the stored race, measured on {measured.whole_runs()['when']}" in bench.message
    assert "press Race live to run it here" in bench.message
    assert bench.wait(30), "the training went on"
    assert bench.lanes[0].result is stored[0][0]


@pytest.mark.parametrize(
    ("on_stage", "live", "most_left"),
    [(False, False, 0), (True, True, 0), (True, False, 1e9)],
    ids=["nobody waits", "live was asked for", "it is nearly done"],
)
def test_else_a_race_is_trained_to_its_end(bench, stored, monkeypatch, on_stage, live, most_left):
    monkeypatch.setattr(engine, "MOST_LEFT", most_left)
    bench.put(on_stage=on_stage)
    bench.change(longer(epochs=30))
    if most_left:
        monkeypatch.setattr(engine, "time_left", lambda *_: 1.0)
    bench.race(live)
    assert bench.wait(30)
    assert [lane.result.source for lane in bench.lanes] == ["live", "live"]
    assert bench.message == ""


def test_a_race_that_is_not_stored_goes_on_however_long_it_takes(bench, monkeypatch):
    looked = []
    monkeypatch.setattr(measured, "whole", lambda *asked: looked.append(asked[2]))
    monkeypatch.setattr(engine, "LOOK_AFTER", 0.01)
    monkeypatch.setattr(engine, "MOST_LEFT", 0)
    bench.put(on_stage=True)
    bench.change(longer(epochs=30))
    bench.race()
    until(lambda: "spare" in looked)
    assert bench.wait(30)
    assert [lane.result.source for lane in bench.lanes] == ["live", "live"]


def test_stop_while_images_are_loading(bench, monkeypatch):
    arrived, go_on = [], []

    def slow(name, **options):
        arrived.append(True)
        until(lambda: go_on)
        raise CourseError("nobody wants to read this any more")

    monkeypatch.setattr(datasets, "load", slow)
    bench.race()
    until(lambda: arrived)
    bench.stop()
    assert bench.phase == "stopped"  # though the worker is still busy
    go_on.append(True)
    assert bench.wait(5)
    assert {lane.status for lane in bench.lanes} == {"stopped"}
    assert bench.message == ""


def test_a_race_started_after_stop_waits_for_the_worker_and_is_whole(bench):
    bench.change(longer())
    bench.race()
    until(lambda: bench.lanes[0].status != "waiting")
    bench.stop()
    bench.change(TWO)
    run(bench)
    assert bench.phase == "done"
    assert [len(lane.history) for lane in bench.lanes] == [2, 2]
    assert bench.current.number == 2


def test_knobs_turned_during_a_race_belong_to_the_next_one(bench):
    bench.change(longer(epochs=8))
    bench.race()
    other = replace(TWO, seed=5)
    bench.change(other)
    assert bench.wait(30)
    assert bench.phase == "done"
    assert bench.current.setup.epochs == 8
    assert bench.showing == "race"  # its result is not lost
    assert bench.setup == other
    run(bench)
    assert bench.current.setup == other


def test_an_arm_that_fails_says_why_and_the_others_go_on(bench, monkeypatch):
    measure = experiments.measure

    def breaks(experiment, **options):
        if experiment.strategy.name == "feature_extraction":
            raise ZeroDivisionError("no such luck")
        return measure(experiment, **options)

    monkeypatch.setattr(experiments, "measure", breaks)
    run(bench)
    assert bench.phase == "done"
    failed, done = bench.lanes
    assert failed.status == "failed"
    assert "ZeroDivisionError: no such luck" in failed.note
    assert "Traceback" not in failed.note
    assert done.status == "done"
    assert "nothing to compare" in bench.current.explanation[0]


def test_more_images_than_there_are_take_all_and_say_so_once(bench):
    there = len(make_dataset().train)
    bench.change(replace(TWO, n=500))
    run(bench)
    assert bench.phase == "done"
    assert bench.current.caveat.count(f"There are {there} training images, not 500") == 1
    assert {lane.result.n_train for lane in bench.lanes} == {there}
    bench.change(replace(TWO, n=there))
    assert "not" not in run(bench).current.caveat


def test_what_fails_for_every_arm_is_said_once(bench, monkeypatch):
    def damaged(*_, **__):
        raise CourseError("no image can be read")

    monkeypatch.setattr(datasets, "load", damaged)
    run(bench)
    assert bench.phase == "failed"
    assert bench.message == "no image can be read"
    assert {lane.note for lane in bench.lanes} == {"see above"}
    assert not bench.current.explanation


def test_guessing_stands_beside_the_arms_once_the_images_are_known(bench):
    assert run(bench).current.baseline["accuracy"] == 0.5
    assert bench.current.baseline["auc"] == 0.5
    assert bench.current.shape == (1, 2)


def test_the_lab_runs_on_what_the_course_runs_on(monkeypatch):
    monkeypatch.setenv("COURSE_DATASET", "pneumonia")
    assert Setup((Arm(), Arm("scratch"))).dataset == "pneumonia"
    read = {row["name"]: races._read(**row).setup.dataset for row in races._TABLE}
    assert read.pop("Gray: mean or sum") == "elpv"  # that needs gray images
    assert set(read.values()) == {"pneumonia"}


def test_a_page_that_cannot_be_drawn_does_not_end_the_race(bench):
    bench.listen(lambda change: 1 / 0)
    run(bench)
    assert bench.phase == "done"


def test_prepared_races_load_by_name():
    lab = Lab()
    lab.load_prepared("The BN trap")
    assert lab.prepared.name == "The BN trap"
    assert {arm.batchnorm for arm in lab.setup.arms} == {None, "train"}
    before = lab.setup
    lab.load_prepared("The BN tarp")
    assert "Did you mean 'The BN trap'" in lab.message
    assert lab.setup == before
    lab.change(replace(before, epochs=7))
    assert lab.prepared is None


def test_time_left_is_what_the_work_that_is_done_took():
    arms = (Arm("scratch"), Arm("full_finetune"))
    done = Lane(arms[0], "a", 2, "done", share=1.0)
    setup = replace(TWO, arms=arms)
    for share, left in ((0.0, 10.0), (0.5, 10 / 3), (0.95, 10 * 0.05 / 1.95)):
        race = Race(1, setup, (done, Lane(arms[1], "b", 2, "running", share=share)))
        assert time_left(race, 10.0) == pytest.approx(left)
    waiting = Race(1, setup, tuple(Lane(arm, "c", 2) for arm in arms))
    assert time_left(waiting, 10.0) is None


def test_twenty_races_leave_no_network_behind(bench, monkeypatch):
    built = []
    measure = experiments.measure

    def watched(experiment, **options):
        outcome = measure(experiment, **options)
        built.append(weakref.ref(outcome.run.model))
        return outcome

    monkeypatch.setattr(experiments, "measure", watched)
    bench.change(replace(TWO, epochs=1))
    for _ in range(20):
        run(bench, live=True)
    gc.collect()
    assert len(built) == 40
    assert not [ref for ref in built if ref() is not None]
