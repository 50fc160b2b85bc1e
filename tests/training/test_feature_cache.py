import errno
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from helpers import files
from helpers.errors import CourseError
from helpers.networks import backbones
from helpers.training import devices, feature_cache, loop, strategies
from helpers.training.predict import Inputs, batch, predict
from helpers.training.recipe import Recipe
from tests.conftest import make_dataset, make_split, tiny_backbone

pytestmark = pytest.mark.usefixtures("private_cache")
RECIPE = Recipe(epochs=3, batch_size=8)


def entries() -> list:
    return sorted(files.folder("prefix").glob("*"))


def inputs(n: int = 20, seed: int = 0) -> Inputs:
    split = make_split(n, seed=seed)
    return Inputs(split.images, split.labels)


def frozen_net(seed: int = 0, last: int = 1):
    return strategies.apply(tiny_backbone(seed=seed), strategies.partial_finetune(last=last))


def fit(strategy, **options):
    model = tiny_backbone()
    torch.manual_seed(0)
    model.replace_head(backbones.HEADS[strategy.head](model.n_features, 2))
    strategies.apply(model, strategy)
    return loop.fit(model, make_dataset(), strategy, RECIPE, **options)


@pytest.mark.parametrize(
    ("strategy", "start", "why"),
    [
        (strategies.feature_extraction(), "head", "before head is computed once"),
        (strategies.partial_finetune(last=1), "stage3", "before stage3 is computed once"),
        (strategies.partial_finetune(last=2), "stage2", "before stage2 is computed once"),
        (strategies.full_finetune(), "stem", "the stem trains"),
        (strategies.scratch(), "stem", "the stem trains"),
        (strategies.feature_extraction(batchnorm="train"), "stem", "statistics move"),
        (strategies.partial_finetune(last=1, batchnorm="train"), "stem", "statistics move"),
        (
            strategies.partial_finetune(last=1, batchnorm="follow"),
            "stage3",
            "before stage3 is computed once",
        ),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_boundary_is_the_first_part_that_changes(strategy, start, why):
    found, reason = feature_cache.boundary(strategies.apply(tiny_backbone(), strategy))
    assert found == start
    assert why in reason


@pytest.mark.parametrize(
    "strategy",
    [
        strategies.feature_extraction(),
        strategies.lp_ft(),
        strategies.partial_finetune(last=2),
    ],
    ids=lambda s: s.name,
)
def test_weights_agree_with_and_without_it(strategy, monkeypatch):
    """In full precision to float tolerance; in half precision to its three digits."""
    plain = fit(strategy, cache_features=False).model.state_dict()
    half = fit(strategy).model.state_dict()
    stored = feature_cache.activations
    monkeypatch.setattr(
        feature_cache, "activations", lambda *a, **k: stored(*a, **k, dtype=np.float32)
    )
    full = fit(strategy).model.state_dict()
    for name, value in plain.items():
        assert torch.allclose(value, full[name], atol=1e-5), name
        assert torch.allclose(value, half[name], atol=5e-3), name


def test_the_real_network_gives_the_same_with_and_without_it():
    data = make_dataset(n=16)
    strategy = strategies.partial_finetune(last=1)
    outputs = []
    for cache_features in (False, True):
        model = strategies.build(strategy, n_classes=2, channels=1)
        run = loop.fit(model, data, strategy, RECIPE, cache_features=cache_features)
        outputs.append(predict(run.model, data.test))
    assert np.abs(outputs[0] - outputs[1]).max() < 0.02


def test_a_second_run_reads_and_does_not_compute(monkeypatch):
    fit(strategies.feature_extraction())
    assert len(entries()) == 2  # training and validation images
    monkeypatch.setattr(feature_cache, "_blocks", lambda *a: pytest.fail("it was computed again"))
    run = fit(strategies.feature_extraction())
    assert "computed once" in run.frozen_front


def test_what_trains_everything_keeps_nothing():
    run = fit(strategies.full_finetune())
    assert "nothing is computed ahead" in run.frozen_front
    assert entries() == []


def test_augmentation_makes_it_invalid():
    run = fit(strategies.feature_extraction(), augment=lambda images: images)
    assert "augmentation" in run.frozen_front
    assert entries() == []


def test_half_precision_and_the_layout_of_images():
    kept = feature_cache.activations(frozen_net(), inputs(), "stage3")
    assert kept.images.dtype == np.float16
    assert kept.images.shape == (20, 16, 16, 4)
    assert isinstance(kept.images, np.memmap)
    pooled = feature_cache.activations(frozen_net(), inputs(), "head")
    assert pooled.images.shape == (20, 4)


def test_values_too_large_for_half_precision_are_kept_in_full():
    model = frozen_net()
    with torch.no_grad():
        model.net.stage2[1].bias.fill_(1e6)
    kept = feature_cache.activations(model, inputs(), "stage3")
    assert kept.images.dtype == np.float32
    assert kept.images.max() >= 1e6


def test_overflow_is_also_handled_where_nothing_can_be_kept(monkeypatch):
    model = frozen_net()
    with torch.no_grad():
        model.net.stage2[1].bias.fill_(1e6)
    monkeypatch.setattr(files.tempfile, "mkstemp", full_disk)
    with pytest.warns(UserWarning, match="held in memory"):
        kept = feature_cache.activations(model, inputs(), "stage3")
    assert kept.images.dtype == np.float32


def test_damaged_weights_are_said_and_not_kept():
    model = frozen_net()
    with torch.no_grad():
        model.net.conv.weight.fill_(np.nan)
    with pytest.raises(CourseError, match="hold NaN or infinity"):
        feature_cache.activations(model, inputs(), "stage3")
    assert entries() == []


def change_weights(model, images):
    with torch.no_grad():
        model.net.conv.weight[0, 0, 0, 0] += 1e-3


def change_statistics(model, images):
    model.net.bn.running_mean += 1e-3


def change_normalisation(model, images):
    model.set_normalisation((0.4,), (0.5,))


def change_one_pixel(model, images):
    images.images[3, 2, 1, 0] ^= 1


@pytest.mark.parametrize(
    "change", [change_weights, change_statistics, change_normalisation, change_one_pixel]
)
def test_whatever_it_depends_on_makes_a_new_entry(change):
    model, images = frozen_net(), inputs()
    before = np.array(feature_cache.activations(model, images, "stage3", dtype=np.float32).images)
    change(model, images)
    after = feature_cache.activations(model, images, "stage3", dtype=np.float32).images
    assert len(entries()) == 2
    assert not np.array_equal(before, after)


def test_weights_behind_the_boundary_do_not_matter():
    model = frozen_net()
    feature_cache.activations(model, inputs(), "stage3")
    with torch.no_grad():
        model.net.fc.weight += 1
    feature_cache.activations(model, inputs(), "stage3")
    assert len(entries()) == 1


def cut(path):
    path.write_bytes(path.read_bytes()[:-100])


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def empty(path):
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [cut, flip_a_bit, empty])
def test_a_damaged_entry_is_made_again(damage):
    first = np.array(feature_cache.activations(frozen_net(), inputs(), "stage3").images)
    damage(entries()[0])
    again = feature_cache.activations(frozen_net(), inputs(), "stage3").images
    assert np.array_equal(first, again)
    assert feature_cache._read(entries()[0]) is not None, "a good entry took its place"


def test_a_kill_while_writing_leaves_no_entry(monkeypatch):
    compute = feature_cache._blocks

    def killed(*arguments):
        yield next(compute(*arguments))
        raise KeyboardInterrupt

    monkeypatch.setattr(feature_cache, "EVAL_BATCH", 4)
    monkeypatch.setattr(feature_cache, "_blocks", killed)
    with pytest.raises(KeyboardInterrupt):
        feature_cache.activations(frozen_net(), inputs(), "stage3")
    assert entries() == []


def test_sigkill_while_writing_leaves_nothing_that_is_read_later(tmp_path):
    """The real thing: the process dies between two blocks and cannot tidy up."""
    script = (
        "import os, signal\n"
        "from tests.training.test_feature_cache import frozen_net, inputs\n"
        "from helpers.training import feature_cache\n"
        "compute = feature_cache._blocks\n"
        "def killed(*a):\n"
        "    yield next(compute(*a))\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "feature_cache.EVAL_BATCH, feature_cache._blocks = 4, killed\n"
        "feature_cache.activations(frozen_net(), inputs(), 'stage3')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], check=False, cwd=os.getcwd())
    assert done.returncode == -9
    assert not [path for path in entries() if path.suffix == ".npy"]
    kept = feature_cache.activations(frozen_net(), inputs(), "stage3").images
    model = frozen_net().eval()
    with torch.inference_mode():
        expected = model(batch(inputs(), np.arange(20)), stop="stage2")
    assert np.allclose(kept, expected.permute(0, 2, 3, 1).numpy(), atol=2e-3)


def full_disk(*arguments, **options):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def read_only(*arguments, **options):
    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


@pytest.mark.parametrize("failure", [full_disk, read_only])
def test_where_nothing_can_be_written_the_numbers_are_right_all_the_same(monkeypatch, failure):
    expected = np.array(feature_cache.activations(frozen_net(), inputs(), "stage3").images)
    entries()[0].unlink()
    monkeypatch.setattr(files.tempfile, "mkstemp", failure)
    with pytest.warns(UserWarning, match="held in memory for this run. Set COURSE_CACHE"):
        kept = feature_cache.activations(frozen_net(), inputs(), "stage3").images
    assert np.array_equal(kept, expected)


def test_a_disk_that_fills_up_half_way(monkeypatch):
    expected = np.array(feature_cache.activations(frozen_net(), inputs(), "stage3").images)
    entries()[0].unlink()
    monkeypatch.setattr(feature_cache.zlib, "crc32", full_disk)  # raised between two blocks
    with pytest.warns(UserWarning, match="No space left on device"):
        kept = feature_cache.activations(frozen_net(), inputs(), "stage3").images
    assert np.array_equal(kept, expected)
    assert entries() == [], "no half entry stays behind"


def test_a_cache_folder_that_is_a_file(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "file"))
    with pytest.warns(UserWarning, match="Set COURSE_CACHE"):
        kept = feature_cache.activations(frozen_net(), inputs(), "stage3")
    assert len(kept) == 20


def test_two_fill_the_same_entry_at_once():
    fabric, models = devices.start(), [frozen_net(), frozen_net()]
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(
            lambda net: np.array(
                feature_cache.activations(net, inputs(), "stage3", fabric=fabric).images
            ),
            models,
        )
    assert np.array_equal(one, other)
    assert len(entries()) == 1


def test_two_processes_fill_the_same_entry_at_once():
    script = (
        "from tests.training.test_feature_cache import frozen_net, inputs\n"
        "from helpers.training import feature_cache\n"
        "print(float(feature_cache.activations(frozen_net(), inputs(), 'stage3').images.sum()))\n"
    )
    command = [sys.executable, "-c", script]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    printed = [process.communicate(timeout=120)[0] for process in both]
    assert printed[0] == printed[1] != ""
    assert len(entries()) == 1


def test_the_oldest_entries_go_first_when_the_folder_is_full(monkeypatch):
    for seed in range(4):
        feature_cache.activations(frozen_net(), inputs(seed=seed), "stage3")
        newest = max(entries(), key=lambda path: path.stat().st_mtime)
        os.utime(newest, (seed, seed))
    size = entries()[0].stat().st_size
    feature_cache.activations(
        frozen_net(), inputs(seed=0), "stage3"
    )  # used again: the youngest now
    monkeypatch.setenv("COURSE_CACHE_GB", str(3.5 * size / 1e9))
    feature_cache.activations(frozen_net(), inputs(seed=9), "stage3")
    assert len(entries()) == 3
    monkeypatch.setattr(
        feature_cache, "_blocks", lambda *a: pytest.fail("the entry in use was dropped")
    )
    for seed in (0, 3, 9):
        feature_cache.activations(frozen_net(), inputs(seed=seed), "stage3")


def test_a_limit_that_is_no_number_is_said(monkeypatch):
    monkeypatch.setenv("COURSE_CACHE_GB", "five")
    with pytest.raises(CourseError, match="COURSE_CACHE_GB is 'five'"):
        feature_cache.activations(frozen_net(), inputs(), "stage3")
