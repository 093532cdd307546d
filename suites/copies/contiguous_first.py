"""Is an operation on a transposed tensor faster if the tensor is made contiguous first?"""

import torch

from bench import Subject, benchmark, close, large, lower

OPS = {
    "mul": lambda x: x * 2,
    "sum": lambda x: x.sum(dim=1),
    "softmax": lambda x: x.softmax(dim=1),
    "matmul": lambda x: x @ x,
    "conv1d": lambda x: torch.nn.functional.conv1d(x, x[:32, :, None].contiguous()),
}


@benchmark(
    variants={"as_is": False, "contiguous_first": True},
    cpu={"op": list(OPS), "side": [1024]},
    cuda={"op": list(OPS), "side": [4096, large(16384)]},
    phases=("inference",),
    claims=[lower("time", of="contiguous_first", note="K8"), close("output", note="K8")],
)
def contiguous_first(contiguous, op, side):
    """The copy is part of the price.  BLAS takes transposed operands; the others read along their memory either way."""
    apply = OPS[op]
    x = torch.randn(side, side).t()
    return Subject((lambda x: apply(x.contiguous())) if contiguous else apply, x)
