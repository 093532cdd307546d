"""Does a bias before BatchNorm cost a Linear layer what it costs a convolution?"""

import torch
from torch import nn

from bench import Subject, benchmark, close, large, unchanged


@benchmark(
    variants={"no_bias": False, "bias": True},
    cpu={"n": [256], "c": [256, 1024]},
    cuda=[
        {"n": 64, "c": 256, "dtype": "bfloat16"},  # launch-bound on purpose
        {"n": 8192, "c": 4096, "dtype": "bfloat16"},
        large({"n": 8192, "c": 4096, "dtype": "float32"}),
    ],
    bytes_needed=lambda bias, n, c, dtype="float32": 100 * (2 * n * c + c * c),
    claims=[
        close("output", note="C6"),
        unchanged("memory/peak", note="C6"),
        unchanged("time", within="3%", note="C6"),
    ],
)
def linear_bias_before_bn(bias, n, c, dtype="float32"):
    """A matrix product starts from the bias or adds it while it writes its result: no pass of its own in forward.

    Backward has to sum the gradient over the batch for the bias, which is a pass over it.
    """
    dtype = getattr(torch, dtype)
    x = torch.randn(n, c, dtype=dtype)
    flops = 2 * n * c * c
    return Subject(
        nn.Sequential(nn.Linear(c, c, bias=bias, dtype=dtype), nn.BatchNorm1d(c)),
        x,
        flops={"forward": flops, "backward": 2 * flops},
    )
