"""Does contiguous() copy only what is not contiguous already?"""

import torch

from bench import Subject, benchmark, identical, large, lower, unchanged


@benchmark(
    variants={
        "clone": (torch.clone, False),
        "of_contiguous": (torch.Tensor.contiguous, False),
        "of_transposed": (torch.Tensor.contiguous, True),
    },
    cpu={"side": [1024, 2048]},
    cuda={"side": [4096, large(16384)]},
    phases=("inference",),
    claims=[
        lower("memory/peak", of="of_contiguous", within="99%", note="K1"),
        lower("time", of="of_contiguous", within="90%", note="K1"),
        unchanged("memory/peak", of="of_transposed", note="K2"),
        identical("output", note="K2"),
    ],
)
def contiguous(variant, side):
    """A contiguous tensor returns itself; any other is written to new memory, as much as a clone takes."""
    call, transposed = variant
    x = torch.randn(side, side)
    return Subject(call, x.t() if transposed else x)
