"""Build the slides: a deck for each notebook, and one of 50 minutes: ``python course.py slides``.

slides.json says which cells become slides, and what of them is shown:

- ``title``: the heading and the promise
- ``guess``: the question of a `Prediction`, and its answers
- ``picture``, ``code``, ``output``: what is drawn, written or printed
- ``say``: the sentences in which something is bold, else the first two; ``say 2`` is the text
  below the cell's next heading
- ``table``, ``list``: the table of a text, or the first sentence of each item of its list
- ``ask``: an interviewer's question; ``ask 2`` is the second of the cell
- ``remember``: the sentences at the end

The explanation that follows a cell becomes the speaker's notes (press S). ``--pdf`` prints the
decks, too, where Chromium is installed. reveal.js comes with the slides and asks nobody.
"""

from __future__ import annotations

import base64
import html
import json
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import jinja2
import mistune
from nbformat import NotebookNode
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

import browser
import node
import sources
from helpers.errors import CourseError, unknown_name
from sources import ROOT, SITE

HERE = Path(__file__).parent
TABLE = HERE / "slides.json"
FIFTY = "fifty_minutes"
MOST_WORDS, MOST_LINES = 60, 12  # of text and of code on a slide
PARTS = ("dist/reset.css", "dist/reveal.css", "dist/reveal.js", "plugin/notes/notes.js", "LICENSE")
DETAILS = re.compile(
    r"<details><summary>(?:<b>)?(.+?)(?:</b>)?(?: (.+?))?</summary>\n(.*?)</details>", re.DOTALL
)
ASKED = re.compile(
    r"<details><summary><b>The interviewer asks:</b> (.+?)</summary>\n(.*?)</details>", re.DOTALL
)
markdown = mistune.create_markdown(escape=False, plugins=["table"])


@dataclass(frozen=True)
class Slide:
    """What stands on a slide: a heading, HTML below it, and the speaker's notes as HTML."""

    title: str
    body: str
    notes: str
    kind: str


@dataclass(frozen=True)
class Place:
    """A cell of a notebook, and the folder that the pictures of its slide go to."""

    notebook: NotebookNode
    at: int
    pictures: Path

    @property
    def cell(self) -> NotebookNode:
        """The cell itself."""
        return self.notebook.cells[self.at]

    @property
    def heading(self) -> str:
        """The heading of the section that the cell stands in, or begins."""
        own = re.match(r"#+ (?:\d+\. )?(.+)", self.cell.source)
        if own and self.cell.cell_type == "markdown":
            return own[1]
        above = [cell.source for cell in self.notebook.cells[: self.at]
                 if cell.cell_type == "markdown"]  # fmt: skip
        return re.findall(r"^#+ (?:\d+\. )?(.+)$", "\n".join(above), re.MULTILINE)[-1]

    @property
    def explanation(self) -> str:
        """What is said of the cell: its text, or the next that is more than an exercise."""
        said: list[str] = []
        for cell in self.notebook.cells[self.at :]:
            if cell.cell_type == "markdown":
                said.append(notes(cell.source))
            elif "".join(said).strip():
                break
        return "\n\n".join(said)

    def html(self, text: str) -> str:
        """Return markdown as HTML, with formulas, and without links: a slide leads nowhere."""
        text = re.sub(r"(?<!!)\[([^\]]+)\]\([^)\s]+\)", r"\1", text)
        return markdown(sources.with_formulas(
            text, lambda latex: sources.formula_html(latex, self.pictures, "pictures/")
        ))  # fmt: skip


def build(folder: Path) -> list[Path]:
    """Write all decks into `folder`, with reveal.js; return their HTML, the list of them last.

    Raises
    ------
    CourseError
        Where reveal.js cannot be had, or slides.json names what is not there.
    """
    reveal = node.package("reveal.js")
    folder.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        (folder / "reveal").mkdir(exist_ok=True)
        shutil.copy(reveal / part, folder / "reveal" / Path(part).name)
    shutil.copy(HERE / "theme" / "slides.css", folder / "slides.css")
    for printed in folder.glob("*.pdf"):
        printed.unlink()  # of the decks as they were
    made, titles = [], {}
    for name in table():
        slides = deck(name, folder / "pictures")
        target = folder / f"{name.replace('/', '-')}.html"
        titles[target.name] = slides[0].title, len(slides)
        target.write_text(filled(
            "slides.html", slides=slides, title=slides[0].title, footer=sources.footer()
        ), "utf-8")  # fmt: skip
        made.append(target)
    index = folder / "index.html"
    index.write_text(filled("decks.html", decks=titles, footer=sources.footer()), "utf-8")
    return [*made, index]


def filled(template: str, **words: object) -> str:
    """Return a template of the folder theme/ with its words."""
    folder = jinja2.FileSystemLoader(HERE / "theme")
    return jinja2.Environment(loader=folder, autoescape=False).get_template(template).render(words)


def table() -> dict[str, list[str]]:
    """Return slides.json: for each deck its slides, ``"cell kind"``."""
    return json.loads(TABLE.read_text("utf-8"))


def deck(name: str, pictures: Path) -> list[Slide]:
    """Return the slides of a deck; their pictures are written into the folder `pictures`.

    Raises
    ------
    CourseError
        For a deck, a cell or a kind that is not there.
    """
    decks = table()
    if name not in decks:
        raise unknown_name("deck", name, decks)
    slides = []
    for row in decks[name]:
        place, _, kind = row.partition(" ")
        notebook, _, cell = place.rpartition("/") if name == FIFTY else (name, "", place)
        slides.append(slide(notebook, cell, kind, pictures))
    if name == FIFTY:
        slides[0] = Slide("Transfer learning in 50 minutes", slides[0].body, slides[0].notes,
                          "title")  # fmt: skip
    return slides


def slide(notebook: str, cell: str, kind: str, pictures: Path) -> Slide:
    """Return one slide; raises `CourseError` as `deck`."""
    path = ROOT / "notebooks" / f"{notebook}.ipynb"
    if not path.exists():
        raise CourseError(f"slides.json names a notebook that is not there: {notebook}.")
    whole = sources.read(path)
    at = next((k for k, one in enumerate(whole.cells) if one.id == cell), None)
    if at is None:
        raise CourseError(
            f"slides.json names the cell {cell} of {notebook}, which is not there any more: "
            "change its line, or take it out."
        )
    word, _, number = kind.partition(" ")
    if word not in KINDS:
        raise unknown_name("kind of slide", word, KINDS)
    if not re.fullmatch(r"[1-9]\d*|", number):
        raise CourseError(f"slides.json asks {notebook}, {cell}, for '{kind}'; give a number.")
    if word in ("guess", "code", "output") and whole.cells[at].cell_type != "code":
        raise CourseError(f"slides.json shows '{kind}' of {notebook}, {cell}, which is a text.")
    place = Place(whole, at, pictures)
    title, body = KINDS[word](place, int(number or 1))
    if not body.strip():
        raise CourseError(f"{notebook}, {cell}: there is nothing to show as '{kind}'.")
    return Slide(title, body, place.html(_said(place, word, int(number or 1))), word)


def _said(place: Place, kind: str, number: int) -> str:
    if kind == "ask":
        return ASKED.findall(place.cell.source)[number - 1][1].strip()
    return place.explanation


def notes(text: str) -> str:
    """Return an explanation as notes: exercises go, and what is folded is open."""
    text = re.split(r"^\*\*Exercise", text, flags=re.MULTILINE)[0]
    return DETAILS.sub(lambda f: f"**{f[1]}** {f[2] or ''}\n\n{f[3].strip()}", text)


def sections(place: Place) -> list[tuple[str, str]]:
    """Return the parts of a text between its headings: heading, and what stands below it.

    Exercises, tables, set formulas and what is folded are left out. The first part may stand under
    a heading of an earlier cell.
    """
    text = re.split(r"^\*\*Exercise", place.cell.source, flags=re.MULTILINE)[0]
    text = re.sub(r"^(\||\$\$).*$", "", DETAILS.sub("", text), flags=re.MULTILINE)
    first, *rest = re.split(r"^#+ (?:\d+\. )?(.+)$", text, flags=re.MULTILINE)
    found = [(place.heading, first), *zip(rest[::2], rest[1::2], strict=True)]
    return [part for part in found if part[1].strip()]


def sentences(text: str) -> list[str]:
    """Return the sentences of a text, in order; a short one in bold belongs to the next one."""
    found: list[str] = []
    for paragraph in re.split(r"\n\s*\n|\n(?=- |\d+\. )", text):
        ends = r"(?<=[.!?])\s+(?=[A-Z*`\"(])|(?<=[.!?:]\*\*)\s+"
        parts = [part for part in re.split(ends, paragraph.replace("\n", " ").strip()) if part]
        while parts:
            part = parts.pop(0)
            while part.count("**") % 2 and parts:  # the bold words go on
                part += f" {parts.pop(0)}"
            if re.fullmatch(r"(- )?\*\*[^*]+\*\*", part) and len(part.split()) < 7 and parts:
                part += f" {parts.pop(0)}"
            found.append(part)
    return found


def fitting(heading: str, found: list[str]) -> list[str]:
    """Return as many of the texts, from the first, as a slide holds below its heading."""
    fits, words = [], len(heading.split())
    for text in found:
        words += len(text.split())
        if words > MOST_WORDS:
            break
        fits.append(text)
    return fits


def bullets(place: Place, heading: str, found: list[str]) -> str:
    """Return texts as a list, as far as they fit below the heading."""
    fits = [re.sub(r"^(- |\d+\. )", "", text) for text in fitting(heading, found)]
    return place.html("\n".join(f"- {text}" for text in fits))


def _title(place: Place, _: int) -> tuple[str, str]:
    promise = re.search(r"^\*\*(.+?)\*\*", place.cell.source, re.MULTILINE)[1]
    return sources.title_of(place.notebook), place.html(promise)


def _guess(place: Place, _: int) -> tuple[str, str]:
    question, answers = sources.question_of(place.notebook, place.cell)
    items = "".join(f"<li>{html.escape(answer)}</li>" for answer in answers)
    return "Your guess first", f"<p>{html.escape(question)}</p><ol type='A'>{items}</ol>"


def _picture(place: Place, number: int) -> tuple[str, str]:
    found = list(sources.pictures_of(place.cell))[number - 1 : number]
    body = ""
    for kind, content, alt in found:
        name = sources.kept(base64.b64decode(content), kind[6:], place.pictures)
        body += f'<img src="pictures/{name}" alt="{html.escape(alt)}">'
    return place.heading, body


def _code(place: Place, _: int) -> tuple[str, str]:
    lines = place.cell.source.splitlines()
    if len(lines) > MOST_LINES:
        raise CourseError(
            f"{place.cell.id} has {len(lines)} lines, a slide holds {MOST_LINES}: show another."
        )
    return place.heading, highlight(
        place.cell.source, PythonLexer(), HtmlFormatter(noclasses=True, nobackground=True)
    )


def _output(place: Place, _: int) -> tuple[str, str]:
    said = "".join(map(sources.text_of, place.cell.outputs)).strip()
    return place.heading, f"<pre>{html.escape(said)}</pre>" if said else ""


def _say(place: Place, number: int) -> tuple[str, str]:
    heading, text = dict(enumerate(sections(place), 1)).get(number, ("", ""))
    found = sentences(text)
    return heading, bullets(place, heading, [one for one in found if "**" in one] or found[:2])


def _table(place: Place, _: int) -> tuple[str, str]:
    rows = re.search(r"^\|.+(?:\n\|.+)+", place.cell.source, re.MULTILINE)
    return place.heading, place.html(rows[0]) if rows else ""


def _list(place: Place, _: int) -> tuple[str, str]:
    items = re.findall(r"^(?:- |\d+\. )(.+)$", place.cell.source, re.MULTILINE)
    # An item's first sentence; a bold name with a full stop belongs to what follows it.
    firsts = [re.match(r"(\*\*[^*]+\*\*\s*)?.+?(?:[.?!](?=\s|\*|$)|$)\**", item)[0]
              for item in items]  # fmt: skip
    if len(fitting(place.heading, firsts)) < len(firsts):  # then without what follows a colon
        firsts = [re.sub(r"^((?:\S+ ){4}.*?): .*$", r"\1.", first) for first in firsts]
    return place.heading, bullets(place, place.heading, firsts)


def _ask(place: Place, number: int) -> tuple[str, str]:
    found = ASKED.findall(place.cell.source)[number - 1 : number]
    asked = [question[0].upper() + question[1:] for question, _ in found]
    return "The interviewer asks", "".join(f"<p class='asked'>{text}</p>" for text in asked)


KINDS: dict[str, Callable[[Place, int], tuple[str, str]]] = {
    "title": _title, "guess": _guess, "picture": _picture, "code": _code, "output": _output,
    "say": _say, "table": _table, "list": _list, "ask": _ask, "remember": _list,
}  # fmt: skip


def printed(folder: Path) -> list[Path]:
    """Write all decks, and print each as a PDF beside it."""
    made = build(folder)
    for path in made[:-1]:
        browser.print_pdf(path, path.with_suffix(".pdf"), "?print-pdf")
    return made


def main(words: list[str]) -> int:
    """Build the decks into the folder that the words name; return the exit code."""
    return sources.run(
        [word for word in words if word != "--pdf"], SITE / "slides",
        printed if "--pdf" in words else build,
        lambda made, _: f"{len(made) - 1} decks: open {made[-1]}",
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
