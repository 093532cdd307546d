"""Is a Linear layer without bias a matrix product?"""

import torch
import torch.nn.functional as F

from bench import Subject, benchmark, identical, large, unchanged


def product(x, weight):
    return x @ weight.t()


@benchmark(
    variants={"matmul": product, "linear": F.linear},
    cpu={"n": [256, 1024], "c": [256], "dtype": ["float32"]},
    cuda=[
        {"n": 64, "c": 256, "dtype": "bfloat16"},  # launch-bound on purpose
        {"n": 8192, "c": 4096, "dtype": "bfloat16"},
        large({"n": 8192, "c": 4096, "dtype": "float32"}),
        *(large({"n": 65536, "c": 4096, "dtype": dtype}) for dtype in ("bfloat16", "float32")),
    ],
    bytes_needed=lambda call, n, c, dtype: 100 * (2 * n * c + c * c),
    claims=[
        identical("output", note="X6"),
        unchanged("time", within="3%", note="X6"),
        unchanged("memory/peak", note="X6"),
    ],
)
def linear_is_matmul(call, n, c, dtype):
    """Both end in the same call to BLAS; the bias is what would add an epilogue.

    float32 is IEEE here, as PyTorch leaves matrix products; ``matmul/matmul_tf32`` asks what TF32 changes.
    """
    dtype = getattr(torch, dtype)
    flops = 2 * n * c * c
    x, weight = torch.randn(n, c, dtype=dtype), torch.randn(c, c, dtype=dtype) / c**0.5
    return Subject(call, x, weight, flops={"forward": flops, "backward": 2 * flops})
