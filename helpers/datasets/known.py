"""What is known of image folders that the course meets by a bare name."""

from __future__ import annotations

from typing import TypedDict


class About(TypedDict, total=False):
    """Facts for the card of an image folder; what is left out gets a neutral default."""

    title: str
    domain: str
    source: str
    terms: str
    caveat: str
    group_pattern: str


KNOWN: dict[str, About] = {
    "chest_xray": {
        "title": "chest X-rays, children",
        "domain": "chest X-rays",
        "source": "Kermany et al., Cell 172 (2018), children's chest X-rays from Guangzhou",
        "terms": "CC BY 4.0",
        "caveat": (
            "The numbers in the file names are taken for patients, which nobody has confirmed. "
            "They seem to restart for bacterial and viral pneumonia: with that word included, no "
            "number lies in both train/ and test/."
        ),
        "group_pattern": r"person\d+|(?:NORMAL2-)?IM-\d+",
    },
    "flowers": {
        "title": "flowers, photographs",
        "domain": "photographs",
        "source": "photographs of five kinds of flowers from public photo sites",
        "terms": "the photographers'; for measuring only",
    },
    "hymenoptera": {
        "title": "ants and bees, photographs",
        "domain": "photographs",
        "source": "the set of PyTorch's transfer-learning tutorial, drawn from ImageNet",
        "terms": "the photographers'; for measuring only",
        "caveat": (
            "Drawn from ImageNet itself, so ImageNet weights have probably seen these images, "
            "test images included."
        ),
    },
}

# For figures and tables: what has to stand beside the numbers of a set.
SHORT_CAVEATS = {"hymenoptera": "drawn from ImageNet"}
