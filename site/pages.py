"""Build the course as a site that needs no server: ``python course.py site``.

Sphinx with myst-nb makes it from the notebooks as they are stored. The folder can be opened from a
USB stick or put on any web server; search works in both cases, and no page asks another machine
for anything. Widgets need a running notebook; what stands beside them does not.
"""

from __future__ import annotations

import base64
import html
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import jinja2
import nbformat
from nbformat import NotebookNode

import handout
import slides
import sources
import try_page
from helpers.errors import CourseError
from helpers.practice import cards, export
from sources import ROOT, SITE

HERE = Path(__file__).parent
# What the notebooks link to, besides each other.
TEXTS = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "data/README.md", "benchmarks/README.md")
FILES = ("LICENSE", "LICENSE-TEXT", "CITATION.cff", "docs/recipe.py")
STILL = (
    "> **The widgets stand still on this page.** A guess, a slider or a button needs the running "
    "notebook (`python course.py lab`); the figures beside them are those that it stored."
)
# What a card's topic is called; a topic that is not here goes by its name.
TOPICS = {"batchnorm": "BatchNorm", "bugs": "Bugs to find", "cnn": "CNN ground",
          "drills": "At the keyboard", "data": "Data and augmentation",
          "evaluation": "Evaluation and shift", "medicine": "Medicine", "shipping": "Shipping",
          "strategies": "Strategies and rates", "training": "Training and debugging",
          "transfer": "Ideas and words"}  # fmt: skip


def all_pages() -> set[Path]:
    """Return everything that a page of the site may link to."""
    return {*sources.notebook_files(), *texts(), *(ROOT / name for name in FILES)}


def texts() -> list[Path]:
    """Return the pages of text that the site has beside the notebooks."""
    return [*(ROOT / name for name in TEXTS), *sorted(ROOT.glob("docs/*.md"))]


def build(folder: Path, everything: bool = True) -> list[Path]:
    """Write the whole site into `folder`; return its pages of HTML.

    Parameters
    ----------
    everything : also the slides, the handout and the page that needs no install.

    Raises
    ------
    CourseError
        Where a notebook has no stored outputs, or Sphinx refuses the sources.
    """
    with tempfile.TemporaryDirectory() as place:
        stage = Path(place)
        stage_pages(stage, parts(folder) if everything else {})
        made = stage / "_build" / "html"
        command = [sys.executable, "-m", "sphinx", "--builder", "html", "--conf-dir", HERE,
                   "--doctree-dir", stage / "_build" / "doctrees", "--quiet", "--fail-on-warning",
                   "--keep-going", stage, made]  # fmt: skip
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
        if done.returncode:
            said = done.stderr.replace(f"{stage}/", "").strip()
            raise CourseError(f"Sphinx refused the site's sources; mend what it names:\n{said}")
        for path in made.glob("_static/*.html"):  # the theme's own templates
            path.unlink()
        shutil.copytree(made, folder, dirs_exist_ok=True)
    return sorted(folder.rglob("*.html"))


def parts(folder: Path) -> dict[str, str]:
    """Build what lies beside the pages; return address -> what it is, of what could be built."""
    makers = {
        "try": (try_page.build, "try it here: a network that trains in this page, no install"),
        "slides": (slides.build, "slides: a deck for each notebook, and one of 50 minutes"),
        "handout": (handout.build, "the handout: one page, to print"),
    }
    found = {}
    for name, (make, about) in makers.items():
        try:
            make(folder / name)
        except CourseError as missing:  # such as npm; the pages themselves do without
            print(f"The site has no {name}: {missing}", file=sys.stderr)
        else:
            found[f"{name}/index.html"] = about
    return found


def stage_pages(stage: Path, beside: dict[str, str]) -> None:
    """Write the sources of all pages into the folder `stage`, as Sphinx wants them."""
    for path in sources.notebook_files():
        target = stage / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(staged(path, stage / "_extra" / "pictures"), target)
    for path in texts():
        target = stage / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(sources.linked(path, path.read_text("utf-8"), all_pages()), "utf-8")
    for path in (*ROOT.glob("docs/*.png"), *ROOT.glob("benchmarks/*.png"),
                 *(ROOT / name for name in FILES)):  # fmt: skip
        (stage / path.relative_to(ROOT)).parent.mkdir(exist_ok=True)
        shutil.copy(path, stage / path.relative_to(ROOT))
    template = jinja2.Template((HERE / "theme" / "index.md").read_text("utf-8"))
    notebooks = [sources.name_of(path) for path in sources.notebook_files()]
    docs = [path.relative_to(ROOT).with_suffix("").as_posix() for path in texts()]
    (stage / "index.md").write_text(template.render(
        notebooks=notebooks, docs=docs, beside=beside), "utf-8")  # fmt: skip
    (stage / "cards.md").write_text(cards_page("try/index.html" in beside), "utf-8")


def staged(path: Path, pictures: Path) -> NotebookNode:
    """Return a notebook as Sphinx gets it; its pictures and formulas go into the folder `pictures`.

    A picture becomes HTML with its alternative text, a widget a line, a solution is folded.
    """
    notebook = sources.read(path)
    up = "../" * len(path.relative_to(ROOT).parts[:-1]) + "pictures/"
    still = False
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            text = sources.linked(path, cell.source, all_pages())
            cell.source = sources.with_formulas(
                text, lambda found: sources.formula_html(found, pictures, up)
            )
            continue
        if sources.tagged(cell, "solution"):
            prompts = {"code_prompt_show": "Solution", "code_prompt_hide": "Hide the solution"}
            cell.metadata = {"tags": ["hide-cell"], "mystnb": prompts}
        for output in cell.outputs:
            for kind in sources.PICTURES:
                if kind in output.get("data", {}):
                    name = sources.kept(base64.b64decode(output.data[kind]), kind[6:], pictures)
                    alt = html.escape(output.metadata[kind]["alt"])
                    output.data = {"text/html": f'<img src="{up}{name}" alt="{alt}">'}
            if sources.is_widget(output):
                widget = html.escape(sources.text_of(output).split("(")[0])
                output.data = {
                    "text/html": f'<p class="still">{widget}: only in the running notebook</p>'
                }
                still = True
    if still:
        notebook.cells.insert(1, nbformat.v4.new_markdown_cell(STILL, id="still"))
    return notebook


def cards_page(with_try: bool) -> str:
    """Return the page of all cards by topic, each answer folded, as markdown."""
    items = [*cards.answers(), *cards.load()]
    say = f"{len(items)} questions, by topic. Say your answer before you open the card's."
    if with_try:
        say += (" With a clock and a schedule they stand in "
                '<a href="try/index.html#cards">the page that needs no install</a>.')  # fmt: skip
    lines = ["# Cards and quiz", "", say]
    for topic in dict.fromkeys(item["topic"] for item in items):
        mine = [item for item in items if item["topic"] == topic]
        title = "Answers to give" if topic == "answers" else TOPICS.get(topic, topic)
        lines += ["", f"## {title}", *(line for item in mine for line in card(item))]
    return "\n".join(lines) + "\n"


def card(item: cards.Item) -> list[str]:
    """Return a card as lines of markdown: the question in sight, the answer folded."""
    code = {"bug": "code", "predict": "code", "drill": "stub"}.get(item["kind"])
    asked = item.get("symptom") or item.get("task") or item["question"]
    lines = ["", f"**{plain(asked)}**"]
    if code:
        lines += ["", "```python", item[code].rstrip(), "```"]
    form, choices = ("free", []) if item["kind"] == "answer" else export.choices_of(item)
    if form in ("one", "many"):
        lines += ["", *(f"- {plain(text)}" for text, *_ in sorted(choices))]
    lines += ["", "<details><summary>Answer</summary>", ""]
    if item["kind"] == "answer":
        lines += [plain(item["text"])]
    elif item["kind"] == "drill":
        lines += ["```python", item["solution"].rstrip(), "```"]
    else:
        lines += ["\n\n".join(plain(line) for line in export.answered(item).splitlines())]
    return [*lines, "", "</details>"]


def plain(text: str) -> str:
    """Return a card's text as markdown: `code` stays, nothing else is a mark."""
    parts = re.split(r"(`[^`]*`)", text.replace("\n", " "))
    parts[::2] = [re.sub(r"([\\*_\[\]<>#|~$])", r"\\\1", part) for part in parts[::2]]
    return "".join(parts).strip()


def main(words: list[str]) -> int:
    """Build the site into the folder that the words name; return the exit code."""
    return sources.run(words, SITE, build, lambda made, folder: (
        f"{len(made)} pages: open {folder / 'index.html'}"
    ))  # fmt: skip


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
