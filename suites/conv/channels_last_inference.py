"""Is NHWC (channels_last) the faster layout for prediction on a CPU?"""

import torch
from torch import nn

from bench import Subject, benchmark, close, large, lower

from ._shapes import CIFAR, CONV2_3X3, CONV2_EXPAND, CONV4_3X3, besides, conv_bytes, conv_flops, on_gpu, points


@benchmark(
    variants={"nchw": torch.contiguous_format, "channels_last": torch.channels_last},
    cpu=points([CIFAR, CONV2_3X3, CONV2_EXPAND, CONV4_3X3], n=[2], dtype=["float32"]),
    cuda=[
        *on_gpu([CONV2_3X3], "bfloat16"),
        *map(large, on_gpu(besides(CONV2_3X3), "bfloat16")),
        *map(large, on_gpu(besides(), "float32")),
    ],
    bytes_needed=lambda layout, n, c_in, c_out, k, hw, dtype: conv_bytes(n, c_in, c_out, k, hw, hw),
    phases=("inference",),
    claims=[lower("time", of="channels_last", on="cpu", note="M2"), close("output", note="M4")],
)
def channels_last_inference(layout, n, c_in, c_out, k, hw, dtype):
    """oneDNN computes in a blocked layout of its own: what differs is the reordering before and after."""
    dtype = getattr(torch, dtype)
    x = torch.randn(n, c_in, hw, hw, dtype=dtype).to(memory_format=layout)
    conv = nn.Conv2d(c_in, c_out, k, padding=k // 2, bias=False, dtype=dtype)
    block = nn.Sequential(conv, nn.BatchNorm2d(c_out), nn.ReLU()).eval().to(memory_format=layout)
    return Subject(block, x, flops=conv_flops(n, c_in, c_out, k, hw, hw))
