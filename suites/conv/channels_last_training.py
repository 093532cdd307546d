"""Is NCHW the faster layout for training on a GPU?"""

import torch
from torch import nn

from bench import Subject, benchmark, close, higher, identical, large

from ._shapes import CIFAR, CONV2_3X3, CONV2_EXPAND, besides, conv_bytes, conv_flops, on_gpu, points


@benchmark(
    variants={"nchw": torch.contiguous_format, "channels_last": torch.channels_last},
    cpu=points([CIFAR, CONV2_3X3, CONV2_EXPAND], n=[2], dtype=["float32"]),
    cuda=[
        {**CIFAR, "n": 4, "dtype": "bfloat16"},  # launch-bound on purpose
        *on_gpu([CONV2_3X3], "bfloat16"),
        *on_gpu([CONV2_3X3], "float32"),
        *map(large, on_gpu(besides(CONV2_3X3), "bfloat16")),
        *map(large, on_gpu(besides(CONV2_3X3), "float32")),
    ],
    bytes_needed=lambda layout, n, c_in, c_out, k, hw, dtype: conv_bytes(n, c_in, c_out, k, hw, hw),
    claims=[
        higher("time", of="channels_last", on="cuda", note="M1"),
        close("output", note="M4"),
        close("gradient", note="M4"),
        identical("output", note="M4"),
    ],
)
def channels_last_training(layout, n, c_in, c_out, k, hw, dtype):
    """Tensor cores want the channels of a pixel side by side; from NCHW cuDNN has to transpose before and after.

    The layouts take different kernels, which add in different orders: close results, seldom the same bits.  On a GPU
    PyTorch takes TF32 for convolutions of float32; ``conv/conv_tf32`` asks both layouts without it.
    """
    dtype = getattr(torch, dtype)
    x = torch.randn(n, c_in, hw, hw, dtype=dtype).to(memory_format=layout)
    conv = nn.Conv2d(c_in, c_out, k, padding=k // 2, bias=False, dtype=dtype)
    batch_norm = nn.BatchNorm2d(c_out)  # float32 parameters, as autocast leaves them
    block = nn.Sequential(conv, batch_norm, nn.ReLU()).to(memory_format=layout)
    return Subject(block, x, flops=conv_flops(n, c_in, c_out, k, hw, hw))
