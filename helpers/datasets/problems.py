"""What the course refuses of an image file, and the sentence that says what to do about it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image, UnidentifiedImageError
from PIL import TiffImagePlugin as tiff

from helpers.errors import CourseError

# A name proves nothing: Pillow would hand an EPS that is called x.png to Ghostscript.
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP")

IMAGE_DEPTH = 32997  # tag of a TIFF whose slices lie in one page

DICOM_SUFFIXES = {".dcm", ".dicom"}

# Kinds of files of which there are no pixels: of "planar or signed" Pillow makes noise, no good
# even for an overview.
LOST = ("cannot be read", "may not be read", "planar or signed", "no pixels", "colour DICOM",
        "needs a decoder")  # fmt: skip

WINDOW = (
    "import numpy as np; from PIL import Image; {}; "
    "Image.fromarray(np.uint8(255 * np.clip((a - low) / (high - low), 0, 1))).save('new.png')"
)


class Problem(CourseError):
    """Why the course refuses an image file; ``str()`` of it is the sentence to show.

    Attributes
    ----------
    file : the file.
    kind : ``"cannot be read"``, ``"may not be read"``, ``"planar or signed"`` (more than 8 bits
        in planes, or signed values), ``"more than 8 bits"``, ``"more channels"``,
        ``"transparent pixels"`` or ``"several pages"``; of DICOM files also ``"no pixels"``,
        ``"colour DICOM"`` or ``"needs a decoder"``.
    """

    def __init__(self, file: Path, kind: str, sentence: str) -> None:
        super().__init__(f"{file} {sentence}")
        self.file, self.kind = file, kind


def open_image(file: Path) -> Image.Image:
    """Open an image in one of `FORMATS` whatever its name says; raises what ``Image.open`` does."""
    return Image.open(file, formats=FORMATS)


def lost_content(file: Path, image: Image.Image) -> Problem | None:
    """Return what of an image eight bits, one page and no background would lose."""
    tags = getattr(image, "tag_v2", {})  # of a TIFF
    # Pillow opens 16-bit colour as plain RGB and drops the low byte. In a PNG only the raw mode
    # tells; the raw modes of a TIFF in planes do not.
    deep = max(tags.get(tiff.BITSPERSAMPLE, (1,))) > 8 or image.mode.startswith(("I", "F"))
    deep |= any(re.search(";16[A-Z]", str(tile.args)) for tile in image.tile)  # no BGR;16
    signed = 2 in tags.get(tiff.SAMPLEFORMAT, ())
    bands, samples = len(image.getbands()), tags.get(tiff.SAMPLESPERPIXEL, 1)
    # Behind the first photograph of a phone's JPEG (MPO) lie previews and depths of the same.
    pages = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
    pages = max(pages, tags.get(IMAGE_DEPTH, 1))
    if samples > bands:
        kind, sentence = "more channels", (
            f"has {samples} channels, of which {bands} would be read. Save those you want to use "
            "as a gray or an RGB image."
        )  # fmt: skip
    elif deep or signed:
        noise = tags.get(tiff.PLANAR_CONFIGURATION) == 2 or not deep
        kind = "planar or signed" if noise else "more than 8 bits"
        sentence = (
            f"has {'more than 8 bits per channel' if deep else 'signed values'} (mode {image.mode})"
            ". The course reads 8 bits, 0 to 255, and which intensity window to keep is your "
            f"decision: {_recipe(file, image, tags)}."
        )
    elif pages > 1:
        kind, sentence = "several pages", (
            f"is a stack of {pages} pages. Save the pages you want to use as single images."
        )  # fmt: skip
    elif image.has_transparency_data and image.convert("RGBA").getextrema()[3][0] < 255:
        kind, sentence = "transparent pixels", (
            "has transparent pixels, and what lies behind them is not in the file. Put it on a "
            "background of your choice and save it without an alpha channel."
        )  # fmt: skip
    else:
        return None
    return Problem(file, kind, sentence)


def unreadable(file: Path, error: Exception) -> Problem:
    """Return the problem of a file that `error` was raised for while it was read."""
    if isinstance(error, Problem):
        return error
    kind = "may not be read" if isinstance(error, PermissionError) else "cannot be read"
    reason = f"{type(error).__name__}: {error}"
    advice = "Replace the file or delete it."
    if isinstance(error, UnidentifiedImageError):
        reason = f"Pillow finds no {', '.join(FORMATS)} in it"
        if file.read_bytes()[:4] in tiff.PREFIXES:  # of floats, for example
            reason = "Pillow does not know this kind of TIFF"
            advice = f"If it is not damaged, {_recipe(file, None, {})}."
        elif file.suffix.lower() in DICOM_SUFFIXES:
            reason = "it has no DICOM header: DICM does not stand behind its first 128 bytes"
            advice = "Export it again as a whole DICOM file (Part 10), or delete it."
    return Problem(file, kind, f"cannot be read as an image ({reason}). {advice}")


def together(problems: Sequence[Problem]) -> CourseError:
    """Return one error for all problems: of each kind one sentence, then the other files."""
    if len(problems) == 1:
        return problems[0]
    text = f"{len(problems):,} image files cannot be used."
    for kind in dict.fromkeys(problem.kind for problem in problems):
        first, *others = (problem for problem in problems if problem.kind == kind)
        text += f" {first}"
        if others:
            names = [str(other.file) for other in others[:9]]  # ten of a kind are enough
            more = f" and {len(others) - len(names):,} more" * (len(others) > len(names))
            text += f" The same kind ({kind}): {', '.join(names)}{more}."
    return CourseError(text)


def _recipe(file: Path, image: Image.Image | None, tags: Mapping[int, object]) -> str:
    """Say how to make 8 bits of a deep image, with a library that reads all of its bits."""
    name, notes = repr(str(file)), ""
    if image and image.mode == "CMYK":
        return "save it as an 8-bit RGB image with a program for photographs"
    if image and image.mode.startswith(("I", "F")):
        code = f"a = np.asarray(Image.open({name}), float)"
    elif image and image.format == "PNG":  # of the installed packages only torchvision reads these
        code = f"from torchvision.io import decode_image; a = decode_image({name}, 'UNCHANGED')"
        code += ".permute(1, 2, 0).double().numpy()"
    else:
        code = f"import tifffile; a = tifffile.imread({name}).astype(float)"
        code += "; a = np.moveaxis(a, 0, -1)" * (tags.get(tiff.PLANAR_CONFIGURATION) == 2)
        notes = " (if it is compressed, pip install imagecodecs may be needed first)"
    if tags.get(tiff.PHOTOMETRIC_INTERPRETATION) == 0:
        notes += " (0 is white in this file, so take low above high)"
    return f"set low and high and run `{WINDOW.format(code)}`{notes}"
