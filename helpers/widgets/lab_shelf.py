"""Keep the race on the page, lay kept races side by side, export them."""

from __future__ import annotations

import base64

import ipywidgets as widgets

from helpers.errors import CourseError
from helpers.lab import Lab, export
from helpers.lab.kept import Kept, Shelf
from helpers.plots.lab import safe


class ShelfPanel(widgets.VBox):
    """A name and Keep; a list of kept races, their comparison, Export and Remove."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.name = widgets.Text(placeholder="a name for this race", layout={"width": "22em"})
        self.keep = widgets.Button(description="Keep this race", layout={"width": "auto"})
        self.choice = widgets.SelectMultiple(layout={"width": "24em", "height": "8em"})
        self.folder = widgets.Text(
            placeholder="folder (empty: the course's cache)", layout={"width": "22em"}
        )
        self.export = widgets.Button(description="Export CSV and page", layout={"width": "auto"})
        self.remove = widgets.Button(description="Remove", layout={"width": "auto"})
        self.text, self.comparison, self.damaged = (widgets.HTML() for _ in range(3))
        self.keep.on_click(lambda _: self._keep())
        self.export.on_click(lambda _: self._export())
        self.remove.on_click(lambda _: self._remove())
        self.choice.observe(lambda _: self._compare(), names="value")
        hint = widgets.HTML(
            '<span class="lab-quiet">Kept races: choose one, or several with Shift or Ctrl, to '
            "lay them side by side.</span>"
        )
        left = widgets.VBox([
            widgets.HBox([self.name, self.keep]), hint, self.choice,
            self.damaged, widgets.HBox([self.folder, self.export, self.remove]), self.text,
        ])  # fmt: skip
        super().__init__([left, self.comparison])
        self.refresh()

    def refresh(self) -> None:
        """List what is kept now."""
        chosen = self.choice.value
        names = [kept.name for kept in self.lab.shelf.all()]
        self.damaged.value = _damaged(self.lab.shelf)
        self.choice.options = names
        self.choice.value = tuple(name for name in chosen if name in names)

    def _keep(self) -> None:
        self.text.value = ""
        if self.lab.keep(self.name.value):
            self.text.value = f"Kept as {safe(' '.join(self.name.value.split()))}."
            self.name.value = ""

    def _chosen(self) -> list[Kept]:
        return [self.lab.shelf.get(name) for name in self.choice.value]

    def _compare(self) -> None:
        runs = self._chosen()
        table = export.comparison(runs).to_html(index=False, border=0) if len(runs) > 1 else ""
        self.comparison.value = table + "".join(export.run_html(run) for run in runs)

    def _export(self) -> None:
        try:
            runs = self._chosen()
            paths = export.save(runs, self.folder.value)
        except CourseError as error:
            self.text.value = ""
            return self.lab.say(str(error))
        self.lab.say("")
        self.text.value = (
            f"Written: {safe(paths[0])} and {safe(paths[1].name)}. Or download: "
            + _link("strategy_lab.csv", "text/csv", export.as_csv(runs)) + ", "
            + _link("strategy_lab.html", "text/html", export.as_html(runs))
        )  # fmt: skip

    def _remove(self) -> None:
        for name in self.choice.value:
            self.lab.shelf.remove(name)
        self.refresh()
        self._compare()


def _damaged(shelf: Shelf) -> str:
    if not (paths := shelf.unreadable()):
        return ""
    names = ", ".join(safe(path.name) for path in paths)
    return (
        f'<span class="lab-quiet">Not listed, because they cannot be read: {names} in '
        f"{safe(shelf.folder)}. Delete them, or put a copy in their place.</span>"
    )


def _link(name: str, kind: str, text: str) -> str:
    data = base64.b64encode(text.encode()).decode()
    return f'<a download="{name}" href="data:{kind};base64,{data}">{name}</a>'
