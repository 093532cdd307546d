"""Does the gradient of global pooling repeat, whichever of its spellings one takes?"""

import torch
import torch.nn.functional as F

from bench import Subject, benchmark, identical

from ._repeats import distinct, one, with_gradients

SPELLINGS = {
    "adaptive_1": lambda x: F.adaptive_avg_pool2d(x, 1),
    "adaptive_3": lambda x: F.adaptive_avg_pool2d(x, 3),
    "mean": lambda x: x.mean((2, 3), keepdim=True),
    "avg_pool": lambda x: F.avg_pool2d(x, x.shape[-1]),
}


def seen(x, spelling):
    """How many different results twenty calls give."""
    return distinct(lambda: with_gradients(SPELLINGS[spelling], x))


@benchmark(
    variants={"repeats": one, "torch": seen},
    cpu={"spelling": list(SPELLINGS)},
    phases=(),
    claims=[identical("output", note="P2")],
)
def pooling_backward(call, spelling):
    """On a GPU the windows of adaptive pooling overlap and its gradient adds with atomics; mean has no such problem."""
    return Subject(call, torch.randn(4, 64, 7, 7), spelling)
