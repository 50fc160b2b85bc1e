"""Sphinx's settings for the site (site/pages.py); nothing in it asks another machine."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import sources

project = "Transfer learning with pretrained CNNs"
author = copyright = "The transfer-learning-course project"
html_title = project
language = "en"
extensions = ["myst_nb"]
root_doc = "index"
exclude_patterns = ["_extra", "_build"]

nb_execution_mode = "off"  # the pages show what is stored
nb_ipywidgets_js = {}  # widgets would be loaded from elsewhere
nb_output_stderr = "remove"
nb_merge_streams = True
myst_heading_anchors = 4
suppress_warnings = ["myst.header", "misc.highlighting_failure"]

html_theme = "sphinx_book_theme"
html_theme_options = {
    "extra_footer": sources.footer(),
    "show_toc_level": 2,
    "use_download_button": False,
    "use_fullscreen_button": False,
    "use_sidenotes": False,
    "home_page_in_toc": False,
    "navbar_persistent": [],  # the search stands in the side bar
}
html_context = {"default_mode": "auto"}
html_static_path = [str(Path(__file__).parent / "theme" / "static")]
html_css_files = ["site.css"]
html_extra_path = ["_extra"]
html_copy_source = False
html_show_sourcelink = False
html_show_search_summary = False  # it would fetch pages, which file:// does not allow
html_permalinks = False


def setup(app) -> None:
    """Take the pictures' folder from beside the sources, not from beside this file."""
    app.connect("config-inited", _beside_the_sources)


def _beside_the_sources(app, config) -> None:
    config.html_extra_path = [str(Path(app.srcdir) / "_extra")]
