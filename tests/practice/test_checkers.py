"""Every checker accepts right answers and names what is wrong with each typical wrong one.

The answers are tables, one module per notebook: checker -> answers that are right, and checker ->
(wrong answer, what the checker must say of it; "a|b" where either will do).
"""

import pytest
import torch

from helpers import inspection, practice
from helpers.networks import backbones
from helpers.practice.checker import Checked
from tests.practice import (
    answers_augmentation,
    answers_batches,
    answers_decision,
    answers_grayscale,
    answers_interview,
    answers_labels,
    answers_medical,
    answers_shapes,
    answers_shipping,
    answers_start,
    answers_strategies,
    answers_transfer,
    answers_trust,
)

BOOKS = (answers_start, answers_transfer, answers_strategies, answers_grayscale,
         answers_augmentation, answers_decision, answers_trust, answers_medical, answers_interview,
         answers_shapes, answers_labels, answers_shipping, answers_batches)  # fmt: skip
CHECKERS = [getattr(practice, name) for name in practice.__all__ if name[0].islower()]
TAKE_A_NUMBER = (practice.head_parameters, practice.red_channel_offset)
TAKE_A_FUNCTION = [check for check in CHECKERS
                   if check not in (*TAKE_A_NUMBER, practice.sixty_seconds)]  # fmt: skip


def cases(table: str) -> list:
    """Return (checker, row) for every row of that table of every notebook."""
    return [
        pytest.param(check, row, id=f"{check.__name__}-{row[1] if table == 'WRONG' else k}")
        for book in BOOKS
        for check, rows in getattr(book, table).items()
        for k, row in enumerate(rows)
    ]


@pytest.mark.parametrize(("check", "row"), cases("WRONG"))
def test_a_wrong_answer_is_rejected_and_its_slip_named(check, row):
    answer, says = row
    torch.manual_seed(0)
    found = check(answer)
    assert not found.right
    assert any(part in found.message for part in says.split("|")), found


@pytest.mark.parametrize(("check", "answer"), cases("RIGHT"))
def test_a_right_answer_is_accepted(check, answer):
    found = check(answer)
    assert found.right, found


def not_written(*_):
    raise NotImplementedError


@pytest.mark.parametrize("check", TAKE_A_FUNCTION, ids=lambda check: check.__name__)
def test_an_empty_attempt_and_an_error_of_the_learner_s_own_end_in_a_sentence(check):
    assert "nothing here yet" in check(not_written).message
    assert "raised AttributeError" in check(lambda *given: given[0].no_such_thing).message


@pytest.mark.parametrize("table", ["RIGHT", "WRONG"])
def test_no_checker_is_without_answers(table):
    assert {check for book in BOOKS for check in getattr(book, table)} == set(CHECKERS)


def test_what_a_checker_says_reads_as_one_line():
    assert repr(Checked(True, "good.")) == "✔ good."
    assert repr(Checked(False, "bad.")) == "✘ bad."


def test_the_receptive_field_by_hand_is_that_of_a_real_network():
    """The first layers of Lite0: stem, stage 1, and the two blocks of stage 2."""
    layers = [(3, 2), (3, 1), (1, 1), (1, 1), (3, 2), (1, 1), (1, 1), (3, 1), (1, 1)]
    table = inspection.geometry(backbones.load("efficientnet_lite0", weights=None), 64)
    assert answers_transfer.field(layers) == table.loc["stage2", "receptive_field"]


def test_the_folded_stem_by_hand_is_a_convolution_of_the_normalised_image():
    weight, images = torch.randn(5, 3, 3, 3), torch.rand(2, 1, 8, 8)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    colour = (images - mean.view(1, 3, 1, 1)) / std.view(1, 3, 1, 1)
    kernels, bias = answers_grayscale.fold(weight, mean, std)
    assert torch.allclose(torch.conv2d(images, kernels, bias), torch.conv2d(colour, weight),
                          atol=1e-4)  # fmt: skip
