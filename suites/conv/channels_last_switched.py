"""Can a channels_last model be fed NCHW images at no cost?"""

import torch
from torch import nn

from bench import Subject, benchmark, close, large, unchanged

from ._shapes import CIFAR, CONV2_3X3, CONV2_REDUCE, besides, conv_bytes, conv_flops, on_gpu, points


@benchmark(
    variants={"kept": torch.channels_last, "switched": torch.contiguous_format},
    cpu=points([CONV2_REDUCE, CONV2_3X3], n=[1], dtype=["float32"]),
    cuda=[
        {**CIFAR, "n": 4, "dtype": "bfloat16"},  # launch-bound on purpose
        *on_gpu([CONV2_REDUCE], "bfloat16"),
        *map(large, on_gpu(besides(CONV2_REDUCE), "bfloat16")),
    ],
    bytes_needed=lambda input_layout, n, c_in, c_out, k, hw, dtype: conv_bytes(n, c_in, c_out, k, hw, hw),
    phases=("inference",),
    claims=[
        unchanged("time", within="3%", note="M3"),
        unchanged("memory/peak", note="M3"),
        close("output", note="M3"),
    ],
)
def channels_last_switched(input_layout, n, c_in, c_out, k, hw, dtype):
    """The weight's layout decides: an NCHW input is copied into channels_last, silently, at every call."""
    dtype = getattr(torch, dtype)
    x = torch.randn(n, c_in, hw, hw, dtype=dtype).to(memory_format=input_layout)
    conv = nn.Conv2d(c_in, c_out, k, padding=k // 2, bias=False, dtype=dtype).to(memory_format=torch.channels_last)
    return Subject(conv, x, flops=conv_flops(n, c_in, c_out, k, hw, hw))
