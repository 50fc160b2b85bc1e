"""What people click. A widget holds no logic of its own; nothing in the package imports one."""

from helpers.widgets.advisor import Advisor
from helpers.widgets.augmentation_gallery import AugmentationGallery
from helpers.widgets.bench import BugHunt, Drills
from helpers.widgets.channel_explorer import ChannelExplorer
from helpers.widgets.curve_reader import CurveReader
from helpers.widgets.feature_maps import FeatureMaps
from helpers.widgets.gray_explorer import GrayExplorer
from helpers.widgets.interview import InterviewRoom
from helpers.widgets.prediction import Prediction
from helpers.widgets.readiness import Readiness
from helpers.widgets.strategy_explorer import StrategyExplorer
from helpers.widgets.threshold_explorer import ThresholdExplorer

__all__ = [
    "Advisor", "AugmentationGallery", "BugHunt", "ChannelExplorer", "CurveReader", "Drills",
    "FeatureMaps", "GrayExplorer", "InterviewRoom", "Prediction", "Readiness", "StrategyExplorer",
    "ThresholdExplorer",
]  # fmt: skip
