"""Training state that survives a kill, and finished weights as safetensors."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from helpers.errors import CourseError
from helpers.files import atomic_path
from helpers.networks import backbones, weights
from helpers.networks.backbones import Backbone

STATE = "state.pt"


def save_state(folder: Path, state: dict) -> None:
    """Write the state of a run, whole or not at all."""
    with atomic_path(folder / STATE) as temporary:
        torch.save(state, temporary)


def load_state(folder: Path | None, fingerprint: str) -> dict | None:
    """Return the state kept in `folder`, None if there is none.

    Raises
    ------
    CourseError
        When it is damaged, or belongs to a run with other settings (`fingerprint`).
    """
    if folder is None or not (folder / STATE).is_file():
        return None
    path = folder / STATE
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        found = state["fingerprint"]
    except Exception as error:  # a damaged file raises a dozen different types
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
        metadata together with the backbone's name and normalisation.
    """
    path = Path(path)
    facts |= {
        "classes": list(classes),
        "channels": channels,
        "head": head,
        "backbone": model.name,
        "mean": model.mean.flatten().tolist(),
        "std": model.std.flatten().tolist(),
    }
    tensors = {name: value.contiguous() for name, value in model.net.state_dict().items()}
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata={"facts": json.dumps(facts, default=str)})
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
        n_classes, channels = len(facts["classes"]), facts["channels"]
        name, head = facts["backbone"], facts["head"]
    except Exception as error:  # no metadata, other metadata, another format
        raise CourseError(
            f"{path} holds weights, but not what the course stores with them. Use "
            "backbones.load(weights=...) for weights of another origin."
        ) from error
    gray = "sum" if len(facts["mean"]) == 1 else "replicate"
    model = backbones.load(name, channels=channels, weights=None, gray=gray)
    model.replace_head(backbones.HEADS[head](model.n_features, n_classes))
    weights.fill(model.net, state, str(path))
    model.set_normalisation(tuple(facts["mean"]), tuple(facts["std"]))
    return model.eval(), facts
