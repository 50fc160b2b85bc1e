"""DICOM: what the pixels mean, what is refused and how, and that nobody's name gets anywhere."""

from __future__ import annotations

import os
import re
import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.pixels import apply_modality_lut, apply_voi_lut

from helpers import advise, datasets, files
from helpers.__main__ import main
from helpers.datasets import decode, dicom, leaks, listing
from helpers.datasets.problems import LOST, Problem
from helpers.errors import CourseError

pytestmark = pytest.mark.usefixtures("private_cache")

RAMP = np.arange(0, 4096, 16, dtype=np.uint16).reshape(16, 16)  # 12 bits, 0 to 4,080
VALUES, UNIT = RAMP.astype(float), RAMP / 4095
WINDOW = {"WindowCenter": 1000, "WindowWidth": 801}  # LINEAR: from 599.5 to 1,399.5
SECRET = "Hildegard"


def film(
    path: Path, values: np.ndarray = RAMP, bits: int = 12, gray: str = "MONOCHROME2", **elements
) -> Path:
    """Write a radiograph of a person; `elements` by keyword, None removes one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = pydicom.Dataset()
    image.ensure_file_meta()
    image.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    image.SOPClassUID = pydicom.uid.ComputedRadiographyImageStorage
    image.SOPInstanceUID = pydicom.uid.generate_uid()
    image.PatientName, image.PatientID, image.PatientSex = f"{SECRET}^A", SECRET, "F"
    image.set_pixel_data(values, gray, bits)
    for keyword, value in elements.items():
        if value is None:
            del image[keyword]
        else:
            setattr(image, keyword, value)
    image.save_as(path, enforce_file_format=True)
    return path


def table(entries, first: int = 0, depth: int = 16, n: int | None = None):
    """Return a sequence with a look-up table, its entries as bytes."""
    item = pydicom.Dataset()
    item.LUTDescriptor = [(len(entries) if n is None else n) % 2**16, first, depth]
    item.add_new("LUTData", "OW", np.asarray(entries, "<u2").tobytes())
    return [item]


def shipped(name: str) -> Path:
    """Return a file that comes inside the pydicom package."""
    return Path(get_testdata_file(name, download=False))


def unit(path: Path) -> np.ndarray:
    return dicom.unit(dicom.header(path))


# ---


@pytest.mark.parametrize(("name", "mean"), [("6154", 0.3833), ("6247", 0.6182), ("6278", 0.4147)])
def test_real_radiographs_come_out_as_they_are_meant_to_be_seen(name, mean):
    """Agfa CR, MONOCHROME1, 12 of 16 bits, slope .684 and intercept 200, window 1600/2800."""
    image = unit(shipped(name))
    assert image.mean() == pytest.approx(mean, abs=1e-4)
    if name == "6154":
        assert (image.min(), image.max()) == pytest.approx((0.3153, 0.5127), abs=1e-4)
    picture, problem = dicom.read(shipped(name))
    assert problem is None
    assert (picture.mode, picture.size) == ("L", (16, 16))
    np.testing.assert_array_equal(picture, np.rint(255 * image))


@pytest.mark.parametrize(
    "name", ["MR_small.dcm", "MR_small_RLE.dcm", "MR_small_jp2klossless.dcm",
             "MR_small_bigendian.dcm", "MR_small_implicit.dcm"],
)  # fmt: skip
def test_however_stored_an_image_is_the_same(name):
    """Signed, 16 bits, window 600/1600 (LINEAR: from -200 to 1399)."""
    plain = pydicom.dcmread(shipped("MR_small.dcm")).pixel_array.astype(float)
    expected = np.clip((plain - 599.5) / 1599 + 0.5, 0, 1)
    np.testing.assert_allclose(unit(shipped(name)), expected, atol=1e-9)


@pytest.mark.parametrize("name", ["693_J2KI.dcm", "J2K_pixelrep_mismatch.dcm", "6924", "2062"])
@pytest.mark.filterwarnings("ignore:The value for the")
def test_pydicoms_own_steps_give_the_same_on_its_own_range(name):
    found = pydicom.dcmread(shipped(name))
    values = apply_voi_lut(apply_modality_lut(found.pixel_array, found), found)
    low = -(2 ** (found.BitsStored - 1)) + float(found.RescaleIntercept)
    np.testing.assert_allclose(
        unit(shipped(name)), (values - low) / (2**found.BitsStored - 1), atol=1e-9
    )


def window(values: np.ndarray) -> np.ndarray:
    """Return what `WINDOW` makes of values (PS3.3, C.11.2.1.2.1)."""
    return np.clip((values - 999.5) / 800 + 0.5, 0, 1)


HALF = {"RescaleSlope": 0.5, "RescaleIntercept": -100}
STEPS = {
    "the range of the stored bits": ({}, UNIT),
    "MONOCHROME1": ({"gray": "MONOCHROME1"}, 1 - UNIT),
    "a slope alone changes nothing": (HALF, UNIT),
    "unless it falls": ({"RescaleSlope": -2, "RescaleIntercept": 9}, 1 - UNIT),
    "a window": (WINDOW, window(VALUES)),
    "MONOCHROME1 comes last": (WINDOW | {"gray": "MONOCHROME1"}, 1 - window(VALUES)),
    "and is what INVERSE says, too": (
        WINDOW | {"gray": "MONOCHROME1", "PresentationLUTShape": "INVERSE"}, 1 - window(VALUES)),
    "a window comes after the slope": (WINDOW | HALF, window(VALUES / 2 - 100)),
    "also a falling one": (
        WINDOW | {"RescaleSlope": -1, "RescaleIntercept": 4000}, window(4000 - VALUES)),
    "an exact window": (
        WINDOW | {"VOILUTFunction": "LINEAR_EXACT"}, np.clip((VALUES - 1000) / 801 + 0.5, 0, 1)),
    "a sigmoid": (
        WINDOW | {"VOILUTFunction": "SIGMOID"}, 1 / (1 + np.exp(-4 * (VALUES - 1000) / 801))),
    "the first of several windows": (
        {"WindowCenter": [1000, 40], "WindowWidth": [801, 80]}, window(VALUES)),
    "an empty window is none": ({"WindowCenter": "", "WindowWidth": ""}, UNIT),
}  # fmt: skip


@pytest.mark.parametrize(("elements", "expected"), STEPS.values(), ids=STEPS)
def test_each_step_of_the_header(tmp_path, elements, expected):
    np.testing.assert_allclose(unit(film(tmp_path / "a.dcm", **elements)), expected, atol=1e-9)


@pytest.mark.parametrize(
    ("bits", "kind", "low", "high"),
    [(8, np.uint8, 0, 255), (12, np.uint16, 0, 4095), (12, np.int16, -2048, 2047),
     (16, np.uint16, 0, 65535)],
)  # fmt: skip
def test_black_and_white_are_the_ends_of_the_stored_bits(tmp_path, bits, kind, low, high):
    values = np.array([[low, low, high], [high, low, low]], kind)
    image = unit(film(tmp_path / "a.dcm", values, bits))
    np.testing.assert_array_equal(image, values == high)


def test_32_bits_are_read_too():
    stored = pydicom.dcmread(shipped("rtdose_1frame.dcm")).pixel_array
    np.testing.assert_allclose(unit(shipped("rtdose_1frame.dcm")), stored / (2**32 - 1))


ENTRIES = np.minimum(np.arange(4096) * 2, 4095)


@pytest.mark.parametrize(
    ("name", "sequence", "expected"),
    [
        ("VOILUTSequence", (ENTRIES, 0, 12), ENTRIES[RAMP] / 4095),
        # Agfa's way: 16 for the bits that are stored, of which 12 are used.
        ("VOILUTSequence", (ENTRIES, 0, 16), ENTRIES[RAMP] / 4095),
        ("VOILUTSequence", (ENTRIES // 16, 0, 8), (ENTRIES // 16)[RAMP] / 255),
        ("VOILUTSequence", (ENTRIES[:1000], 500, 12),
         ENTRIES[np.clip(RAMP.astype(int) - 500, 0, 999)] / 4095),
        ("ModalityLUTSequence", (ENTRIES, 0, 12), ENTRIES[RAMP] / 4095),
        ("ModalityLUTSequence", (ENTRIES * 16, 0, 16), (ENTRIES * 16)[RAMP] / 65535),
    ],
)  # fmt: skip
def test_tables(tmp_path, name, sequence, expected):
    file = film(tmp_path / "a.dcm", **{name: table(*sequence)})
    np.testing.assert_allclose(unit(file), expected, atol=1e-9)
    assert dicom.read(file)[1] is None


def test_a_table_goes_before_a_window_and_after_the_slope(tmp_path):
    elements = {"VOILUTSequence": table(ENTRIES, 100, 12), "RescaleSlope": 0.5,
                "RescaleIntercept": 100, "gray": "MONOCHROME1"}  # fmt: skip
    image = unit(film(tmp_path / "a.dcm", **elements, **WINDOW))
    np.testing.assert_allclose(image, 1 - ENTRIES[RAMP // 2] / 4095, atol=1e-9)


def test_tables_of_8_bits_stored_in_bytes(tmp_path):
    sequence = table([])
    sequence[0].LUTDescriptor = [256, 0, 8]
    sequence[0].LUTData = np.arange(256, dtype=np.uint8)[::-1].tobytes()
    values = np.arange(256, dtype=np.uint8).reshape(16, 16)
    image = unit(film(tmp_path / "a.dcm", values, 8, VOILUTSequence=sequence))
    np.testing.assert_allclose(image, 1 - values / 255, atol=1e-9)


def test_a_modality_table_then_a_window(tmp_path):
    elements = {"ModalityLUTSequence": table(ENTRIES, 0, 16), **WINDOW}
    expected = np.clip((ENTRIES[RAMP] - 999.5) / 800 + 0.5, 0, 1)
    np.testing.assert_allclose(unit(film(tmp_path / "a.dcm", **elements)), expected, atol=1e-9)


# ---


def cut(path: Path, share: float) -> Path:
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    return path


def replaced(path: Path, name: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(shipped(name).read_bytes())
    return path


THIN = (RAMP // 16 + 1000).astype(np.uint16)  # 256 of 65,536 values

ODD = [
    (lambda path: replaced(path, "rtplan.dcm"), "no pixels", "without pixels"),
    (lambda path: cut(film(path), 0.4), "no pixels", "cut off"),
    (lambda path: replaced(path, "MR_truncated.dcm"), "cannot be read", "cut off or damaged"),
    (lambda path: cut(film(path), 0.9), "cannot be read", "cut off or damaged"),
    (lambda path: cut(replaced(path, "MR_small_RLE.dcm"), 0.9), "no pixels", "cut off"),
    (lambda path: replaced(path, "badVR.dcm"), "cannot be read", r"\(ValueError\)"),
    (lambda path: replaced(path, "meta_missing_tsyntax.dcm"), "cannot be read", "lacks"),
    (lambda path: replaced(path, "no_meta.dcm"), "cannot be read", "no DICOM header"),
    (lambda path: replaced(path, "examples_rgb_color.dcm"), "colour DICOM", "colour.*PNG"),
    (lambda path: replaced(path, "examples_palette.dcm"), "colour DICOM", "colour.*PNG"),
    (lambda path: replaced(path, "examples_ybr_color.dcm"), "colour DICOM", "colour.*PNG"),
    (lambda path: replaced(path, "rtdose.dcm"), "several pages", "several frames"),
    (lambda path: replaced(path, "liver_1frame.dcm"), "several pages", "several frames"),
    (lambda path: replaced(path, "CT_small.dcm"), "more than 8 bits", "no window.*fill 8 of 256"),
    (lambda path: film(path, THIN, 16), "more than 8 bits", "no window.*fill 1 of 256"),
    (lambda path: film(path, HighBit=15), "cannot be read", r"\(ValueError\)"),
    (lambda path: film(path, RescaleSlope=0, RescaleIntercept=1), "cannot be read", "contradicts"),
    (lambda path: film(path, RescaleSlope=2), "cannot be read", "lacks"),
    (lambda path: film(path, WindowCenter=9, WindowWidth=0), "cannot be read", "contradicts"),
    (
        lambda path: film(path, VOILUTSequence=table([1, 2, 3], n=9)),
        "cannot be read",
        "contradicts",
    ),
    (lambda path: film(path, VOILUTSequence=table([0] * 9)), "cannot be read", "contradicts"),
    (lambda path: film(path, VOILUTFunction="ODD", **WINDOW), "cannot be read", "contradicts"),
    (lambda path: film(path, Rows=None), "cannot be read", "lacks"),
    (lambda path: film(path, Rows=60_000, Columns=60_000), "cannot be read", "BombError"),
]


@pytest.mark.parametrize(("write", "kind", "said"), ODD)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_what_cannot_be_used_is_one_sentence_and_in_an_overview_the_rest_is_read(
    tmp_path, private_cache, write, kind, said
):
    good, odd = film(tmp_path / "good.dcm"), write(tmp_path / "odd.dcm")
    with pytest.raises(Problem, match=rf"(?s)^\S+odd\.dcm .*{said}") as raised:
        decode.decode_parts(tmp_path, {"train": [good, odd]}, 16, "auto")
    assert not list(private_cache.rglob("*.npy"))
    images, (problem,) = decode.decode_files([odd, good], 16, 1, collect=True)
    assert (problem.file, problem.kind, str(problem)) == (odd, kind, str(raised.value))
    np.testing.assert_array_equal(images[1, ..., 0], np.rint(255 * UNIT))
    assert (kind in LOST) == (not images[0].any()) or kind == "several pages"


def test_a_packed_file_without_its_unpacker_says_what_to_install(tmp_path, monkeypatch):
    for name in ("MR_small_jpeg_ls_lossless.dcm", "JPGExtended.dcm"):
        decoder = pydicom.pixels.get_decoder(
            pydicom.dcmread(shipped(name)).file_meta.TransferSyntaxUID
        )
        monkeypatch.setattr(decoder, "_available", {})
        with pytest.raises(Problem, match=r"compressed .*JPEG.*pip install pylibjpeg ") as raised:
            dicom.read(shipped(name))
        assert raised.value.kind == "needs a decoder"
        assert raised.value.kind in LOST


def test_the_line_that_sets_a_window_works(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = film(tmp_path / "it's odd.dcm", THIN, 16)
    line = re.search("`(.*)`", str(dicom.read(file)[1]))[1]
    exec(line, {"center": 1128, "width": 256})
    picture, problem = dicom.read(tmp_path / "new.dcm")
    assert problem is None
    assert np.abs(np.asarray(picture, int) - RAMP // 16).max() <= 1


def test_for_an_overview_thin_values_are_stretched(tmp_path):
    images, _ = decode.decode_files([film(tmp_path / "a.dcm", THIN, 16)], 16, 3, collect=True)
    assert (images.min(), images.max()) == (0, 255)


def test_a_dcm_without_a_header_is_refused(tmp_path):
    (tmp_path / "a.DCM").write_bytes(b"HTML" * 99)
    with pytest.raises(Problem, match="no DICOM header"):
        decode.decode_files([tmp_path / "a.DCM"], 8, 1)


def test_an_image_is_what_its_bytes_say(tmp_path):
    Image.new("L", (8, 8), 90).save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(tmp_path / "a.dcm")
    assert (decode.decode_files([tmp_path / "a.dcm"], 8, 1)[0] == 90).all()


# ---


def test_nothing_of_a_person_is_read_shown_or_stored(tmp_path, private_cache, capfd):
    """Not even where the header is wrong, of which pydicom warns by showing it."""
    folder = tmp_path / "images"
    people = {"PatientName": f"{SECRET}^B", "PatientComments": SECRET, "StudyID": SECRET,
              "InstitutionName": SECRET, "OperatorsName": [SECRET, SECRET]}  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for k, name in enumerate(("ill", "well")):
            for i in range(12):
                values = (RAMP // 2 + 900 * k + 31 * i).astype(np.uint16)
                file = film(folder / name / f"{i}.dcm", values, **people, PatientBirthDate=SECRET)
        bad = [film(tmp_path / "b.dcm", **people, WindowCenter=1, WindowWidth=0),
               cut(film(tmp_path / "c.dcm", **people), 0.9)]  # fmt: skip
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        header = dicom.header(file)
        data = datasets.load(f"folder:{folder}", size=16)
        _, problems = decode.decode_files(bad, 16, 1, collect=True)
        assert "PatientName" in dicom.identifying(pydicom.dcmread(file))
    assert dicom.identifying(header) == []
    assert len(problems) == 2
    shown = [str(header), str(header.file_meta), str(data.card), *map(str, problems),
             *(str(warning.message) for warning in caught), *capfd.readouterr()]  # fmt: skip
    assert SECRET not in "".join(shown)
    stored = [path for path in private_cache.rglob("*") if path.is_file()]
    assert stored
    for path in stored:
        assert SECRET.encode() not in path.read_bytes()
        assert SECRET not in path.name


def test_identifying_elements_are_named_wherever_they_stand_and_no_value_is(tmp_path):
    inner = pydicom.Dataset()
    inner.ReferringPhysicianName = f"{SECRET}^C"
    file = film(
        tmp_path / "a.dcm", StudyDate="19991231", PatientAge="033Y", PatientWeight=70,
        AccessionNumber="", PatientPosition="HFS", BodyPartExamined="CHEST",
        RequestAttributesSequence=[inner], **WINDOW,
    )  # fmt: skip
    whole = pydicom.dcmread(file)
    assert dicom.identifying(whole) == [
        "ImplementationVersionName", "MediaStorageSOPInstanceUID", "PatientAge", "PatientID",
        "PatientName", "PatientSex", "PatientWeight", "ReferringPhysicianName", "SOPInstanceUID",
        "StudyDate",
    ]  # fmt: skip
    whole.private_block(0x0011, "somebody", create=True).add_new(1, "LO", SECRET)
    whole.add_new(0x60003000, "OW", b"12")
    assert {"private", "OverlayData"} <= set(dicom.identifying(whole))
    assert {"AccessionNumber", "PatientPosition"}.isdisjoint(dicom.identifying(whole))


def test_what_is_read_of_a_header_identifies_nobody():
    vr, personal = pydicom.datadict.dictionary_VR, re.compile(dicom.FACTS["personal"])
    for keyword in dicom.FACTS["read"]:
        assert vr(keyword) not in dicom.FACTS["typed"]
        assert not personal.search(keyword)
    for name in ("6154", "liver_1frame.dcm", "CT_small.dcm"):
        assert dicom.identifying(dicom.header(shipped(name))) == []
        assert len(dicom.identifying(pydicom.dcmread(shipped(name)))) > 20


def test_every_kind_has_its_sentence_in_the_advice_too():
    kinds = set(dicom.FACTS["sentences"])
    assert kinds - {"several pages", "more than 8 bits"} <= set(LOST)
    advice = files.resource("templates/advice.md").read_text("utf-8")
    assert all(f'"{kind}": "' in advice for kind in kinds | set(LOST))


# ---


def test_a_folder_takes_dicom_files_beside_images_and_by_their_first_bytes(tmp_path):
    for k, name in enumerate(("ill", "well")):
        for i, file in enumerate(("{}.dcm", "IM0000{}", "1.2.840.{}", "{}.DICOM")):
            film(tmp_path / name / file.format(10 * k + i))
        Image.fromarray(np.rint(255 * UNIT).astype(np.uint8)).save(tmp_path / name / "x.png")
        (tmp_path / name / "README").write_text("no image")
        (tmp_path / name / "DICOMDIR").write_bytes(bytes(128) + b"DICM")
        os.mkfifo(tmp_path / name / "PIPE")
    found = listing.list_folder(tmp_path)
    assert len(found.files) == 10
    assert found.skipped == {"no suffix": 4}
    images, problems = decode.decode_files(found.files, 16, 3)
    assert not problems
    assert decode.is_gray(images)
    assert np.abs(images[..., 0] - np.rint(255 * UNIT)).max() <= 1
    headers = leaks.headers(found.files)
    assert headers["format"].value_counts().to_dict() == {"DICOM MONOCHROME2": 8, "PNG": 2}
    assert set(headers["size"]) == {(16, 16)}
    assert set(headers["mode"]) == {"L"}


def test_the_crop_of_a_dicom_file_is_told(tmp_path):
    file = film(tmp_path / "a.dcm", np.repeat(RAMP, 4, axis=1))
    np.testing.assert_allclose(decode.cut_away(tmp_path, [file]), 0.75)


def test_train_and_advise_on_dicom_files(tmp_path, monkeypatch, capsys):
    rng = np.random.default_rng(0)
    for k, name in enumerate(("ill", "well")):
        for i in range(16):
            values = (rng.integers(0, 1500, (40, 36)) + 1600 * k).astype(np.uint16)
            film(tmp_path / "images" / name / f"{k}{i}.dcm", values, gray="MONOCHROME1")
    folder = str(tmp_path / "images")
    assert main(["train", "--dataset", f"folder:{folder}", "--size", "32", "--epochs", "1",
                 "--strategy", "feature_extraction"]) == 0  # fmt: skip
    assert "AUC" in capsys.readouterr().out
    replaced(tmp_path / "images" / "ill" / "plan.dcm", "rtplan.dcm")
    monkeypatch.setattr(advise, "seconds_per_image", lambda images: 0.01)
    assert main(["advise", folder]) == 0
    text = capsys.readouterr().out
    for fact in ("33 images by their names", "all 36 x 40 pixels", "Stored as DICOM MONOCHROME1",
                 "the content is gray"):  # fmt: skip
        assert fact in text
    assert SECRET not in text


def test_advice_names_what_training_would_refuse(tmp_path, monkeypatch, capsys):
    for name in ("ill", "well"):
        for i in range(12):
            film(tmp_path / name / f"{i}.dcm", (RAMP // 2 + 90 * i).astype(np.uint16))
    for i in range(6):
        film(tmp_path / "ill" / f"plan{i}.dcm", PixelData=None)
        film(tmp_path / "ill" / f"red{i}.dcm", np.zeros((9, 9, 3), np.uint8), 8, "RGB")
    monkeypatch.setattr(advise, "seconds_per_image", lambda images: 0.01)
    assert main(["advise", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "are DICOM files without pixels" in text
    assert "are DICOM files in colour" in text
    with pytest.raises(CourseError, match="12 image files cannot be used"):
        datasets.load(f"folder:{tmp_path}", size=32)
