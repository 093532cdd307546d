"""Is a dilated convolution a dense one whose kernel has zeros between its taps, and what do the zeros cost?"""

from functools import partial

import torch
import torch.nn.functional as F

from bench import Subject, benchmark, close, higher, large

from ._shapes import CIFAR, CONV2_3X3, CONV3_3X3, CONV4_3X3, conv_bytes, conv_flops, points


def with_zeros(weight, d):
    """The kernel with ``d - 1`` zeros between neighbouring taps: 3x3 becomes 5x5 for d = 2."""
    c_out, c_in, k, _ = weight.shape
    size = d * (k - 1) + 1
    dense = weight.new_zeros(c_out, c_in, size, size)
    dense[:, :, ::d, ::d] = weight
    return dense


@benchmark(
    variants={"dilated": False, "zeros": True},
    cpu=points([CONV3_3X3, CONV2_3X3], n=[1], d=[2]),
    cuda=[
        {**CIFAR, "n": 4, "d": 2},  # launch-bound on purpose
        {**CONV3_3X3, "n": 128, "d": 2},
        large({**CONV3_3X3, "n": 128, "d": 4}),
        large({**CONV4_3X3, "n": 256, "d": 2}),
    ],
    bytes_needed=lambda zeros, n, c_in, c_out, k, hw, d: conv_bytes(n, c_in, c_out, k, hw, hw),
    phases=("forward",),
    claims=[
        close("output", note="D4"),
        higher("work/flops(torch)", of="zeros", note="D4"),
        higher("time", of="zeros", note="D4"),
    ],
)
def dilation_as_dense(zeros, n, c_in, c_out, k, hw, d):
    """Equal results; a dense kernel multiplies by its zeros, 25 taps for 9 at d = 2.  That is what dilation saves."""
    x = torch.randn(n, c_in, hw, hw)
    weight = torch.randn(c_out, c_in, k, k) / (k * k * c_in) ** 0.5
    flops = conv_flops(n, c_in, c_out, d * (k - 1) + 1 if zeros else k, hw, hw)
    if zeros:
        return Subject(partial(F.conv2d, padding=d), x, with_zeros(weight, d), flops=flops)
    return Subject(partial(F.conv2d, padding=d, dilation=d), x, weight, flops=flops)
