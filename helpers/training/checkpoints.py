"""What a run leaves on disk: its state after each epoch, to resume it, and its final weights."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from helpers import files
from helpers.datasets import Dataset
from helpers.datasets.dataset import content
from helpers.datasets.views import View
from helpers.errors import CourseError
from helpers.networks import backbones, weights
from helpers.networks.backbones import Backbone
from helpers.training.recipe import Run

STATE = "state.pt"
KEYS = ("fingerprint", "run", "model", "kept", "optimizer", "schedule")
FORMAT = 2  # raise it when a saved state would mean something else


def save_state(folder: Path, state: dict) -> None:
    """Write the state of a run; whoever is killed on the way leaves the earlier state."""
    with files.writing(folder / STATE), files.atomic_path(folder / STATE) as temporary:
        torch.save(state, temporary)


def fingerprint(
    run: Run, data: Dataset, targets: np.ndarray, augment: object, views: Sequence[View],
    processes: int = 1,
) -> str:  # fmt: skip
    """Return a text that differs between runs with other settings, data, or starting weights.

    Of several processes only their common batch counts: a run may go on with more or fewer.
    """
    # A view is a function: it is known by what it makes of a picture without symmetries.
    pattern = np.arange(25 * 25, dtype=np.int64).reshape(1, 25, 25, 1).astype(np.uint8)
    settings = (
        run.model.name, run.strategy,
        asdict(run.recipe) | {"batch_size": processes * run.recipe.batch_size}, run.seed,
        data.card.name, data.card.size, getattr(augment, "__qualname__", augment),
    )  # fmt: skip
    contents = files.digest(
        *(value.detach().cpu().numpy().tobytes() for value in run.model.state_dict().values()),
        *(thing for part in (data.train, data.val)
          for thing in (content(part.images), part.labels.tobytes())),
        targets.tobytes(), *(view(pattern).tobytes() for view in views),
    )  # fmt: skip
    return f"{settings}, contents {contents}, format {FORMAT}"


def load_state(folder: Path, fingerprint: str) -> dict | None:
    """Return the state kept in `folder`, None if there is none.

    Raises
    ------
    CourseError
        When it is damaged, down to a flipped bit, or belongs to a run with other settings
        (`fingerprint`). The file stays.
    """
    path = folder / STATE
    if not files.mode(path):
        return None
    try:
        state = weights.content(path)
        found = {name: state[name] for name in KEYS}["fingerprint"]
    except Exception as error:  # a damaged file raises a dozen different types
        if getattr(error, "filename", None):
            raise CourseError(f"The saved run cannot be opened: {error}.") from error
        raise CourseError(
            f"The saved run {path} cannot be read. Delete it to start the run anew."
        ) from error
    if found != fingerprint:
        raise CourseError(
            f"{path} belongs to another run.\n  there: {found}\n  here:  {fingerprint}\n"
            "Choose another folder, or delete that file."
        )
    return state


def export(
    model: Backbone, path: Path | str, *, classes: Sequence[str], channels: int,
    head: str = "linear", **facts: object,
) -> Path:  # fmt: skip
    """Write the weights as safetensors, under the names of the original library.

    Parameters
    ----------
    classes, channels, head : what `load` needs to build the network again.
    facts : what else a later reader needs (image size, scores ...); stored as JSON in the file's
        metadata together with the backbone's name and normalisation, and with a checksum.
    """
    path = Path(path)
    facts |= {"classes": list(classes), "channels": channels, "head": head, "backbone": model.name}
    facts |= {"mean": model.mean.flatten().tolist(), "std": model.std.flatten().tolist()}
    tensors = {name: value.contiguous() for name, value in model.net.state_dict().items()}
    metadata = {"facts": json.dumps(facts, default=str)}
    metadata[weights.CHECKSUM] = weights.checksum(tensors, metadata)
    with files.writing(path), files.atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata=metadata)
    return path


def load(path: Path | str) -> tuple[Backbone, dict]:
    """Return a network written by `export`, in eval mode, and the facts stored with it.

    Raises
    ------
    CourseError
        When the file is missing, damaged, or was not written by `export`.
    """
    state = weights.read(path)
    try:
        with safe_open(path, "pt") as file:
            facts = json.loads(file.metadata()["facts"])
        mean, std, n_classes = tuple(facts["mean"]), tuple(facts["std"]), len(facts["classes"])
        name, channels, head = facts["backbone"], facts["channels"], backbones.HEADS[facts["head"]]
    except Exception as error:  # no metadata, other metadata, another format
        raise CourseError(
            f"{path} holds weights, but not what the course stores with them. Use "
            "backbones.load(weights=...) for weights of another origin."
        ) from error
    gray = "sum" if len(mean) == 1 else "replicate"
    model = backbones.load(name, channels=channels, weights=None, gray=gray)
    model.replace_head(head(model.n_features, n_classes))
    weights.fill(model.net, state, str(path))
    model.set_normalisation(mean, std)
    return model.eval(), facts
