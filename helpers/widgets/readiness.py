"""What will be known on the day of the interview, what is due tonight, and where to revise."""

from __future__ import annotations

import ipywidgets as widgets

from helpers import plots
from helpers.errors import CourseError
from helpers.practice import schedule
from helpers.widgets.answers import line, shown, where, words
from helpers.widgets.figures import CourseWidget, show
from helpers.widgets.interview import InterviewRoom

HEAD = ("topic", "cards", "seen", "recall of these on the day", "known of all", "due tonight",
        "look at")  # fmt: skip
FEW = 20  # answers, from which on a curve of one's own says something


class Readiness(CourseWidget):
    """A table and a figure by topic, and how far "how sure are you?" can be trusted.

    Parameters
    ----------
    room : whose cards and progress; it is drawn anew after every answer there.
    """

    def __init__(self, room: InterviewRoom) -> None:
        self.room, self.table, self.figure, self.curve = room, *(widgets.HTML() for _ in range(3))
        super().__init__([self.table, self.figure, self.curve])
        self.add_class("interview")
        room.listeners.append(self.draw)
        self.draw()

    def draw(self) -> None:
        """Show what is kept now."""
        try:
            now = self.room.schedule
        except CourseError as error:
            self.table.value = shown(words(str(error)), alert=True)
            return
        topics, day = now.readiness(self.room.items), f"{now.day.astimezone():%d %B}"
        rows = "".join(_row(topic, row) for topic, row in topics.iterrows())
        head = "".join(f"<th scope='col'>{name}</th>" for name in HEAD)
        total = f"{(topics['ready'] * topics['items']).sum() / topics['items'].sum():.0%}"
        when = "in a week" if now.progress.interview is None else f"on {day}"
        gone = now.cards.keys() - {item["id"] for item in self.room.items}
        kept = f" Answers to {len(gone)} other cards and bugs are kept, too." if gone else ""
        self.table.value = shown(
            f"<p><b>Of all cards you will know {total} {when}</b> if you repeat nothing until then;"
            f" {topics['due'].sum()} are due tonight.{kept}</p>"
            f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        )
        show(self.figure, plots.readiness(topics, day), "readiness")
        said = [review for review in now.progress.reviews if review.sure is not None]
        if (n := len(said)) < FEW:
            self.curve.value = shown(f"<p>How sure you were against how often you were right: "
                                     f"after {FEW} answers (now {n}).</p>")  # fmt: skip
            return
        curves = {"all answers": schedule.reliability(said)}
        if n >= 3 * FEW:
            curves[f"the last {FEW}"] = schedule.reliability(said[-FEW:])
        show(self.curve, plots.reliability(curves, "share that was right", "answers"), "sureness")


def _row(topic: str, row: dict) -> str:
    """Return a topic's row of the table as HTML."""
    recall = "not seen" if row["seen"] == 0 else f"{row['recall']:.0%}"
    weakest = line(row["weakest"]["question"])
    place = where(row["weakest"]).removeprefix("<p>").removesuffix("</p>")
    cells = [row["items"], row["seen"], recall, f"{row['ready']:.0%}", row["due"],
             f"{weakest} {place}"]  # fmt: skip
    return f"<tr><th scope='row'>{topic}</th>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
