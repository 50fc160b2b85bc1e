import pytest
import torch
from torch import nn

from helpers.errors import CourseError
from helpers.grayscale import gray_stem


def colour_conv() -> nn.Conv2d:
    torch.manual_seed(0)
    return nn.Conv2d(3, 8, 5, stride=2, padding=2, bias=True)


@pytest.mark.parametrize(("how", "scale"), [("sum", 1.0), ("mean", 1 / 3)])
def test_sum_is_exact_and_mean_is_a_third(how, scale):
    conv = colour_conv()
    gray = torch.rand(2, 1, 16, 16)
    bias = conv.bias.view(1, -1, 1, 1)
    replicated = conv(gray.expand(-1, 3, -1, -1)) - bias
    assert torch.allclose(gray_stem(conv, how)(gray) - bias, scale * replicated, atol=1e-5)


def test_the_colour_stem_is_left_as_it_was():
    conv = colour_conv()
    before = conv.weight.clone()
    gray_stem(conv, "random")
    assert torch.equal(conv.weight, before)
    assert conv.in_channels == 3


def test_random_has_nothing_of_the_old_kernels():
    conv = colour_conv()
    assert not torch.allclose(gray_stem(conv, "random").weight, gray_stem(conv, "sum").weight)


def test_a_gray_stem_is_not_made_gray_twice():
    with pytest.raises(CourseError, match="gray already"):
        gray_stem(gray_stem(colour_conv()))


def test_unknown_method_names_the_known_ones():
    with pytest.raises(CourseError, match=r"'summ'.*'sum'"):
        gray_stem(colour_conv(), "summ")
