import json
from pathlib import Path

import numpy as np
import pytest

from helpers.errors import CourseError
from helpers.inspection.maximise import GALLERY, SIZES, load_gallery
from helpers.networks import backbones
from measure import gallery
from tests.conftest import response

TINY = {"depths": {"stem": 32}, "sizes": {"stem": 32, "stage1": 32}, "steps": 2}


def test_what_is_there_is_not_made_again(tmp_path):
    assert gallery.make(tmp_path, **TINY) == gallery.PER_DEPTH
    gone = tmp_path / "stem_0008.jpg"
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.jpg") if path != gone}
    gone.unlink()
    assert gallery.make(tmp_path, **TINY) == 1
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert gallery.make(tmp_path, **TINY) == 0


def settings_of(folder: Path) -> dict:
    return json.loads((folder / "gallery.json").read_text())["settings"]


def test_it_comes_back_as_pictures_by_part_and_channel(tmp_path):
    gallery.make(tmp_path, **TINY)
    found = load_gallery(tmp_path)
    assert list(found["stem"]) == gallery.chosen(32) == [2, 8, 13, 18, 24, 29]
    assert all(p.shape == (32, 32, 3) and p.dtype == np.uint8 for p in found["stem"].values())
    assert settings_of(tmp_path)["steps"] == 2


@pytest.mark.parametrize("other", [{"steps": 3}, {"sizes": {"stem": 36}}])
def test_pictures_of_other_settings_or_sizes_are_made_again(tmp_path, other):
    """Otherwise gallery.json would tell of settings that its pictures were not made with."""
    gallery.make(tmp_path, **TINY)
    assert gallery.make(tmp_path, **TINY | other) == gallery.PER_DEPTH
    assert settings_of(tmp_path)["steps"] == (TINY | other)["steps"]


def test_a_kill_leaves_the_settings_behind_and_the_next_run_goes_on(tmp_path, monkeypatch):
    whole = gallery.maximise

    def killed(model, part, *rest, **more):
        if part == "stage1":
            raise KeyboardInterrupt
        return whole(model, part, *rest, **more)

    two = TINY | {"depths": {"stem": 32, "stage1": 16}}
    with monkeypatch.context() as patch:
        patch.setattr(gallery, "maximise", killed)
        with pytest.raises(KeyboardInterrupt):
            gallery.make(tmp_path, **two)
    assert settings_of(tmp_path)["steps"] == 2
    assert gallery.make(tmp_path, **two) == gallery.PER_DEPTH


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
    assert sum(map(len, stored.values())) >= 24
    for part, channels in gallery.DEPTHS.items():
        assert list(stored[part]) == gallery.chosen(channels)
        assert all(p.shape == (SIZES[part], SIZES[part], 3) for p in stored[part].values())
    assert sum(path.stat().st_size for path in GALLERY.iterdir()) < 600_000


def test_the_stored_pictures_excite_their_channels():
    """Each beats the other five of its depth, and lies ten of noise's own spreads above noise.

    Late ones also reach tenfold its mean. In early stages evenly drawn pixels are themselves edges
    and checks, so they excite some channels strongly; there tenfold is not to be had.
    """
    model, won, far, tenfold = backbones.load(gallery.BACKBONE), [], [], []
    for part, pictures in load_gallery().items():
        shown = np.stack(list(pictures.values())).astype(np.float32) / 255
        noise = np.random.default_rng(0).random(shown.shape, dtype=np.float32)
        for k, channel in enumerate(pictures):
            excited = response(model, part, channel, shown)
            chance = response(model, part, channel, noise)
            far.append(excited[k] - chance.mean() > 10 * chance.std())
            if part in ("stage3", "stage6"):
                won.append(excited.argmax() == k)
            if part in ("stage5", "stage6", "stage7"):
                tenfold.append(excited[k] > 10 * max(chance.mean(), 0))
    assert (len(won), len(far), len(tenfold)) == (12, 36, 18)
    assert sum(won) >= 11
    assert sum(far) >= 33
    assert sum(tenfold) >= 15
