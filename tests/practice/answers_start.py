"""Answers to the exercises of notebook 00."""

import torch
from sklearn.metrics import roc_auc_score

from helpers.practice import auc_by_hand, network_input


def scaled(image):
    return torch.from_numpy(image).permute(2, 0, 1).unsqueeze(0).float() / 255


def with_imagenet_statistics(image):
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return (scaled(image) - mean.view(1, 3, 1, 1)) / std.view(1, 3, 1, 1)


def auc(negative, positive, tie=0.5):
    wins = [1.0 if p > n else tie if p == n else 0.0 for n in negative for p in positive]
    return sum(wins) / len(wins)


def sklearn_auc(negative, positive):
    labels = [0] * len(negative) + [1] * len(positive)
    return roc_auc_score(labels, [*negative, *positive])


RIGHT = {
    network_input: [
        lambda image: (scaled(image) - 0.5) / 0.5,
        lambda image: scaled(image).double() * 2 - 1,
        lambda image: torch.from_numpy(((image / 255 - 0.5) / 0.5).transpose(2, 0, 1)[None]),
    ],
    auc_by_hand: [auc, sklearn_auc, lambda n, p: torch.tensor(auc(n, p))],
}

WRONG = {
    network_input: [
        (torch.from_numpy, "float tensor"),
        (lambda image: scaled(image)[0], "the shape is (3, 6, 5)"),
        (lambda image: (scaled(image) * 2 - 1).transpose(2, 3), "the shape is (1, 3, 5, 6)"),
        (lambda image: scaled(image) * 255, "run to 255"),
        (scaled, "not normalised"),
        (lambda image: scaled(image) - 0.5, "divide by the standard deviation"),
        (lambda image: (scaled(image) * 2 - 1).flip(1), "red and blue"),
        (lambda image: (scaled(image) * 2 - 1).flip(3), "right pixels"),
        (lambda image: ((image / 255 - 0.5) / 0.5).transpose(2, 0, 1)[None], "numpy array"),
        (lambda image: (scaled(image) * 255 - 0.5) / 0.5, "divide by 255 before"),
        (lambda image: (torch.from_numpy(image).reshape(1, 3, 6, 5) / 255 - 0.5) / 0.5, "permute"),
        (lambda image: (torch.from_numpy(image)[None].view(1, 3, 6, 5) / 255) * 2 - 1, "permute"),
        (with_imagenet_statistics, "ImageNet's mean"),
    ],
    auc_by_hand: [
        (lambda n, p: auc(n, p, tie=0.0), "a tie"),
        (lambda n, p: auc(n, p, tie=1.0), "a tie"),
        (lambda n, p: 1 - auc(n, p), "upside down"),
        (lambda n, p: 0.9, "yours is 0.9"),
        (lambda n, p: [0.75], "one number"),
    ],
}
