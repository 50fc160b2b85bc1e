import json
import subprocess
import sys

import pytest
from safetensors import safe_open

from helpers import datasets
from helpers.__main__ import _experiment, _parser, main
from helpers.errors import CourseError
from helpers.evidence import tables
from helpers.networks.weights import lite0_file
from helpers.training import checkpoints, predict, strategies
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
    assert train(folder, *options) == train(folder, *options) == 0
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
        checkpoints.load(lite0_file())


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
    ],
)  # fmt: skip
def test_errors_are_one_sentence_and_exit_code_2(folder, capsys, options, says):
    assert train(folder, *options) == 2
    error = capsys.readouterr().err
    assert says in error
    assert "Traceback" not in error


@pytest.mark.parametrize("strategy", ["feature_extraction", "lp_ft"])
def test_two_processes_train_one_model(folder, tmp_path, strategy):
    """The same command under torchrun: each process takes its share, one writes the row."""
    results = tmp_path / "rows.csv"
    command = [
        sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-addr",
        "127.0.0.1", "--master-port", "0", "--rdzv-backend", "c10d", "--rdzv-endpoint",
        "127.0.0.1:0", "-m", "helpers", "train", "--dataset", f"folder:{folder}", "--size", "32",
        "--epochs", "2", "--accelerator", "cpu", "--strategy", strategy, "--results", str(results),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("AUC") == 2, "both lines come from one process"
    assert len(tables.read_rows(results)) == 1
