import numpy as np
import pytest

from helpers import files
from helpers.datasets import views
from helpers.training import strategies
from tests.training.conftest import fit, losses

IMAGES = np.arange(2 * 3 * 3 * 1, dtype=np.uint8).reshape(2, 3, 3, 1)


def test_the_eight_views_of_a_square_are_all_different_and_lose_nothing():
    seen = [view(IMAGES) for view in views.dihedral()]
    assert np.array_equal(seen[0], IMAGES)
    assert len({view.tobytes() for view in seen}) == 8
    for view in seen:
        assert np.array_equal(np.sort(view.reshape(2, -1)), np.sort(IMAGES.reshape(2, -1)))


def test_nudged_views_start_with_the_image_and_never_mirror():
    image = np.tile(np.arange(40, dtype=np.uint8)[:, None], (1, 40, 1, 1))
    seen = [view(image) for view in views.nudged(5)]
    assert np.array_equal(seen[0], image)
    assert len({view.tobytes() for view in seen}) == 5
    for view in seen:
        assert view.dtype == np.uint8
        assert view.shape == image.shape
        assert np.all(np.diff(view[0, 0, :, 0].astype(int)) >= 0), "left stays left"


@pytest.mark.parametrize("index", [1, slice(0, 2), np.array([1, 0])])
def test_seen_images_stand_where_an_array_stands(index):
    for view in views.dihedral():
        seen = views.Seen(IMAGES, view)
        assert seen.shape == view(IMAGES).shape
        assert np.array_equal(seen[index], view(IMAGES)[index])


def test_mixed_takes_each_image_from_a_view_chosen_by_seed_and_epoch():
    mixed, chosen = views.Mixed([np.full((50, 2), view) for view in range(4)]), []
    for epoch in (1, 1, 2):
        mixed.choose(0, epoch)
        chosen.append(mixed[np.arange(50)][:, 0].tolist())
    assert chosen[0] == chosen[1] != chosen[2]
    assert set(chosen[0]) == {0, 1, 2, 3}


@pytest.mark.parametrize("maker", [strategies.feature_extraction, strategies.full_finetune])
def test_training_on_views_gives_the_same_with_and_without_stored_activations(
    toy, maker, private_cache
):
    plain, stored = (
        losses(fit(toy, maker(), views=views.dihedral(4), cache_features=cached))
        for cached in (False, True)
    )
    assert plain == pytest.approx(stored, abs=2e-3)
    entries = list(files.folder("prefix").glob("*.npy"))
    assert len(entries) == (4 + 1 if maker is strategies.feature_extraction else 0)
