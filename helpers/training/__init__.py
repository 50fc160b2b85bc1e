"""From a strategy to a score: `fit` trains, `evaluate` scores a split once."""

from helpers.training.loop import fit
from helpers.training.predict import evaluate
from helpers.training.recipe import Recipe, Run

__all__ = ["Recipe", "Run", "evaluate", "fit"]
