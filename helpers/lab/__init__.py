"""The strategy lab: race two to five ways to train on the same images, and explain the result.

`Lab` is its state and knows no widgets; `StrategyLab` is the page that shows it.
"""

from helpers.lab.engine import Lab
from helpers.lab.page import StrategyLab
from helpers.lab.race import Lane, Result
from helpers.lab.races import PREPARED
from helpers.lab.setup import Arm, Setup

__all__ = ["PREPARED", "Arm", "Lab", "Lane", "Result", "Setup", "StrategyLab"]
