import re

from helpers.lab.drawings import STYLE
from helpers.plots.style import ACCENT, FROZEN, INK


def test_the_page_has_the_colours_of_the_figures():
    found = dict(re.findall(r"--lab-(ink|accent|line): (#\w{6});", STYLE))
    assert {name: value.lower() for name, value in found.items()} == {
        "ink": INK.lower(), "accent": ACCENT.lower(), "line": FROZEN.lower(),
    }  # fmt: skip
