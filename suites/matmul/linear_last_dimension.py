"""Is a Linear layer on (N, H, W, C) the same as one on (N * H * W, C)?"""

from functools import partial

import torch
import torch.nn.functional as F

from bench import Subject, benchmark, identical, large, unchanged

LAYOUTS = ("dense", "permuted")


def flattened(x, weight, bias):
    return F.linear(x.reshape(-1, x.shape[-1]), weight, bias).view(*x.shape[:-1], -1)


@benchmark(
    variants={"flattened": flattened, "four_dimensions": F.linear},
    cpu={"n": [2], "hw": [14], "c": [64, 256], "layout": LAYOUTS},
    cuda=[
        {"n": 2, "hw": 14, "c": 64, "layout": "permuted", "dtype": "bfloat16"},  # launch-bound on purpose
        *({"n": 32, "hw": 56, "c": 256, "layout": layout, "dtype": "bfloat16"} for layout in LAYOUTS),
        *(large({"n": 32, "hw": 56, "c": 256, "layout": layout, "dtype": "float32"}) for layout in LAYOUTS),
    ],
    bytes_needed=lambda call, n, hw, c, layout, dtype="float32": 100 * c * (2 * n * hw * hw + c),
    claims=[
        identical("output", note="X7"),
        unchanged("time", within="3%", note="X7"),
        unchanged("memory/peak", note="X7"),
    ],
)
def linear_last_dimension(call, n, hw, c, layout, dtype="float32"):
    """Linear folds all dimensions but the last; an image permuted from NCHW has to be copied for that."""
    randn = partial(torch.randn, dtype=getattr(torch, dtype))
    x = randn(n, hw, hw, c) if layout == "dense" else randn(n, c, hw, hw).permute(0, 2, 3, 1)
    flops = 2 * n * hw * hw * c * c
    flops_by_phase = {"forward": flops, "backward": 2 * flops}
    return Subject(call, x, randn(c, c) / c**0.5, randn(c), flops=flops_by_phase)
