"""Is a convolution bias before BatchNorm still without effect in eval mode?"""

import torch
import torch.nn.functional as F

from bench import Subject, benchmark, close

from ._shapes import CIFAR, CONV2_3X3, CONV4_3X3, RESNET50, points


def no_bias(x, weight, bias, mean, variance):
    return F.batch_norm(F.conv2d(x, weight, padding=1), mean, variance)


def absorbed(x, weight, bias, mean, variance):
    """The running mean of a model that was trained with the bias."""
    return F.batch_norm(F.conv2d(x, weight, bias, padding=1), mean + bias, variance)


def not_absorbed(x, weight, bias, mean, variance):
    """The running mean of a fresh model, or of a checkpoint that was trained without the bias."""
    return F.batch_norm(F.conv2d(x, weight, bias, padding=1), mean, variance)


@benchmark(
    variants={"no_bias": no_bias, "absorbed": absorbed, "not_absorbed": not_absorbed},
    cpu=points([CIFAR, CONV2_3X3, CONV4_3X3], n=[2]),
    cuda=points([layer for layer in RESNET50 if layer["k"] == 3], n=[32]),
    phases=(),
    claims=[close("output", note="C2")],
)
def bias_before_bn_eval(call, n, c_in, c_out, k, hw):
    """In eval mode BatchNorm subtracts its running mean: the bias vanishes only if it had been trained into it."""
    x = torch.randn(n, c_in, hw, hw)
    weight = torch.randn(c_out, c_in, k, k) / (k * k * c_in) ** 0.5
    return Subject(call, x, weight, torch.randn(c_out), torch.randn(c_out), 1 + torch.rand(c_out))
