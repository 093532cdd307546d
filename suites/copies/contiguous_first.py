"""Is an operation on a transposed tensor faster if the tensor is made contiguous first?"""

import torch
import torch.nn.functional as F

from bench import Subject, benchmark, close, large, lower

OPS = {
    "mul": lambda x, _: x * 2,
    "sum": lambda x, _: x.sum(dim=1),
    "softmax": lambda x, _: x.softmax(dim=1),
    "matmul": lambda x, weight: x @ weight,
    "conv1d": lambda x, weight: F.conv1d(x, weight[:32, :, None]),
}


@benchmark(
    variants={"as_is": False, "contiguous_first": True},
    cpu={"op": list(OPS), "side": [1024]},
    cuda=[
        {"op": "softmax", "side": 256},  # launch-bound on purpose
        *({"op": op, "side": 8192} for op in OPS),
        *(large({"op": op, "side": 16384}) for op in OPS),
    ],
    bytes_needed=lambda contiguous, op, side: 100 * 2 * side * side,
    phases=("inference",),
    claims=[lower("time", of="contiguous_first", note="K8"), close("output", note="K8")],
)
def contiguous_first(contiguous, op, side):
    """The copy is part of the price.

    BLAS takes transposed operands, and operations on single elements follow the memory wherever it leads; what has
    to walk against it, or copies it anyway, may gain.
    """
    apply = OPS[op]
    x, weight = torch.randn(side, side).t(), torch.randn(side, side)
    return Subject((lambda x, weight: apply(x.contiguous(), weight)) if contiguous else apply, x, weight)
