"""Does cudnn.benchmark make convolutions of a fixed shape faster?"""

import torch
from torch import nn

from bench import Settings, Subject, benchmark, higher, large, lower

from ._shapes import RESNET50, UNET, VGG, conv_flops, points


@benchmark(
    variants={"off": Settings(cudnn_benchmark=False), "on": Settings(cudnn_benchmark=True)},
    cpu="cudnn.benchmark chooses between cuDNN's GPU kernels; what a CPU has instead is in conv/onednn",
    cuda=[
        *points(RESNET50, n=[64], dtype=["bfloat16", "float32"]),
        *points(VGG, n=[32], dtype=["float32"]),
        *map(large, points([UNET], n=[32], dtype=["bfloat16", "float32"])),
    ],
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
