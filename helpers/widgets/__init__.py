"""What people click. A widget holds no logic of its own; nothing in the package imports one."""

from helpers.widgets.prediction import Prediction
from helpers.widgets.strategy_explorer import StrategyExplorer

__all__ = ["Prediction", "StrategyExplorer"]
