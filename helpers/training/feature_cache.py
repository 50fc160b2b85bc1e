"""What is frozen is computed once: activations at the frozen boundary, kept on disk.

With the front of a network frozen and its BatchNorm at rest, its output for an image is the same
in every epoch. So it is computed once, stored in half precision, and training starts behind it.
This is not valid while anything in front still changes: a trained part, moving BatchNorm
statistics, or augmentation drawn anew in every epoch.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator

import numpy as np
from lightning_fabric import Fabric

from helpers import files
from helpers.datasets.dataset import content
from helpers.errors import CourseError
from helpers.networks.backbones import Backbone
from helpers.training import devices, predict
from helpers.training.predict import EVAL_BATCH, Inputs

FORMAT = 2  # raise it when stored entries would mean something else
# Half precision halves the disk and is exact to 3 digits; when a value does not fit it, float32 is
# used.
STORED = np.float16


def boundary(model: Backbone) -> tuple[str, str]:
    """Return the first part that has to run in every epoch, and why, in a sentence.

    The answer is ``"stem"`` when nothing can be computed ahead. A part in front of the boundary
    has no trainable parameter and stands in ``model.frozen``.
    """
    for name in model.part_names:
        trains = any(p.requires_grad for p in model.part(name).parameters())
        if trains or name not in model.frozen:
            break
    if name == "stem":
        why = "trains" if trains else "is frozen, but its BatchNorm statistics move"
        return name, f"nothing is computed ahead: the stem {why}"
    return name, f"everything before {name} is computed once: nothing there changes"


def activations(
    model: Backbone, inputs: Inputs, start: str, *, fabric: Fabric | None = None
) -> Inputs:
    """Return `inputs` as they arrive at part `start`: from the cache, or computed now.

    Parameters
    ----------
    model : only its parts before `start` run, in eval mode; they must be at rest (`boundary`).
    inputs : images.
    start : the part that will take the activations. In front of the head they are pooled.

    Returns
    -------
    Activations ``(N, H, W, C)``, or ``(N, F)`` in front of the head, memory-mapped; in memory
    where the cache folder cannot be written.

    Raises
    ------
    CourseError
        When the activations are not finite, because the weights are damaged, or when
        ``COURSE_CACHE_GB`` is no size.

    Notes
    -----
    The key holds the weights in front of `start`, the images and the settings, so nothing stale
    can be read; a checksum at the end of each file finds damage.
    """
    if start == "stem":
        return inputs
    fabric = fabric or devices.start()
    front = model.part_names[: model.part_names.index(start)]
    weights = [
        tensor.detach().cpu().contiguous().numpy().tobytes()
        for name in front
        for tensor in model.part(name).state_dict().values()
    ]
    key = files.digest(
        model.name, start, np.dtype(STORED).name, FORMAT, inputs.images.shape,
        fabric._precision.precision, model.mean.tolist(), model.std.tolist(), *weights,
        content(inputs.images, EVAL_BATCH, b"\x00"),  # so that stored entries are found
    )  # fmt: skip
    limit = files.cache_limit()
    path = files.folder("prefix", f"{key}.npy")  # the old word, so that stored entries are found
    blocks = functools.partial(_blocks, model, inputs, front[-1], fabric)
    with fabric.rank_zero_first():
        stored = files.read_array(path)
        known = stored is not None
        if not known:
            try:
                stored = files.write_array(path, functools.partial(blocks, STORED), len(inputs))
            except FloatingPointError:
                stored = files.write_array(path, functools.partial(blocks, np.float32), len(inputs))
            files.drop_oldest(path.parent, limit, keep=path)
    return Inputs(stored, inputs.labels, start, known)


def _blocks(
    model: Backbone, inputs: Inputs, last: str, fabric: Fabric, dtype: type[np.floating]
) -> Iterator[np.ndarray]:
    """Yield what part `last` gives, to be stored.

    FloatingPointError when a value does not fit `dtype`.
    """
    n = len(inputs)
    batches = np.split(np.arange(n), range(EVAL_BATCH, n, EVAL_BATCH))
    for values in predict.outputs(model, inputs, batches, last, fabric):
        if not np.isfinite(values).all():
            raise CourseError(
                f"The activations behind {last} hold NaN or infinity: the weights of "
                f"{model.name} are damaged. Load them again, or use 32-bit precision."
            )
        with np.errstate(over="ignore"):
            stored = values.astype(dtype)
        if not np.isfinite(stored).all():
            raise FloatingPointError
        yield stored
