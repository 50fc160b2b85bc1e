import itertools

import pytest

from helpers.training.loop import warmup_cosine
from helpers.training.recipe import Recipe


def test_warm_up_rises_to_the_peak_and_the_cosine_falls_to_the_floor():
    recipe = Recipe(warmup=0.2, floor=0.1)
    factors = [warmup_cosine(step, 20, recipe) for step in range(20)]
    assert factors[:4] == pytest.approx([0.2, 0.4, 0.6, 0.8])
    assert factors[4] == pytest.approx(1.0)
    assert factors[-1] == pytest.approx(0.1)
    assert all(a > b for a, b in itertools.pairwise(factors[4:]))


@pytest.mark.parametrize("n_steps", [1, 10])
def test_without_warm_up_it_starts_at_the_peak(n_steps):
    assert warmup_cosine(0, n_steps, Recipe(warmup=0)) == 1.0
