"""Answers to the exercise of more/adapters_and_shipping."""

import pickle

import torch

from helpers.practice import checkpoint


def whole(net, optimizer, schedule, epoch):
    return {"model": net.state_dict(), "optimizer": optimizer.state_dict(),
            "schedule": schedule.state_dict(), "epoch": epoch,
            "random": torch.get_rng_state()}  # fmt: skip


def saved(path, *run):
    torch.save(whole(*run), path)


def with_more(path, *run):
    torch.save(whole(*run) | {"classes": ["intact", "defective"], "size": 96}, path)


def without(key):
    return lambda path, *run: torch.save({k: v for k, v in whole(*run).items() if k != key}, path)


def other(change):
    """Save what `change` makes of the right dict and of the run."""
    return lambda path, *run: torch.save(whole(*run) | change(*run), path)


def parameters_alone(net, *_):
    return {"model": dict(net.named_parameters())}


def fresh_optimizer(net, *_):
    return {"optimizer": torch.optim.AdamW(net.parameters(), 0.05).state_dict()}


def seeded(*_):
    return {"random": torch.Generator().manual_seed(0).get_state()}


def started_anew(net, optimizer, *_):
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 2, 0.5)
    return {"schedule": schedule.state_dict()}


def pickled(path, *run):
    path.write_bytes(pickle.dumps(whole(*run)))


RIGHT = {checkpoint: [saved, with_more]}

WRONG = {
    checkpoint: [
        *((without(key), f"'{key}' is not in it")
          for key in ("model", "optimizer", "schedule", "epoch", "random")),
        (lambda path, *run: None, "path holds no dict"),
        (lambda path, *run: whole(*run), "path holds no dict"),
        (lambda path, net, *run: torch.save(net.state_dict(), path), "'model' is not in it"),
        (lambda path, net, *run: torch.save(3, path), "path holds no dict"),
        (lambda path, net, *run: torch.save(net, path), "state_dict()s, no objects"),
        (other(lambda net, *_: {"model": net}), "state_dict()s, no objects"),
        (other(lambda net, optimizer, *_: {"optimizer": optimizer}), "Save state_dict()s"),
        (pickled, "Save state_dict()s"),
        (other(parameters_alone), "'model' does not load"),
        (other(lambda net, optimizer, schedule, epoch: {"schedule": schedule.get_last_lr()}),
         "'schedule' does not load"),
        (other(fresh_optimizer), "ends elsewhere"),
        (other(seeded), "ends elsewhere"),
        (other(started_anew), "ends elsewhere"),
        (other(lambda net, optimizer, schedule, epoch: {"epoch": epoch + 1}), "ends elsewhere"),
        (other(lambda *_: {"random": torch.initial_seed()}), "'random' does not load"),
    ],
}  # fmt: skip
