import json

import numpy as np
import pytest
from PIL import Image

from helpers import inspection
from helpers.errors import CourseError
from helpers.inspection.maximise import GALLERY, SIZES, load_gallery
from helpers.networks import backbones
from measure import gallery

TINY = {"depths": {"stem": 32}, "sizes": {"stem": 32, "stage1": 32}, "steps": 2}


def test_what_is_there_is_not_made_again(tmp_path):
    assert gallery.make(tmp_path, **TINY) == gallery.PER_DEPTH
    gone = tmp_path / "stem_0008.jpg"
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.jpg") if path != gone}
    gone.unlink()
    assert gallery.make(tmp_path, **TINY) == 1
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert gallery.make(tmp_path, **TINY) == 0


def test_it_comes_back_as_pictures_by_part_and_channel(tmp_path):
    gallery.make(tmp_path, **TINY)
    found = load_gallery(tmp_path)
    assert list(found["stem"]) == gallery.chosen(32) == [2, 8, 13, 18, 24, 29]
    assert all(p.shape == (32, 32, 3) and p.dtype == np.uint8 for p in found["stem"].values())
    facts = json.loads((tmp_path / "gallery.json").read_text())
    assert facts["settings"]["steps"] == 2


def test_pictures_of_other_settings_are_made_again(tmp_path):
    """Otherwise gallery.json would tell of settings that its pictures were not made with."""
    gallery.make(tmp_path, **TINY)
    assert gallery.make(tmp_path, **TINY | {"steps": 3}) == gallery.PER_DEPTH
    assert json.loads((tmp_path / "gallery.json").read_text())["settings"]["steps"] == 3


def test_a_kill_leaves_the_settings_behind_and_the_next_run_goes_on(tmp_path, monkeypatch):
    def killed(*_, **__):
        raise KeyboardInterrupt

    depths = {"stem": 32, "stage1": 16}
    with monkeypatch.context() as patch:
        whole = gallery.maximise
        patch.setattr(
            gallery, "maximise",
            lambda model, part, *rest, **more: (whole if part == "stem" else killed)(
                model, part, *rest, **more
            ),
        )  # fmt: skip
        with pytest.raises(KeyboardInterrupt):
            gallery.make(tmp_path, **TINY | {"depths": depths})
    assert json.loads((tmp_path / "gallery.json").read_text())["settings"]["steps"] == 2
    assert gallery.make(tmp_path, **TINY | {"depths": depths}) == gallery.PER_DEPTH


@pytest.mark.parametrize("damage", ["folder", "picture", "facts"])
def test_a_missing_or_damaged_gallery_says_how_to_make_it(tmp_path, damage):
    if damage != "folder":
        gallery.make(tmp_path, **TINY)
        name = "stem_0002.jpg" if damage == "picture" else "gallery.json"
        (tmp_path / name).write_text("no")
    with pytest.raises(CourseError, match=r"python -m measure gallery"):
        load_gallery(tmp_path)


def test_the_stored_gallery_shows_24_channels_or_more_at_5_depths_or_more():
    stored = load_gallery()
    assert len(stored) >= 5
    assert sum(len(pictures) for pictures in stored.values()) >= 24
    assert {part: list(pictures) for part, pictures in stored.items()} == {
        part: gallery.chosen(channels) for part, channels in gallery.DEPTHS.items()
    }
    size = sum(path.stat().st_size for path in GALLERY.iterdir())
    assert size < 600_000


def test_the_stored_pictures_excite_their_channels():
    """They were made with these weights: each beats the other five of its depth."""
    stored, model = load_gallery(), backbones.load(gallery.BACKBONE)
    won = 0
    for part in ("stage3", "stage6"):
        pictures = np.stack(list(stored[part].values())).astype(np.float32) / 255
        for k, channel in enumerate(stored[part]):
            won += int(inspection.response(model, part, channel, pictures).argmax() == k)
    assert won >= 11, f"{won} of 12"


def test_the_stored_pictures_lie_far_above_noise():
    """Ten times noise's own spread above it, nearly all; late ones also tenfold its mean.

    In early stages evenly drawn pixels are themselves edges and checks, so they excite some
    channels strongly; there tenfold is not to be had.
    """
    stored, model = load_gallery(), backbones.load(gallery.BACKBONE)
    far = tenfold = 0
    for part, pictures in stored.items():
        side = SIZES[part]
        noise = np.random.default_rng(0).random((6, side, side, 3), dtype=np.float32)
        for channel, picture in pictures.items():
            own = picture[None].astype(np.float32) / 255
            excited = inspection.response(model, part, channel, own)[0]
            chance = inspection.response(model, part, channel, noise)
            far += int(excited - chance.mean() > 10 * chance.std())
            if part in ("stage5", "stage6", "stage7"):
                tenfold += int(excited > 10 * max(chance.mean(), 0))
    assert far >= 33, f"{far} of 36"
    assert tenfold >= 15, f"{tenfold} of 18"


def test_pictures_are_real_files_of_the_size_of_their_depth():
    for path in GALLERY.glob("*.jpg"):
        with Image.open(path) as image:
            assert image.size == (SIZES[path.stem.split("_")[0]],) * 2


def test_pictures_of_another_size_are_made_again(tmp_path):
    gallery.make(tmp_path, **TINY)
    assert gallery.make(tmp_path, **TINY | {"sizes": {"stem": 36}}) == gallery.PER_DEPTH
