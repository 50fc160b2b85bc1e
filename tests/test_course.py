"""course.py: what each command runs, and when it installs."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import course

ROOT = Path(__file__).parent.parent


@pytest.fixture
def calls(tmp_path, monkeypatch):
    """What would have been run, one list of words each; nothing is run."""
    found = []

    def call(command, *, check=True, **variables):
        words = [str(word) for word in command]
        found.append(words)
        if "venv" in words:
            programs = tmp_path / "env" / ("Scripts" if course.os.name == "nt" else "bin")
            programs.mkdir(parents=True)
            (programs / ("python.exe" if course.os.name == "nt" else "python")).touch()
        return 0

    monkeypatch.setattr(course, "call", call)
    monkeypatch.setattr(course.shutil, "which", lambda name: None)
    return found


def run(tmp_path, *words: str) -> int:
    return course.main([*words[:1], "--venv", str(tmp_path / "env"), *words[1:]])


def installed(calls) -> list[str]:
    return [words[-1] for words in calls if "install" in words]


COURSE = ["locked.txt", "."]


def test_the_first_call_installs_and_the_next_starts_at_once(tmp_path, calls):
    assert run(tmp_path, "lab", "--no-browser") == 0
    assert installed(calls) == COURSE, "no tools of the tests for whoever only wants to learn"
    assert calls[-1][1:4] == ["-m", "jupyter", "lab"]
    assert "--ServerApp.ip=127.0.0.1" in calls[-1]
    assert calls[-1][-1] == "--no-browser"
    assert (tmp_path / "env/share/jupyter/lab/settings/overrides.json").is_file()
    calls.clear()
    assert run(tmp_path, "lab") == 0
    assert len(calls) == 1


def test_the_tools_of_the_tests_come_with_the_tests(tmp_path, calls):
    run(tmp_path, "lab")
    calls.clear()
    assert run(tmp_path, "unit", "-k", "gray") == 0
    assert installed(calls) == ["locked.txt", "locked-test.txt", ".[test]"]
    assert calls[-1][-3:] == ["tests", "-k", "gray"]


def test_after_the_tests_the_course_is_there(tmp_path, calls):
    run(tmp_path, "unit")
    calls.clear()
    run(tmp_path, "lab")
    assert installed(calls) == []


def test_what_was_installed_for_other_lists_is_brought_up_to_date(tmp_path, calls):
    run(tmp_path, "lab")
    (tmp_path / "env" / ".ready").write_text("another digest")
    calls.clear()
    run(tmp_path, "lab")
    assert installed(calls) == COURSE
    assert not [words for words in calls if "venv" in words]


def test_an_install_that_fails_is_tried_again(tmp_path, calls, monkeypatch, capsys):
    make = course.call

    def failing(command, **options):
        make(command, **options)
        if "install" in [str(word) for word in command]:
            raise course.Stop("pip failed.")
        return 0

    monkeypatch.setattr(course, "call", failing)
    assert run(tmp_path, "lab") == 2
    assert capsys.readouterr().err == "error: pip failed.\n"
    monkeypatch.setattr(course, "call", make)
    calls.clear()
    assert run(tmp_path, "lab") == 0
    assert installed(calls) == COURSE


def test_pytorch_without_gpu_libraries_comes_first(tmp_path, calls):
    run(tmp_path, "lab", "--cpu")
    (known, torch, rest) = [words for words in calls if "install" in words]
    assert known[-4:] == ["--no-deps", "--require-hashes", "--requirement", "locked.txt"]
    assert torch[-4:] == ["--index-url", course.CPU_WHEELS, "torch", "torchvision"]
    assert rest[-1] == "."
    assert all("constraints.txt" in words for words in (torch, rest))


def test_uv_is_used_where_it_is(tmp_path, calls, monkeypatch):
    monkeypatch.setattr(course.shutil, "which", lambda name: f"/tools/{name}")
    run(tmp_path, "lab")
    assert [words[:2] for words in calls[:2]] == [["/tools/uv", "venv"], ["/tools/uv", "pip"]]


def test_from_a_folder_of_wheels_no_network_is_asked(tmp_path, calls, monkeypatch):
    monkeypatch.setattr(course.shutil, "which", lambda name: f"/tools/{name}")
    run(tmp_path, "lab", "--wheels", str(tmp_path / "wheels"))
    for words in [words for words in calls if "install" in words]:
        assert words[0].startswith(str(tmp_path / "env")), "pip, which reads the folder"
        assert {"--no-index", "--find-links", str(tmp_path / "wheels")} <= set(words)


def test_wheels_hold_what_builds_the_course_too(tmp_path, calls):
    run(tmp_path, "wheelhouse", str(tmp_path / "wheels"))
    assert calls[-1][-4:] == ["setuptools>=77", "wheel", "pip", ".[test]"]
    assert "wheel" in calls[-1][3:4]


@pytest.mark.parametrize(
    ("command", "script"),
    [("site", "pages"), ("slides", "slides"), ("student", "student"), ("handout", "handout")],
)
def test_what_is_handed_out_is_built_by_its_script(tmp_path, calls, command, script):
    assert run(tmp_path, command, "folder") == 0
    assert installed(calls)[-1] == ".[site]"
    assert calls[-1][1:] == [f"site/{script}.py", "folder"]
    assert (ROOT / calls[-1][1]).is_file()


@pytest.mark.parametrize(
    ("workers", "own", "threads"),
    [("2", None, "2"), ("4", None, "1"), ("8", None, "1"), ("auto", None, "1"), ("0", None, "4"),
     ("2", "3", "3")],
)  # fmt: skip
def test_the_tests_processes_share_the_cores(tmp_path, calls, monkeypatch, workers, own, threads):
    run(tmp_path, "lab")
    given = {}
    monkeypatch.setattr(course, "call", lambda command, **options: given.update(options) or 0)
    monkeypatch.setattr(course.os, "cpu_count", lambda: 4)
    monkeypatch.setenv("WORKERS", workers)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if own:
        monkeypatch.setenv("OMP_NUM_THREADS", own)
    run(tmp_path, "test")
    assert given["OMP_NUM_THREADS"] == threads


def test_only_all_tests_are_the_long_ones(tmp_path, calls):
    run(tmp_path, "test")
    assert "-m" not in calls[-1][3:]
    run(tmp_path, "test-all")
    assert calls[-1][-2:] == ["-m", ""]


def test_settings_are_options_too(tmp_path, calls, monkeypatch):
    for variable, _ in course.SETTINGS.values():
        monkeypatch.setenv(variable, "before")
    run(tmp_path, "app", "--dataset", "folder:x y", "--data-dir=d", "--port=9000")
    assert course.os.environ["COURSE_DATASET"] == "folder:x y"
    assert course.os.environ["COURSE_DATA_DIR"] == "d"
    assert course.os.environ["COURSE_CACHE"] == "before"
    assert calls[-1][1:] == ["-m", "helpers.lab.app", "--port=9000"]


@pytest.mark.parametrize(("style", "tests", "code"), [(0, 0, 0), (1, 0, 1), (0, 1, 1), (1, 1, 1)])
def test_all_of_test_runs_whatever_fails(tmp_path, calls, monkeypatch, capsys, style, tests, code):
    made = course.call

    def call(command, **options):
        made(command, **options)
        words = [str(word) for word in command]
        return style if "check" in words else tests if "pytest" in words else 0

    monkeypatch.setattr(course, "call", call)
    assert run(tmp_path, "test") == code
    (words,) = [words for words in calls if "pytest" in words]
    assert "notebooks/00_start_here.ipynb" in words
    assert "tests" in words
    assert f"style {'FAILED' if style else 'passed'}" in capsys.readouterr().out


def test_the_record_is_measured_and_then_written_down(tmp_path, calls):
    run(tmp_path, "record", "--datasets", "elpv")
    assert [call[1:] for call in calls[-2:]] == [
        ["-m", "measure", "recipe", "--datasets", "elpv"], ["-m", "benchmarks.record"],
    ]  # fmt: skip


def test_an_older_python_is_told(tmp_path, calls, monkeypatch, capsys):
    monkeypatch.setattr(course, "OLDEST", (4, 0))
    assert run(tmp_path, "lab") == 2
    assert "Python 4.0 or newer is needed, this is 3." in capsys.readouterr().err
    assert calls == []


@pytest.mark.parametrize("machine", course.NO_WHEELS)
def test_a_computer_without_packages_is_told(tmp_path, calls, monkeypatch, capsys, machine):
    monkeypatch.setattr(course.sys, "platform", machine[0])
    monkeypatch.setattr(course.platform, "machine", lambda: machine[1])
    assert run(tmp_path, "lab") == 2
    assert "PyTorch has no packages for" in capsys.readouterr().err
    assert calls == []


def test_a_command_that_fails_says_so():
    with pytest.raises(course.Stop, match="the reason"):
        course.call([sys.executable, "-c", "raise SystemExit(3)"])
    assert course.call([sys.executable, "-c", "raise SystemExit(3)"], check=False) == 3


def test_make_and_course_have_the_same_commands():
    makefile = (ROOT / "Makefile").read_text()
    targets = re.search(r"\.PHONY: (.+)", makefile)[1].split()
    assert sorted(targets) == sorted(map(course.name_of, course.COMMANDS))
    done = subprocess.run(
        [sys.executable, "course.py", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert all(f"  {name} " in done.stdout for name in targets)
