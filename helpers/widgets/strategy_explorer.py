"""Choose a strategy: see which parts train, at which rates, and its measured curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import ipywidgets as widgets
import pandas as pd

from helpers import plots
from helpers.widgets.figures import CourseWidget, show


class StrategyExplorer(CourseWidget):
    """A row of buttons, the drawing of the network, and the curves with the chosen one in front.

    All three tables name the same strategies.

    Parameters
    ----------
    tables : strategy name -> table of `helpers.training.strategies.summary`.
    histories : strategy name -> history of its `helpers.training.recipe.Run`.
    scores : strategy name -> a line on its test score.
    """

    def __init__(
        self,
        tables: Mapping[str, pd.DataFrame],
        histories: Mapping[str, Sequence[Mapping]],
        scores: Mapping[str, str],
    ) -> None:
        self.tables, self.histories, self.scores = tables, histories, scores
        self.choice = widgets.ToggleButtons(
            options=[(plots.label_of(name), name) for name in tables],
            style=widgets.ToggleButtonsStyle(button_width="150px"),
        )
        self.network, self.curves = widgets.HTML(), widgets.HTML()
        self.text = widgets.HTML()
        self.choice.observe(self._show, names="value")
        super().__init__([self.choice, self.network, self.text, self.curves])
        self._show()

    def _show(self, _change: object = None) -> None:
        name = self.choice.value
        table = self.tables[name]
        show(self.network, plots.strategy_map({name: table}), "what trains, at which rate")
        show(self.curves, plots.learning_curves(self.histories, name), "loss and validation AUC")
        trained = int(table.loc[table["trains"], "parameters"].sum())
        share = trained / table["parameters"].sum()
        self.text.value = (
            f"<b>{plots.label_of(name)}</b>: {trained:,} parameters train ({share:.1%} of all). "
            f"Test: {self.scores[name]}."
        )
