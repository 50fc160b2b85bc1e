import errno
import io
import json
import os
import re
import sys

import numpy as np
import pytest
from safetensors import safe_open

from helpers import datasets
from helpers.__main__ import _experiment, _parser, main
from helpers.errors import CourseError
from helpers.evidence import tables
from helpers.networks.weights import lite_file
from helpers.training import checkpoints, experiments, metrics, predict, recipe, strategies
from tests.conftest import draw_classes


@pytest.fixture
def folder(tmp_path, private_cache):
    return draw_classes(tmp_path / "images", n=40, size=32)


def train(folder, *options: str) -> int:
    return main(["train", "--dataset", f"folder:{folder}", "--size", "32", "--epochs", "2",
                 "--accelerator", "cpu", *options])  # fmt: skip


def test_train_prints_a_summary_writes_weights_and_the_same_row_for_the_same_command(
    folder, tmp_path, capsys
):
    results, weights = tmp_path / "results.csv", tmp_path / "net.safetensors"
    options = ("--strategy", "partial_finetune", "--last", "1", "--n", "24", "--seed", "3")
    options += ("--results", str(results), "--checkpoint", str(weights))
    assert train(folder, *options) == train(folder, *options, "--overwrite") == 0
    printed = capsys.readouterr().out
    assert "24 train" in printed
    assert "partial_finetune_last1" in printed
    assert "AUC" in printed
    rows = tables.read_rows(results)
    assert len(rows) == 2
    assert rows.drop(columns="train_seconds").nunique().max() == 1
    row = rows.iloc[0]
    assert (row.n_train, row.strategy, row.seed) == (24, "partial_finetune_last1", 3)
    assert row.auc_lo <= row.auc <= row.auc_hi
    assert row.trainable_params == 1_017_600 + 2_562
    with safe_open(weights, "pt") as file:
        facts = json.loads(file.metadata()["facts"])
        assert facts["classes"] == ["dark", "light"]
        assert file.get_tensor("classifier.weight").shape == (2, 1280)


@pytest.mark.parametrize("head", ["linear", "mlp"])
def test_exported_weights_come_back_as_the_same_network(folder, tmp_path, head, capsys):
    path = tmp_path / "net.safetensors"
    train(folder, "--strategy", "feature_extraction", "--head", head, "--checkpoint", str(path))
    model, facts = checkpoints.load(path)
    assert facts["classes"] == ["dark", "light"]
    test = datasets.load(f"folder:{folder}", size=32).test
    assert predict.evaluate(model, test).auc == pytest.approx(facts["test_auc"], abs=1e-6)


def test_weights_of_another_origin_are_no_checkpoint_of_the_course(tmp_path):
    with pytest.raises(CourseError, match=r"not what the course stores.*backbones\.load"):
        checkpoints.load(lite_file())


@pytest.mark.parametrize("name", list(strategies.STRATEGIES))
def test_the_command_line_runs_the_strategies_as_they_are(name):
    arguments = _parser().parse_args(["train", "--strategy", name])
    assert _experiment(arguments).strategy == strategies.by_name(name)


def test_rows_of_different_experiments_have_different_names():
    args = [[], ["--head", "mlp"], ["--batchnorm", "follow"], ["--split", "blocks"],
            ["--threshold", "1"], ["--gray", "mean"], ["--last", "1"]]  # fmt: skip
    parsed = [_parser().parse_args(["train", "--strategy", "partial_finetune", *a]) for a in args]
    found = [_experiment(p) for p in parsed]
    keys = [(e.dataset_key, e.strategy.key) for e in found]
    assert keys[0] == ("elpv", "partial_finetune")
    assert len(set(keys)) == len(keys)


def test_the_group_pattern_may_come_from_the_environment(folder, monkeypatch):
    monkeypatch.setenv("COURSE_GROUP_PATTERN", "no such name")
    with pytest.raises(CourseError, match="matches none"):
        datasets.load(f"folder:{folder}", size=32)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--strategy", "scratch", "--dataset", "elvp"], "Did you mean 'elpv'"),
        (["--strategy", "scratch", "--dataset", "elpv", "--group-pattern", "a"],
         "'elpv' has no option 'group_pattern'"),
        (["--strategy", "scratch", "--dataset", "pneumonia", "--threshold", "0.5"],
         "'pneumonia' has no option 'threshold'"),
        (["--strategy", "scratch", "--dataset", "elpv", "--threshold", "0"],
         "threshold must lie in"),
        (["--strategy", "full_fintune"], "Did you mean 'full_finetune'"),
        (["--strategy", "scratch", "--backbone", "resnet20"], "no backbone 'resnet20'"),
        (["--strategy", "scratch", "--n", "4000"], "Asked for 4,000 images"),
        (["--strategy", "partial_finetune", "--last", "8"], "has 7 stages, 8 were asked for"),
        (["--strategy", "lp_ft", "--epochs", "1"], "lp_ft has 2 phases"),
        (["--strategy", "scratch", "--epochs", "0"], "at least one epoch"),
        (["--strategy", "scratch", "--batch-size", "1"], "two images per batch"),
        (["--strategy", "scratch", "--patience", "-3"], "patience = -3: give 1 or more"),
        (["--strategy", "scratch", "--accelerator", "tpu"], "no accelerator 'tpu'"),
        (["--strategy", "scratch", "--precision", "64-true"], "no precision '64-true'"),
        (["--strategy", "scratch", "--precision", "bf16-true"], "Did you mean 'bf16-mixed'"),
    ],
)  # fmt: skip
def test_errors_are_one_sentence_and_exit_code_2(folder, capsys, options, says):
    assert train(folder, *options) == 2
    error = capsys.readouterr().err
    assert says in error
    assert "Traceback" not in error


@pytest.mark.parametrize("seed", ["-1", "4294967296", "1.5", "one"])
def test_a_seed_that_seeds_nothing_is_said(folder, capsys, seed):
    with pytest.raises(SystemExit) as stopped:
        train(folder, "--strategy", "scratch", "--seed", seed)
    assert stopped.value.code == 2
    assert f"{seed!r} is no whole number from 0 to 4,294,967,295" in capsys.readouterr().err


@pytest.mark.parametrize("variable", ["LOCAL_WORLD_SIZE", "WORLD_SIZE"])
@pytest.mark.parametrize("text", ["abc", "0", "-2", ""])
def test_a_number_of_processes_that_is_none_is_said(folder, monkeypatch, capsys, variable, text):
    monkeypatch.setenv(variable, text)
    assert train(folder, "--strategy", "scratch") == 2
    assert f"{variable} is {text!r}" in capsys.readouterr().err


def never(*_, **__):
    pytest.fail("training began")


@pytest.mark.parametrize(
    ("option", "target", "says"),
    [
        ("--checkpoint", "taken", "is there already"),
        ("--checkpoint", "folder", "is a folder"),
        ("--checkpoint", "taken/below", "cannot be"),
        ("--checkpoint", "", "names no file"),
        ("--results", "folder", "is a folder|no readable table"),
        ("--results", "taken", "other columns"),
        ("--results", "taken/below", "cannot be"),
        ("--folder", "taken", "cannot be"),
    ],
)
def test_a_target_that_cannot_be_written_is_said_before_training(
    folder, tmp_path, monkeypatch, capsys, option, target, says
):
    (tmp_path / "folder").mkdir()
    (tmp_path / "taken").write_text("a;b\n1;2\n")
    monkeypatch.setattr(experiments, "measure", never)
    path = str(tmp_path / target) if target else ""
    assert train(folder, "--strategy", "scratch", option, path) == 2
    assert re.search(says, capsys.readouterr().err)
    assert (tmp_path / "taken").read_text() == "a;b\n1;2\n"


@pytest.mark.parametrize(
    "options",
    [
        ["--checkpoint", "x/same", "--results", "x/../x/same"],
        ["--folder", "x", "--checkpoint", "x/state.pt"],
    ],
)
def test_one_file_is_not_asked_for_twice(folder, tmp_path, monkeypatch, capsys, options):
    monkeypatch.setattr(experiments, "measure", never)
    monkeypatch.chdir(tmp_path)
    assert train(folder, "--strategy", "scratch", *options) == 2
    assert "Two things cannot be written to" in capsys.readouterr().err


def test_the_home_folder_may_be_named_by_its_sign(folder, tmp_path, monkeypatch, quick):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    assert train(folder, "--strategy", "scratch", "--results=~/rows.csv") == 0
    assert len(tables.read_rows(tmp_path / "home" / "rows.csv")) == 1


@pytest.mark.parametrize("option", ["--dataset=", "--weights=", "--checkpoint=", "--results="])
def test_an_empty_value_is_no_value(folder, capsys, monkeypatch, option):
    monkeypatch.setattr(experiments.loop, "fit", never)
    assert train(folder, "--strategy", "feature_extraction", option) == 2
    assert "error: " in capsys.readouterr().err


def test_a_closed_output_is_no_traceback(folder, tmp_path, monkeypatch, quick):
    monkeypatch.setattr(sys, "stdout", None)
    results = tmp_path / "rows.csv"
    assert train(folder, "--strategy", "scratch", "--results", str(results)) == 0
    assert len(tables.read_rows(results)) == 1


@pytest.fixture
def quick(monkeypatch):
    """A training that was finished before; only what comes after it is tested."""
    model = strategies.build(strategies.scratch(), "efficientnet_lite0", n_classes=2, channels=1)

    def measure(experiment, **_):
        data = experiment.data()
        found = recipe.Run(model, experiment.strategy, experiment.recipe, 0,
                           [{"epoch": 1, "val_auc": 0.5}], best_epoch=1)  # fmt: skip
        score = metrics.score(data.test.labels, np.eye(2)[data.test.labels])
        return experiments.Outcome(experiment, data, found, score)

    monkeypatch.setattr(experiments, "measure", measure)


class Output(io.TextIOWrapper):
    """A console that knows ASCII only, or that nothing can be written to."""

    def __init__(self, *, error: OSError | None = None) -> None:
        super().__init__(io.BytesIO(), encoding="ascii")
        self.error = error

    def write(self, text: str) -> int:
        if self.error:
            raise self.error
        return super().write(text)


FULL, CLOSED = OSError(errno.ENOSPC, "No space left on device"), BrokenPipeError(32, "Broken pipe")


@pytest.mark.parametrize("error", [None, FULL, CLOSED])
@pytest.mark.parametrize("name", ["肺炎", os.fsdecode(b"H\xfcte"), "red\x1b[31m"])
def test_what_was_trained_is_written_whatever_becomes_of_the_output(
    tmp_path, private_cache, monkeypatch, capsys, quick, error, name
):
    folder = draw_classes(tmp_path / name, n=20, size=16)
    results, weights = tmp_path / "rows.csv", tmp_path / "net.safetensors"
    output = Output(error=error)
    monkeypatch.setattr(sys, "stdout", output)
    code = train(folder, "--strategy", "scratch", "--results", str(results),
                 "--checkpoint", str(weights))  # fmt: skip
    assert code == (2 if error else 0)
    assert checkpoints.load(weights)[1]["classes"] == ["dark", "light"]
    assert len(tables.read_rows(results)) == 1
    said = capsys.readouterr().err
    if error:
        assert "The output could not be shown" in said
        assert "Traceback" not in said
    else:
        output.flush()
        assert b"AUC 1.000 [0." in output.buffer.getvalue()
        assert b"\x1b" not in output.buffer.getvalue()


def test_where_the_weights_cannot_be_written_the_row_and_the_score_are_not_lost(
    folder, tmp_path, monkeypatch, capsys, quick
):
    def full(*_, **__):
        raise CourseError("net.safetensors cannot be written (No space left on device).")

    monkeypatch.setattr(checkpoints, "export", full)
    results = tmp_path / "rows.csv"
    code = train(folder, "--strategy", "scratch", "--results", str(results),
                 "--checkpoint", str(tmp_path / "net.safetensors"))  # fmt: skip
    assert code == 2
    printed = capsys.readouterr()
    assert "AUC 1.000" in printed.out
    assert "No space left" in printed.err
    assert len(tables.read_rows(results)) == 1


@pytest.mark.parametrize("error", [KeyboardInterrupt(), FileNotFoundError(2, "gone", "folder")])
def test_a_stop_by_hand_and_a_folder_that_is_gone_are_no_tracebacks(
    folder, monkeypatch, capsys, error
):
    def stop(*_, **__):
        raise error

    monkeypatch.setattr(experiments, "measure", stop)
    assert train(folder, "--strategy", "scratch") in (2, 130)
    assert re.search("stopped|error: .*gone", capsys.readouterr().err)
