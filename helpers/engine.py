"""The one place that knows Lightning Fabric: device, precision and number of processes.

The same training loop then runs on a CPU, a GPU, or under
``torchrun --nproc-per-node 2 -m helpers train ...``.
"""

from __future__ import annotations

import ctypes
import logging
import os
import platform
import warnings

import torch
from lightning_fabric import Fabric

from helpers.errors import CourseError


def start(accelerator: str = "auto", precision: str = "32-true") -> Fabric:
    """Return a launched Fabric for this process.

    Parameters
    ----------
    accelerator : ``"auto"`` (a GPU if there is one), ``"cpu"``, ``"cuda"`` or ``"mps"``.
    precision : ``"32-true"``, ``"bf16-mixed"`` or ``"16-mixed"``. Mixed precision pays on a GPU;
        on most CPUs it is slower.

    Raises
    ------
    CourseError
        When this machine has no such accelerator or precision.
    """
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    _keep_freed_memory()
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    nodes = max(1, int(os.environ.get("WORLD_SIZE", processes)) // processes)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # advice about the environment, not about the user
            fabric = Fabric(
                accelerator=accelerator,
                devices=processes,
                num_nodes=nodes,
                precision=precision,
                strategy="ddp" if processes * nodes > 1 else "auto",
            )
            fabric.launch()
    except (ValueError, RuntimeError, NotImplementedError) as error:
        raise CourseError(
            f"accelerator={accelerator!r} with precision={precision!r} does not work here "
            f"({str(error).splitlines()[0]}). Use accelerator='auto' and precision='32-true'."
        ) from error
    return fabric


def _keep_freed_memory() -> None:
    """Tell glibc to keep what a training step frees for the next step.

    By default it hands every large activation back to the system and asks for it again, page by
    page, and most of the time that the system spends on a run goes into that.
    """
    if platform.libc_ver()[0] == "glibc":
        libc, largest = ctypes.CDLL(None), 2**31 - 1
        libc.mallopt(-3, 2**30)  # M_MMAP_THRESHOLD: below 1 GiB, no mapping of its own
        libc.mallopt(-1, largest)  # M_TRIM_THRESHOLD: do not shrink the heap


def describe() -> str:
    """Return this machine's compute in one line."""
    if torch.cuda.is_available():
        return f"GPU {torch.cuda.get_device_name()}"
    return f"CPU, {torch.get_num_threads()} threads"
