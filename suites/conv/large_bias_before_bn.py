"""Does BatchNorm remove a convolution bias however large it is?"""

import torch
import torch.nn.functional as F

from bench import Subject, benchmark, close


def no_bias(x, weight, bias):
    return F.batch_norm(F.conv2d(x, weight, padding=1), None, None, training=True)


def with_bias(x, weight, bias):
    return F.batch_norm(F.conv2d(x, weight, bias, padding=1), None, None, training=True)


@benchmark(
    variants={"no_bias": no_bias, "bias": with_bias},
    cpu={"c": [16], "hw": [32], "n": [2], "magnitude": [1, 30, 1000]},
    cuda={"c": [64], "hw": [56], "n": [32], "magnitude": [1, 30, 1000]},
    phases=(),
    claims=[close("output", note="C1")],
)
def large_bias_before_bn(call, n, c, hw, magnitude):
    """Rounding comes before the mean is subtracted: a large bias pushes low bits out of the sum, and they stay lost."""
    x = torch.randn(n, c, hw, hw)
    weight = torch.randn(c, c, 3, 3) / (9 * c) ** 0.5  # the output's deviation is about 1
    return Subject(call, x, weight, magnitude * torch.randn(c))
