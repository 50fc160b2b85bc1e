"""The checker of `more/adapters_and_shipping`: a checkpoint from which a run goes on."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from helpers.practice.checker import Slip, attempt, checker

PARTS = {
    "model": "the weights and running statistics, net.state_dict().",
    "optimizer": "its state_dict(); without its running means the next steps are other ones.",
    "schedule": "its state_dict(); without it the rate begins anew.",
    "random": "torch.get_rng_state(); without it dropout draws other numbers.",
    "epoch": "the number; without it nobody knows which epoch comes next.",
}


@checker
def checkpoint(answer: Callable[..., None]) -> str:
    """Check ``answer(path, net, optimizer, schedule, epoch)``: it writes what a run needs to go on.

    With ``torch.save``, a dict of `PARTS`. It must read with ``weights_only=True``, and the run
    that goes on from it must end where the uninterrupted one does.
    """
    with tempfile.TemporaryDirectory() as folder, torch.random.fork_rng(devices=[]):
        run, fresh, path = _run(0), _run(1), Path(folder) / "run.pt"
        _train(*run)
        attempt(answer, path, *run, 2)
        saved = _read(path)
        if lost := [key for key in PARTS if key not in saved]:
            raise Slip(f"{lost[0]!r} is not in it: {PARTS[lost[0]]}")
        end, loads = _train(*run), [*(part.load_state_dict for part in fresh), torch.set_rng_state]
        for key, load in zip(PARTS, loads, strict=False):
            try:
                load(saved[key])
            except Exception:  # of several kinds, by what was saved
                raise Slip(f"{key!r} does not load; wanted: {PARTS[key]}") from None
        if saved["epoch"] != 2 or not torch.equal(_train(*fresh), end):
            raise Slip("the run that goes on from it ends elsewhere: is every part that of now?")
    return "killed here, the run goes on as if nothing had happened, and the file runs no code."


def _read(path: Path) -> dict:
    try:
        return dict(torch.load(path, weights_only=True))
    except Exception:  # of several kinds, by what was saved
        raise Slip("path holds no dict of tensors, numbers and texts. Save state_dict()s, no "
                   "objects: to read those can run code.") from None  # fmt: skip


def _run(seed: int) -> tuple:
    """Return a small network, an optimizer and a schedule at their start."""
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Dropout(0.5), nn.Linear(6, 2))
    optimizer = torch.optim.AdamW(net.parameters(), 0.05)
    return net, optimizer, torch.optim.lr_scheduler.StepLR(optimizer, 2, 0.5)


def _train(net: nn.Module, optimizer: torch.optim.Optimizer, schedule: object) -> Tensor:
    """Train three steps on the same images; return weights and statistics in one row."""
    for _ in range(3):
        optimizer.zero_grad()
        net.train()(torch.eye(4)).logsumexp(1).sum().backward()
        optimizer.step()
        schedule.step()
    return torch.cat([value.flatten().double() for value in net.state_dict().values()])
