"""The course outside a notebook: ``python -m helpers train --dataset elpv --strategy ...``."""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
from collections.abc import Callable
from pathlib import Path

from helpers import advise, files
from helpers.datasets import default_name
from helpers.errors import CourseError
from helpers.evidence import grid, tables
from helpers.networks import backbones, medical
from helpers.networks.export import onnx as to_onnx
from helpers.networks.gray import METHODS
from helpers.practice import cards, export
from helpers.training import checkpoints, devices, experiments, recipe
from helpers.training.strategies import POLICIES, STRATEGIES, by_name

DATASET_OPTIONS = ("split", "threshold", "group_pattern", "fit")


def main(argv: list[str] | None = None) -> int:
    """Run a command; return the exit code (2 after an error the user can put right)."""
    argv = sys.argv[1:] if argv is None else argv
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a console of another alphabet shows question marks
            stream.reconfigure(errors="replace")
    if argv[:1] == ["app"]:  # what follows is voila's, and no other command waits for its import
        from helpers.lab import app

        return exit_code(lambda: app.serve(argv[1:]))
    return exit_code(lambda: (given := _parser().parse_args(argv)).run(given))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m helpers", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_train(commands.add_parser("train", help="train one strategy and score it"))
    advise.add_arguments(commands.add_parser("advise", help="say how to start on your images"))
    commands.add_parser("app", help="serve the strategy lab as a page: app --port=8900")
    _add_export(commands.add_parser("cards", help="the interview room's cards elsewhere"))
    _add_network(commands.add_parser("export", help="a network as a file for ONNX Runtime"))
    return parser


def _add_network(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("file", type=files.expanded, help="what is written, such as network.onnx")
    add("--to", choices=["onnx"], required=True, help="onnx")
    add("--backbone", default="efficientnet_lite0", help="its pooled features (%(default)s)")
    add("--checkpoint", type=files.expanded, help="what train wrote: its logits")
    add("--overwrite", action="store_true", help="replace the file if it is there already")
    parser.set_defaults(run=_export_network)


def _export_network(given: argparse.Namespace) -> None:
    path = given.checkpoint
    model = checkpoints.load(path)[0] if path else backbones.load(given.backbone)
    print(files.shown(to_onnx(model, given.file, head=bool(path), overwrite=given.overwrite)))


def _add_export(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add = (
        parser := commands.add_parser("export", help="write them for Anki, Moodle ...")
    ).add_argument
    add("file", type=files.expanded, help="what is written")
    add("--to", choices=list(export.FORMATS), required=True, help=", ".join(export.FORMATS))
    add("--topic", help="only the cards of this one (all)")
    add("--overwrite", action="store_true", help="replace the file if it is there already")
    parser.set_defaults(run=lambda given: print(files.shown(export.export(
        cards.pick(cards.load(), given.topic), given.to, given.file, overwrite=given.overwrite
    ))))  # fmt: skip


def _add_train(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--dataset", default=default_name(), help="elpv, pneumonia, folder:PATH ... (%(default)s)")
    add("--strategy", required=True, help=", ".join(STRATEGIES))
    add("--last", type=int, help="partial_finetune: how many of the last stages train (2)")
    add("--head", choices=list(backbones.HEADS), default="linear", help="%(default)s")
    add("--batchnorm", choices=POLICIES, help="(the strategy's own)")
    add("--backbone", default="efficientnet_lite0",
        help=f"{', '.join(backbones.LAYOUTS)}, or medical: {', '.join(medical.CHECKPOINTS)}",
    )  # fmt: skip
    add("--accept-terms", action="store_true", help="of a medical backbone; shown without")
    add("--weights", default="imagenet", help="imagenet, a torchvision version, or a file")
    add("--gray", choices=[*METHODS, "replicate"], default="sum", help="gray stem (%(default)s)")
    add("--n", type=int, help="training images (all)")
    add("--size", type=int, default=128, help="pixels (%(default)s)")
    add("--epochs", type=int, default=8, help="%(default)s")
    add("--batch-size", type=int, default=32, help="images per step and process (%(default)s)")
    add("--patience", type=int, help="stop after so many epochs without improvement (never)")
    add("--seed", type=seed, default=0, help="%(default)s")
    add("--split", help="elpv: random or blocks")
    add("--threshold", type=float, help="elpv: defective from this probability on (0.5)")
    add("--group-pattern", help="folder: expression for the part of a file name that is the group")
    add("--fit", help="folder: crop (to a square) or pad (crop)")
    add("--accelerator", default="auto", help=f"{', '.join(devices.ACCELERATORS)} (%(default)s)")
    add("--precision", default="32-true", help=f"{', '.join(devices.PRECISIONS)} (%(default)s)")
    add("--folder", type=files.expanded, help="keep the state here; the same command then resumes")
    add("--checkpoint", type=files.expanded, help="write the trained weights here, as safetensors")
    add("--results", type=files.expanded, nargs="?", const=tables.RESULTS,
        help="add a row to this CSV (without a path: the course's own table)")  # fmt: skip
    add("--overwrite", action="store_true", help="replace the checkpoint if it is there already")
    parser.set_defaults(run=_train)


def seed(text: str) -> int:
    """Return the number that `text` holds, if it can seed every generator of random numbers."""
    if text.isdecimal() and int(text) < 2**32:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 0 to {2**32 - 1:,}")


def _train(arguments: argparse.Namespace) -> None:
    experiment = _experiment(arguments)
    _check_targets(arguments)
    if arguments.results and arguments.results.resolve() == tables.RESULTS.resolve():
        grid.check_free(experiment)
    fabric = devices.start(arguments.accelerator, arguments.precision)
    with fabric.rank_zero_first(local=True):  # what it decodes the others find in the cache
        data = experiment.data()
    outcome = experiments.measure(experiment, data=data, fabric=fabric, folder=arguments.folder)
    if fabric.global_rank > 0:
        return
    card, done, problems = outcome.data.card, [], []

    def write_weights(path: Path) -> str:
        checkpoints.export(
            outcome.run.model, path, classes=card.classes, channels=card.channels,
            head=arguments.head, size=card.size, test_auc=outcome.score.auc,
        )  # fmt: skip
        return f"weights: {path}"

    def add_row(path: Path) -> str:
        tables.append([outcome.row()], path, tables.COLUMNS)
        return f"row added to {path}"

    # Written before anything is printed, and each whatever became of the other.
    for write, path in ((write_weights, arguments.checkpoint), (add_row, arguments.results)):
        try:
            done += [write(path)] if path else []
        except CourseError as error:
            problems.append(str(error))
    print(files.shown("\n".join([_report(outcome, str(fabric.device)), *done])))
    if problems:
        raise CourseError(" ".join(problems))


def _check_targets(arguments: argparse.Namespace) -> None:
    """Try what shall be written, before hours of training."""
    state = arguments.folder and arguments.folder / checkpoints.STATE
    given = [path.resolve() for path in (arguments.checkpoint, arguments.results, state) if path]
    if len(set(given)) < len(given):
        raise CourseError(f"Two things cannot be written to {given[0]}. Give different files.")
    if arguments.checkpoint:
        files.check_target(arguments.checkpoint, overwrite=arguments.overwrite)
    if arguments.results:
        tables.check(arguments.results)
    if state:
        files.check_target(state, overwrite=True)


def _experiment(arguments: argparse.Namespace) -> experiments.Experiment:
    given = {name: getattr(arguments, name) for name in ("last", "batchnorm")}
    options = {name: value for name, value in given.items() if value is not None}
    strategy = by_name(arguments.strategy, head=arguments.head, **options)
    given = {name: getattr(arguments, name) for name in DATASET_OPTIONS}
    weights = {"weights": arguments.weights} if strategy.pretrained else {}
    terms = {"accept_terms": True} if arguments.accept_terms else {}
    return experiments.Experiment(
        strategy=strategy, dataset=arguments.dataset, n_train=arguments.n,
        backbone=arguments.backbone, image_size=arguments.size, seed=arguments.seed,
        recipe=recipe.Recipe(
            epochs=arguments.epochs, batch_size=arguments.batch_size, patience=arguments.patience
        ),
        dataset_options={name: value for name, value in given.items() if value is not None},
        model_options={"gray": arguments.gray, **weights, **terms},
    )  # fmt: skip


def _report(outcome: experiments.Outcome, device: str) -> str:
    data, run = outcome.data, outcome.run
    everything = sum(p.numel() for p in run.model.parameters())
    lines = [
        f"data     {data.card.name} ({data.card.title}), {data.card.size} px: {len(data.train):,} "
        f"train, {len(data.val):,} validation, {len(data.test):,} test images",
        f"network  {run.model.name}, {run.strategy.name}: {run.trainable:,} of "
        f"{everything:,} parameters train",
        f"chosen   epoch {run.best_epoch} of {len(run.history)}, validation AUC "
        f"{run.best['val_auc']:.3f}; {run.seconds:.0f} s on {device}",
        f"speed    {run.frozen_front}",
        f"test     {outcome.score}",
        *(f"note     {sentence}" for sentence in data.card.warnings),
    ]
    return "\n".join([*lines, *([run.stopped] if run.stopped else [])])


def exit_code(work: Callable[[], object]) -> int:
    """Do the work of a command; return 0, or 2 after an error the user can put right.

    Whatever the system refuses (a folder that is gone, a closed pipe) is one sentence, too.
    """
    try:
        work()
        if sys.stdout:  # None where it was closed
            sys.stdout.flush()  # or a full disk behind it would show after the end
    except (CourseError, OSError) as error:
        if isinstance(error, OSError) and not error.filename:  # the output itself
            error = f"The output could not be shown ({error.strerror})."
            sys.stdout = io.StringIO()  # or Python flushes the broken one once more at its end
        with contextlib.suppress(OSError):
            print(f"error: {files.shown(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
