"""Answers to the exercises of notebook 03."""

import torch

from helpers.practice import exact_gray_stem, fold_into_stem, red_channel_offset

LUMINANCE = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)


def summed(weight):
    return weight.sum(dim=1, keepdim=True)


def sum_in_place(weight):
    weight[:, 0] += weight[:, 1] + weight[:, 2]
    return weight[:, :1].clone()


def column(v):
    return v.view(1, 3, 1, 1)


def fold(weight, mean, std, kernels=None, bias=None):
    m, s = column(mean), column(std)
    right = summed(weight / s), -(weight * m / s).sum(dim=(1, 2, 3))
    return right[0] if kernels is None else kernels, right[1] if bias is None else bias


RIGHT = {
    exact_gray_stem: [summed, lambda w: (w[:, 0] + w[:, 1] + w[:, 2]).unsqueeze(1)],
    fold_into_stem: [fold],
    red_channel_offset: [(0.449 - 0.485) / 0.229, -0.157, -0.1572, -0.16],
}

WRONG = {
    exact_gray_stem: [
        (lambda w: w.mean(dim=1, keepdim=True), "a third of the activation"),
        (lambda w: 3 * summed(w), "three times too much"),
        (lambda w: w[:, :1], "red kernel alone"),
        (lambda w: summed(w * LUMINANCE), "belong to the image"),
        (lambda w: w.sum(dim=1), "keepdim=True"),
        (lambda w: w, "still three channels"),
        (lambda w: w.sum(dim=0, keepdim=True), "(5, 1, 3, 3) is wanted"),
        (lambda w: w[:, 1:2] - w[:, 2:], "which single kernel"),
        (lambda w: summed(w).numpy(), "must be a tensor"),
        (sum_in_place, "work on a copy"),
    ],
    fold_into_stem: [
        (lambda w, m, s: fold(w, m, s, kernels=summed(w)), "not divided"),
        (lambda w, m, s: fold(w, m, s, kernels=summed(w * column(s))),
         "divide the kernels by the deviations"),
        (lambda w, m, s: fold(w, m, s, kernels=summed(w) / s.mean()),
         "one deviation for all three"),
        (lambda w, m, s: fold(w, m, s, kernels=(w / column(s)).mean(1, keepdim=True)),
         "sum, not mean"),
        (lambda w, m, s: fold(w, m, s, kernels=w[:, :1]), "not sum_c W_c / s_c"),
        (lambda w, m, s: (summed(w / s), -(w * m / s).sum(dim=(1, 2, 3))), "view(1, 3, 1, 1)"),
        (lambda w, m, s: fold(w, m, s, bias=-(w * m / s).sum(dim=(1, 2, 3))),
         "the bias takes mean and std along the kernel's columns"),
        (lambda w, m, s: fold(w, m, s, bias=-(w * column(m / s)).sum(dim=1)),
         "channels and positions"),
        (lambda w, m, s: fold(w, m, s, bias=torch.zeros(5)), "the bias is 0"),
        (lambda w, m, s: fold(w, m, s, bias=-fold(w, m, s)[1]), "wrong sign"),
        (lambda w, m, s: fold(w, m, s, bias=-(w * column(m)).sum(dim=(1, 2, 3))),
         "divide the means"),
        (lambda w, m, s: fold(w, m, s, bias=fold(w, m, s)[1] / 9), "yours averages"),
        (lambda w, m, s: fold(w, m, s, bias=-m.mean() * fold(w, m, s)[0].sum(dim=(1, 2, 3))),
         "one mean for all three"),
        (lambda w, m, s: fold(w, m, s, bias=torch.ones(5)), "the bias is not"),
        (lambda w, m, s: fold(w, m, s, bias=-(w * column(m / s)).sum(dim=(2, 3))),
         "the bias is (5, 3)"),
        (lambda w, m, s: fold(w, m, s, kernels=w / column(s)), "still three channels"),
        (lambda w, m, s: fold(w, m, s)[0], "return two tensors"),
    ],
    red_channel_offset: [
        (0.157, "the sign"),
        (-0.036, "now divide"),
        (-0.1593, "gray deviation"),
        (-0.00824, "do not multiply"),
        (0, "nothing here yet"),
        (1.5, "not yet"),
        ("-0.157", "one number"),
        (True, "one number"),
    ],
}  # fmt: skip
