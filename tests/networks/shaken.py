"""BatchNorm that does something, for tests in which it may not be forgotten."""

import torch
from torch import nn


def shaken(model):
    """Give BatchNorm statistics and scales that differ from 0 and 1, or a test could not fail."""
    torch.manual_seed(0)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.5, 0.5)
            module.running_var.uniform_(0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)
    return model
