"""The command ``python -m measure``: which table, which data sets, and how an error ends."""

from dataclasses import replace

import pytest

from helpers import __main__ as helpers_main
from helpers.errors import CourseError
from measure import __main__ as command
from measure import gallery, runner


@pytest.fixture
def asked(monkeypatch) -> list:
    """What the command would measure: its table's cells and the number of workers."""
    found = []
    monkeypatch.setattr(runner, "run", lambda table, plan, workers: found.append((plan, workers)))
    for name, table in command.TABLES.items():
        named = replace(table, cells=lambda names, name=name: (name, list(names)))
        monkeypatch.setitem(command.TABLES, name, named)
    return found


def test_an_error_that_the_user_can_put_right_ends_as_one_line(capsys):
    def work():
        raise CourseError("Give a folder.")

    assert helpers_main.exit_code(work) == 2
    assert capsys.readouterr().err == "error: Give a folder.\n"
    assert helpers_main.exit_code(lambda: None) == 0


def test_without_a_choice_all_that_is_here_is_measured(asked, monkeypatch, capsys):
    monkeypatch.delenv("COURSE_DATA_DIR", raising=False)
    assert command.main([]) == 0
    assert asked == [(("strategies", ["elpv"]), command.TABLES["strategies"].workers)]
    said = capsys.readouterr().out
    assert said.startswith("left out: chest_xray, flowers, hymenoptera.")
    assert "COURSE_DATA_DIR" in said


def test_what_is_asked_for_is_not_left_out_in_silence(asked, capsys):
    assert command.main(["gray", "--datasets", "chest_xray", "--workers", "3"]) == 0
    assert asked == [(("gray", ["chest_xray"]), 3)], "loading it will say what is missing"
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", [*command.TABLES])
def test_every_table_can_be_asked_for(asked, name):
    assert command.main([name, "--workers", "0"]) == 0
    ((table, _), workers) = asked[0]
    assert table == name
    assert workers >= 1


def test_the_gallery_is_made_by_the_same_command(monkeypatch):
    made = []
    monkeypatch.setattr(gallery, "make", lambda: made.append(1))
    assert command.main(["gallery"]) == 0
    assert made


@pytest.mark.parametrize("wrong", [["augmentation", "--datasets", "flowers"], ["grey"]])
def test_a_wrong_name_is_refused(wrong, capsys):
    with pytest.raises(SystemExit):
        command.main(wrong)
    assert "invalid choice" in capsys.readouterr().err
