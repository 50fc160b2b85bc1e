from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from helpers import datasets
from helpers.errors import CourseError
from helpers.lab import knobs
from helpers.lab import setup as setups
from helpers.lab.races import PREPARED
from helpers.lab.setup import Arm, Setup
from helpers.training import strategies
from tests.conftest import make_dataset

FINE = Setup((Arm(), Arm("full_finetune")))


def test_an_arm_builds_the_strategy_of_the_course_with_its_knobs():
    assert Arm("partial_finetune", last=3).build() == strategies.partial_finetune(last=3)
    assert Arm("lp_ft").build() == strategies.lp_ft()
    own = Arm("full_finetune", head_lr=1e-2, backbone_lr=1e-4, decay=0.5, batchnorm="follow")
    assert own.build() == strategies.full_finetune(1e-2, 1e-4, 0.5, batchnorm="follow")
    # A phase that trains only the head has no other rate to set.
    assert Arm("feature_extraction", backbone_lr=0.5).build() == strategies.feature_extraction()
    assert Arm().policy is None, "so that frozen work is kept"
    assert Arm(augment="dihedral").policy.name == "dihedral"


def test_labels_tell_siblings_apart_and_hide_the_usual():
    arms = (Arm(), Arm(gray="mean"), Arm("partial_finetune"), Arm("partial_finetune", last=1),
            Arm("full_finetune", head_lr=0.01, augment="dihedral"))  # fmt: skip
    assert Setup(arms).labels == (
        "feature extraction, gray sum", "feature extraction, gray mean",
        "partial fine-tune, last 2", "partial fine-tune, last 1",
        "full fine-tune, augmentation dihedral, head 0.01",
    )  # fmt: skip
    trap = Setup((Arm(), Arm(batchnorm="train")))
    assert trap.labels == ("BN rests", "BN moves")
    assert trap.shared_strategy == "feature extraction"
    assert Setup(arms).shared_strategy == ""


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"arms": (Arm(),)}, "2 to 5 arms.*is 1"),
        ({"arms": tuple(Arm("partial_finetune", last=k) for k in range(1, 7))}, "6"),
        ({"arms": (Arm(), Arm("full_finetune"), Arm())}, "Arms 1 and 3 are the same"),
        ({"arms": (Arm("feature_extracton"), Arm())}, "feature_extraction"),
        ({"arms": (Arm("partial_finetune", last=8), Arm())}, "7 stages.*last 8"),
        ({"arms": (Arm("partial_finetune", last=5), Arm()), "backbone": "resnet18"}, "4"),
        ({"arms": (Arm(head_lr=-1), Arm())}, "above 0"),
        ({"arms": (Arm(gray="red"), Arm())}, "grayscale surgery.*mean"),
        ({"arms": (Arm(augment="radiogram"), Arm())}, "radiograph"),
        ({"arms": (Arm(batchnorm="on"), Arm())}, "BatchNorm policy"),
        ({"arms": (Arm("lp_ft"), Arm()), "epochs": 1}, "phases"),
        ({"backbone": "resnet19"}, "resnet18"),
        ({"dataset": "elvp"}, "elpv.*a folder"),
        ({"dataset": "folder:"}, "^Type the path of a folder"),
        ({"dataset": "folder:no/such/place"}, "no folder.*per class"),
        ({"n": 2}, "n = 2"),
        ({"image_size": 8}, "32 to 224"),
        ({"epochs": 0}, "epochs = 0"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**32}, "seed is 4294967296; .*to 4,294,967,295"),
        ({"seed": 2**40}, "seed"),
        ({"n": 10**400}, "as many as there are"),
    ],
)
def test_what_can_be_judged_without_images_is_refused_in_a_sentence(changes, says):
    FINE.check()
    with pytest.raises(CourseError, match=f"(?s){says}"):
        replace(FINE, **changes).check()


def test_colour_images_take_no_grayscale_surgery():
    setup = Setup((Arm(), Arm(gray="mean")))
    setup.check_data(make_dataset(channels=1))
    with pytest.raises(CourseError, match="in colour"):
        setup.check_data(make_dataset(channels=3))


def test_a_folder_with_one_class_is_a_sentence(tmp_path):
    folder = tmp_path / "cells" / "intact"
    folder.mkdir(parents=True)
    Image.fromarray(np.zeros((40, 40), np.uint8)).save(folder / "a.png")
    setup = replace(FINE, dataset=f"folder:{tmp_path / 'cells'}")
    setup.check()  # the folder is there; what is in it shows when it is read
    with pytest.raises(CourseError, match="class"):
        setup.experiment(setup.arms[0]).data()


def test_bare_names_are_found_where_the_course_finds_them(tmp_path, monkeypatch):
    (tmp_path / "shells").mkdir()
    monkeypatch.setenv("COURSE_DATA_DIR", str(tmp_path))
    assert "shells" in datasets.names()
    replace(FINE, dataset="shells").check()


def test_numbers_are_read_as_they_are_typed_or_not_at_all():
    assert knobs.number(" ", float, "rate") is None
    assert knobs.number("3e-3", float, "rate") == 0.003
    assert knobs.number(" 40", int, "n") == 40
    for text, kind in (("fast", float), ("0,003", float), ("1.000,5", float), ("", int),
                       ("1e3", int), ("2.7", int), ("1,000", int), ("--1", int)):  # fmt: skip
        with pytest.raises(CourseError, match=f"'{text}' cannot be read as here; type a "):
            knobs.number(text, kind, "here")


def test_two_rates_that_look_alike_make_two_labels():
    arms = (Arm(head_lr=0.00123456789), Arm(head_lr=0.00123456788))
    assert len(set(Setup(arms).labels)) == 2


@pytest.mark.parametrize("root", ["~nobody-of-this-name/x", "x" * 5000])
def test_a_bad_data_folder_takes_none_of_the_course_s_own_sets_away(root, monkeypatch):
    monkeypatch.setenv("COURSE_DATA_DIR", root)
    names, trouble = setups.data_sets()
    assert {"elpv", "pneumonia"} <= set(names)
    assert "COURSE_DATA_DIR cannot be listed" in trouble
    FINE.check()
    with pytest.raises(CourseError, match=r"'shells'.*COURSE_DATA_DIR cannot be listed"):
        replace(FINE, dataset="shells").check()


@pytest.mark.parametrize("prepared", PREPARED, ids=lambda p: p.name)
def test_prepared_races_can_be_raced(prepared):
    prepared.setup.check()
    assert len(set(prepared.setup.labels)) == len(prepared.setup.arms)
    assert prepared.question.endswith("?")
    assert prepared.look_at
