"""Build the course as static pages: every notebook as it is stored, and the pages it links to.

``python course.py site [FOLDER]``. The pages ask no server for anything and run no script, so they
can be opened from a USB stick. Widgets need a running notebook; what stands beside them does not.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import nbformat
from nbconvert import HTMLExporter
from nbconvert.filters import markdown2html
from pygments.formatters import HtmlFormatter

ROOT = Path(__file__).parent.parent

# What the notebooks link to, besides each other.
TEXTS = (
    "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "data/README.md", "benchmarks/README.md",
    "docs/night_before.md", "docs/recipe.md", "docs/install.md", "docs/translating.md",
    "docs/scaling.md",
)  # fmt: skip

STYLE = """body { font: 18px/1.5 system-ui, sans-serif; color: #222; margin: 0 auto;
  max-width: 62rem; padding: 1rem; }
pre { font-size: 15px; overflow-x: auto; padding: .6rem; background: #f5f6f8; }
img { max-width: 100%; } table { border-collapse: collapse; }
td, th { border: 1px solid #bbb; padding: .2rem .6rem; text-align: left; }
a { color: #005a9c; } .prompt, .anchor-link { display: none; } nav a { margin-right: 1rem; }
details { margin: .6rem 0; }
"""


def build(folder: Path) -> list[Path]:
    """Write all pages into `folder`, as they lie in the course; return them."""
    notebooks, pages = sorted((ROOT / "notebooks").glob("*.ipynb")), []
    more = sorted((ROOT / "notebooks" / "more").glob("*.ipynb"))
    for source in [*notebooks, *more, *(ROOT / name for name in TEXTS)]:
        place = source.relative_to(ROOT)
        markdown = source.suffix == ".md"
        body = markdown2html(source.read_text("utf-8")) if markdown else of_notebook(source)
        up = "../" * (len(place.parts) - 1)
        links = {f"{up}README.html": "course"} | {
            f"{up}notebooks/{one.stem}.html": one.stem[:2] if one.stem[0].isdigit() else "lab"
            for one in notebooks
        }
        target = folder / place.with_suffix(".html")
        target.parent.mkdir(parents=True, exist_ok=True)
        heading = re.search(r"<h1[^>]*>(.*?)<", body)[1]
        text = page(heading, links, linked(body, place.parent))
        target.write_text(text, "utf-8")
        pages.append(target)
    for picture in [*ROOT.glob("docs/*.png"), *ROOT.glob("benchmarks/*.png")]:
        shutil.copy(picture, folder / picture.relative_to(ROOT))
    return pages


def of_notebook(path: Path) -> str:
    """Return a notebook's cells as HTML; a solution is folded."""
    notebook = nbformat.read(path, 4)
    for k, cell in enumerate(notebook.cells):
        if "solution" in cell.metadata.get("tags", []):
            code = f"```python\n{cell.source}\n```"
            text = f"<details><summary>Solution</summary>\n\n{code}\n\n</details>"
            notebook.cells[k] = nbformat.v4.new_markdown_cell(text, id=cell.id)
    return HTMLExporter(template_name="basic").from_notebook_node(notebook)[0]


def linked(body: str, place: Path) -> str:
    """Make links to notebooks and pages lead to their HTML; to what is not built, plain text."""

    def mend(found: re.Match) -> str:
        address, anchor, text = found.groups()
        target = (ROOT / place / address).resolve()
        if target.suffix == ".ipynb" or target in {ROOT / name for name in TEXTS}:
            return (
                f'<a href="{re.sub(r"[.](ipynb|md)$", ".html", address)}{anchor or ""}">{text}</a>'
            )
        return text

    return re.sub(
        r'<a href="(?!https?:|#)([^"#]+)(#[^"]*)?"[^>]*>(.*?)</a>', mend, body, flags=re.S
    )


def page(title: str, links: dict[str, str], body: str) -> str:
    """Return a whole page; `links` are address -> text, on top of it."""
    top = "".join(f'<a href="{address}">{text}</a>' for address, text in links.items())
    style = STYLE + HtmlFormatter().get_style_defs(".highlight")
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}'
        f'</title><meta name="viewport" content="width=device-width"><style>{style}</style></head>'
        f"<body><nav>{top}</nav><main>{body}</main></body></html>\n"
    )


if __name__ == "__main__":
    where = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "_site")
    print(f"{len(build(where))} pages: open {where / 'README.html'}")
