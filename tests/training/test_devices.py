import pytest

from helpers.training import devices


def test_report_names_what_a_newcomer_asks(private_cache, monkeypatch):
    monkeypatch.setenv("COURSE_DATASET", "pneumonia")
    report = devices.report()
    assert report["data set"] == "pneumonia (set by COURSE_DATASET)"
    assert report["weights of efficientnet_lite0"] == "installed with the course"
    assert report["cache"].endswith("(writable)")
    assert {"Python", "compute", "memory", "torch"} <= set(report)


def test_a_home_folder_is_not_named(monkeypatch, tmp_path):
    monkeypatch.setattr(devices.Path, "home", lambda: tmp_path)
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "cache"))
    assert devices.report()["cache"] == "~/cache (writable)"
    monkeypatch.setattr(devices.Path, "home", lambda: tmp_path / "other")
    assert devices.report()["cache"] == f"{tmp_path / 'cache'} (writable)"


def test_minutes_grow_with_the_time_of_a_step(monkeypatch):
    monkeypatch.setattr(devices, "probe", lambda: 3 * devices.REFERENCE_SECONDS)
    assert devices.minutes(2) == pytest.approx(6)


def test_the_probe_takes_the_best_of_several(monkeypatch):
    clock = iter([0, 1, 10, 13, 20, 22, 30, 35])  # steps of 1 (warm-up, not counted), 3, 2, 5
    repeat = devices.timeit.repeat
    monkeypatch.setattr(
        devices.timeit, "repeat", lambda step, **k: repeat(step, timer=lambda: next(clock), **k)
    )
    assert devices.probe() == 2
