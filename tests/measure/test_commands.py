"""What the measuring commands share."""

from helpers import __main__
from helpers.errors import CourseError
from measure import commands


def test_an_error_that_the_user_can_put_right_ends_as_one_line(capsys):
    def work():
        raise CourseError("Give a folder.")

    assert __main__.exit_code(work) == 2
    assert capsys.readouterr().err == "error: Give a folder.\n"
    assert __main__.exit_code(lambda: None) == 0


def test_without_a_choice_all_that_is_here_is_measured(capsys):
    measured = []
    names = ("elpv", "no_such_set")
    assert commands.measure_all([], "prog", "doc", names, measured.extend) == 0
    assert measured == ["elpv"]
    said = capsys.readouterr().out
    assert said.startswith("left out: no_such_set.")
    assert "COURSE_DATA_DIR" in said


def test_what_is_asked_for_is_not_left_out_in_silence(capsys):
    measured = []
    names = ("elpv", "no_such_set")
    arguments = ["--datasets", "no_such_set"]
    assert commands.measure_all(arguments, "prog", "doc", names, measured.extend) == 0
    assert measured == ["no_such_set"], "and loading it will say what is missing"
    assert capsys.readouterr().out == ""
