from __future__ import annotations

import hashlib
import io

import numpy as np
import pytest

from helpers.datasets.medmnist import MEDMNIST, SIZES, load_medmnist
from helpers.errors import CourseError

pytestmark = pytest.mark.usefixtures("private_cache")

COUNTS = (6, 3, 4)
PARTS = ("train", "val", "test")


def arrays(channels: int = 1, size: int = 28, n_classes: int = 2) -> dict[str, np.ndarray]:
    """Return what an npz file of MedMNIST holds, only fewer images: the k-th has value k."""
    shape, content = (size, size, 3)[: 3 if channels == 3 else 2], {}
    for part, n in zip(PARTS, COUNTS, strict=True):
        images = [np.full(shape, k, np.uint8) for k in range(n)]
        content[f"{part}_images"] = np.stack(images)
        content[f"{part}_labels"] = (np.arange(n) % n_classes).astype(np.uint8)[:, None]
    return content


def as_npz(content: dict[str, np.ndarray]) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **content)
    return file.getvalue()


@pytest.fixture
def publish(monkeypatch):
    """Return a function that makes `content` the published file of a set at 28 or 64 pixels."""

    def into_table(name: str, content: bytes) -> bytes:
        md5 = hashlib.md5(content).hexdigest()
        info = MEDMNIST[name] | {"counts": COUNTS, "md5": [md5] * 4}
        monkeypatch.setitem(MEDMNIST, name, info)
        return content

    return into_table


@pytest.fixture
def npz(private_cache):
    return private_cache / "downloads" / "pneumoniamnist.npz"


@pytest.mark.parametrize(
    ("name", "size", "channels", "published"),
    [
        ("pneumonia", 28, 1, 28),
        ("PneumoniaMNIST", 64, 1, 64),
        ("blood", 28, 3, 28),
        ("pneumonia", 40, 1, 64),
        ("blood", 40, 3, 64),
    ],
)
def test_the_file_of_that_size_or_the_next_larger_is_downloaded_and_read(
    mirror, publish, private_cache, name, size, channels, published
):
    key = name.lower().removesuffix("mnist")
    file = f"{key}mnist.npz" if published == 28 else f"{key}mnist_{published}.npz"
    mirror.serve(publish(key, as_npz(arrays(channels, published))))
    data = load_medmnist(name, size=size, base_url=mirror.url)
    assert mirror.paths == [f"/{file}?download=1"]
    assert (private_cache / "downloads" / file).is_file()
    for part, n in zip(PARTS, COUNTS, strict=True):
        split = getattr(data, part)
        assert split.images.shape == (n, size, size, channels)
        assert split.images[:, 3, 3, 0].tolist() == list(range(n))
        assert split.labels.tolist() == [k % 2 for k in range(n)]
        assert split.labels.dtype == split.groups.dtype == np.int64
    groups = np.concatenate([data.train.groups, data.val.groups, data.test.groups])
    assert len(set(groups.tolist())) == sum(COUNTS)
    card = data.card
    assert (card.name, card.channels, card.size) == (key, channels, size)
    assert list(card.classes) == MEDMNIST[key]["classes"]


NOWHERE = "http://127.0.0.1:9"


def test_a_file_put_there_by_hand_is_used_and_once_unpacked_not_needed_again(publish, npz):
    npz.parent.mkdir(parents=True)
    npz.write_bytes(publish("pneumonia", as_npz(arrays())))
    load_medmnist("pneumonia", size=28, base_url=NOWHERE)
    npz.unlink()
    data = load_medmnist("pneumonia", size=28, base_url=NOWHERE)
    assert isinstance(data.train.images, np.memmap)
    assert len(data.test) == COUNTS[2]


FAILING, DAMAGED = {"content": b"gateway", "status": 503}, {"content": b"damaged"}
CUT_OFF = {"content": b"cut off" * 1000, "missing": 3000}


@pytest.mark.parametrize(
    "first", [FAILING, DAMAGED, CUT_OFF], ids=["failing", "damaged", "cut off"]
)
def test_a_failure_is_tried_again(mirror, publish, npz, first):
    good = publish("pneumonia", as_npz(arrays()))
    mirror.serve(**first)
    mirror.serve(good)
    data = load_medmnist("pneumonia", size=28, base_url=mirror.url)
    assert len(data.train) == COUNTS[0]
    assert len(mirror.paths) == 2
    assert [path.name for path in npz.parent.iterdir()] == [npz.name]
    assert npz.read_bytes() == good


@pytest.mark.parametrize("lying_there", [None, b"left over"])
@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (FAILING, "the server answered 503"),
        ({"content": b"none", "status": 404}, "the server answered 404"),
        (DAMAGED, "4 times it arrived damaged"),
        (CUT_OFF, "no connection to the server, or it"),
        (None, "no connection to the server"),
    ],
    ids=["failing", "missing", "damaged", "cut off", "no server"],
)
def test_when_it_cannot_be_had(mirror, publish, npz, answer, said, lying_there):
    publish("pneumonia", as_npz(arrays()))
    url = mirror.url if answer else NOWHERE
    if answer:
        mirror.serve(**answer)
    if lying_there:
        npz.parent.mkdir(parents=True)
        npz.write_bytes(lying_there)
    with pytest.raises(CourseError, match=said) as error:
        load_medmnist("pneumonia", size=28, base_url=url)
    for part in (f"{url}/pneumoniamnist.npz?download=1", f"put it at {npz}"):
        assert part in str(error.value)
    assert ("has been removed" in str(error.value)) == bool(lying_there)
    assert len(mirror.paths) == (4 if answer else 0)
    assert not list(npz.parent.iterdir())


def test_a_cache_that_cannot_be_written(mirror, publish, private_cache):
    mirror.serve(publish("pneumonia", as_npz(arrays())))
    private_cache.write_text("a file where the folder should be")
    with pytest.raises(CourseError, match="set COURSE_CACHE to another folder"):
        load_medmnist("pneumonia", size=28, base_url=mirror.url)


@pytest.mark.parametrize(
    ("name", "size", "said"),
    [("chest", 28, "14 labels per image"), ("ChestMNIST", 28, "14 labels per image"),
     ("pneumonie", 28, "Did you mean 'pneumonia'"), ("pneumonia", 300, "up to 224 pixels; 300")],
)  # fmt: skip
def test_what_there_is_not(name, size, said):
    with pytest.raises(CourseError, match=said):
        load_medmnist(name, size=size)


def test_cards_say_what_to_know(mirror, publish):
    for name, said in (
        ("breast", "Label 0 is malignant"),
        ("retina", "ordered grades"),
        ("organa", "scan"),
    ):
        channels, n_classes = MEDMNIST[name]["channels"], len(MEDMNIST[name]["classes"])
        mirror.answers.clear()
        mirror.serve(publish(name, as_npz(arrays(channels, n_classes=n_classes))))
        assert said in load_medmnist(name, size=28, base_url=mirror.url).card.caveat


def test_the_table_is_consistent_and_every_file_has_its_own_checksum():
    for info in MEDMNIST.values():
        assert info["task"] in ("binary-class", "multi-class", "ordinal-regression")
        assert (len(info["classes"]) == 2) == (info["task"] == "binary-class")
        assert len(set(info["classes"])) == len(info["classes"])
        assert info["channels"] in (1, 3)
        assert len(info["counts"]) == len(PARTS)
        assert len(info["md5"]) == len(SIZES) == 4
        for name in ("domain", "origin", "split_rule", "terms", "grouping"):
            assert info[name], info
    sums = [md5 for info in MEDMNIST.values() for md5 in info["md5"]]
    assert len(set(sums)) == len(sums) == 44
    assert all(len(md5) == 32 and int(md5, 16) for md5 in sums)
