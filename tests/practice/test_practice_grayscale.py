"""The checkers of notebook 03 accept right answers and name what is wrong with typical ones."""

import pytest
import torch

from helpers.practice import grayscale

LUMINANCE = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)


def not_written(*_):
    raise NotImplementedError


def sum_in_place(weight):
    weight[:, 0] += weight[:, 1] + weight[:, 2]
    return weight[:, :1].clone()


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda w: w.mean(dim=1, keepdim=True), "a third of the activation"),
        (lambda w: 3 * w.sum(dim=1, keepdim=True), "three times too much"),
        (lambda w: w[:, :1], "red kernel alone"),
        (lambda w: (w * LUMINANCE).sum(dim=1, keepdim=True), "belong to the image"),
        (lambda w: w.sum(dim=1), "keepdim=True"),
        (lambda w: w, "still three channels"),
        (lambda w: w.sum(dim=0, keepdim=True), "(5, 1, 3, 3) is wanted"),
        (lambda w: w[:, 1:2] - w[:, 2:], "which single kernel"),
        (lambda w: w.sum(dim=1, keepdim=True).numpy(), "must be a tensor"),
        (sum_in_place, "work on a copy"),
        (lambda w: w.missing, "raised AttributeError"),
        (not_written, "nothing here yet"),
    ],
)
def test_exact_gray_stem_rejects(answer, says):
    found = grayscale.exact_gray_stem(answer)
    assert not found.right
    assert says in found.message


@pytest.mark.parametrize(
    "answer",
    [lambda w: w.sum(dim=1, keepdim=True), lambda w: (w[:, 0] + w[:, 1] + w[:, 2]).unsqueeze(1)],
)
def test_exact_gray_stem_accepts(answer):
    assert grayscale.exact_gray_stem(answer).right


def fold(weight, mean, std, kernels=None, bias=None):
    m, s = mean.view(1, 3, 1, 1), std.view(1, 3, 1, 1)
    right = (weight / s).sum(dim=1, keepdim=True), -(weight * m / s).sum(dim=(1, 2, 3))
    return right[0] if kernels is None else kernels, right[1] if bias is None else bias


def column(v):
    return v.view(1, 3, 1, 1)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda w, m, s: fold(w, m, s, kernels=w.sum(1, keepdim=True)), "not divided"),
        (lambda w, m, s: fold(w, m, s, kernels=(w * column(s)).sum(1, keepdim=True)),
         "divide the kernels by the deviations"),
        (lambda w, m, s: fold(w, m, s, kernels=w.sum(1, keepdim=True) / s.mean()),
         "one deviation for all three"),
        (lambda w, m, s: fold(w, m, s, kernels=(w / column(s)).mean(1, keepdim=True)),
         "sum, not mean"),
        (lambda w, m, s: fold(w, m, s, kernels=w[:, :1]), "not sum_c W_c / s_c"),
        (lambda w, m, s: fold(w, m, s, bias=torch.zeros(5)), "the bias is 0"),
        (lambda w, m, s: fold(w, m, s, bias=-fold(w, m, s)[1]), "wrong sign"),
        (lambda w, m, s: fold(w, m, s, bias=-(w * column(m)).sum(dim=(1, 2, 3))),
         "divide the means"),
        (lambda w, m, s: fold(w, m, s, bias=fold(w, m, s)[1] / 9), "yours averages"),
        (lambda w, m, s: fold(w, m, s, bias=-m.mean() * fold(w, m, s)[0].sum(dim=(1, 2, 3))),
         "one mean for all three"),
        (lambda w, m, s: fold(w, m, s, bias=torch.ones(5)), "the bias is not"),
        (lambda w, m, s: fold(w, m, s, bias=-(w * column(m / s)).sum(dim=(2, 3))),
         "the bias are (5, 3)"),
        (lambda w, m, s: fold(w, m, s, kernels=w / column(s)), "still three channels"),
        (lambda w, m, s: fold(w, m, s)[0], "return two tensors"),
        (not_written, "nothing here yet"),
    ],
)  # fmt: skip
def test_fold_into_stem_rejects(answer, says):
    found = grayscale.fold_into_stem(answer)
    assert not found.right
    assert says in found.message


def test_fold_into_stem_accepts_what_normalises():
    assert grayscale.fold_into_stem(fold).right
    weight, images = torch.randn(5, 3, 3, 3), torch.rand(2, 1, 8, 8)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    kernels, bias = fold(weight, mean, std)
    colour = (images - column(mean)) / column(std)
    assert torch.allclose(
        torch.conv2d(images, kernels, bias), torch.conv2d(colour, weight), atol=1e-4
    )


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (0.157, "the sign"),
        (-0.036, "now divide"),
        (-0.1593, "gray deviation"),
        (-0.00824, "do not multiply"),
        (0, "nothing here yet"),
        (1.5, "not yet"),
        ("-0.157", "one number"),
        (True, "one number"),
    ],
)
def test_red_channel_offset_rejects(answer, says):
    found = grayscale.red_channel_offset(answer)
    assert not found.right
    assert says in found.message


@pytest.mark.parametrize("answer", [(0.449 - 0.485) / 0.229, -0.157, -0.1572])
def test_red_channel_offset_accepts(answer):
    assert grayscale.red_channel_offset(answer).right
