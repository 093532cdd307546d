"""Is contiguous() free for a tensor that is contiguous already?"""

import torch

from bench import Subject, benchmark, identical, lower, unchanged


@benchmark(
    variants={"view": torch.Tensor.detach, "contiguous": torch.Tensor.contiguous},
    cpu={"side": [64, 2048]},
    cuda={"side": [64, 8192]},  # the first: launch-bound on purpose
    phases=("inference",),
    claims=[
        unchanged("memory/peak", note="K1"),
        lower("time", on="cpu", note="K1"),
        identical("output", note="K1"),
    ],
)
def contiguous_noop(call, side):
    """It returns the very tensor: no memory at any size, and less time than the smallest thing torch does, a view.

    On a GPU nothing is launched, so there is nothing to time on it.
    """
    return Subject(call, torch.randn(side, side))
