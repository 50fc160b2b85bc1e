import itertools

import pytest

from helpers.training.loop import warmup_cosine


def test_warm_up_rises_to_the_peak_and_the_cosine_falls_to_the_floor():
    factors = [warmup_cosine(step, total=20, warmup=4, floor=0.1) for step in range(20)]
    assert factors[:4] == pytest.approx([0.2, 0.4, 0.6, 0.8])
    assert factors[4] == pytest.approx(1.0)
    assert factors[-1] == pytest.approx(0.1)
    assert all(a > b for a, b in itertools.pairwise(factors[4:]))


def test_without_warm_up_it_starts_at_the_peak():
    assert warmup_cosine(0, total=10, warmup=0) == 1.0


def test_one_step_is_taken_at_the_peak():
    assert warmup_cosine(0, total=1, warmup=0) == 1.0
