"""Is a Linear layer without bias a matrix product?"""

import torch
import torch.nn.functional as F

from bench import Subject, benchmark, identical, large, unchanged


def product(x, weight):
    return x @ weight.t()


@benchmark(
    variants={"matmul": product, "linear": F.linear},
    cpu={"n": [256, 1024], "c": [256], "dtype": ["float32"]},
    cuda={"n": [8192, large(65536)], "c": [4096], "dtype": ["bfloat16", "float32"]},
    claims=[
        identical("output", note="X6"),
        unchanged("time", within="3%", note="X6"),
        unchanged("memory/peak", note="X6"),
    ],
)
def linear_is_matmul(call, n, c, dtype):
    """Both end in the same call to BLAS; the bias is what would add an epilogue."""
    dtype = getattr(torch, dtype)
    flops = 2 * n * c * c
    x, weight = torch.randn(n, c, dtype=dtype), torch.randn(c, c, dtype=dtype) / c**0.5
    return Subject(call, x, weight, flops={"forward": flops, "backward": 2 * flops})
