import errno
import os
import signal
import subprocess
import sys
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch

from helpers import files
from helpers.datasets import Dataset, Split, dataset
from helpers.errors import CourseError
from helpers.training import feature_cache, loop, strategies
from helpers.training.predict import Inputs, batch, predict
from helpers.training.recipe import Recipe
from tests.conftest import make_dataset, make_split, tiny_backbone
from tests.training.conftest import fit, losses

pytestmark = pytest.mark.usefixtures("private_cache")

N = 4000


@pytest.fixture
def on_disk(tmp_path) -> Dataset:
    """Images of 4 MB in a memory-mapped file."""
    np.save(tmp_path / "images.npy", np.zeros((N, 32, 32, 1), np.uint8))
    images = np.load(tmp_path / "images.npy", mmap_mode="r")
    data = make_dataset()
    return replace(data, train=Split(images, np.arange(N) % 2, np.arange(N)))


def test_a_run_never_holds_all_images_in_memory(on_disk, tmp_path, monkeypatch):
    """Neither to name the cache entry and the run, nor for the frozen front, nor to train."""
    monkeypatch.setattr(dataset, "IN_MEMORY_BYTES", 100_000)
    tracemalloc.start()  # numpy tells it of every array
    run = fit(
        on_disk.take(N - 1), strategies.feature_extraction(), Recipe(epochs=1), folder=tmp_path
    )
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert run.frozen_front.startswith("everything before head")
    assert peak < on_disk.train.images.nbytes / 2


RECIPE = Recipe(epochs=3, batch_size=8)
PROBE, FULL = strategies.feature_extraction(), strategies.full_finetune()
LAST, LAST_TWO = (strategies.partial_finetune(last=k) for k in (1, 2))


def entries() -> list:
    return sorted(files.folder("prefix").glob("*"))


def inputs(n: int = 20, seed: int = 0) -> Inputs:
    split = make_split(n, seed=seed)
    return Inputs(split.images, split.labels)


def frozen_net():
    return strategies.apply(tiny_backbone(), LAST)


def stored(model=None, images=None, start: str = "stage3") -> np.ndarray:
    """The activations of toy images in front of `start`, from the cache or computed now."""
    model, images = model or frozen_net(), images or inputs()
    return feature_cache.activations(model, images, start).images


def nothing_is_computed(monkeypatch) -> None:
    monkeypatch.setattr(feature_cache, "_blocks", lambda *a: pytest.fail("it was computed again"))


@pytest.mark.parametrize(
    ("strategy", "start", "why"),
    [
        (PROBE, "head", "before head is computed once"),
        (LAST, "stage3", "before stage3 is computed once"),
        (LAST_TWO, "stage2", "before stage2 is computed once"),
        (FULL, "stem", "the stem trains"),
        (strategies.scratch(), "stem", "the stem trains"),
        (strategies.feature_extraction(batchnorm="train"), "stem", "statistics move"),
        (strategies.partial_finetune(last=1, batchnorm="train"), "stem", "statistics move"),
        (strategies.partial_finetune(last=1, batchnorm="follow"), "stage3", "before stage3 is"),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_boundary_is_the_first_part_that_changes(strategy, start, why):
    found, reason = feature_cache.boundary(strategies.apply(tiny_backbone(), strategy))
    assert found == start
    assert why in reason


@pytest.mark.parametrize("strategy", [PROBE, strategies.lp_ft(), LAST_TWO], ids=lambda s: s.name)
def test_weights_agree_with_and_without_it(strategy, monkeypatch, toy):
    """In full precision to float tolerance; in half precision to its three digits."""
    plain = fit(toy, strategy, RECIPE, cache_features=False).model.state_dict()
    half = fit(toy, strategy, RECIPE).model.state_dict()
    monkeypatch.setattr(feature_cache, "STORED", np.float32)
    full = fit(toy, strategy, RECIPE).model.state_dict()
    for name, value in plain.items():
        assert torch.allclose(value, full[name], atol=1e-5), name
        assert torch.allclose(value, half[name], atol=5e-3), name


def test_the_real_network_trains_the_same_with_and_without_it(toy):
    outputs = []
    for cache_features in (False, True):
        model = strategies.build(LAST, n_classes=2, channels=1)
        run = loop.fit(model, toy, LAST, RECIPE, cache_features=cache_features)
        outputs.append(predict(run.model, toy.test))
        assert losses(run)[-1] < losses(run)[0]
    assert np.abs(outputs[0] - outputs[1]).max() < 0.02


def test_a_second_run_reads_and_does_not_compute(monkeypatch, toy):
    fit(toy, PROBE, RECIPE)
    assert len(entries()) == 2  # training and validation images
    nothing_is_computed(monkeypatch)
    assert "computed once" in fit(toy, PROBE, RECIPE).frozen_front


@pytest.mark.parametrize(
    ("strategy", "options", "why"),
    [(FULL, {}, "nothing is computed ahead"), (PROBE, {"augment": lambda x: x}, "augmentation")],
    ids=["everything trains", "augmentation"],
)
def test_what_changes_in_every_epoch_is_not_kept(toy, strategy, options, why):
    assert why in fit(toy, strategy, RECIPE, **options).frozen_front
    assert entries() == []


def test_half_precision_and_the_layout_of_images():
    kept = stored()
    assert (kept.dtype, kept.shape) == (np.float16, (20, 16, 16, 4))
    assert isinstance(kept, np.memmap)
    assert stored(start="head").shape == (20, 4)


def test_damaged_weights_are_said_and_not_kept():
    model = frozen_net()
    model.net.conv.weight.data.fill_(np.nan)
    with pytest.raises(CourseError, match="hold NaN or infinity"):
        stored(model)
    assert entries() == []


@pytest.mark.parametrize(
    ("change", "matters"),
    [
        (lambda model, images: model.net.conv.weight.data[0, 0, 0].add_(1e-3), True),
        (lambda model, images: model.net.bn.running_mean.add_(1e-3), True),
        (lambda model, images: model.set_normalisation((0.4,), (0.5,)), True),
        (lambda model, images: images.images[3, 2, 1].fill(255), True),
        (lambda model, images: model.net.fc.weight.data.add_(1), False),
    ],
    ids=["weights", "statistics", "normalisation", "one pixel", "weights behind the boundary"],
)
def test_whatever_it_depends_on_makes_a_new_entry_and_nothing_else(change, matters, monkeypatch):
    monkeypatch.setattr(feature_cache, "STORED", np.float32)
    model, images = frozen_net(), inputs()
    before = np.array(stored(model, images))
    change(model, images)
    after = stored(model, images)
    assert len(entries()) == 1 + matters
    assert np.array_equal(before, after) != matters


@pytest.mark.parametrize(
    "damaged",
    [
        lambda content: content[:-100],
        lambda content: content[:900] + bytes([content[900] ^ 1]) + content[901:],
        lambda content: b"",
    ],
    ids=["cut", "a bit flipped", "empty"],
)
def test_a_damaged_entry_is_made_again(damaged, monkeypatch):
    first = np.array(stored())
    (path,) = entries()
    path.write_bytes(damaged(path.read_bytes()))
    assert np.array_equal(first, stored())
    nothing_is_computed(monkeypatch)
    assert np.array_equal(first, stored()), "a good entry took its place"


SUM = """
from tests.training.test_feature_cache import stored
print(float(stored().sum()))
"""
DIES = """
import os, signal, sys
from tests.training.test_feature_cache import stored
from helpers.training import feature_cache
compute = feature_cache._blocks
def killed(*a):
    yield next(compute(*a))
    os.kill(os.getpid(), getattr(signal, sys.argv[1]))
feature_cache.EVAL_BATCH, feature_cache._blocks = 4, killed
stored()
"""


@pytest.mark.parametrize("name", ["SIGKILL", "SIGINT"])
def test_a_kill_while_writing_leaves_nothing_that_is_read_later(name):
    """The real thing: the process dies between two blocks and, killed hard, cannot tidy up."""
    command = [sys.executable, "-c", DIES, name]
    done = subprocess.run(command, capture_output=True, check=False, text=True)
    # Where tabulate is installed torch imports it at the very end, and Python forgets its Ctrl-C.
    died = name == "SIGINT" and done.stderr.rstrip().endswith("KeyboardInterrupt")
    assert died or done.returncode == -signal.Signals[name]
    assert not [path for path in entries() if path.suffix == ".npy" or name == "SIGINT"]
    model = frozen_net().eval()
    with torch.inference_mode():
        expected = model(batch(inputs(), np.arange(20)), stop="stage2")
    assert np.allclose(stored(), expected.permute(0, 2, 3, 1).numpy(), atol=2e-3)


def fails(number: int):
    def fail(*arguments, **options):
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize("bias", [0, 1e6], ids=["half precision", "full precision"])
@pytest.mark.parametrize(
    ("where", "failure", "says"),
    [
        ("helpers.files._temporary", errno.ENOSPC, "No space left on device"),
        ("helpers.files._temporary", errno.EACCES, "Permission denied"),
        ("helpers.files.zlib.crc32", errno.ENOSPC, "No space left on device"),
    ],
    ids=["full disk", "read-only", "full half way"],
)
def test_where_nothing_can_be_written_the_numbers_are_right_all_the_same(
    monkeypatch, where, failure, says, bias
):
    model = frozen_net()
    model.net.stage2[1].bias.data.add_(bias)
    expected = np.array(stored(model))
    assert expected.dtype == (np.float32 if bias else np.float16), "where half cannot hold it"
    assert expected.max() >= bias
    entries()[0].unlink()
    monkeypatch.setattr(where, fails(failure))
    with pytest.warns(UserWarning, match=f"{says}.*computes it again next time. Set COURSE_CACHE"):
        kept = stored(model)
    assert kept.dtype == expected.dtype
    assert np.array_equal(kept, expected)
    assert entries() == [], "no half entry stays behind"


def test_a_cache_folder_that_is_a_file(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "file"))
    with pytest.warns(UserWarning, match="Set COURSE_CACHE"):
        assert len(stored()) == 20


def test_two_threads_fill_the_same_entry_at_once():
    models = [frozen_net(), frozen_net()]
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(lambda model: np.array(stored(model)), models)
    assert np.array_equal(one, other)
    assert len(entries()) == 1


def test_two_processes_fill_the_same_entry_at_once():
    command = [sys.executable, "-c", SUM]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    printed = [process.communicate(timeout=120)[0] for process in both]
    assert printed[0] == printed[1] != ""
    assert len(entries()) == 1


def test_the_oldest_entries_go_first_when_the_folder_is_full(monkeypatch):
    for seed in range(4):
        stored(images=inputs(seed=seed))
        newest = max(entries(), key=lambda path: path.stat().st_mtime)
        os.utime(newest, (seed, seed))
    size = entries()[0].stat().st_size
    stored(images=inputs(seed=0))  # used again: the youngest now
    monkeypatch.setenv("COURSE_CACHE_GB", str(3.5 * size / 1e9))
    stored(images=inputs(seed=9))
    assert len(entries()) == 3
    nothing_is_computed(monkeypatch)
    for seed in (0, 3, 9):
        stored(images=inputs(seed=seed))


def test_a_limit_that_is_no_number_is_said(monkeypatch):
    monkeypatch.setenv("COURSE_CACHE_GB", "five")
    with pytest.raises(CourseError, match="COURSE_CACHE_GB is 'five'"):
        stored()
