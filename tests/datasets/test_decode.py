from __future__ import annotations

import os
import re
import struct
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from helpers.datasets import decode, elpv
from helpers.datasets.folder import load_folder
from helpers.errors import CourseError

pytestmark = pytest.mark.usefixtures("private_cache")


def read(path: Path, size: int = 10, channels: int = 3) -> np.ndarray:
    return decode.decode_files([path], size, channels)[0][0]


def save_pixels(path: Path, pixels: np.ndarray) -> Path:
    Image.fromarray(pixels).save(path)
    return path


@pytest.mark.parametrize("shape", [(80, 40), (40, 64), (30, 30), (7, 5)])
def test_shorter_side_is_resized_and_the_centre_kept(root, shape):
    noise = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    high, wide = (round(length * 10 / min(shape)) for length in shape)
    whole = Image.fromarray(noise).resize((wide, high), Image.Resampling.BICUBIC)
    top, left = (high - 10) // 2, (wide - 10) // 2
    expected = np.asarray(whole)[top : top + 10, left : left + 10].astype(int)
    assert np.abs(read(save_pixels(root / "x.png", noise)) - expected).max() <= 1


def test_shrinking_is_antialiased(root):
    board = (np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)
    small = read(save_pixels(root / "x.png", board), 8, 1)
    assert np.abs(small.astype(int) - 127).max() <= 8


def test_exif_orientation_is_applied(root):
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying on its side: the left edge is the true top
    image = Image.new("L", (20, 20), 0)
    image.paste(255, (0, 0, 10, 20))
    image.save(root / "x.jpg", exif=exif, quality=95)
    pixels = read(root / "x.jpg", 20, 1)
    assert pixels[:8].min() > 200
    assert pixels[12:].max() < 50


@pytest.mark.parametrize(
    ("mode", "colour", "file", "expected"),
    [
        ("L", 90, "x.png", (90, 90, 90)),
        ("1", 1, "x.png", (255, 255, 255)),
        ("LA", (90, 255), "x.png", (90, 90, 90)),
        ("RGB", (10, 20, 30), "x.bmp", (10, 20, 30)),
        ("RGB", (10, 20, 30), "x.TIFF", (10, 20, 30)),
        ("RGBA", (10, 20, 30, 255), "x.png", (10, 20, 30)),
        ("CMYK", (0, 0, 0, 0), "x.jpg", (255, 255, 255)),
    ],
)
def test_modes(draw, mode, colour, file, expected):
    path = draw(file, colour, mode)
    assert (read(path) == np.array(expected)).all()
    assert read(path, channels=1).shape == (10, 10, 1)


def test_a_palette_is_looked_up_before_resizing(root):
    colours = Image.new("RGB", (20, 20), (200, 0, 0))
    colours.paste((0, 0, 200), (10, 0, 20, 20))
    colours.quantize(2).save(root / "x.png")
    assert np.abs(read(root / "x.png", 5)[:, 2] - [100.0, 0, 100]).max() <= 3


def draw_parts(fill) -> dict[str, list[Path]]:
    root = fill({"train": 4, "test": 2})
    return {part: sorted((root / part).iterdir()) for part in ("train", "test")}


@pytest.mark.parametrize(
    ("mode", "colour", "channels", "expected"),
    [
        ("L", 90, "auto", 1),
        ("RGB", (90, 90, 90), "auto", 1),
        ("RGB", (90, 92, 91), "auto", 1),
        ("RGB", (90, 93, 91), "auto", 3),
        ("RGBA", (90, 90, 90, 255), "auto", 1),
        ("L", 90, 3, 3),
        ("RGB", (250, 0, 0), 1, 1),
    ],
)
def test_one_image_decides_the_channels_of_all_parts(
    root, fill, draw, mode, colour, channels, expected
):
    parts = draw_parts(fill)
    parts["test"].append(draw("test/odd.png", colour, mode))
    images = decode.decode_parts(root, parts, 8, channels)
    assert {part: array.shape for part, array in images.items()} == {
        "train": (4, 8, 8, expected),
        "test": (3, 8, 8, expected),
    }
    assert images["train"][:, 4, 4, 0].tolist() == [0, 1, 2, 3]
    pixel = Image.new(mode, (1, 1), colour)
    wanted = pixel.convert("L" if expected == 1 else "RGB").getpixel((0, 0))
    tolerance = decode.GRAY_TOLERANCE if expected == 1 else 0
    assert np.abs(images["test"][-1, 4, 4] - np.array(wanted, int)).max() <= tolerance


def cut_off(path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (60, 60, 3), dtype=np.uint8)
    path.write_bytes(save_pixels(path, noise).read_bytes()[:3000])


def raw_png(colour: int, values: np.ndarray):
    """Return a function that writes 16-bit ``(H, W, C)`` as the PNG colour type `colour`.

    Pillow reads such files but writes only gray ones.
    """
    height, width, _ = values.shape

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0))
    lines = b"".join(b"\0" + line.tobytes() for line in values.astype(">u2"))
    whole = header + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    return lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n" + whole)


def tiff(values: np.ndarray, photometric: str = "minisblack", **options):
    return lambda path: tifffile.imwrite(path, values, photometric=photometric, **options)


DEEP = (np.arange(48).reshape(4, 4, 3) * 80 + 100).astype(np.uint16)  # 100 to 3,860
OPAQUE = np.full((4, 4, 1), 65535, np.uint16)
PLANES = {"photometric": "rgb", "planarconfig": "separate"}


def stack_of_pages(path: Path) -> None:
    pages = [Image.new("L", (8, 8), shade) for shade in (9, 90, 200)]
    pages[0].save(path, save_all=True, append_images=pages[1:])


def plain(mode: str, colour, **options):
    return lambda path: Image.new(mode, (8, 8), colour).save(path, **options)


ODD = [
    ("odd.png", lambda path: path.write_bytes(b"not an image"), "cannot be read", "as an image"),
    ("odd.png", lambda path: path.write_bytes(b""), "cannot be read", "as an image"),
    ("odd.png", cut_off, "cannot be read", "as an image"),
    ("odd.jpg", lambda path: path.symlink_to("nowhere.jpg"), "cannot be read", "as an image"),
    ("odd.png", os.mkfifo, "cannot be read", "not a regular file"),
    ("odd.png", lambda path: Image.new("1", (20_000, 10_000)).save(path), "cannot be read", "bomb"),
    ("odd.png", plain("I;16", 1000), "more than 8 bits", "8 bits.*intensity window.*np.uint8"),
    ("odd.tif", plain("I", 1000), "more than 8 bits", "8 bits per channel"),
    ("odd.tif", plain("F", 0.5), "more than 8 bits", "8 bits per channel"),
    ("odd.png", raw_png(2, DEEP), "more than 8 bits", "8 bits per channel"),
    ("odd.tif", tiff(DEEP, "rgb"), "more than 8 bits", "8 bits per channel"),
    ("odd.tif", tiff(DEEP.T, **PLANES), "planar or signed", "8 bits per channel"),
    ("odd.tif", tiff(np.int8(DEEP[..., 0] // 40)), "planar or signed", "has signed values"),
    ("odd.tif", tiff(np.float64(DEEP[..., 0])), "cannot be read", "this kind of TIFF.*tifffile"),
    ("odd.tif", tiff(np.uint8(DEEP[..., :2]), extrasamples=["unspecified"], planarconfig="contig"),
     "more channels", "2 channels, of which 1"),
    ("odd.png", stack_of_pages, "several pages", "stack of 3 pages"),
    ("odd.webp", stack_of_pages, "several pages", "stack of 3 pages"),
    ("odd.png", lambda path: stack_of_pages(path.with_suffix(".gif")) or
     path.with_suffix(".gif").rename(path), "several pages", "stack of 3 pages"),
    ("odd.png", Path.mkdir, "cannot be read", "not a regular file"),
    ("odd.png", lambda path: path.write_bytes(b"P6 1 1 65535\n123456"), "cannot be read", "no BMP"),
    ("odd.png", plain("RGBA", (9, 9, 9, 254)), "transparent pixels", "transparent pixels"),
    ("odd.png", plain("P", 0, transparency=0), "transparent pixels", "transparent pixels"),
    ("odd.tif", stack_of_pages, "several pages", "stack of 3 pages"),
]  # fmt: skip


@pytest.mark.parametrize("channels", ["auto", 1, 3])
@pytest.mark.parametrize(("file", "write", "kind", "said"), ODD)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_an_image_that_cannot_be_used_is_named_and_in_an_overview_the_rest_is_read(
    root, fill, private_cache, file, write, kind, said, channels
):
    parts = draw_parts(fill)
    odd = root / "test" / file
    write(odd)
    parts["test"].append(odd)
    with pytest.raises(decode.Problem, match=rf"(?s)test.{file}.*{said}") as raised:
        decode.decode_parts(root, parts, 8, channels)
    assert not list(private_cache.rglob("*.npy"))
    if channels != "auto":
        files = [odd, *parts["train"]]
        images, (problem,) = decode.decode_files(files, 8, channels, collect=True)
        assert (problem.file, problem.kind, str(problem)) == (odd, kind, str(raised.value))
        assert images[1:, 0, 0, 0].tolist() == [0, 1, 2, 3]


def test_files_without_permission_are_told_from_damaged_ones(draw, monkeypatch):
    def denied(*_, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Image, "open", denied)
    _, (problem,) = decode.decode_files([draw("a.png")], 8, 3, collect=True)
    assert problem.kind == "may not be read"


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [("RGBA", (9, 9, 9, 0), 255), ("RGBA", (9, 9, 9, 255), 9), ("LA", (100, 51), 224)],
)
def test_for_an_overview_transparent_pixels_lie_on_white(draw, mode, colour, expected):
    images, _ = decode.decode_files([draw("a.png", colour, mode)], 8, 3, collect=True)
    assert (images == expected).all()


def test_for_an_overview_deep_images_are_read_in_their_own_window(tmp_path):
    values = np.linspace(100, 300, 64 * 64).reshape(64, 64).astype(np.uint16)
    file = save_pixels(tmp_path / "a.png", values)
    images, _ = decode.decode_files([file], 64, 1, collect=True)
    assert (images.min(), images.max()) == (0, 255)


@pytest.mark.parametrize("values", [DEEP, np.concatenate([DEEP, OPAQUE], -1)], ids=["RGB", "RGBA"])
def test_for_an_overview_deep_colour_is_read_in_its_own_window(tmp_path, values):
    raw_png(2 if values.shape[-1] == 3 else 6, values)(tmp_path / "a.png")
    images, (problem,) = decode.decode_files([tmp_path / "a.png"], 4, 3, collect=True)
    assert problem.kind == "more than 8 bits"
    assert (images.min(), images.max()) == (0, 255)


@pytest.mark.parametrize(
    ("file", "write", "values"),
    [
        ("old.png", raw_png(0, DEEP[..., :1]), DEEP[..., 0]),
        ("old.png", raw_png(2, DEEP), DEEP),
        ("old.png", raw_png(4, np.concatenate([DEEP[..., :1], OPAQUE], -1)), DEEP[..., 0]),
        ("old.png", raw_png(6, np.concatenate([DEEP, OPAQUE], -1)), DEEP),
        ("old.tif", tiff(DEEP[..., 0]), DEEP[..., 0]),
        ("white.tif", tiff(DEEP[..., 0], "miniswhite"), DEEP[..., 0]),
        ("old.tif", tiff(np.int16(DEEP[..., 0])), DEEP[..., 0]),
        ("old.tif", tiff(np.int8(DEEP[..., 0] // 40)), DEEP[..., 0] // 40),
        ("old.tif", tiff(np.float32(DEEP[..., 0])), DEEP[..., 0]),
        ("old.tif", tiff(np.float64(DEEP[..., 0])), DEEP[..., 0]),
        ("old.tif", tiff(DEEP, "rgb", compression="zlib"), DEEP),
        ("old.tif", tiff(np.float32(DEEP), "rgb"), DEEP),
        ("old.tif", tiff(np.moveaxis(DEEP, -1, 0), **PLANES), DEEP),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:The image decoding:DeprecationWarning")  # torchvision.io
def test_the_recipe_for_deep_images_works(tmp_path, monkeypatch, file, write, values):
    """The message tells how to convert: run the very line it prints, and read what it made."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / file)
    with pytest.raises(decode.Problem, match="set low and high") as raised:
        read(tmp_path / file)
    low, high = 50, 2000
    assert ("take low above high" in str(raised.value)) == (file == "white.tif")
    if file == "white.tif":
        low, high = high, low
    exec(re.search("`(.*)`", str(raised.value))[1], {"low": low, "high": high})
    expected = np.uint8(255 * np.clip((values.astype(float) - low) / (high - low), 0, 1))
    expected = expected if expected.ndim == 3 else np.repeat(expected[..., None], 3, -1)
    np.testing.assert_array_equal(read(tmp_path / "new.png", 4), expected)


def test_deep_cmyk_has_no_window(tmp_path):
    tiff(np.concatenate([DEEP, OPAQUE], -1), "separated")(tmp_path / "a.tif")
    with pytest.raises(decode.Problem, match="save it as an 8-bit RGB image"):
        read(tmp_path / "a.tif")


@pytest.mark.parametrize(
    ("write", "expected"),
    [
        (tiff(np.full((8, 8), 30, np.uint8), "miniswhite"), (225, 225, 225)),
        (tiff(np.full((8, 8), 30, np.uint8), "miniswhite", compression="zlib"), (225, 225, 225)),
        (tiff(np.ones((8, 8), bool), "miniswhite"), (0, 0, 0)),
        (tiff(np.uint8([[[10]], [[20]], [[30]]]) * np.ones((8, 8), np.uint8), **PLANES),
         (10, 20, 30)),
        (tiff(np.full((8, 8), 30, np.uint8), bigtiff=True), (30, 30, 30)),
    ],
)  # fmt: skip
def test_tiffs_of_8_bits_are_read_right(tmp_path, write, expected):
    write(tmp_path / "a.tif")
    assert (read(tmp_path / "a.tif") == np.array(expected)).all()


def test_the_photograph_of_a_phone_is_one_page(tmp_path):
    photo, depth = Image.new("L", (8, 8), 90), Image.new("L", (8, 8), 200)
    photo.save(tmp_path / "a.mpo", save_all=True, append_images=[depth])
    (tmp_path / "a.mpo").rename(tmp_path / "a.jpg")
    assert (read(tmp_path / "a.jpg") == 90).all()


def test_an_image_is_what_its_bytes_say(root, draw):
    draw("a.gif", 90).rename(root / "a.png")
    assert (read(root / "a.png") == 90).all()


def test_no_other_program_is_started(tmp_path, monkeypatch):
    """Pillow hands an EPS, whatever it is called, to Ghostscript."""
    started = []
    monkeypatch.setattr("PIL.EpsImagePlugin.Ghostscript", lambda *_, **options: started.append(1))
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n"
    (tmp_path / "x.png").write_bytes(eps)
    with pytest.raises(decode.Problem, match="finds no BMP, GIF, JPEG, PNG, TIFF, WEBP"):
        read(tmp_path / "x.png")
    assert not started


@pytest.mark.parametrize("fit", ["crop", "pad"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 1000), (1000, 1), (1, 3)])
def test_thin_images_are_read(root, shape, fit):
    path = save_pixels(root / "x.png", np.full(shape, 90, np.uint8))
    images, _ = decode.decode_files([path], 8, 1, fit=fit)
    assert images.max() == 90
    assert (images == 90).all() == (fit == "crop" or shape == (1, 1))


@pytest.mark.parametrize(
    ("shape", "bars"), [((10, 40), (4, 0)), ((40, 20), (0, 4)), ((9, 9), (0, 0))]
)
def test_padding_keeps_the_whole_image_between_black_bars(root, shape, bars):
    noise = np.random.default_rng(0).integers(60, 256, (*shape, 3), dtype=np.uint8)
    path = save_pixels(root / "x.png", noise)
    size = 16 if bars == (0, 4) else 12 if bars == (4, 0) else 9
    (image,), _ = decode.decode_files([path], size, 3, fit="pad")
    high, wide = (round(length * size / max(shape)) for length in shape)
    top, left = (size - high) // 2, (size - wide) // 2
    assert (top, left) == bars
    whole = Image.fromarray(noise).resize((wide, high), Image.Resampling.BICUBIC)
    expected = np.zeros((size, size, 3), np.uint8)
    expected[top : top + high, left : left + wide] = whole
    np.testing.assert_array_equal(image, expected)


def test_padded_and_cropped_images_are_kept_apart(root, fill):
    parts = draw_parts(fill)
    cropped, padded, again = (
        decode.decode_parts(root, parts, 10, 1, fit=fit)["train"] for fit in ("crop", "pad", "crop")
    )
    assert (padded[3, 0] == 0).all()
    assert (cropped[3] > 0).all()
    np.testing.assert_array_equal(cropped, again)


def test_what_a_crop_cuts_away_is_told_from_the_cache_too(root, draw, fill, monkeypatch):
    parts = draw_parts(fill)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("L", (10, 100)).save(root / "test" / "strip.jpg", exif=exif)
    parts["test"].insert(0, root / "test" / "strip.jpg")
    paths = [path for part in parts.values() for path in part]
    expected = [0.2] * 4 + [0.9] + [0.2] * 2  # the others are 20 x 16
    np.testing.assert_allclose(decode.cut_away(root, paths), expected)
    monkeypatch.setattr(decode, "open_image", None)
    np.testing.assert_allclose(decode.cut_away(root, paths), expected)


@pytest.mark.parametrize("colour", [90, (250, 0, 0)])
def test_images_are_decoded_block_by_block_as_at_once(fill, draw, monkeypatch, colour):
    """Also where the last image is the first one of colour."""
    parts = draw_parts(fill)
    parts["test"].append(draw("test/last.png", colour, "L" if colour == 90 else "RGB"))
    at_once = decode.decode_parts(parts["test"][0].parents[1], parts, 8, "auto", name="at once")
    monkeypatch.setattr(decode, "BLOCK", 2)
    blocks = decode.decode_parts(parts["test"][0].parents[1], parts, 8, "auto", name="blocks")
    for part, images in blocks.items():
        assert isinstance(images, np.memmap)
        assert images.shape[-1] == (1 if colour == 90 else 3)
        np.testing.assert_array_equal(images, at_once[part])


def test_no_more_than_a_few_blocks_of_images_are_in_memory(fill, monkeypatch):
    root = fill({"a": 150, "b": 150})
    monkeypatch.setattr(decode, "BLOCK", 10)
    tracemalloc.start()  # numpy tells it of every array
    data = load_folder(root, size=128)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    n_bytes = sum(part.images.nbytes for part in (data.train, data.val, data.test))
    assert n_bytes == 300 * 128 * 128
    assert peak < n_bytes / 2


def test_all_parts_of_a_set_stay_in_the_cache_and_older_sets_go(fill, monkeypatch, private_cache):
    monkeypatch.setenv("COURSE_CACHE_GB", "0")
    parts = draw_parts(fill)
    root = parts["test"][0].parents[1]
    for size in (8, 32):
        decode.decode_parts(root, parts, size, 3)
    assert len([*private_cache.rglob("*-32px-*.npy")]) == len(parts)
    assert not [*private_cache.rglob("*-8px-*.npy")]


def test_all_that_is_wrong_is_named_at_once(root, fill, draw, private_cache, monkeypatch):
    monkeypatch.setattr(decode, "BLOCK", 3)
    parts = draw_parts(fill)
    for part, n in (("train", 2), ("test", 12)):
        for k in range(n):
            (root / part / f"bad{k:02d}.png").write_bytes(b"no image")
            parts[part].append(root / part / f"bad{k:02d}.png")
    parts["train"].insert(0, root / "train" / "gone.png")
    parts["test"].append(draw("test/clear.png", (9, 9, 9, 0), "RGBA"))
    with pytest.raises(CourseError) as raised:
        decode.decode_parts(root, parts, 8, "auto")
    text = str(raised.value)
    assert text.startswith(f"16 image files cannot be used. {root / 'train' / 'gone.png'} cannot")
    named = ["train/bad00", "train/bad01", *(f"test/bad{k:02d}" for k in range(7))]
    assert all(str(root / f"{name}.png") in text for name in named)
    assert "bad07" not in text
    assert "bad06.png and 5 more. " in text
    assert text.count("clear.png has transparent pixels") == 1
    assert text.endswith("alpha channel.")
    assert not list(private_cache.rglob("*.npy"))


def test_a_few_files_of_one_kind_are_all_named(root):
    for k in range(10):
        (root / f"{k}.png").touch()
    with pytest.raises(CourseError) as raised:
        decode.decode_files(sorted(root.iterdir()), 8, 3)
    assert all(str(root / f"{k}.png") in str(raised.value) for k in range(10))
    assert "more." not in str(raised.value)


def test_a_file_that_vanishes_while_others_are_decoded_is_named(root, fill, monkeypatch):
    parts = draw_parts(fill)
    first = parts["train"][0]
    stamps = decode._stamps
    monkeypatch.setattr(decode, "_stamps", lambda *given: (stamps(*given), first.unlink())[0])
    with pytest.raises(decode.Problem, match=r"000\.png cannot be read.*FileNotFoundError"):
        decode.decode_parts(root, parts, 8, 3)


def cut_off_by_a_third(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "tif", "webp", "gif"])
def test_a_cut_file_of_any_format_is_refused(root, suffix):
    noise = np.random.default_rng(0).integers(0, 256, (60, 60, 3), dtype=np.uint8)
    cut_off_by_a_third(save_pixels(root / f"x.{suffix}", noise))
    with pytest.raises(decode.Problem, match="cannot be read as an image"):
        read(root / f"x.{suffix}")


def test_a_file_replaced_by_one_of_equal_size_and_time_is_decoded_again(root, fill, draw):
    parts = {part: [file.with_suffix(".bmp") for file in files]
             for part, files in draw_parts(fill).items()}  # fmt: skip
    for files in parts.values():
        for file in files:
            Image.new("L", (8, 8), 10).save(file)
    decode.decode_parts(root, parts, 8, 1)
    old = parts["train"][0].stat()
    Image.new("L", (8, 8), 200).save(parts["train"][0])
    os.utime(parts["train"][0], ns=(old.st_atime_ns, old.st_mtime_ns))
    new = parts["train"][0].stat()
    assert (old.st_size, old.st_mtime_ns) == (new.st_size, new.st_mtime_ns)
    images = decode.decode_parts(root, parts, 8, 1)["train"]
    assert images[:, 0, 0, 0].tolist() == [200, 10, 10, 10]


@pytest.mark.parametrize(
    "line",
    ["images/b.png nan mono", "images/b.png 7.5 mono", "images/b.png -1 poly",
     "images/b.png x mono", "images/b.png inf mono", "images/b.png 1.0 both",
     "images/b.png 1.0", "images/b.p", ""],
)  # fmt: skip
def test_a_label_of_elpv_that_cannot_be_is_named(tmp_path, monkeypatch, line):
    monkeypatch.setattr(elpv.resources, "files", lambda package: tmp_path)
    table = tmp_path / "data" / "labels.csv"
    table.parent.mkdir()
    good = "images/a.png  0.3333333333333333   poly"
    table.write_text(f"{good}\n{good}\n")
    assert elpv.read_labels()[1].tolist() == [1 / 3, 1 / 3]
    table.write_text(f"{good}\n{line}\n{good}\n")
    with pytest.raises(CourseError, match=rf"Line 2 of .*labels\.csv is '{re.escape(line)}'; exp"):
        elpv.read_labels()


@pytest.mark.parametrize(
    ("size", "channels", "changed"),
    [(8, "auto", "image"), (8, "auto", "entry"), (9, "auto", None), (8, 3, None)],
    ids=["a file", "a damaged entry", "the size", "the channels"],
)
def test_what_is_decoded_again(root, fill, draw, private_cache, size, channels, changed):
    parts = draw_parts(fill)
    decode.decode_parts(root, parts, 8, "auto")
    if changed == "image":
        draw("train/000.png", 255)
    elif changed == "entry":
        (entry,) = private_cache.rglob("*-train.npy")
        entry.write_bytes(entry.read_bytes()[:-1])
    images = decode.decode_parts(root, parts, size, channels)["train"]
    assert images.shape == (4, size, size, 3 if channels == 3 else 1)
    assert images[:, -1, -1, 0].tolist() == [255 if changed == "image" else 0, 1, 2, 3]
