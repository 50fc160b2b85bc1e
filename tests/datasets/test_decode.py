from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers.datasets import decode

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


def deep_colour(path: Path) -> None:
    """Write a PNG of 16-bit RGB, which Pillow reads but cannot write."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 4, 16, 2, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(bytes(4 * (1 + 4 * 6))))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + pixels + chunk(b"IEND", b""))


def stack_of_pages(path: Path) -> None:
    page = Image.new("L", (8, 8))
    page.save(path, save_all=True, append_images=[page, page])


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
    ("odd.png", deep_colour, "more than 8 bits", "8 bits per channel"),
    ("odd.png", plain("RGBA", (9, 9, 9, 254)), "transparent pixels", "transparent pixels"),
    ("odd.png", plain("P", 0, transparency=0), "transparent pixels", "transparent pixels"),
    ("odd.tif", stack_of_pages, "several pages", "stack of 3 pages"),
]


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
    with pytest.raises(decode.Problem, match=rf"test.{file}.*{said}") as raised:
        decode.decode_parts(root, parts, 8, channels)
    assert not list(private_cache.rglob("*.npy"))
    if channels != "auto":
        files = [odd, *parts["train"]]
        images, (problem,) = decode.decode_files(files, 8, channels, collect=True)
        assert (problem.file, problem.kind, str(problem)) == (odd, kind, str(raised.value))
        assert images[1:, 0, 0, 0].tolist() == [0, 1, 2, 3]


def test_files_without_permission_are_told_from_damaged_ones(draw, monkeypatch):
    def denied(*_):
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


def test_the_example_for_deep_images_works(tmp_path, monkeypatch):
    """The message tells how to convert: run the very line it prints."""
    monkeypatch.chdir(tmp_path)
    Image.fromarray(np.array([[0, 1000], [2000, 9000]], np.uint16)).save("old.png")
    line, setting = decode.WINDOW_EXAMPLE.split(" with ")
    scope = {"np": np, "Image": Image, "low": 0, "high": 2000}
    exec(setting, scope)
    exec(line, scope)
    assert np.asarray(Image.open("new.png")).tolist() == [[0, 127], [255, 255]]


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
