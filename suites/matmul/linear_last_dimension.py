"""Is a Linear layer on (N, H, W, C) the same as one on (N * H * W, C)?"""

import torch
import torch.nn.functional as F

from bench import Subject, benchmark, identical, unchanged


def flattened(x, weight, bias):
    return F.linear(x.reshape(-1, x.shape[-1]), weight, bias).view(*x.shape[:-1], -1)


@benchmark(
    variants={"flattened": flattened, "four_dimensions": F.linear},
    cpu={"n": [2], "hw": [14], "c": [64, 256], "layout": ["dense", "permuted"]},
    cuda={"n": [64], "hw": [56], "c": [256], "layout": ["dense", "permuted"]},
    claims=[
        identical("output", note="X7"),
        unchanged("time", within="3%", note="X7"),
        unchanged("memory/peak", note="X7"),
    ],
)
def linear_last_dimension(call, n, hw, c, layout):
    """Linear folds all dimensions but the last; an image permuted from NCHW has to be copied for that."""
    x = torch.randn(n, hw, hw, c) if layout == "dense" else torch.randn(n, c, hw, hw).permute(0, 2, 3, 1)
    flops = 2 * n * hw * hw * c * c
    flops_by_phase = {"forward": flops, "backward": 2 * flops}
    return Subject(call, x, torch.randn(c, c) / c**0.5, torch.randn(c), flops=flops_by_phase)
