"""Does an example get the same bits alone and within a batch?"""

import torch
import torch.nn.functional as F

from bench import Subject, benchmark, identical

CALLS = {
    "matmul": lambda x, w: x @ w,
    "linear": lambda x, w: F.linear(x, w.t()),
    "softmax": lambda x, w: (x + w[:, 0]).softmax(-1),
    "conv": lambda x, w: F.conv2d(x.reshape(-1, 16, 8, 8), w.reshape(-1)[:2304].reshape(16, 16, 3, 3), padding=1),
}


def alone(x, w, of):
    """The first example by itself."""
    return CALLS[of](x[:1], w)


def in_batch(x, w, of):
    """The same one, calculated with all others."""
    return CALLS[of](x, w)[:1]


@benchmark(
    variants={"alone": alone, "in_batch": in_batch},
    cpu={"batch": [4, 64], "of": list(CALLS)},
    phases=(),
    claims=[identical("output", note="X9")],
)
def batch_invariance(call, batch, of):
    """Not promised: a library may cut a large product into other blocks, and then it adds in another order."""
    return Subject(call, torch.randn(batch, 1024), torch.randn(1024, 512), of)
