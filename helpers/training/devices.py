"""The one place that knows Lightning Fabric: device, precision and number of processes.

The same training loop then runs on a CPU, a GPU, or under
``torchrun --nproc-per-node 2 -m -- helpers train ...`` (docs/scaling.md).
"""

from __future__ import annotations

import ctypes
import logging
import os
import platform
import timeit
import warnings
from importlib.metadata import version
from pathlib import Path

import psutil
import torch
from lightning_fabric import Fabric

from helpers import datasets, files
from helpers.errors import CourseError, unknown_name
from helpers.networks import backbones

ACCELERATORS = ("auto", "cpu", "cuda", "mps")
PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")


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
        For another accelerator or precision, or one that this machine does not have.
    """
    if accelerator not in ACCELERATORS:
        raise unknown_name("accelerator", accelerator, ACCELERATORS)
    if precision not in PRECISIONS:
        raise unknown_name("precision", precision, PRECISIONS)
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    if precision == "16-mixed":  # the first step may be skipped on purpose, the rates move anyway
        warnings.filterwarnings("ignore", "Detected call of .lr_scheduler.step")
    _keep_freed_memory()
    processes = _count("LOCAL_WORLD_SIZE", 1)
    nodes = max(1, _count("WORLD_SIZE", processes) // processes)
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


def _count(variable: str, usual: int) -> int:
    """Return a number of processes that torchrun sets."""
    text = os.environ.get(variable, str(usual))
    if not text.isdecimal() or not int(text):
        raise CourseError(f"{variable} is {text!r}; unset it, or give a number of processes.")
    return int(text)


def _keep_freed_memory() -> None:
    """Tell glibc to keep what a training step frees for the next step.

    By default it hands every large activation back to the system and asks for it again, page by
    page, and most of the time that the system spends on a run goes into that.
    """
    if platform.libc_ver()[0] == "glibc":
        libc, largest = ctypes.CDLL(None), 2**31 - 1
        libc.mallopt(-3, 2**30)  # M_MMAP_THRESHOLD: below 1 GiB, no mapping of its own
        libc.mallopt(-1, largest)  # M_TRIM_THRESHOLD: do not shrink the heap


PACKAGES = ("torch", "torchvision", "timm", "lightning-fabric", "ipywidgets", "jupyterlab")
# Seconds that `probe` took on the two cores on which the course's times were measured.
REFERENCE_SECONDS = 0.095


def report() -> dict[str, str]:
    """Return what matters of this machine, a short text per topic."""
    memory, cache, home = psutil.virtual_memory(), files.folder(), Path.home()
    there = next(folder for folder in (cache, *cache.parents) if folder.exists())
    writable = "writable" if os.access(there, os.W_OK) else "not writable: nothing is kept"
    # With ~ for the home folder, so that a shown notebook does not tell whose machine it was.
    place = Path("~", cache.relative_to(home)) if cache.is_relative_to(home) else cache
    by = "set by COURSE_DATASET"
    if not os.environ.get("COURSE_DATASET"):
        by = "default; COURSE_DATASET moves it"
    compute = f"CPU, {(n := torch.get_num_threads())} thread{'s' * (n > 1)}"
    if torch.cuda.is_available():
        compute = f"GPU {torch.cuda.get_device_name()}"
    facts = {
        "Python": f"{platform.python_version()} on {platform.system()}",
        "compute": compute,
        "memory": f"{memory.available / 2**30:.0f} of {memory.total / 2**30:.0f} GB free",
        "data set": f"{datasets.default_name()} ({by})",
        "own images": os.environ.get("COURSE_DATA_DIR", "none (COURSE_DATA_DIR is not set)"),
        "cache": f"{place} ({writable})",
    }
    facts |= {f"weights of {name}": place for name, place in backbones.available().items()}
    return facts | {name: version(name) for name in PACKAGES}


def probe() -> float:
    """Return how many seconds one small training step costs here (best of three)."""
    model = backbones.load(weights=None).train()
    images = torch.zeros(16, 3, 96, 96)
    _, *seconds = timeit.repeat(lambda: model(images).sum().backward(), repeat=4, number=1)
    return min(seconds)  # without the first, which warms up


def minutes(at_reference: float) -> float:
    """Return the minutes to expect here for what takes `at_reference` minutes on two cores."""
    return at_reference * probe() / REFERENCE_SECONDS
