"""What does cudnn.deterministic cost?"""

import torch
from torch import nn

from bench import Settings, Subject, benchmark, higher, large


@benchmark(
    variants={"off": Settings(cudnn_deterministic=False), "on": Settings(cudnn_deterministic=True)},
    cpu="cuDNN computes on GPUs; what determinism costs on a CPU is in the knob matrix of --determinism full",
    cuda=[
        {"n": 64, "c": 64, "hw": 56, "k": 3, "dilation": 1, "groups": 1},
        {"n": 32, "c": 512, "hw": 28, "k": 3, "dilation": 4, "groups": 1},
        {"n": 32, "c": 512, "hw": 28, "k": 3, "dilation": 1, "groups": 32},
        large({"n": 256, "c": 256, "hw": 14, "k": 3, "dilation": 1, "groups": 1}),
    ],
    bytes_needed=lambda _, n, c, hw, k, dilation, groups: 100 * c * (2 * n * hw * hw + c // groups * k * k),
    claims=[higher("time", of="on", note="B7")],
)
def cudnn_deterministic(_, n, c, hw, k, dilation, groups):
    """Most layers' fastest kernel is deterministic anyway; dilated and grouped gradients once were 10x slower."""
    conv = nn.Conv2d(c, c, k, padding=dilation * (k // 2), dilation=dilation, groups=groups, bias=False)
    flops = 2 * n * c * hw * hw * (c // groups) * k * k
    return Subject(conv, torch.randn(n, c, hw, hw), flops={"forward": flops, "backward": 2 * flops})
