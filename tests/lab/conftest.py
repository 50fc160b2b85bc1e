"""A lab on toy images and a tiny network: races in fractions of a second."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from helpers import datasets
from helpers.lab import race
from helpers.lab.engine import Lab
from helpers.lab.setup import Arm, Setup
from helpers.networks import backbones
from tests.conftest import make_dataset, tiny_backbone

TWO = Setup((Arm("feature_extraction"), Arm("full_finetune")), n=16, image_size=32, epochs=2)


@pytest.fixture
def tiny(monkeypatch, private_cache):
    """Let every data set be the toy and every network the tiny one."""
    loads = []

    def load_data(name=None, *, size=128, **options):
        loads.append(name)
        return make_dataset()

    def load_net(name="tiny", *, channels=3, weights="imagenet", gray="sum"):
        return tiny_backbone(channels)

    monkeypatch.setattr(datasets, "load", load_data)
    monkeypatch.setattr(backbones, "load", load_net)
    race._bare.cache_clear()
    yield loads
    race._bare.cache_clear()


@pytest.fixture
def bench(tiny) -> Lab:
    """A lab with two quick arms set up."""
    return Lab(TWO)


def run(lab: Lab, live: bool = False) -> Lab:
    """Race to the end."""
    assert lab.race(live), lab.message
    assert lab.wait(30)
    return lab


def until(condition, seconds: float = 20) -> None:
    """Wait until `condition` holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.005)


def longer(setup: Setup = TWO, epochs: int = 100) -> Setup:
    """A race that goes on until it is stopped."""
    return replace(setup, epochs=epochs)
