import numpy as np
import pytest

from helpers import files
from helpers.datasets import views
from helpers.training import loop, strategies
from helpers.training.recipe import Recipe
from tests.conftest import make_dataset, tiny_backbone

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


def test_mixed_takes_each_image_from_its_view():
    mixed = views.Mixed([IMAGES, IMAGES + 100])
    mixed.choice = np.array([1, 0])
    assert np.array_equal(mixed[np.array([0, 1])], np.stack([IMAGES[0] + 100, IMAGES[1]]))


def test_choice_follows_the_seed_and_uses_every_view():
    mixed = views.Mixed([np.zeros((50, 2))] * 4)
    mixed.choose(0, 1)
    first = mixed.choice
    mixed.choose(0, 1)
    assert np.array_equal(mixed.choice, first)
    assert set(first) == {0, 1, 2, 3}
    mixed.choose(0, 2)
    assert not np.array_equal(mixed.choice, first)


@pytest.mark.parametrize("maker", [strategies.feature_extraction, strategies.full_finetune])
def test_training_on_views_gives_the_same_with_and_without_stored_activations(maker, private_cache):
    losses = []
    for cache_features in (False, True):
        strategy = maker()
        model = strategies.apply(tiny_backbone(), strategy)
        run = loop.fit(model, make_dataset(), strategy, Recipe(epochs=3, batch_size=8),
                           views=views.dihedral(4), cache_features=cache_features)  # fmt: skip
        losses.append([row["train_loss"] for row in run.history])
    assert losses[0] == pytest.approx(losses[1], abs=2e-3)
    stored = list(files.folder("prefix").glob("*.npy"))
    assert len(stored) == (4 + 1 if maker is strategies.feature_extraction else 0)
