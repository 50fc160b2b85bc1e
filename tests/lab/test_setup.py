from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from helpers import datasets
from helpers.errors import CourseError
from helpers.lab import knobs
from helpers.lab.races import PREPARED
from helpers.lab.setup import Arm, Setup
from helpers.training import strategies
from tests.conftest import make_dataset

FINE = Setup((Arm(), Arm("full_finetune")))


def refused(setup: Setup, *words: str) -> None:
    with pytest.raises(CourseError) as error:
        setup.check()
    for word in words:
        assert word in str(error.value)


def test_an_arm_builds_the_strategy_of_the_course_with_its_knobs():
    assert Arm("partial_finetune", last=3).build() == strategies.partial_finetune(last=3)
    assert Arm("lp_ft").build() == strategies.lp_ft()
    own = Arm("full_finetune", head_lr=1e-2, backbone_lr=1e-4, decay=0.5, batchnorm="follow")
    assert own.build() == strategies.full_finetune(1e-2, 1e-4, 0.5, batchnorm="follow")
    # A phase that trains only the head has no other rate to set.
    assert Arm("feature_extraction", backbone_lr=0.5).build() == strategies.feature_extraction()


def test_no_augmentation_is_none_so_that_frozen_work_is_kept():
    assert Arm().policy is None
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


def test_everything_that_can_be_judged_without_images_is(tmp_path):
    FINE.check()
    refused(replace(FINE, arms=(Arm(),)), "2 to 5 arms", "is 1")
    refused(replace(FINE, arms=tuple(Arm("partial_finetune", last=k) for k in range(1, 7))), "6")
    refused(replace(FINE, arms=(Arm(), Arm("full_finetune"), Arm())), "Arms 1 and 3 are the same")
    refused(replace(FINE, arms=(Arm("feature_extracton"), Arm())), "feature_extraction")
    refused(replace(FINE, arms=(Arm("partial_finetune", last=8), Arm())), "7 stages", "last 8")
    refused(replace(FINE, backbone="resnet18", arms=(Arm("partial_finetune", last=5), Arm())), "4")
    refused(replace(FINE, arms=(Arm(head_lr=-1), Arm())), "above 0")
    refused(replace(FINE, arms=(Arm(gray="red"), Arm())), "grayscale surgery", "mean")
    refused(replace(FINE, arms=(Arm(augment="radiogram"), Arm())), "radiograph")
    refused(replace(FINE, arms=(Arm(batchnorm="on"), Arm())), "BatchNorm policy")
    refused(replace(FINE, backbone="resnet19"), "resnet18")
    refused(replace(FINE, dataset="elvp"), "elpv", "a folder")
    refused(replace(FINE, dataset="folder:"), "no folder")
    refused(replace(FINE, dataset=f"folder:{tmp_path}/nowhere"), "no folder", "per class")
    refused(replace(FINE, n=2), "n = 2")
    refused(replace(FINE, image_size=8), "32 to 224")
    refused(replace(FINE, epochs=0), "epochs = 0")
    refused(replace(FINE, seed=-1), "seed")
    refused(replace(FINE, epochs=1, arms=(Arm("lp_ft"), Arm())), "phases")


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


def test_arms_come_and_go():
    three = FINE.with_another_arm()
    assert [arm.strategy for arm in three.arms] == [
        "feature_extraction",
        "full_finetune",
        "scratch",
    ]
    three.check()
    five = three.with_another_arm().with_another_arm()
    five.check()
    assert three.without_arm(2) == FINE


def test_rates_are_read_as_they_are_typed():
    assert knobs.rate(" ") is None
    assert knobs.rate("3e-3") == 0.003
    with pytest.raises(CourseError, match="'fast' is no number"):
        knobs.rate("fast")


@pytest.mark.parametrize("prepared", PREPARED, ids=lambda p: p.name)
def test_prepared_races_can_be_raced(prepared):
    prepared.setup.check()
    assert len(set(prepared.setup.labels)) == len(prepared.setup.arms)
    assert prepared.question.endswith("?")
    assert prepared.look_at
