"""DICOM files to gray images of 8 bits, as their headers say they are meant to be seen.

The order is that of the standard (PS3.3, C.7.6.3.1.2 and C.11): stored values; slope and intercept,
or the modality table; window, or the VOI table; the known range to 0..1; and only then the turn of
MONOCHROME1, in which large values are dark. No image is stretched between its own lowest and
highest value. Presentation tables are not applied: the shape INVERSE says of a MONOCHROME1 image
once more what has been done then.

Of a header only what says how the pixels are stored and meant is read ("read" in data/dicom.json),
so names, dates and numbers of people never get into memory.

Tried with real files, those in the pydicom package: CR, CT, MR, dose; plain in four encodings, RLE,
JPEG 2000, deflated; by hand, with packages that are no part of the course, JPEG-LS and JPEG of 12
bits. Only with files made by the tests: tables, exact and sigmoid windows, falling slopes.
"""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path

import numpy as np
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.datadict import dictionary_VR, keyword_for_tag
from pydicom.pixels import apply_windowing, get_decoder, pixel_array

from helpers import files
from helpers.datasets.problems import Problem

FACTS = json.loads(files.resource("dicom.json").read_text("utf-8"))

FEWEST = 32  # gray levels that must be left of an image of more than 8 bits without a window


def is_dicom(file: Path) -> bool:
    """Tell by its first 132 bytes whether an ordinary file is DICOM (PS3.10), however named."""
    with contextlib.suppress(OSError), file.open("rb") as opened:
        return opened.read(132)[128:] == b"DICM"
    return False


def header(file: Path, *, pixels: bool = True) -> Dataset:
    """Read what a DICOM file says of its pixels, and nothing of whom they show.

    Parameters
    ----------
    pixels : with the stored pixels; without, they are not read from the disk.

    Raises
    ------
    Exception
        Whatever pydicom raises on a damaged file, which may quote from it.
    """
    found = dcmread(file, stop_before_pixels=not pixels, specific_tags=FACTS["read"])
    for name in identifying(found.file_meta):
        del found.file_meta[name]
    if "SharedFunctionalGroupsSequence" in found:  # that it is there says enough
        found.SharedFunctionalGroupsSequence = []
    return found


def unit(header: Dataset) -> np.ndarray:
    """Return the image (of several frames the first) as it is meant to be seen: float64 ``(H, W)``.

    0 is black and 1 is white, the ends of what the header allows; of several windows the first.

    Parameters
    ----------
    header : from `header`, or all of it as pydicom reads it.

    Raises
    ------
    Exception
        Whatever pydicom raises on a header that contradicts itself, which may quote from it.
    """
    stored, bits = pixel_array(header, index=0), header.BitsStored
    ends = np.array([0, 2.0**bits - 1]) - (2.0 ** (bits - 1) if header.PixelRepresentation else 0)
    odd = stored.ndim != 2 or header.get("HighBit", bits - 1) != bits - 1
    if odd or stored.min() < ends[0] or stored.max() > ends[1]:
        raise ValueError("not one value a pixel, or values outside of the stored bits")
    # What becomes of a value is worked out once, not once a pixel; of 32 bits there are too many.
    # Values below 0 stand at the end, where numpy looks for positions below 0.
    values = stored if bits > 16 else np.roll(np.arange(ends[0], ends[1] + 1), int(ends[0]))
    if tables := header.get("ModalityLUTSequence"):
        values, ends = _looked_up(values, header, tables[0])
    elif (slope := header.get("RescaleSlope")) is not None:
        slope, intercept = float(slope), float(header.RescaleIntercept)
        values, ends = slope * values + intercept, np.sort(slope * ends + intercept)
    if tables := header.get("VOILUTSequence"):
        values, ends = _looked_up(values, header, tables[0])
    elif _has_window(header):  # its ends are what it makes of the least and the greatest
        values, ends = (apply_windowing(x, header) for x in (values, np.array([-np.inf, np.inf])))
    with np.errstate(divide="ignore", invalid="ignore"):
        image = (values - ends[0]) / (ends[1] - ends[0])
    image = image[stored] if bits <= 16 else image
    if not -1e-6 <= image.min() <= image.max() <= 1 + 1e-6:  # nor NaN
        raise ValueError("values outside of the range that the header states")
    image = np.clip(image, 0, 1)
    return 1 - image if header.PhotometricInterpretation == "MONOCHROME1" else image


def read(file: Path) -> tuple[Image.Image, Problem | None]:
    """Return a DICOM file as a gray image of 8 bits, and what speaks against training on it.

    For an overview the image is there all the same: the first of several frames, and what would
    be left with too few gray levels in the window from its lowest to its highest value.

    Raises
    ------
    Problem
        When there is no such image (its kind is one of `helpers.datasets.problems.LOST`). It
        never holds the words of pydicom, which may quote the header.
    """
    found = None
    try:
        found = header(file)
        if "PixelData" not in found:
            raise _problem(file, "no pixels")
        if found.PhotometricInterpretation not in ("MONOCHROME1", "MONOCHROME2"):
            raise _problem(file, "colour DICOM")
        if found.Rows * found.Columns > 2 * Image.MAX_IMAGE_PIXELS:
            raise Image.DecompressionBombError  # Pillow's limit: a small file may unpack to much
        image, problem = unit(found), None
        if int(found.get("NumberOfFrames") or 1) > 1 or "SharedFunctionalGroupsSequence" in found:
            problem = _problem(file, "several pages")
        levels, window = 256 * np.ptp(image), found.get("VOILUTSequence") or _has_window(found)
        if not problem and found.BitsStored > 8 and levels < FEWEST and not window:
            problem = _problem(file, "more than 8 bits", round(levels), str(file))
            image = (image - image.min()) / max(np.ptp(image), 1e-12)
        return Image.fromarray(np.rint(255 * image).astype(np.uint8)), problem
    except Exception as error:
        raise _refusal(file, error, found) from None


def identifying(header: Dataset) -> list[str]:
    """Return which elements of a header can say who somebody is: keywords, never values.

    Names, dates and ages; all that was typed; numbers of instances, devices and places; what
    private elements and those unknown to pydicom hold, nobody can tell ("private"). Empty elements
    are left out. The rule finds all but five of the 562 elements, sequences not counted, that the
    standard's list of what to remove or replace has in common with pydicom (PS3.15, E.1), and
    others, too, such as the maker of a machine. Names burnt into the pixels are in no header.

    Parameters
    ----------
    header : all of it, as ``pydicom.dcmread(file, stop_before_pixels=True)`` returns it.
    """
    found = set(identifying(header.file_meta)) if hasattr(header, "file_meta") else set()
    for tag in list(header.keys()):  # to iterate over the header would decode every value
        keyword = "" if tag.is_private else keyword_for_tag(tag)
        kind = dictionary_VR(tag) if keyword else ""
        if kind == "SQ":
            found.update(name for item in header[tag].value or () for name in identifying(item))
        # Undecoded, too, a value is there or not; of an impossible date pydicom would warn by
        # showing it.
        elif not keyword or kind in FACTS["typed"] or re.search(FACTS["personal"], keyword):
            found |= {keyword or "private"} if header.get_item(tag).value else set()
    return sorted(found)


def _problem(file: Path, kind: str, *facts: object) -> Problem:
    return Problem(file, kind, FACTS["sentences"][kind].format(*facts))


def _refusal(file: Path, error: Exception, header: Dataset | None) -> Problem:
    if isinstance(error, Problem):
        return error
    with contextlib.suppress(Exception):  # of no header, or one that says nonsense
        decoder = get_decoder(header.file_meta.TransferSyntaxUID)
        # The others call themselves able to read JPEG of 12 bits, and read 8.
        only_8 = "12Bit" in decoder.UID.keyword and "pylibjpeg" not in decoder.available_plugins
        if only_8 or not decoder.is_available:
            return _problem(file, "needs a decoder", decoder.UID.name)
    return _problem(file, "cannot be read", type(error).__name__)


def _has_window(header: Dataset) -> bool:
    return None not in (header.get("WindowCenter"), header.get("WindowWidth"))


def _looked_up(values: np.ndarray, header: Dataset, table: Dataset) -> list[np.ndarray]:
    """Return what a table makes of `values`, and the ends of what it can make.

    Not with pydicom's functions: of a table with entries of 8 bits they count rows up to 255 and
    then from 0 again, and a modality table of 12 bits they refuse.
    """
    n, first, depth = table.LUTDescriptor
    entries, n = table.LUTData, n or 2**16
    if isinstance(entries, bytes):
        two = "<u2" if header.original_encoding[1] else ">u2"
        entries = np.frombuffer(entries, two if len(entries) >= 2 * n else np.uint8)
    entries = np.asarray(entries)[:n]
    if len(entries) < n:
        raise ValueError("a table with fewer entries than it states")
    if depth == 16:  # Agfa's devices write so of 12 bits, too: how many are stored, not used
        depth = int(entries.max()).bit_length()
    rows = np.clip(np.rint(values) - first, 0, n - 1).astype(np.int64)
    return [entries[rows].astype(np.float64), np.array([0, 2.0**depth - 1])]
