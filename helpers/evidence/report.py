"""A short report: sections of text, tables and figures, as one HTML or Markdown file."""

from __future__ import annotations

import base64
import html
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from helpers import files
from helpers.errors import CourseError

FORMATS = (".html", ".htm", ".md")


STYLE = """
body { font: 17px/1.5 system-ui, sans-serif; color: #222; max-width: 60rem; margin: 2rem auto;
       padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2rem; }
table { border-collapse: collapse; } th, td { padding: .25rem .8rem; text-align: right;
       border-bottom: 1px solid #DDE3EA; } th:first-child, td:first-child { text-align: left; }
img { max-width: 100%; } code { background: #F2F4F7; padding: .1rem .3rem; }
"""


@dataclass(frozen=True)
class Section:
    """A heading with, in this order, sentences, points, a table, a figure and a command.

    Attributes
    ----------
    figure : with `alt`, which is read out where the picture cannot be seen. Markdown leaves the
        picture out.
    """

    title: str
    text: Sequence[str] = ()
    points: Sequence[str] = ()
    table: pd.DataFrame | None = None
    figure: Figure | None = None
    alt: str = ""
    command: str = ""


def check_target(path: Path | None) -> None:
    """Say before any work is done that a report could not be written.

    Raises
    ------
    CourseError
        When the name ends in another format, is too long or is that of a folder, or there is no
        folder to write to, or only one that may not be written to.
    """
    if path is None:
        return
    if path.suffix.lower() not in FORMATS:
        raise CourseError(f"The report {path.name} must end in .html or .md.")
    parent = path.absolute().parent
    if not files.is_folder(parent):
        raise CourseError(f"There is no folder {parent} to write {path.name} to.")
    if files.is_folder(path):
        raise CourseError(
            f"{path} is a folder; give the name of a file, such as {path / 'report.html'}."
        )
    if not os.access(parent, os.W_OK):
        raise CourseError(
            f"The folder {parent} may not be written to. Make it writable, or give another one."
        )
    files.mode(path.with_name(f".{path.name}.12345678.part"))  # as long as what is written first


def write(path: Path, title: str, sections: Sequence[Section]) -> None:
    """Write the report in the format that the name ends in; whole or not at all."""
    check_target(path)
    render = as_markdown if path.suffix.lower() == ".md" else as_html
    try:
        with files.atomic_path(path) as temporary:
            temporary.write_text(render(title, sections), encoding="utf-8")
    except OSError as error:
        raise CourseError(f"The report cannot be written to {path} ({error.strerror}).") from error


def as_html(title: str, sections: Sequence[Section]) -> str:
    """Return one self-contained page: pictures and style are in it, nothing is fetched."""
    body = "\n".join(section_html(section) for section in sections)
    return files.shown(
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{_safe(title)}'
        f"</title><style>{STYLE}</style></head>\n<body><h1>{_safe(title)}</h1>\n{body}\n"
        "</body></html>\n"
    )


def section_html(section: Section) -> str:
    """Return one section as HTML."""
    parts = [f"<h2>{_safe(section.title)}</h2>"] if section.title else []
    parts += [f"<p>{_safe(sentence)}</p>" for sentence in section.text]
    if section.points:
        items = "".join(f"<li>{_safe(point)}</li>" for point in section.points)
        parts.append(f"<ul>{items}</ul>")
    if section.table is not None:
        parts.append(section.table.to_html(index=False, border=0, escape=True))
    if section.figure is not None:
        parts.append(f'<img alt="{_safe(section.alt)}" src="{_picture(section.figure)}">')
    if section.command:
        parts.append(f"<p><code>{_safe(section.command)}</code></p>")
    return "\n".join(parts)


def as_markdown(title: str, sections: Sequence[Section]) -> str:
    """Return the report as Markdown, readable as plain text too; without pictures."""
    body = "\n".join(_section_markdown(section) for section in sections)
    return files.shown(f"# {title}\n\n{body}")


def _section_markdown(section: Section) -> str:
    blocks = [f"## {section.title}", *section.text]
    if section.points:
        blocks.append("\n".join(f"- {point}" for point in section.points))
    if section.table is not None:
        blocks.append(_table_markdown(section.table))
    if section.command:
        blocks.append(f"```\n{section.command}\n```")
    return "\n\n".join(blocks) + "\n"


def _table_markdown(table: pd.DataFrame) -> str:
    rows = [list(table.columns), *table.astype(str).to_numpy().tolist()]
    cells = [[str(cell).replace("|", "\\|") for cell in row] for row in rows]
    widths = [max(len(row[k]) for row in cells) for k in range(len(table.columns))]
    lines = [
        "| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |"
        for row in cells
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


def _safe(text: str) -> str:
    return html.escape(str(text))


def _picture(figure: Figure) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100, bbox_inches="tight")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
