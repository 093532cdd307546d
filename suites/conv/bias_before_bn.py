"""Does a convolution bias directly before BatchNorm buy anything, and what does it cost?"""

import torch
from torch import nn

from bench import Subject, benchmark, close, higher, large

from ._shapes import CIFAR, CONV2_3X3, CONV2_EXPAND, CONV4_3X3, besides, conv_bytes, conv_flops, on_gpu, points


@benchmark(
    variants={"no_bias": False, "bias": True},  # the first is the baseline; the value is the first argument
    cpu=points([CIFAR, CONV2_3X3, CONV2_EXPAND, CONV4_3X3], n=[4], dtype=["float32"]),
    cuda=[
        {**CIFAR, "n": 4, "dtype": "bfloat16"},  # launch-bound on purpose
        *on_gpu([CONV2_3X3, CONV2_EXPAND], "bfloat16"),
        *map(large, on_gpu(besides(CONV2_3X3, CONV2_EXPAND), "bfloat16")),
        *map(large, on_gpu(besides(), "float32")),
    ],
    bytes_needed=lambda bias, n, c_in, c_out, k, hw, dtype: conv_bytes(n, c_in, c_out, k, hw, hw),
    claims=[
        close("output", note="C1"),
        higher("memory/peak", of="bias", note="C4"),
        higher("memory/parameters", of="bias", within=0, note="C4"),
        higher("time", of="bias", note="C5"),
    ],
)
def bias_before_bn(bias, n, c_in, c_out, k, hw, dtype):
    """BatchNorm subtracts the mean of the batch, and the bias with it.

    cuDNN's convolution takes no bias: PyTorch adds it in place afterwards, one more pass over the output, and sums
    the gradient over the batch in backward, another one.  oneDNN adds it inside the convolution.  Either way it
    needs 4 bytes a channel, next to activations of megabytes.
    """
    dtype = getattr(torch, dtype)
    x = torch.randn(n, c_in, hw, hw, dtype=dtype)
    conv = nn.Conv2d(c_in, c_out, k, padding=k // 2, bias=bias, dtype=dtype)
    batch_norm = nn.BatchNorm2d(c_out)  # float32 parameters, as autocast leaves them
    return Subject(nn.Sequential(conv, batch_norm), x, flops=conv_flops(n, c_in, c_out, k, hw, hw))
