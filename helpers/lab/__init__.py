"""The strategy lab: race two to five ways to train on the same images, and explain the result.

It knows no widgets: `helpers.widgets.StrategyLab` shows it.
"""

from helpers.lab.engine import Lab
from helpers.lab.page import StrategyLab
from helpers.lab.race import Lane, Result
from helpers.lab.races import PREPARED
from helpers.lab.setup import Arm, Setup

__all__ = ["PREPARED", "Arm", "Lab", "Lane", "Result", "Setup", "StrategyLab"]
