"""Does cudnn.benchmark make convolutions of a fixed shape faster?"""

import torch
from torch import nn

from bench import Settings, Subject, benchmark, higher, large, lower

from ._shapes import CONV2_3X3, besides, conv_bytes, conv_flops, on_gpu


@benchmark(
    variants={"off": Settings(cudnn_benchmark=False), "on": Settings(cudnn_benchmark=True)},
    cpu="cudnn.benchmark chooses between cuDNN's GPU kernels; what a CPU has instead is in conv/onednn",
    cuda=[
        *on_gpu([CONV2_3X3], "bfloat16"),
        *map(large, on_gpu(besides(CONV2_3X3), "bfloat16")),
        *map(large, on_gpu(besides(), "float32")),
    ],
    bytes_needed=lambda _, n, c_in, c_out, k, hw, dtype: conv_bytes(n, c_in, c_out, k, hw, hw),
    claims=[
        lower("time", of="on", note="B1"),
        higher("memory/peak", of="on", note="B8"),
    ],
)
def cudnn_benchmark(_, n, c_in, c_out, k, hw, dtype):
    """Off, cuDNN's heuristic picks a kernel; on, PyTorch times the candidates once and keeps the fastest.

    The gain is what the heuristic missed.  The winner may need a larger workspace.
    """
    dtype = getattr(torch, dtype)
    x = torch.randn(n, c_in, hw, hw, dtype=dtype)
    conv = nn.Conv2d(c_in, c_out, k, padding=k // 2, bias=False, dtype=dtype)
    return Subject(conv, x, flops=conv_flops(n, c_in, c_out, k, hw, hw))
