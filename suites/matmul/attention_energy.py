"""Does the permuted query of an attention block slow its bmm down?"""

import torch

from bench import Subject, benchmark, close, large, unchanged


@benchmark(
    variants={"contiguous": False, "permuted": True},
    cpu={"n": [8], "c": [64], "pixels": [64, 256], "dtype": ["float32"]},
    cuda=[
        {"n": 8, "c": 64, "pixels": 64, "dtype": "bfloat16"},  # launch-bound on purpose
        {"n": 4, "c": 64, "pixels": 4096, "dtype": "bfloat16"},
        large({"n": 4, "c": 64, "pixels": 4096, "dtype": "float32"}),
        *(large({"n": 4, "c": 64, "pixels": 8192, "dtype": dtype}) for dtype in ("bfloat16", "float32")),
    ],
    bytes_needed=lambda permuted, n, c, pixels, dtype: 100 * n * pixels * (2 * c + pixels),
    claims=[
        unchanged("time", within="3%", note="X8"),
        unchanged("memory/peak", note="X8"),
        close("output", note="X8"),
    ],
)
def attention_energy(permuted, n, c, pixels, dtype):
    """(N, C, pixels) seen as (N, pixels, C): BLAS takes transposed operands, and reads them as well."""
    dtype = getattr(torch, dtype)
    query = torch.randn(n, c, pixels, dtype=dtype).permute(0, 2, 1)
    key = torch.randn(n, c, pixels, dtype=dtype)
    flops = 2 * n * c * pixels * pixels
    return Subject(
        torch.bmm, query if permuted else query.contiguous(), key, flops={"forward": flops, "backward": 2 * flops}
    )
