"""What people click. A widget holds no logic of its own; nothing in the package imports one."""

from helpers.widgets.advisor import Advisor
from helpers.widgets.augmentation_gallery import AugmentationGallery
from helpers.widgets.channel_explorer import ChannelExplorer
from helpers.widgets.feature_maps import FeatureMaps
from helpers.widgets.gray_explorer import GrayExplorer
from helpers.widgets.prediction import Prediction
from helpers.widgets.strategy_explorer import StrategyExplorer

__all__ = [
    "Advisor", "AugmentationGallery", "ChannelExplorer", "FeatureMaps", "GrayExplorer",
    "Prediction", "StrategyExplorer",
]  # fmt: skip
